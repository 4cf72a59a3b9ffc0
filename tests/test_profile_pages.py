"""What chapter 02 tabulates, draws and says, against literal readings and hand-worked cases."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from precmark import figures
from precmark.chapters import Chapter
from precmark.claims import paper
from precmark.plots import profiles as plots
from precmark.profile_pages import printed, readings, sentences, tables, verdicts
from precmark.profiles import (
    clean_age,
    dictionary,
    features,
    find_spikes,
    list_entries,
    units,
)
from precmark.runs import Run
from precmark.source import CAPABILITIES

ALL = frozenset(CAPABILITIES)
SHOP = frozenset({"clock", "users", "purchases", "prices", "items"})


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture
def profile() -> pd.DataFrame:
    """Forty users who did nothing, but for what a test writes into them."""
    n = 40
    frame = pd.DataFrame({entry.name: np.zeros(n) for entry in features()})
    texts = ["gender", "country", "login_platform", "referrer", "signup_provider", "has_avatar"]
    frame = frame.astype(dict.fromkeys(texts, object))
    frame[texts] = None
    frame[["age", "level", "recency_days", "tenure_days"]] = np.nan
    codes = pd.DataFrame({"user_id": [f"{i:032x}" for i in range(n)], "user_code": np.arange(n)})
    frame = pd.concat([codes, frame], axis=1)
    return frame


def list_of(*rows: tuple[int, str, int, str, float]) -> pd.DataFrame:
    """Lists of (user, list, window, item, value), ranked in the order given."""
    frame = pd.DataFrame(rows, columns=["user_code", "list", "window_days", "item_id", "value"])
    keys = ["user_code", "list", "window_days"]
    return frame.assign(rank=frame.groupby(keys).cumcount() + 1)


# ---------------------------------------------------------------- what the paper prints


def test_the_papers_rows_and_the_dictionary_name_the_same_rows():
    rows = printed.paper_rows()
    assert rows.groupby("table").size().to_dict() == {1: 9, 2: 11, 3: 7}
    for _, group in rows.groupby("table"):
        assert group.row.tolist() == list(range(1, len(group) + 1))
    found = dictionary().query("not shop")[["table", "row"]]
    assert set(map(tuple, found.to_numpy())) == set(map(tuple, rows[["table", "row"]].to_numpy()))
    assert printed.numbering(1) == "1, 2, 3, 4, 5, 6, 7, 9, 7"
    assert printed.numbering(3) == "1, 2, 3, 4, 5, 6, 7"


def test_printed_shares_by_hand():
    table = printed.printed_shares().set_index("share")
    by_hand = [
        ("gender known", Fraction(165 + 437, 2670), "holds if assumed"),
        ("age given", Fraction(750, 2670), "reproduced"),
        ("age from 8 to 60", Fraction(680, 2670), "reproduced"),
        ("age left after ages 51 and 52 are removed", Fraction(680 - 26 - 91, 2670), "reproduced"),
    ]
    assert table.index.tolist() == [name for name, *_ in by_hand]
    for name, share, verdict in by_hand:
        assert table.loc[name, "from_counts"] == pytest.approx(float(share))
        assert table.loc[name, "verdict"] == verdict
        near = abs(share - Fraction(str(table.loc[name, "printed"]))) <= Fraction(1, 200)
        assert near == (verdict == "reproduced")
    text = sentences.on_shares(printed.printed_shares())
    assert text.startswith("3 of 4 shares") and "without rounding" in text


def test_the_bounds_hold_every_reading_of_the_plus_signs():
    row = printed.printed_shares().iloc[3]
    inside = []
    steps = np.linspace(0, 0.999, 4)
    for users, valid, a, b in itertools.product(steps, repeat=4):
        kept = 680_000 + 10_000 * valid - (26_000 + 1_000 * a) - (91_000 + 1_000 * b)
        inside.append(kept / (2_670_000 + 10_000 * users))
    assert row.lowest <= min(inside) and max(inside) <= row.highest
    assert row.lowest == pytest.approx(min(inside), rel=2e-3)
    assert row.highest == pytest.approx(max(inside), rel=2e-3)


def test_a_share_that_no_reading_allows_is_inconsistent(monkeypatch):
    given = printed.claim("gu", "table1.gender_coverage")
    wrong = type(given)(**{**vars(given), "value": 0.3})
    monkeypatch.setattr(printed, "claim", lambda *_: wrong)
    checked = printed._check(printed.SHARES[0])
    assert checked["verdict"] == "internally inconsistent" and "at most" in checked["why"]


def test_printed_ages_have_the_printed_size_peak_and_spikes():
    ages = printed.printed_ages()
    counts = ages.rule.counts.set_index("age").users
    assert counts[21] == paper("gu", "table1.age_21")
    bell = counts.drop([51, 52])
    assert bell.sum() == pytest.approx(680_000 - 26_000 - 91_000, rel=2e-3)
    middle = np.average(bell.index, weights=bell)
    spread = math.sqrt(np.average((bell.index - middle) ** 2, weights=bell))
    assert spread == pytest.approx(ages.sd_years, rel=0.01)
    assert ages.rule.spikes == (51, 52)
    assert counts[52] == pytest.approx(91_000, abs=1)


# ---------------------------------------------------------------- the dictionary by families


def test_every_entry_stands_in_one_family():
    found = tables.families(dictionary())
    members = [(kind, *m) for kind, ms in zip(found.kind, found.members, strict=True) for m in ms]
    entries = [(e.kind, e.name, e.window_days) for e in (*features(), *list_entries())]

    def key(entry):
        return (entry[0], entry[1], -1 if pd.isna(entry[2]) else int(entry[2]))

    assert sorted(map(key, members)) == sorted(map(key, entries))


@pytest.mark.parametrize(
    ("family", "windows", "names"),
    [
        ("chats_{d}", "3, 7, 30", {"chats_3", "chats_7", "chats_30"}),
        ("events_{d}", "3, 7, 30, all", {"events_3", "events_7", "events_30", "events"}),
        ("events_prev_30", "60", {"events_prev_30"}),
        ("share_{hours}_{d}", "30",
         {"share_00_06_30", "share_06_12_30", "share_12_18_30", "share_18_24_30"}),
        ("watch_s_{weekday}_{d}", "30",
         {"watch_s_saturday_30", "watch_s_sunday_30", "watch_s_workday_30"}),
        ("gender", "", {"gender"}),
        ("monetary", "all", {"monetary"}),
    ],
)  # fmt: skip
def test_families_gather_windows_and_parts(family, windows, names):
    row = tables.families(dictionary()).query("kind == 'feature'").set_index("family").loc[family]
    assert row.windows == windows and {name for name, _ in row.members} == names


def test_formulas_of_families_name_no_single_window_or_part():
    found = tables.families(dictionary()).set_index("family")
    assert found.loc["chats_per_active_day_{d}", "formula"].startswith(
        "chats_{d} / active_days_{d}"
    )
    assert "{part}" in found.loc["views_{part}_{d}", "formula"]
    assert "{hours}" in found.loc["views_{part}_{d}", "formula"]
    assert "saturday" not in found.loc["views_{weekday}_{d}", "formula"]
    page = tables.dictionary_page(dictionary())
    assert len(page) == len(found) and page.name.str.startswith("list ").any()


def test_measures_are_those_of_a_loop_over_users(profile):
    profile.loc[:3, "watch_s_evening_30"] = [10.0, 20.0, 0.0, 30.0]
    profile.loc[0, "watch_s_night_30"] = 5.0
    profile.loc[5, "spend_30"] = -8.0
    profile.loc[[1, 2], "gender"] = ["female", "unknown"]
    profile.loc[[1, 2, 3], "level"] = [0, 3, 6]
    profile.loc[4, "has_avatar"] = False
    lists = list_of(
        (0, "broadcasters_by_chats", 30, "b1", 3.0),
        (0, "broadcasters_by_chats", 30, "b2", 1.0),
        (1, "broadcasters_by_chats", 30, "b2", 1.0),
        (1, "broadcasters_by_chats", 7, "b2", 1.0),
    )
    found = tables.measure(profile, lists, dictionary(), ALL, currency="CNY").set_index("family")
    names = [f"watch_s_{part}_30" for part in ("night", "morning", "afternoon", "evening")]
    per_user = [sum(row[n] for n in names) for _, row in profile.iterrows()]
    some = [v for v in per_user if v]
    assert found.loc["watch_s_{part}_{d}", "users"] == pytest.approx(len(some) / 40)
    assert found.loc["watch_s_{part}_{d}", "mean"] == pytest.approx(sum(some) / len(some))
    assert found.loc["spend_{d}", "users"] == pytest.approx(1 / 40)
    assert found.loc["spend_{d}", "unit"] == "CNY"
    assert found.loc["gender", "users"] == pytest.approx(1 / 40)
    assert found.loc["level", "users"] == pytest.approx(3 / 40), "level 0 is a level"
    assert found.loc["level", "mean"] == pytest.approx(3.0)
    assert found.loc["has_avatar", "users"] == pytest.approx(1 / 40), "no picture is known too"
    assert found.loc["broadcasters_by_chats", "users"] == pytest.approx(2 / 40)
    assert found.loc["broadcasters_by_chats", "mean"] == pytest.approx(1.5)
    assert np.isnan(found.loc["chats_{d}", "mean"]) and found.loc["chats_{d}", "users"] == 0


def test_what_the_source_cannot_say_is_written_so(profile):
    found = tables.measure(profile, list_of(), dictionary(), SHOP)
    rows = tables.rows_of(found, 2).set_index("here")
    assert rows.loc["chats_{d}", "users with any"] == "not in this source"
    assert rows.loc["events_{hours}_{d}", "users with any"] == "0 %"
    assert rows.row[rows.row != ""].tolist() == [f"2.{n}" for n in range(1, 12)]
    own = tables.rows_of(found, 3, shop=True).set_index("here")
    assert own.loc["views_{d}", "users with any"] == "not in this source"


def test_stand_ins_do_not_count_as_the_real_thing(profile):
    profile["tenure_days"] = 100.0
    profile["login_days_30"] = 2.0
    dates = [pd.Timestamp("2024-01-01", tz="UTC")] * 10 + [None] * 30
    users = pd.DataFrame({"user_code": range(40), "registered_at": dates})
    known = tables.filled_otherwise(profile, users, logins_from_events=True)
    assert known == {"tenure_days": 0.25, "login_days_{d}": 0.0}
    found = tables.measure(profile, list_of(), dictionary(), ALL, known=known).set_index("family")
    assert found.loc["tenure_days", "users"] == 0.25
    assert not found.loc["login_days_{d}", "can_say"]
    assert tables.filled_otherwise(profile, None, logins_from_events=False) == {"tenure_days": 0.0}


def test_table_one_has_three_lines_of_age_beside_the_papers(profile):
    ages = pd.Series([20.0] * 8 + [70.0] * 2 + [None] * 30)
    profile["age"], rule = clean_age(ages)
    found = tables.measure(profile, list_of(), dictionary(), ALL)
    basic = tables.attribute_rows(found, rule).set_index("the paper asks for")
    assert len(basic) == 11
    assert basic.loc["age, as stated", "this run"] == pytest.approx(10 / 40)
    assert basic.loc["age, in range", "this run"] == pytest.approx(8 / 40)
    # With nobody of a neighbouring age, eight users of one age are a pile-up.
    assert basic.loc["age, believed", "this run"] == 0
    assert basic.loc["age, as stated", "paper"] == 0.28
    assert basic.paper.notna().sum() == 4
    text = sentences.on_coverage(basic.reset_index())
    assert "gender" in text and text.endswith(".")


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1, "100 %"), (0.123, "12 %"), (0.0331, "3.3 %"), (0.00635, "0.64 %"),
     (0.0996, "10 %")],
)  # fmt: skip
def test_percentages_keep_two_digits(share, text):
    assert tables.percent(share) == text


def test_a_scrolling_table_is_escaped_and_can_be_downloaded(capsys, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda html: shown.append(html.data))
    frame = pd.DataFrame({"formula": ["a < b"]})
    figures.scrolling(frame, 'a "label"', width="9rem", download=("all", frame))
    (text,) = shown
    assert "a &lt; b" in text and "a &quot;label&quot;" in text
    assert 'download="all.csv"' in text and "min-width: 9rem" in text


# ---------------------------------------------------------------- readings


def test_reach_counts_users_and_empty_cells_one_by_one(profile):
    profile.loc[:9, "active_days"] = 3
    profile.loc[:3, "active_days_30"] = 1
    profile.loc[0, "active_days_7"] = 1
    table = readings.reach(profile, dictionary(), SHOP).set_index("window")
    assert table.users.tolist() == [0, 1, 4, 10]
    names = [
        entry.name
        for entry in features()
        if entry.window_days == 30 and set(entry.needs) <= SHOP
    ]  # fmt: skip
    empty = sum(not profile[name][i] for name in names for i in range(len(profile)))
    assert table.loc["last 30 days", "features"] == len(names)
    assert table.loc["last 30 days", "empty_cells"] == pytest.approx(empty / len(names) / 40)
    text = sentences.on_reach(table.reset_index())
    assert text.startswith("10 % of the users had any event in the last 30 days")
    assert "nothing about most" in text
    here = table.reset_index().assign(share=0.9)
    assert "did few of the things" in sentences.on_reach(here)
    assert "described by these" in sentences.on_reach(here.assign(empty_cells=0.2))


def test_hours_weigh_events_and_users_differently(profile):
    profile.loc[0, ["events_18_24_30", "share_18_24_30"]] = [9, 1.0]
    profile.loc[1, ["events_06_12_30", "share_06_12_30"]] = [1, 1.0]
    shares = [f"share_{h}_30" for h in ("00_06", "06_12", "12_18", "18_24")]
    profile.loc[2:, shares] = np.nan
    table = readings.hours(profile, SHOP)
    assert table.events.tolist() == pytest.approx([0, 0.1, 0, 0.9])
    assert table.users.tolist() == pytest.approx([0, 0.5, 0, 0.5])
    assert "watching" not in table and "watching" in readings.hours(profile, ALL)
    assert "differs by up to 40 points" in sentences.on_hours(table)


def test_class_days_are_those_of_the_calendar():
    # 1 June 2024 was a Saturday: June has 5 Saturdays, 5 Sundays and 20 workdays.
    assert readings.class_days(dt.date(2024, 7, 1)) == {"saturday": 5, "sunday": 5, "workday": 20}
    # A log that began on Friday, 28 June, reaches back three days.
    assert readings.class_days(dt.date(2024, 7, 1), 3) == {
        "saturday": 1, "sunday": 1, "workday": 1,
    }  # fmt: skip


def test_weekdays_are_compared_by_day(profile):
    profile.loc[0, ["views_saturday_30", "views_sunday_30", "views_workday_30"]] = [10, 5, 20]
    profile["days_since_first_event"] = 90.0
    table = readings.weekdays(profile, {"views"}, dt.date(2024, 7, 1))
    mean = 35 / 30
    assert table["page views a day"].tolist() == pytest.approx([2 / mean, 1 / mean, 1 / mean])
    text = sentences.on_weekdays(table)
    assert "5 Saturdays, 5 Sundays, 20 workdays" in text
    assert "a Saturday has 2.00 and a Sunday has 1.00 times" in text
    nothing = readings.weekdays(profile, set(), dt.date(2024, 7, 1))
    assert "neither" in sentences.on_weekdays(nothing)
    _, ax = plots.time_bars(readings.hours(profile, SHOP), table).axes
    assert len(ax.patches) == 3


def test_tails_and_concentration_against_literal_counts(profile):
    values = np.r_[np.zeros(10), np.arange(1, 31)].astype(float)
    profile["purchases"] = np.random.default_rng(1).permutation(values)
    tails = readings.tails(profile, ["purchases"])
    for row in tails.itertuples():
        assert row.share == pytest.approx((values >= row.at_least).mean())
    assert tails.at_least.tolist() == list(range(1, 31))
    held = readings.concentration(profile, ["purchases"])
    assert held.loc["purchases"].tolist() == pytest.approx([30, (30 + 29 + 28) / sum(range(31))])
    assert readings.tail_columns(profile) == ["purchases"]
    assert "`purchases`" in sentences.on_tails(held)
    plots.tail_panels(tails, units())


def test_number_and_value_are_compared_among_those_who_have_both(profile):
    number = pd.Series(np.r_[0, np.arange(1, 40)], dtype=float)
    text = sentences.on_number_and_value(number, number**2, "purchases")
    assert "39 users with purchases" in text and "correlation of 1.00" in text and "0 %" in text
    few = sentences.on_number_and_value(number * 0, number, "gifts")
    assert few.startswith("Too few")
    assert readings.number_and_value(SHOP) == [("purchases", "monetary", "purchases")]


def test_the_example_is_the_user_with_the_papers_lists(profile):
    lists = list_of(
        (3, "products_by_views", 30, "p1", 2.0),
        (3, "products_by_views", 7, "p1", 2.0),
        (3, "carted", 0, "p1", 2.0),
        (7, "broadcasters_by_chats", 30, "b1", 3.0),
        (8, "broadcasters_by_chats", 30, "b1", 3.0),
        (8, "broadcasters_by_chats", 30, "b2", 1.0),
    )
    assert readings.example_user(profile, lists, dictionary()) == 8
    assert readings.example_user(profile, lists[:0], dictionary()) == 0
    mine = readings.user_lists(lists, 8, dictionary())
    assert mine.entries.tolist() == ["b1 (3), b2 (1)"] and mine.unit.tolist() == ["chats"]


def test_a_card_holds_places_among_all_users(profile):
    profile["purchases"] = np.arange(40.0)
    profile.loc[9, ["country", "has_avatar", "level"]] = ["FR", True, 1200.0]
    card = readings.card(profile, 9, {"purchases": "lines"})
    assert card.to_dict("records") == [
        {"feature": "purchases", "value": 9.0, "unit": "lines", "below": pytest.approx(9 / 40)}
    ]
    words = readings.card_attributes(profile, 9, ["country", "has_avatar", "level", "gender"])
    assert words == "country FR, has avatar yes, level 1,200; not known: gender."
    plots.user_card(card)


# ---------------------------------------------------------------- sentences, figures, verdicts


def test_sentences_on_ages_name_the_spikes_or_say_that_there_are_none():
    rng = np.random.default_rng(0)
    people = np.clip(np.rint(rng.normal(22, 4, 2000)), 8, 60)
    _, plain = clean_age(people)
    assert "none is taken for a default value" in sentences.on_ages(plain)
    _, rule = clean_age(np.r_[people, np.full(300, 52.0), 99.0])
    text = sentences.on_ages(rule)
    assert "2,301 of 2,301" in text and "52 (300 users" in text and "1 of these lie outside" in text
    fig = plots.age_histogram(rule)
    assert any("age 52: 300 users" in t.get_text() for t in fig.axes[0].texts)
    assert len(fig.axes[0].patches) == 53


def test_rfm_is_drawn_and_said_of_buyers_only(profile):
    assert sentences.on_rfm(profile) == "Nobody bought anything."
    profile.loc[:3, "frequency"] = [1, 1, 2, 30]
    profile.loc[:3, "recency_days"] = [5, 10, 20, 30]
    profile.loc[:3, "monetary"] = [10.0, 20.0, -1.0, 900.0]
    text = sentences.on_rfm(profile)
    assert "4 of 40 users bought (10 %); 50% of them on one day only" in text
    assert "within 15 days" in text and "1 took back" in text
    _, table = plots.rfm_panels(profile, "EUR")
    assert table.groupby("measure").users.sum().to_dict() == {
        "recency": 4, "frequency": 4, "monetary": 3,
    }  # fmt: skip
    fig, table = plots.rfm_panels(profile.assign(monetary=0.0), "")
    assert len(fig.axes) == 2 and set(table.measure) == {"recency", "frequency"}


def test_the_answer_counts_rows_and_counterparts(profile):
    profile.loc[0, ["chats_30", "purchases_30", "active_days_30"]] = 1
    found = tables.measure(profile, list_of(), dictionary(), ALL)
    reach = readings.reach(profile, dictionary(), ALL)
    text = sentences.answer(found, reach, printed.printed_shares(), "this log")
    # Chats fill Table 2, row 9; purchases stand for its row 10, active days for Table 3, row 1.
    assert "this log fills 1 as the paper asks and 2 more" in text
    assert "Of the 4 shares that Table 1 prints, 3 follow" in text


def test_coverage_bars_have_a_mark_for_each_printed_figure(profile):
    _, rule = clean_age(profile.age)
    found = tables.measure(profile, list_of(), dictionary(), ALL)
    ax = plots.coverage_bars(tables.attribute_rows(found, rule), "this run").axes[0]
    assert len(ax.patches) == 11
    assert np.isfinite(ax.lines[0].get_xdata()).sum() == 4
    assert "age, believed" in [t.get_text() for t in ax.get_yticklabels()]


def test_verdicts_on_print_need_no_data_and_coverage_is_no_evidence(tiny_run, profile):
    chapter = Chapter("02_profile_tables", Run(tiny_run), {})
    verdicts.on_print(chapter, printed.printed_shares(), printed.printed_ages())
    _, rule = clean_age(profile.age)
    found = tables.measure(profile, list_of(), dictionary(), ALL)
    verdicts.on_coverage(chapter, tables.attribute_rows(found, rule))
    made = pd.DataFrame(chapter._verdicts)
    assert made.verdict.value_counts().to_dict() == {
        "reproduced": 4, "internally inconsistent": 2, "holds if assumed": 1,
        "not testable with public data": 1,
    }  # fmt: skip
    assert "Another business" in made.why.iloc[-1]


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.5"), (12.3456, "12.35"), (132459.2, "132,459"), (-1234, "-1,234")]
)
def test_numbers_are_never_in_powers_of_ten(value, text):
    assert tables.number(value) == text


def test_the_rule_as_the_exercise_describes_it():
    counts = printed.printed_ages().rule.counts.users.to_numpy()
    spike, _ = find_spikes(counts, factor=1.1)
    assert (np.flatnonzero(spike) + 8).tolist() == [21, 51, 52]
