"""Sheets, cleaning, matching and merging, each against a reading of its own."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precmark.errors import InputError
from precmark.strategy import cleaning, linked, matching, sources
from precmark.strategy.people import FIELDS, identities
from precmark.strategy.strings import jaro, jaro_winkler, one_slip

WORDS = st.text("abcd", max_size=6)


# ---- spellings


@pytest.mark.parametrize(
    ("first", "second", "plain", "winkler"),
    [
        # the examples of Winkler's papers
        ("martha", "marhta", 0.944, 0.961),
        ("dwayne", "duane", 0.822, 0.840),
        ("dixon", "dicksonx", 0.767, 0.813),
        ("jones", "johnson", 0.790, 0.832),
        ("abc", "xyz", 0.0, 0.0),
        ("", "", 1.0, 1.0),
    ],
)
def test_similarities_are_those_that_winkler_printed(first, second, plain, winkler):
    assert jaro(first, second) == pytest.approx(plain, abs=6e-4)
    assert jaro_winkler(first, second) == pytest.approx(winkler, abs=6e-4)


def slips(text: str) -> set[str]:
    """Every text one slip away, letters a to d."""
    found = {text}
    for i in range(len(text) + 1):
        found |= {text[:i] + c + text[i:] for c in "abcd"}
        if i < len(text):
            found |= {text[:i] + c + text[i + 1 :] for c in "abcd"} | {text[:i] + text[i + 1 :]}
        if i + 1 < len(text):
            found.add(text[:i] + text[i + 1] + text[i] + text[i + 2 :])
    return found


@given(WORDS, WORDS)
@settings(max_examples=300, deadline=None)
def test_one_slip_is_one_letter_or_two_neighbours(first, second):
    assert one_slip(first, second) == (second in slips(first)) == one_slip(second, first)


@given(WORDS, WORDS)
@settings(max_examples=200, deadline=None)
def test_similarity_is_a_share_and_1_for_equal_texts(first, second):
    assert 0 <= jaro_winkler(first, second) <= 1
    assert jaro(first, first) == 1
    assert jaro(first, second) == pytest.approx(jaro(second, first))


# ---- sheets


class SheetRun:
    """As much of a run as the sheets read."""

    def __init__(self, says=("views", "purchases", "prices"), users=400, seed=0):
        rng = np.random.default_rng(seed)
        n = 3 * users
        bought = (rng.random(n) < 0.3) & ("purchases" in says)
        self.sessions = pd.DataFrame(
            {
                "user_code": rng.integers(0, users, n),
                "start": pd.Timestamp("2024-03-01", tz="UTC")
                + pd.to_timedelta(rng.integers(0, 200, n), unit="D"),
                "purchased": bought,
                "revenue": np.where(bought, rng.lognormal(3, 0.5, n), 0.0),
            }
        )
        self.source = self
        self.says = frozenset(says)

    def table(self, name, columns=None):
        return self.sessions


@pytest.fixture(scope="module")
def sheets():
    return sources.split_sources(SheetRun(), seed=3)


def test_the_order_book_holds_the_buyers_with_their_money(sheets):
    sessions = SheetRun().sessions
    money = sessions[sessions.purchased].groupby("user_code").revenue.sum()
    book = sheets.truth[sheets.records.source == "orders"]
    assert set(book.user_code) == set(money.index)
    assert np.allclose(book.spend, money.reindex(book.user_code).round(2))


def test_misplaced_amounts_are_a_hundred_times_too_large(sheets):
    slip = sheets.truth.slip
    written, right = sheets.records.spend, sheets.truth.spend
    assert np.allclose(written[slip], 100 * right[slip])
    fine = ~slip & written.notna()
    assert np.allclose(written[fine], right[fine])


def test_everyone_with_visits_has_an_account_and_mistakes_come_at_their_rates():
    made = sources.split_sources(SheetRun(users=4000), seed=1)
    web = made.records.source == "web"
    assert made.truth.user_code[web].nunique() == SheetRun(users=4000).sessions.user_code.nunique()
    for field in FIELDS:
        share = made.records.loc[web, field].notna().mean()
        assert share == pytest.approx(sources.KNOWN["web"][field], abs=0.03)
    phone = made.records.phone.dropna()
    assert phone.str.startswith("+86").mean() == pytest.approx(0.30, abs=0.03)


def test_the_same_seed_gives_the_same_sheets_and_another_other_ones(sheets):
    again = sources.split_sources(SheetRun(), seed=3)
    pd.testing.assert_frame_equal(sheets.records, again.records)
    other = sources.split_sources(SheetRun(), seed=4)
    assert not sheets.records.email.equals(other.records.email)


def test_a_log_with_many_users_is_sampled_and_one_without_purchases_has_no_order_book():
    made = sources.split_sources(SheetRun(says=("views",)), most_users=100)
    assert len(made.people) == 100
    assert set(made.records.source) == {"web", "calls"}
    assert list(sources.sheet_table(made).sheet) == ["web accounts", "call-centre sheet"]


def test_made_up_people_have_their_own_phone_and_mail_and_some_share_a_name():
    people = identities(np.arange(5000), seed=1)
    assert people.phone.is_unique
    assert people.email.is_unique
    assert people.name.duplicated().any()
    assert people.phone.str.len().eq(11).all()


# ---- cleaning


def test_outlier_rules_follow_their_formulas():
    values = np.array([10.0, 12, 11, 9, 10, 13, 11, 10, 500, np.nan])
    x = values[:-1]
    by_hand = {
        "sd": np.abs(x - x.mean()) / x.std() > 3,
        "mad log": 0.6745 * np.abs(np.log(x) - np.median(np.log(x)))
        / np.median(np.abs(np.log(x) - np.median(np.log(x)))) > 3.5,
    }  # fmt: skip
    for rule, flags in by_hand.items():
        assert list(cleaning.outliers(values, rule)) == [*flags, False]
    low, high = np.percentile(x, [25, 75])
    box = (x < low - 1.5 * (high - low)) | (x > high + 1.5 * (high - low))
    assert list(cleaning.outliers(values, "box")) == [*box, False]
    # one value of nine cannot be three standard deviations away: the rule is blind to it
    assert not by_hand["sd"].any()
    assert by_hand["mad log"][8]


def test_outliers_of_few_or_equal_values_and_unknown_rules():
    assert not cleaning.outliers(np.array([1.0, 100.0]), "mad log").any()
    assert not cleaning.outliers(np.full(9, 4.0), "mad log").any()
    with pytest.raises(InputError, match="sd, box, mad log"):
        cleaning.outliers(np.ones(5), "guess")


def test_cleaning_drops_copies_and_keeps_truth_in_step(sheets):
    clean = cleaning.cleaned(sheets, year=2024)
    gone = sheets.records.drop(columns="record").duplicated()
    assert gone.any()
    assert len(clean.records) == len(sheets.records) - gone.sum() == len(clean.truth)
    assert (clean.records.record == clean.truth.record).all()
    assert "1900" not in set(clean.records.birth_year.dropna())


def test_years_that_cannot_be():
    years = pd.Series(["1900", "1924", "1990", "2024", "2025", "x", None])
    found = cleaning.impossible_years(years, 2024)
    assert list(found) == [True, False, False, False, True, True, False]


# ---- matching


def record(name, email=None, phone=None, year=None, gender=None, town=None, source="web"):
    return {"name": name, "email": email, "phone": phone, "birth_year": year, "gender": gender,
            "town": town, "source": source, "day": pd.Timestamp("2024-01-01", tz="UTC"),
            "visits": 1, "orders": 0, "calls": 0, "spend": np.nan}  # fmt: skip


def test_spellings_of_one_thing_become_one():
    made = matching.normalised(
        pd.DataFrame(
            [record("TAVI, Lemo", " A@B.example ", "+86 123-4567 8901"),
             record(" lemo TAVI", "a@b.example", "12345678901", town="")]
        )
    )  # fmt: skip
    assert made.name.nunique() == made.email.nunique() == made.phone.nunique() == 1
    assert made.town.isna().all()


def test_candidate_pairs_are_those_that_share_a_block(sheets):
    records = matching.normalised(sheets.records)
    pairs, report = matching.candidate_pairs(records)
    keys = matching.block_keys(records)
    literal = {
        (i, j)
        for key in keys.values()
        for members in key.dropna().groupby(key).groups.values()
        if len(members) <= matching.MOST_IN_BLOCK
        for i, j in combinations(sorted(members), 2)
    }
    assert {tuple(p) for p in pairs} == literal
    assert len(pairs) == len(literal)
    assert list(report.rule) == list(keys)


def test_levels_by_hand():
    records = matching.normalised(
        pd.DataFrame(
            [record("lemo tavi", "a@x", "12345678901", "1990", "female", "dapar"),
             record("lemo tavis", "a@x", "12345678902", "1991", "male", "dapar"),
             record("brim osku", "b@y", None, "1955", "female", None)]
        )
    )  # fmt: skip
    found = matching.levels(records, np.array([[0, 1], [0, 2]]))
    equal, near, other, missing = 2, 1, 0, -1
    assert list(found[0]) == [near, equal, near, near, other, equal]
    assert list(found[1]) == [other, other, missing, other, equal, missing]


def test_posteriors_follow_bayes_and_em_never_loses_likelihood(sheets):
    records = matching.normalised(sheets.records)
    pairs, _ = matching.candidate_pairs(records)
    agreed = matching.levels(records, pairs)
    fitted = matching.fit_weights(records, pairs, agreed)
    assert np.diff(fitted.log_likelihood).min() >= -1e-6
    assert np.allclose(fitted.m.sum(axis=1), 1)
    for row in (0, len(pairs) // 2, len(pairs) - 1):
        one, two = fitted.prior, 1 - fitted.prior
        for f, level in enumerate(agreed[row]):
            if level >= 0:
                one *= fitted.m[f, level]
                two *= fitted.u[f, level]
        assert fitted.posterior(agreed)[row] == pytest.approx(one / (one + two))


def test_em_finds_the_chances_that_made_the_data(sheets):
    records = matching.normalised(sheets.records)
    pairs, _ = matching.candidate_pairs(records)
    agreed = matching.levels(records, pairs)
    fitted = matching.fit_weights(records, pairs, agreed)
    code = sheets.truth.user_code.to_numpy()
    same = code[pairs[:, 0]] == code[pairs[:, 1]]
    for f, field in enumerate(("name", "email", "phone")):
        known = agreed[same, f]
        counted = (known[known >= 0] == matching.EQUAL).mean()
        assert fitted.m[f, matching.EQUAL] == pytest.approx(counted, abs=0.06), field
    # the prior: pairs of one person that a block holds, of all pairs
    every = len(records) * (len(records) - 1) / 2
    assert fitted.prior == pytest.approx(same.sum() / every, rel=0.1)


def test_all_pairs_are_counted_at_their_levels():
    rng = np.random.default_rng(0)
    rows = [record(f"ka {'mno'[rng.integers(3)]}", gender=rng.choice(["female", "male"]))
            for _ in range(60)]  # fmt: skip
    records = matching.normalised(pd.DataFrame(rows))
    totals = matching.pair_totals(records)
    pairs = np.array(list(combinations(range(60), 2)))
    literal = matching.levels(records, pairs)
    for f in (0, 4):
        assert totals[f, matching.EQUAL] == (literal[:, f] == matching.EQUAL).sum()
        assert totals[f].sum() == pytest.approx((literal[:, f] >= 0).sum())


def test_rare_words_count_for_more():
    rows = [record("ka mo")] * 2 + [record("ka lu")] * 40 + [record("zi bo")] * 2
    records = matching.normalised(pd.DataFrame(rows))
    pairs = np.array([[0, 1], [2, 3], [42, 43]])
    found = matching.rarity(records, pairs, matching.levels(records, pairs))
    share = {"ka": 42 / 88, "lu": 40 / 88, "mo": 2 / 88, "zi": 2 / 88, "bo": 2 / 88}
    mean = np.log(sum(s**2 for s in share.values()))
    assert found[2] == pytest.approx(2 * mean - np.log(share["zi"]) - np.log(share["bo"]))
    assert found[2] > found[0] > found[1]


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=20))
@settings(max_examples=100, deadline=None)
def test_groups_are_what_links_reach(links):
    pairs = np.array([p for p in links if p[0] != p[1]], dtype=np.int64).reshape(-1, 2)
    group = matching.groups_of(pairs, 12)
    reach = {i: {i} for i in range(12)}
    for _ in range(12):
        for i, j in pairs:
            whole = reach[i] | reach[j]
            for k in whole:
                reach[k] = reach[k] | whole
    for i in range(12):
        assert set(np.flatnonzero(group == group[i])) == reach[i]


def test_sources_without_a_shared_key_are_refused():
    with pytest.raises(InputError) as refused:
        matching.normalised(pd.DataFrame([record("a b")]).drop(columns=["phone", "town"]))
    assert len(refused.value.problems) == 2
    with pytest.raises(InputError, match="share no key"):
        matching.normalised(pd.DataFrame([record(None), record("")]))
    with pytest.raises(InputError, match="no two records"):
        linked.match(pd.DataFrame([record("abc def", "a@x"), record("xyz uvw", "b@y")]))


# ---- how right, and the merge


def test_b_cubed_and_pairs_by_hand():
    group, truth = np.array([0, 0, 0, 1, 1, 2]), np.array([5, 5, 6, 6, 7, 7])
    found = linked.rightness(group, truth)
    assert list(found.precision) == pytest.approx([2 / 3, 2 / 3, 1 / 3, 1 / 2, 1 / 2, 1])
    assert list(found.recall) == pytest.approx([1, 1, 1 / 2, 1 / 2, 1 / 2, 1 / 2])
    assert linked.pair_counts(group, truth) == (1, 4, 3)


def test_weights_join_more_than_keys_and_hardly_anything_wrong(sheets):
    clean = cleaning.cleaned(sheets, year=2024)
    person = clean.truth.user_code.to_numpy()
    found = linked.match(clean.records)
    ways = linked.compare_ways(found, person, draws=100).drop_duplicates("way").set_index("way")
    weights, keys = ways.loc["weights"], ways.loc["any key"]
    assert weights["right pairs"] > keys["right pairs"]
    assert weights["wrong pairs"] < 0.05 * weights["right pairs"]
    mails = found.records.email.to_numpy(dtype=object)
    literal = [
        a == b for a, b in combinations([m if isinstance(m, str) else None for m in mails], 2) if a
    ]
    email = ways.loc["email"]
    assert email["right pairs"] + email["wrong pairs"] == sum(literal)


def test_thresholds_are_literal_counts(sheets):
    found = linked.match(sheets.records)
    person = sheets.truth.user_code.to_numpy()
    table = linked.by_threshold(found, person).set_index("threshold")
    same = person[found.pairs[:, 0]] == person[found.pairs[:, 1]]
    kept = found.posterior >= 0.9
    sizes = pd.Series(person).value_counts()
    every = (sizes * (sizes - 1) // 2).sum()
    assert table.precision[0.9] == pytest.approx(same[kept].mean())
    assert table.recall[0.9] == pytest.approx(same[kept].sum() / every)
    assert table.recall.is_monotonic_decreasing


def test_each_rule_keeps_its_own_value():
    rows = [
        record("a b", phone="11111111111", source="web"),
        record("a b", phone="22222222222", source="orders"),
        record("a b", phone="11111111111", source="calls"),
    ]
    made = pd.DataFrame(rows)
    made["day"] = pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-09"], utc=True)
    made.loc[2, "phone"] = "33333333333"
    made.loc[len(made)] = made.loc[0]
    group = np.zeros(4, dtype=int)
    kept = {r: linked.merge(made, group, rule=r).customers.phone[0] for r in linked.RULES}
    assert kept == {
        "trusted": "22222222222", "latest": "33333333333", "common": "11111111111",
    }  # fmt: skip
    conflicts = linked.merge(made, group).conflicts.set_index("field")
    assert conflicts.conflicts["phone"] == 1
    assert conflicts.conflicts["name"] == 0
    assert conflicts.known["email"] == 0


def test_coverage_counts_rows_and_customers(sheets):
    found = linked.match(sheets.records)
    merged = linked.merge(found.records, found.group)
    table = linked.coverage(sheets.records, merged).set_index("field")
    web = sheets.records[sheets.records.source == "web"]
    assert table.loc["phone", "web accounts"] == pytest.approx(web.phone.notna().mean())
    literal = found.records.groupby(found.group).phone.apply(lambda c: c.notna().any()).mean()
    assert table.loc["phone", "merged"] == pytest.approx(literal)


def test_a_merge_lists_all_that_is_wrong(sheets):
    with pytest.raises(InputError) as refused:
        linked.merge(
            sheets.records.drop(columns=["day", "calls"]).assign(source="fax"),
            np.zeros(3, int), rule="guess",
        )  # fmt: skip
    said = str(refused.value)
    assert len(refused.value.problems) == 5
    assert all(word in said for word in ("day", "calls", "'guess'", "'fax'", "3 groups"))
    with pytest.raises(InputError, match="above 0 and up to 1"):
        linked.match(sheets.records, link=2.0)
    with pytest.raises(InputError, match="1 or more"):
        sources.split_sources(SheetRun(), most_users=0)
