"""The adapters: tiny files in each publisher's format, and the published files themselves."""

import dataclasses
import os
import tomllib
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import openpyxl
import pandas as pd
import pooch
import pyarrow as pa
import pytest

from precmark import adapters
from precmark.adapters import base, fetch, online_retail
from precmark.contract.schema import TABLES
from precmark.errors import InputError
from precmark.source import CAPABILITIES

RETAIL_HEADER = [
    *["InvoiceNo", "StockCode", "Description", "Quantity"],
    *["InvoiceDate", "UnitPrice", "CustomerID", "Country"],
]
RETAIL = [
    (536365, "85123A", " HEART HOLDER ", 6, datetime(2010, 12, 1, 8, 26), 2.55, 17850, "UK"),
    (536365, 71053, "METAL LANTERN", 6, datetime(2010, 12, 1, 8, 26), 3.39, 17850, "UK"),
    ("C536379", "D", "Discount", -1, datetime(2010, 12, 1, 9, 41), 27.5, 14527, "UK"),
    (536400, 22139, None, 56, datetime(2010, 12, 1, 11, 52), 0.0, None, "UK"),
    (536401, 22140, "damaged", -10, datetime(2010, 12, 1, 11, 53), 0.0, None, "UK"),
    (536402, "85123a", "HEART HOLDER", 2, datetime(2011, 7, 1, 12, 0), 2.95, 17850, "France"),
    (536403, 21730, "GLASS STAR", 1, datetime(2011, 7, 1, 12, 1), 4.25, None, "UK"),
    (536404, 21730, "GLASS STAR", 1, datetime(2011, 7, 1, 12, 2), 0.0, 13047, "UK"),
    (536405, 71053, "LANTERN", -3, datetime(2011, 7, 1, 12, 3), 3.0, 13047, "UK"),
    ("A563186", "B", "Adjust bad debt", 1, datetime(2011, 8, 12, 14, 51), -11062.06, None, "UK"),
]
ESHOP = """\
year;month;day;order;country;session ID;page 1 (main category);page 2 (clothing model);colour;\
location;model photography;price;price 2;page
2008;4;1;1;29;1;1;A13;1;5;1;28;2;1
2008;4;1;2;29;1;2;B4;10;2;1;52;1;1
2008;4;2;1;44;2;4;P1;12;6;2;38;2;3
"""
SHOPPERS = """\
Administrative,Administrative_Duration,Informational,Informational_Duration,ProductRelated,\
ProductRelated_Duration,BounceRates,ExitRates,PageValues,SpecialDay,Month,OperatingSystems,\
Browser,Region,TrafficType,VisitorType,Weekend,Revenue
0,0.0,0,0.0,1,0.0,0.2,0.2,0.0,0.0,Feb,1,1,1,1,Returning_Visitor,FALSE,FALSE
3,87.5,1,12.0,27,798.5,0.0,0.02,22.9,0.4,June,2,2,3,4,New_Visitor,TRUE,TRUE
3,87.5,1,12.0,27,798.5,0.0,0.02,22.9,0.4,Nov,2,2,3,4,Other,TRUE,TRUE
"""
BANDIT_HEADER = ",timestamp,item_id,position,click,propensity_score,user_feature_0\n"
BANDIT = {
    ("bts", "men"): "0,2019-11-24 00:01:03.979311+00:00,2,2,0,0.045525,cef3\n",
    ("bts", "women"): "0,2019-11-24 00:02:00+00:00,2,1,1,0.5,cef3\n",
    ("random", "men"): (
        "0,2019-11-24 00:03:13.442536+00:00,14,3,0,0.029411764705882353,cef3\n"
        "1,2019-11-24 00:03:36.705207+00:00,2,3,1,0.029411764705882353,cef3\n"
    ),
    ("random", "women"): "0,2019-11-24 00:04:00+00:00,0,1,0,0.021739,81ce\n",
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRECMARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PRECMARK_DATA", raising=False)
    return tmp_path / "cache"


def retail_workbook(path):
    book = openpyxl.Workbook()
    for row in (RETAIL_HEADER, *RETAIL):
        book.active.append(row)
    book.save(path)
    return path


def retail_csv(path, time_format, encoding="utf-8"):
    frame = pd.DataFrame(RETAIL, columns=RETAIL_HEADER).astype({"CustomerID": "Int64"})
    frame["InvoiceDate"] = frame["InvoiceDate"].dt.strftime(time_format)
    frame.to_csv(path, index=False, encoding=encoding)
    return path


def bandit_folder(folder):
    for (policy, campaign), rows in BANDIT.items():
        file = folder / policy / campaign / f"{campaign}.csv"
        file.parent.mkdir(parents=True)
        file.write_text(BANDIT_HEADER + rows)
    return folder


def zipped(path, *members):
    with zipfile.ZipFile(path, "w") as archive:
        for file, name in members:
            archive.write(file, name)
    return path


def tiny(name, folder):
    if name == "online-retail":
        return retail_workbook(folder / "Online Retail.xlsx")
    if name == "open-bandit":
        return bandit_folder(folder / "obd")
    names = {"eshop-clothing": "e-shop clothing 2008.csv"}
    path = folder / names.get(name, "online_shoppers_intention.csv")
    path.write_text(ESHOP if name == "eshop-clothing" else SHOPPERS)
    return path


def converted(name, path):
    adapter = adapters.ADAPTERS[name]
    return adapter.convert(adapter.read(path), adapters.card(name))


def rows(table):
    return [tuple(row.values()) for row in table.to_pylist()]


def check_against_contract(name, table):
    """A literal reading of the contract: required columns, types, choices, ranges."""
    types = {
        **{"text": pa.string(), "choice": pa.string(), "flag": pa.bool_()},
        **{"number": pa.float64(), "integer": pa.int64()},
        "timestamp": pa.timestamp("us", tz="UTC"),
    }
    contract = {c.name: c for c in TABLES[name]}
    for column in contract.values():
        if column.required:
            assert table.column(column.name).null_count == 0
    for field in table.schema:
        if field.name not in contract:
            assert name == "visits", f"{field.name} is no column of {name}"
            continue
        column = contract[field.name]
        assert field.type == types[column.kind], field
        for value in set(table.column(field.name).to_pylist()) - {None}:
            assert not column.choices or value in column.choices
            assert (
                column.low is None
                or value > column.low
                or (value == column.low and not column.open_low)
            )
            assert column.high is None or value <= column.high


def test_online_retail_lines_become_events_as_computed_by_hand(tmp_path):
    data = converted("online-retail", tiny("online-retail", tmp_path))
    winter = datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    summer = datetime(2011, 7, 1, 11, 0, tzinfo=UTC)  # one hour behind the clock in London
    assert rows(data.tables["events"]) == [
        ("17850", winter, "purchase", "536365", "85123A", 15.3, 6),
        ("17850", winter, "purchase", "536365", "71053", 20.34, 6),
        ("14527", winter.replace(hour=9, minute=41), "cancel", "C536379", None, 27.5, 1),
        ("17850", summer, "purchase", "536402", "85123A", 5.9, 2),
        ("13047", summer.replace(minute=3), "cancel", "536405", "71053", 9, 3),
    ]
    assert rows(data.tables["users"]) == [("13047", "UK"), ("14527", "UK"), ("17850", "France")]
    assert rows(data.tables["items"]) == [
        ("71053", "product", 3.195, "LANTERN"),  # equally frequent: the first by alphabet
        ("85123A", "product", 2.75, "HEART HOLDER"),
    ]


def test_online_retail_sets_lines_aside_with_row_event_and_reason(tmp_path):
    aside = converted("online-retail", tiny("online-retail", tmp_path)).set_aside
    assert aside[["row", "event", "reason"]].to_numpy().tolist() == [
        ["4", "purchase", "no customer; price not above zero"],
        ["5", "cancel", "no customer; price not above zero"],
        ["7", "purchase", "no customer"],
        ["8", "purchase", "price not above zero"],
        ["10", "purchase", "no customer; price not above zero"],
    ]
    assert all(pd.api.types.is_string_dtype(t) for t in aside.dtypes)


def test_online_retail_notes_count_what_was_done(tmp_path):
    notes = " ".join(converted("online-retail", tiny("online-retail", tmp_path)).source.notes[-3:])
    assert "5 of 10 lines" in notes and "3 for no customer and price not above zero" in notes
    assert "negative on 2 lines" in notes and "1 of them" in notes
    assert "1 lines of postage" in notes


def test_online_retail_reads_the_same_from_every_container(tmp_path):
    workbook = retail_workbook(tmp_path / "Online Retail.xlsx")
    expected = online_retail.read(workbook)
    others = [
        zipped(tmp_path / "online+retail.zip", (workbook, "Online Retail.xlsx")),
        retail_csv(tmp_path / "iso.csv", "%Y-%m-%d %H:%M:%S"),
        retail_csv(tmp_path / "us.csv", "%m/%d/%Y %H:%M", encoding="cp1252"),
    ]
    copy = tmp_path / "online_retail.parquet"
    expected.to_parquet(copy)
    for path in (*others, copy):
        pd.testing.assert_frame_equal(online_retail.read(path), expected)


def test_a_workbook_is_parsed_once(tmp_path, monkeypatch):
    workbook = retail_workbook(tmp_path / "Online Retail.xlsx")
    first = online_retail.read(workbook)
    monkeypatch.setattr(online_retail, "_parse", lambda path: pytest.fail("parsed again"))
    pd.testing.assert_frame_equal(online_retail.read(workbook), first)


def test_a_cache_that_cannot_be_written_loses_no_results(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("PRECMARK_CACHE", str(tmp_path / "file"))
    assert len(online_retail.read(retail_workbook(tmp_path / "Online Retail.xlsx"))) == len(RETAIL)


def test_eshop_clicks_become_views_as_computed_by_hand(tmp_path):
    data = converted("eshop-clothing", tiny("eshop-clothing", tmp_path))
    first = datetime(2008, 4, 1, 0, 0, 1, tzinfo=UTC)
    assert rows(data.tables["events"]) == [
        ("1", first, "view", "1", "A13", "trousers"),
        ("1", first.replace(second=2), "view", "1", "B4", "skirts"),
        ("2", first.replace(day=2), "view", "2", "P1", "sale"),
    ]
    assert rows(data.tables["users"]) == [("1", "Poland"), ("2", None)]
    assert rows(data.tables["items"]) == [
        ("A13", "product", "trousers", 28, "beige;en face"),
        ("B4", "product", "skirts", 52, "olive;en face"),
        ("P1", "product", "sale", 38, "red;profile"),
    ]
    assert not {"clock", "users", "purchases", "prices"} & data.source.says


def test_eshop_reads_the_same_from_a_zip_and_under_the_other_name_of_its_order(tmp_path):
    path = tiny("eshop-clothing", tmp_path)
    read = adapters.ADAPTERS["eshop-clothing"].read
    archive = zipped(tmp_path / "c.zip", (path, "e-shop clothing 2008.csv"))
    pd.testing.assert_frame_equal(read(archive), read(path))
    copy = tmp_path / "eshop_clothing_2008.parquet"
    read(path).rename(columns={"order": "order(sells)"}).to_parquet(copy)
    pd.testing.assert_frame_equal(read(copy), read(path), check_dtype=False)


def test_shoppers_sessions_become_visits(tmp_path):
    data = converted("online-shoppers", tiny("online-shoppers", tmp_path))
    visits = data.tables["visits"].to_pylist()
    assert [v["session_id"] for v in visits] == ["1", "2", "3"]
    assert [v["purchased"] for v in visits] == [False, True, True]
    assert [v["month"] for v in visits] == [2, 6, 11]
    assert [v["visitor_type"] for v in visits] == ["returning", "new", "other"]
    assert visits[1]["product_duration_s"] == 798.5 and visits[1]["weekend"] is True


@pytest.mark.parametrize("container", ["folder", "zip"])
def test_bandit_impressions_become_assignments(tmp_path, container):
    path = bandit_folder(tmp_path / "obd")
    if container == "zip":
        members = [(f, f"zr-obp/{f.relative_to(tmp_path)}") for f in path.rglob("*.csv")]
        path = zipped(tmp_path / "obd.zip", *members)
    data = converted("open-bandit", path)
    got = [(r["decision_id"], r["arm"], r["propensity"], r["outcome"]) for r in
           data.tables["assignments"].to_pylist()]  # fmt: skip
    assert got == [
        ("bts/men/2/000001", "men:2", 0.045525, 0),
        ("bts/women/1/000001", "women:2", 0.5, 1),
        ("random/men/3/000001", "men:14", 0.029411764705882353, 0),
        ("random/men/3/000002", "men:2", 0.029411764705882353, 1),
        ("random/women/1/000001", "women:0", 0.021739, 0),
    ]
    stamps = data.tables["assignments"].column("timestamp").to_pylist()
    assert stamps[0] == datetime(2019, 11, 24, 0, 1, 3, 979311, tzinfo=UTC)
    assert set(data.tables["items"].column("item_id").to_pylist()) == {
        "men:2", "men:14", "women:2", "women:0"}  # fmt: skip


@pytest.mark.parametrize("name", adapters.names())
def test_tiny_tables_satisfy_the_contract(name, tmp_path):
    for table_name, table in converted(name, tiny(name, tmp_path)).tables.items():
        check_against_contract(table_name, table)


@pytest.mark.parametrize("name", adapters.names())
def test_another_content_is_refused_with_every_difference(name, tmp_path):
    path = tiny(name, tmp_path)
    with pytest.raises(InputError) as error:
        adapters.load(name, path)
    card = adapters.card(name)
    assert str(path) in str(error.value) and card.homepage in str(error.value)
    assert f"published {card.fingerprint['rows']:,}" in str(error.value)
    if name == "online-retail":
        assert "rows 10 (published 541,909)" in str(error.value)
        assert "customers 3 (published 4,372)" in str(error.value)
        assert "exact duplicate rows 0 (published 5,268)" in str(error.value)


def test_missing_columns_are_all_named_with_the_nearest(tmp_path):
    path = tmp_path / "online_shoppers_intention.csv"
    path.write_text(SHOPPERS.replace("BounceRates", "BounceRate").replace("Revenue", "Bought"))
    with pytest.raises(InputError) as error:
        adapters.get("online-shoppers", path)
    assert len(error.value.problems) == 2
    assert "'BounceRates' is missing" in str(error.value)
    assert "nearest column there is 'BounceRate'" in str(error.value)
    assert "'Revenue' is missing" in str(error.value)


@pytest.mark.parametrize("name", adapters.names())
@pytest.mark.parametrize("ending", ["parquet", "zip", "csv", "xlsx", "docx"])
def test_garbage_is_refused_not_crashed_on(name, ending, tmp_path):
    path = tmp_path / f"file.{ending}"
    path.write_bytes(b"\xff\xfenonsense,\x00\n1,2\n")
    with pytest.raises(InputError, match="file"):
        adapters.load(name, path)


def test_a_zip_without_the_file_is_refused(tmp_path):
    note = tmp_path / "note.txt"
    note.write_text("nothing")
    for name in ("online-retail", "eshop-clothing", "open-bandit"):
        with pytest.raises(InputError, match=r"holds no file|lacks bts/men/men\.csv"):
            adapters.load(name, zipped(tmp_path / "x.zip", (note, "note.txt")))


def test_unknown_names_and_paths_are_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="Did you mean online-retail"):
        adapters.load("online-retial")
    with pytest.raises(InputError, match="does not exist"):
        adapters.load("online-retail", tmp_path / "nowhere.xlsx")
    monkeypatch.setenv("PRECMARK_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"PRECMARK_DATA names .* not a folder"):
        adapters.load("online-retail")


@pytest.fixture
def tiny_card(monkeypatch, tmp_path):
    """Let the tiny files pass for the published ones."""

    def accept(name):
        folder = tmp_path / "published"
        folder.mkdir()
        adapter, path = adapters.ADAPTERS[name], tiny(name, folder)
        found = adapter.fingerprint(adapter.read(path))
        card = dataclasses.replace(base.read_card(name), fingerprint=found)
        monkeypatch.setattr(adapters, "read_card", lambda _: card)
        return path

    return accept


def test_places_are_searched_in_order(tiny_card, tmp_path, own_cache, monkeypatch):
    path = tiny_card("eshop-clothing")
    monkeypatch.setattr(pooch, "retrieve", lambda *a, **k: pytest.fail("downloaded"))
    cached = own_cache / "eshop-clothing" / path.name
    cached.parent.mkdir(parents=True)
    cached.write_bytes(path.read_bytes())
    assert adapters.get("eshop-clothing") == cached
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setenv("PRECMARK_DATA", str(data))
    assert adapters.get("eshop-clothing") == cached  # nothing in the data folder
    (data / path.name).write_bytes(path.read_bytes())
    assert adapters.get("eshop-clothing") == data / path.name == adapters.find("eshop-clothing")
    assert adapters.get("eshop-clothing", path) == path


def test_a_download_lands_in_the_cache_and_a_wrong_one_does_not_stay(
    tiny_card, own_cache, monkeypatch
):
    good = tiny_card("eshop-clothing")
    archive = zipped(good.parent / "good.zip", (good, good.name))
    content = [b"an error page", archive.read_bytes()]

    def retrieve(url, known_hash, fname, path):
        assert url.startswith("https://archive.ics.uci.edu/static/public/553/")
        Path(path).mkdir(parents=True, exist_ok=True)
        (Path(path) / fname).write_bytes(content.pop(0))

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(InputError, match="not a readable zip"):
        adapters.get("eshop-clothing")
    assert adapters.find("eshop-clothing") is None
    path = adapters.get("eshop-clothing")
    assert path.parent == own_cache / "eshop-clothing"
    assert adapters.get("eshop-clothing") == path and not content


def test_a_stopped_download_of_several_files_goes_on(tiny_card, own_cache, monkeypatch):
    source = tiny_card("open-bandit")
    fetched = []

    def retrieve(url, known_hash, fname, path):
        target = Path(path) / fname
        if not target.exists():
            if len(fetched) == 2:
                fetched.append("cut")
                raise OSError("cut off")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((source / target.relative_to(own_cache / "open-bandit/obd"))
                               .read_bytes())  # fmt: skip
            fetched.append(url)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(InputError, match="could not be downloaded"):
        adapters.get("open-bandit")
    assert adapters.get("open-bandit") == own_cache / "open-bandit" / "obd"
    assert len(fetched) == 5


@pytest.mark.parametrize("name", adapters.names())
def test_without_a_network_it_says_which_file_to_put_where(name, own_cache, monkeypatch, tmp_path):
    def retrieve(*args, **kwargs):
        raise ConnectionError("no route")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    monkeypatch.setenv("PRECMARK_DATA", str(tmp_path))
    with pytest.raises(InputError) as error:
        adapters.load(name)
    text = str(error.value)
    for part in adapters.card(name).downloads:
        assert part.url in text and part.file in text
    assert str(own_cache / name) in text and str(tmp_path) in text


def test_every_card_is_complete_and_has_its_adapter():
    assert {p.stem for p in base.CARDS.glob("*.toml")} == set(adapters.names())
    for name in adapters.names():
        card = adapters.card(name)
        assert card.source.name == name and card.source.says <= set(CAPABILITIES)
        for text in (card.source.title, card.source.licence, card.source.reference, card.publisher):
            assert text
        assert card.licence_url.startswith("https://") and card.homepage.startswith("https://")
        assert card.source.notes and card.columns and card.fingerprint and card.downloads
        assert all(d.url.startswith("https://") for d in card.downloads)
        raw = tomllib.loads((base.CARDS / f"{name}.toml").read_text())
        assert len(raw["files"]) == len(set(raw["files"]))


def test_the_default_cache_is_the_users_own(monkeypatch):
    monkeypatch.delenv("PRECMARK_CACHE")
    assert fetch.cache_folder() == Path(pooch.os_cache("precmark"))


DATA = os.environ.get("PRECMARK_DATA")
real = pytest.mark.skipif(
    not DATA, reason="the published data sets are not here: set PRECMARK_DATA to their folder"
)


def real_file(name):
    for file in adapters.card(name).files:
        if (Path(DATA) / file).exists():
            return Path(DATA) / file
    pytest.skip(f"PRECMARK_DATA holds no file of {name}")


@real
@pytest.mark.parametrize("name", adapters.names())
def test_the_published_file_passes_and_satisfies_the_contract(name):
    data = adapters.load(name, real_file(name))
    for table_name, table in data.tables.items():
        check_against_contract(table_name, table)


@real
def test_online_retail_agrees_with_a_reading_in_sql():
    path = real_file("online-retail")
    if path.suffix != ".parquet":
        pytest.skip("the reading in SQL needs the Parquet copy")
    data = adapters.load("online-retail", path)
    events, items = data.tables["events"], data.tables["items"]
    kept = f"'{path}' WHERE CustomerID IS NOT NULL AND UnitPrice > 0"
    lines, net, taken_back, pieces = duckdb.sql(
        f"""SELECT count(*), sum(Quantity * UnitPrice),
        -sum(Quantity * UnitPrice) FILTER (Quantity < 0), sum(abs(Quantity)) FROM {kept}"""
    ).fetchone()
    frame = events.to_pandas()
    sign = frame["event"].map({"purchase": 1, "cancel": -1})
    assert len(frame) == lines and len(frame) + len(data.set_aside) == 541_909
    assert (sign * frame["value"]).sum() == pytest.approx(net)
    assert frame.loc[sign < 0, "value"].sum() == pytest.approx(taken_back)
    assert frame["quantity"].sum() == pieces
    prices = duckdb.sql(
        f"""SELECT upper(trim(StockCode)) AS code, median(UnitPrice) AS price FROM {kept}
        AND upper(trim(StockCode)) NOT IN ('POST', 'DOT', 'C2', 'M', 'D', 'S', 'B',
        'BANK CHARGES', 'AMAZONFEE', 'CRUK') GROUP BY 1 ORDER BY 1"""
    ).df()
    assert items.column("item_id").to_pylist() == prices["code"].tolist()
    assert items.column("price").to_pylist() == pytest.approx(prices["price"].tolist())
    negative = duckdb.sql(
        f"SELECT count(*) FROM '{path}' WHERE Quantity < 0 AND InvoiceNo NOT LIKE 'C%'"
    ).fetchone()[0]
    aside = data.set_aside
    cancelled = aside[(aside["event"] == "cancel") & ~aside["session_id"].str.startswith("C")]
    assert negative == len(cancelled) == 1_336  # none has a customer or a price
