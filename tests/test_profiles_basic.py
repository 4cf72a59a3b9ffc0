"""Table 1: the age rule on the paper's shape and on others, coverage, the dictionary as data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from precmark.profiles import clean_age, coverage, dictionary, features, find_spikes, units
from precmark.profiles.dictionary import entries
from precmark.source import CAPABILITIES


def bell(peak_age: float, sd: float, users: float) -> np.ndarray:
    """Counts of a normal distribution over the ages 8 to 60."""
    years = np.arange(8, 61)
    return np.round(users * np.exp(-0.5 * ((years - peak_age) / sd) ** 2))


def stated(counts: np.ndarray) -> np.ndarray:
    return np.repeat(np.arange(8, 61), counts.astype(int)).astype(float)


def test_the_papers_spikes_are_found_and_its_peak_is_kept():
    # Table 1, row 2: close to a normal distribution with its peak of 53,000 at 21; 26,000 users
    # aged 51 and 91,000 aged 52 removed.
    counts = bell(21, 4.24, 53_000)
    counts[51 - 8], counts[52 - 8] = 26_000, 91_000
    spike, expected = find_spikes(counts)
    assert (np.flatnonzero(spike) + 8).tolist() == [51, 52]
    assert expected[51 - 8] < 100 and not spike[21 - 8]


@pytest.mark.parametrize("sd", [2.5, 4.0, 8.0, 15.0])
@pytest.mark.parametrize("users", [40, 900, 53_000])
def test_a_smooth_distribution_has_no_spike(sd, users):
    rng = np.random.default_rng(0)
    counts = rng.poisson(bell(24, sd, users))
    assert not find_spikes(counts)[0].any()


def test_a_few_users_are_no_spike():
    counts = np.zeros(53)
    counts[40] = 5
    assert not find_spikes(counts)[0].any()
    counts[40] = 6
    assert np.flatnonzero(find_spikes(counts)[0]).tolist() == [40]


def test_a_spike_at_either_end_is_found():
    counts = np.full(53, 10.0)
    counts[0] = counts[-1] = 500
    assert np.flatnonzero(find_spikes(counts)[0]).tolist() == [0, 52]


def test_expectation_is_the_larger_of_both_sides_medians():
    counts = np.array([1, 2, 3, 4, 100, 40, 30, 20, 10, 5])
    for i, expected in enumerate(find_spikes(counts)[1]):
        sides = [counts[max(0, i - 4) : i], counts[i + 1 : i + 5]]
        assert expected == max(float(np.median(s)) for s in sides if len(s))


def test_cleaning_removes_what_is_out_of_range_or_a_default():
    counts = bell(21, 4.24, 530)
    counts[52 - 8] = 910
    ages = np.concatenate([stated(counts), [7, 61, 150, -1, 60.9, 8.0, np.nan]])
    cleaned, rule = clean_age(ages)
    assert rule.spikes == (52,)
    assert set(cleaned[-7:].dropna()) == {60.9, 8.0}
    assert not (np.floor(cleaned) == 52).any()
    assert rule.users == len(ages) and rule.stated == len(ages) - 1
    assert rule.in_range == counts.sum() + 2
    assert rule.kept == cleaned.notna().sum() == rule.in_range - 910
    assert rule.counts.users.sum() == rule.in_range


def test_no_ages_at_all_are_no_trouble():
    cleaned, rule = clean_age(pd.Series([np.nan, np.nan]))
    assert cleaned.isna().all() and rule.spikes == () and rule.kept == 0


def test_coverage_counts_what_is_known():
    profile = pd.DataFrame(
        {"gender": ["female", "unknown", None, "male"], "age": [30.0, None, None, None]}
    )
    _, rule = clean_age([30.0, 5.0, None, None])
    frame = coverage(profile, rule).set_index("attribute")
    assert frame.users.to_dict() == {"gender": 2, "age, as stated": 2, "age, 8 to 60": 1, "age": 1}
    assert frame.coverage["gender"] == 0.5


def test_every_row_of_the_papers_tables_is_answered():
    paper = {(e.table, e.row) for e in entries() if not e.shop}
    wanted = {(1, r) for r in range(1, 10)} | {(2, r) for r in range(1, 12)}
    assert paper == wanted | {(3, r) for r in range(1, 8)}


def test_every_row_on_behaviour_has_a_counterpart_in_a_shop():
    shop = {(e.table, e.row) for e in entries() if e.shop}
    # Comments (2, 3) have none: a shop's log holds no comments on products.
    assert {(2, r) for r in range(1, 12)} - shop == {(2, 3)}
    assert {(3, r) for r in range(1, 8)} <= shop


def test_the_windows_are_the_papers():
    windows = {}
    for e in entries():
        if not e.shop and e.window_days:
            windows.setdefault((e.table, e.row), set()).add(e.window_days)
    for row in (4, 5, 6):
        assert windows[2, row] == {7, 30}
    assert windows[2, 7] == {30}
    for row in (9, 10, 11):
        assert windows[2, row] == {3, 7, 30}
    for row in range(1, 8):
        assert windows[3, row] == {7, 30}


def test_names_are_unique_and_needs_are_capabilities():
    names = [(e.kind, e.name, e.window_days if e.kind == "list" else None) for e in entries()]
    assert len(names) == len(set(names))
    assert {need for e in entries() for need in e.needs} <= set(CAPABILITIES)
    assert all(e.formula and (e.unit or e.kind == "feature") for e in entries())
    assert not any("{" in text for e in entries() for text in (e.name, e.formula, e.of))


def test_the_dictionary_is_a_table_of_its_entries():
    frame = dictionary()
    assert len(frame) == len(entries())
    assert frame.loc[frame.name == "chats_7", "window_days"].tolist() == [7]
    assert frame.loc[frame.name == "gender", "window_days"].isna().all()
    assert set(units()) <= {f.name for f in features()}
