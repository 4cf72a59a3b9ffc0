"""Personal data: found by names in several languages and by content, and kept out."""

from __future__ import annotations

import pandas as pd
import pytest

from precmark.contract import Options, check, ingest
from precmark.contract.personal import kind_of_name

PERSONAL = [
    "email", "e-mail", "E_Mail", "customerEmail", "mail", "correo", "courriel", "phone",
    "Phone Number", "telefon", "tel", "mobile_number", "Handy", "msisdn", "address", "Adresse",
    "street", "Straße", "postcode", "zip_code", "plz", "dirección", "ip", "ip_address", "clientIP",
    "remote_addr", "name", "Name", "first_name", "lastName", "surname", "user_name", "Vorname",
    "prénom", "Nachname", "apellidos", "customer name", "billing_name", "姓名", "电话",
    "邮箱", "имя",
]  # fmt: skip
HARMLESS = [
    "product_name", "item_id", "event_name", "category", "page_name", "campaign", "country", "zone",
    "shipping", "description", "recipe", "trip", "value", "platform", "chip", "stelle", "tip",
    "mobile", "telemetry", "views", "namespace", "nominal",
]  # fmt: skip


@pytest.mark.parametrize("name", PERSONAL)
def test_names_of_personal_columns(name):
    assert kind_of_name(name)


@pytest.mark.parametrize("name", HARMLESS)
def test_names_of_other_columns(name):
    assert kind_of_name(name) is None


def test_an_item_may_have_a_name():
    assert kind_of_name("name", "items") is None
    assert kind_of_name("name", "users") == "a name"


def log(**columns) -> pd.DataFrame:
    stamps = pd.date_range("2024-07-01", periods=4, tz="UTC")
    return pd.DataFrame({"user_id": list("abab"), "timestamp": stamps, "event": "view", **columns})


CONTENT = {
    "e-mail addresses": ["hello", "write to me: jo.doe+x@mail.example.org", "x", None],
    "IP addresses": ["192.168.0.1", "10.0.0.255", "2001:db8:0:0:0:0:2:1", None],
    "phone numbers": ["+44 20 7946 0958", "+49 (0)30 1234567", "(030) 1234-5678", "555-010-9999"],
}


@pytest.mark.parametrize("kind", CONTENT)
@pytest.mark.parametrize("column", ["text", "note"])
def test_content_of_personal_columns(kind, column):
    (problem,) = check(log(**{column: CONTENT[kind]})).problems
    assert column in problem.what
    assert kind in problem.what
    assert "--drop-personal" in problem.fix
    assert all(value not in str(problem) for value in CONTENT[kind] if value and len(value) > 5)


OTHER = [
    ["2024-07-01", "2024-07-02", "2024-07-03", None],
    ["1719828030", "1719828031", "1719828032", "4006381333931"],
    ["1.2.3", "1.2.3.4", "2.0", "3.1"],
    ["12:30:45", "a@b", "@home", "3 @ 4.50"],
    ["85123A", "22,633", "POST", "C2"],
    ["123-456", "2024-07-01 10:00:00", "10-12-2024", "100.00"],
]


@pytest.mark.parametrize("values", OTHER)
def test_content_of_other_columns(values):
    assert check(log(item_id=values)).ok


def test_user_ids_may_be_addresses_because_only_their_hash_is_kept(tmp_path):
    mails = ["a@shop.example", "b@shop.example"] * 2
    table = log(email=mails).drop(columns="user_id")
    done = ingest(tmp_path / "run", table, Options(map={"user_id": "email"}))
    written = b"".join(p.read_bytes() for p in (tmp_path / "run" / "results").rglob("*.parquet"))
    assert b"shop.example" not in written
    events = pd.read_parquet(done.tables["events"])
    assert not events.astype(str).apply(lambda c: c.str.contains("@")).any().any()


def test_drop_personal_leaves_the_columns_out_and_says_so(tmp_path):
    table = log(email=["a@b.org"] * 4, text=["mail a@b.org", "x", "y", "z"], item_id=list("pqrs"))
    assert len(check(table).problems) == 2
    done = ingest(tmp_path / "run", table, Options(drop_personal=True))
    assert done.checked.tables["events"].dropped == ("email", "text")
    events = pd.read_parquet(done.tables["events"])
    assert events["text"].isna().all()
    assert events["item_id"].notna().all()
    report = pd.read_parquet(done.tables["report"])
    assert report["item"].str.contains("email").any()


def test_an_e_mail_deep_in_a_long_table_is_found_at_its_end():
    n = 50_000
    table = pd.DataFrame(
        {
            "user_id": ["a", "b"] * (n // 2),
            "timestamp": pd.date_range("2023-01-01", periods=n, freq="min", tz="UTC"),
            "event": "search",
            "text": ["sofa"] * (n - 1) + ["jo@doe.org"],
        }
    )
    assert "e-mail" in str(check(table).problems[0])
