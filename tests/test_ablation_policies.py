"""Policies of the ablation against Table 5 as printed, loops over time and exhaustive search."""

from __future__ import annotations

import datetime as dt
import math
import shutil
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from precmark.ablation import risk as risk_module
from precmark.ablation.budget import Cutoff, Ranked, apply_budget, choose_cutoff
from precmark.ablation.future import (
    HISTORY_EVENTS,
    future_store,
    histories_of_decisions,
    truth_of_decisions,
)
from precmark.ablation.options import FACTORIAL, OPTIONS
from precmark.ablation.policies import (
    Prices,
    Seen,
    Uplift,
    category_of,
    decide_all,
    forecast_cost,
    freeze,
    prices_of,
    ranked,
    reference_spend,
    score_of,
)
from precmark.ablation.risk import LEAST_EACH, part_rows, risk_models, risk_scores
from precmark.churn.places import Places
from precmark.churn.segments_at import NO_PROFILE, snapshot_days
from precmark.claims import paper
from precmark.errors import InputError
from precmark.prepare import Request, Wanted, prepare
from precmark.segments import SomSegments, past
from precmark.sequences import task_for, write_sequences
from precmark.simulate import simulate
from precmark.simulate.catalogue import NAMES
from precmark.tables import read_table, write_table
from tests.churn_cases import decisions, rows_of
from tests.test_segments import groups

DAY = 86_400_000_000
WEEK = 7 * DAY


# ---- options


def test_options_1_to_4_are_table_5_row_by_row():
    printed = """
        Option 1  No   No   No
        Option 2  No   Yes  Yes
        Option 3  Yes  Yes  No
        Option 4  Yes  Yes  Yes
    """
    for line in printed.split("\n")[1:-1]:
        _, name, *parts = line.split()
        option = OPTIONS[name]
        assert [option.segments, option.risk, option.recommendation] == [p == "Yes" for p in parts]
        assert option.kind == "risk" and option.name == name
        assert option.printed_rate == paper("gu", f"table7.option{name}_rate")
        cell = FACTORIAL[option.cell]
        assert (cell.segments, cell.risk, cell.recommendation) == (
            option.segments, option.risk, option.recommendation,
        )  # fmt: skip


def test_the_factorial_has_all_eight_cells_and_the_rivals_stand_outside():
    cells = {(o.segments, o.risk, o.recommendation) for o in FACTORIAL.values()}
    assert len(cells) == len(FACTORIAL) == 8
    assert all(o.name == name == o.cell for name, o in FACTORIAL.items())
    rivals = {name: o for name, o in OPTIONS.items() if name not in "1234"}
    assert {o.kind for o in rivals.values()} == {"uplift", "oracle"}
    assert [o.objective for o in rivals.values() if o.kind == "oracle"] == [
        "conversions", "profit", "net_30d",
    ]  # fmt: skip
    assert all(o.cell == "" and o.printed == "4" for o in rivals.values())


def seen_of(n: int = 300, *, seed: int = 0, users: int = 40, days: int = 60) -> Seen:
    """What policies see at `n` decisions in order of time, some scores alike."""
    rng = np.random.default_rng(seed)
    affinity = rng.dirichlet(np.full(18, 0.3), n).astype(np.float32)
    segment = rng.integers(1, 5, n)
    return Seen(
        key=rng.integers(0, 2**60, n).astype(np.uint64),
        user=rng.integers(0, users, n),
        at_us=np.sort(rng.integers(0, days * DAY, n)),
        segment=segment,
        p_pooled=np.round(rng.beta(1, 8, n), 2),
        p_segment=np.round(rng.beta(1, 8, n), 2),
        segment_risk=np.array([0, 0.95, 0.9, 0.8, 0.9])[segment],
        affinity=affinity,
    )


def part(seen: Seen, rows) -> Seen:
    return Seen(**{name: value[rows] for name, value in vars(seen).items()})


def uplift_of(seen: Seen, seed: int = 0) -> Uplift:
    rng = np.random.default_rng(seed)
    n = len(seen)
    return Uplift(rng.integers(0, 18, n).astype(np.int8), rng.normal(0.01, 0.02, n))


@pytest.mark.parametrize("name", ["1", "2", "3", "4", *FACTORIAL])
def test_an_option_ranks_and_recommends_by_its_parts_only(name):
    option, seen = {**OPTIONS, **FACTORIAL}[name], seen_of()
    score, category = score_of(option, seen), category_of(option, seen)
    for i in range(len(seen)):
        if option.risk and option.segments:
            wanted = 1 - seen.p_segment[i]
        elif option.risk:
            wanted = 1 - seen.p_pooled[i]
        elif option.segments:
            wanted = seen.segment_risk[i]
        else:
            wanted = 0.0
        assert score[i] == wanted
        if option.recommendation:
            assert category[i] == max(range(18), key=lambda c, i=i: seen.affinity[i, c])
        else:
            assert category[i] == seen.random_category[i]


def test_random_categories_and_lots_are_even_and_hang_on_the_key_alone():
    seen = seen_of(20_000, users=10_000)
    counts = np.bincount(seen.random_category, minlength=18)
    assert len(counts) == 18 and np.ptp(counts) < 8 * math.sqrt(20_000 / 18)
    assert abs(np.corrcoef(seen.lot, seen.random_category)[0, 1]) < 0.03
    rows = np.random.default_rng(1).permutation(len(seen))[:500]
    np.testing.assert_array_equal(part(seen, rows).lot, seen.lot[rows])
    np.testing.assert_array_equal(part(seen, rows).random_category, seen.random_category[rows])


def test_an_oracle_is_no_policy_and_uplift_needs_estimates():
    seen = seen_of(20)
    with pytest.raises(InputError, match="reads the truth"):
        score_of(OPTIONS["6"], seen)
    with pytest.raises(InputError, match="needs estimates"):
        score_of(OPTIONS["5"], seen)
    uplift = uplift_of(seen)
    assert score_of(OPTIONS["5"], seen, uplift) is uplift.tau
    assert category_of(OPTIONS["5"], seen, uplift) is uplift.category


def test_what_is_seen_has_one_entry_a_decision():
    columns = vars(seen_of(10)) | {"lot": None}
    columns.pop("lot")
    with pytest.raises(InputError) as refused:
        Seen(**columns | {"user": np.arange(9), "affinity": np.ones((10, 5))})
    text = str(refused.value)
    assert "user: 9 rows" in text and "affinity: shape (10, 5)" in text


# ---- budget


def greedy(ranked: Ranked, wanted: list[bool]) -> list[int]:
    """Who gets a coupon, decision by decision as the clock runs."""
    last: dict[int, int] = {}
    given = []
    for i in sorted(range(len(wanted)), key=lambda i: (ranked.at_us[i], i)):
        user = int(ranked.user[i])
        if wanted[i] and (user not in last or ranked.at_us[i] - last[user] >= WEEK):
            given.append(i)
            last[user] = int(ranked.at_us[i])
    return sorted(given)


@st.composite
def rankings(draw, most: int = 14):
    """Few users, scores with ties, decisions hours or whole weeks apart."""
    n = draw(st.integers(1, most))
    column = lambda values: np.array(draw(st.lists(values, min_size=n, max_size=n)))  # noqa: E731
    at = column(st.sampled_from([k * DAY for k in (0, 1, 6, 7, 8, 13, 14, 15, 21, 22)]))
    jitter = column(st.sampled_from([0, 0, 1, -1 + DAY]))
    return Ranked(
        score=column(st.sampled_from([0.0, 0.25, 0.5, 1.0])),
        lot=np.random.default_rng(draw(st.integers(0, 99))).random(n),
        user=column(st.integers(0, 2)),
        at_us=(at + jitter).astype(np.int64),
    )


@settings(max_examples=200, deadline=None)
@given(rankings(), st.sampled_from([0.0, 0.25, 0.5, 1.0, math.inf]), st.floats(0, 1))
def test_a_cut_off_applied_day_by_day(order, score, lot):
    given_ = apply_budget(order, Cutoff(score, lot, 0, 0))
    wanted = [
        bool(s > score or (s == score and chance >= lot))
        for s, chance in zip(order.score, order.lot, strict=True)
    ]
    assert np.flatnonzero(given_).tolist() == greedy(order, wanted)


def spent_by(order: Ranked, cost: np.ndarray) -> list[float]:
    """What is spent when the first 0, 1, ... n decisions by score and lot are wanted."""
    by_score = sorted(range(len(cost)), key=lambda i: (-order.score[i], -order.lot[i]))
    out = []
    for most in range(len(cost) + 1):
        wanted = [i in by_score[:most] for i in range(len(cost))]
        out.append(sum(cost[i] for i in greedy(order, wanted)))
    return out


@settings(max_examples=200, deadline=None)
@given(rankings(), st.integers(1, 14))
def test_the_cut_off_is_the_highest_that_gives_the_coupons(order, coupons):
    spent = spent_by(order, np.ones(len(order.score)))
    cut = choose_cutoff(order, coupons)
    enough = [s for s in spent if s >= coupons]
    assert cut.reached == (enough[0] if enough else spent[-1])
    assert apply_budget(order, cut).sum() == cut.reached
    if enough:
        assert cut.reached == coupons  # one more wanted decision is one more coupon at most
        fewest = spent.index(coupons)
        above = (order.score > cut.score) | ((order.score == cut.score) & (order.lot >= cut.lot))
        assert above.sum() == fewest


@settings(max_examples=150, deadline=None)
@given(rankings(), st.floats(0.1, 10), st.integers(0, 99))
def test_a_cut_off_by_cost_crosses_the_budget(order, budget, seed):
    cost = np.random.default_rng(seed).uniform(0.1, 2, len(order.score))
    spent = spent_by(order, cost)
    cut = choose_cutoff(order, budget, cost=cost)
    above = (order.score > cut.score) | ((order.score == cut.score) & (order.lot >= cut.lot))
    m = int(above.sum())
    assert cut.reached == pytest.approx(spent[m])
    assert cost[apply_budget(order, cut)].sum() == pytest.approx(cut.reached)
    assert spent[m - 1] < budget
    assert cut.reached >= budget or m == len(cost)


def test_nothing_wanted_is_nothing_given_and_bad_budgets_are_listed():
    order = Ranked(np.ones(3), np.array([0.1, 0.2, 0.3]), np.arange(3), np.zeros(3, np.int64))
    assert not apply_budget(order, choose_cutoff(order, 0)).any()
    empty = Ranked(*(np.zeros(0) for _ in range(4)))
    with pytest.raises(InputError) as refused:
        choose_cutoff(empty, math.nan)
    assert len(refused.value.problems) == 2
    with pytest.raises(InputError, match="cost"):
        choose_cutoff(order, 1, cost=np.array([1, -1, 1]))
    with pytest.raises(InputError) as refused:
        Ranked(np.array([np.nan, 1]), np.ones(2), np.arange(2), np.zeros(3))
    assert len(refused.value.problems) == 2


# ---- frozen policies


def everything(option, seen):
    return {"uplift": uplift_of(seen)} if option.kind == "uplift" else {}


@pytest.mark.parametrize("name", ["1", "2", "3", "4", "5", "seg1-risk0-rec0"])
def test_the_budget_is_spent_on_validation_and_the_future_has_no_say(name):
    option = {**OPTIONS, **FACTORIAL}[name]
    validation, later = seen_of(seed=1), seen_of(seed=2)
    mine = everything(option, validation)
    policy = freeze(option, validation, coupons=40, **mine)
    assert (policy.decide(validation, mine.get("uplift")) >= 0).sum() == 40
    uplift = everything(option, later).get("uplift")
    whole = policy.decide(later, uplift)
    assert (
        5 < (whole >= 0).sum() < 200
        and policy.cutoff == freeze(option, validation, coupons=40, **mine).cutoff
    )
    # What comes after a decision changes nothing at it, whoever it is and whatever they score.
    for known in (50, 150, 299):
        early = None if uplift is None else Uplift(uplift.category[:known], uplift.tau[:known])
        np.testing.assert_array_equal(
            policy.decide(part(later, slice(0, known)), early), whole[:known]
        )
    order = np.random.default_rng(0).permutation(300)
    mixed = None if uplift is None else Uplift(uplift.category[order], uplift.tau[order])
    np.testing.assert_array_equal(policy.decide(part(later, order), mixed), whole[order])
    # Coupons go to the scores above the cut-off only, of the category that the option says.
    got = whole >= 0
    assert (score_of(option, later, uplift)[got] >= policy.cutoff.score).all()
    np.testing.assert_array_equal(whole[got], category_of(option, later, uplift)[got])
    rank = ranked(option, later, uplift)
    wanted = (rank.score > policy.cutoff.score) | (
        (rank.score == policy.cutoff.score) & (rank.lot >= policy.cutoff.lot)
    )
    assert np.flatnonzero(got).tolist() == greedy(rank, list(wanted))


def test_policies_decide_together_as_alone():
    validation, later = seen_of(seed=1), seen_of(seed=2)
    frozen = {name: freeze(OPTIONS[name], validation, coupons=30) for name in "1234"}
    frozen["5"] = freeze(OPTIONS["5"], validation, coupons=30, uplift=uplift_of(validation))
    found = decide_all(frozen, later, {"5": uplift_of(later)})
    for name, policy in frozen.items():
        alone = policy.decide(later, uplift_of(later) if name == "5" else None)
        np.testing.assert_array_equal(found[name], alone)


def test_one_budget_has_to_be_given():
    for budget in ({}, {"coupons": 3, "spend": 2.0}):
        with pytest.raises(InputError, match="one of them"):
            freeze(OPTIONS["1"], seen_of(20), **budget)


def bought(orders: int = 400, seed: int = 0) -> pd.DataFrame:
    """Order lines of few categories, one of them rare, and events that are no purchases."""
    rng = np.random.default_rng(seed)
    rows = []
    for order in range(orders):
        for _ in range(rng.integers(1, 4)):
            name = NAMES[5] if order < 12 else NAMES[rng.integers(0, 4)]
            rows.append((order, "purchase", name, float(rng.integers(1, 300)) / 10))
        rows.append((order, "view", NAMES[7], np.nan))
    rows.append((0, "purchase", NAMES[2], np.nan))
    return pd.DataFrame(rows, columns=["session_code", "event", "category", "value"])


def test_prices_by_counting_orders():
    events = bought()
    prices = prices_of(events, base_rate=0.08, discount=0.15)
    lines: dict[tuple, float] = {}
    for row in events.itertuples():
        if row.event == "purchase" and row.value == row.value:
            key = (row.session_code, row.category)
            lines[key] = lines.get(key, 0.0) + row.value
    orders = {session for session, _ in lines}
    everything = sum(lines.values()) / len(lines)
    for i, name in enumerate(NAMES):
        mine = [v for (_, category), v in lines.items() if category == name]
        mean = sum(mine) / len(mine) if len(mine) >= 20 else everything
        assert prices.line_value[i] == pytest.approx(mean)
        assert prices.share[i] == pytest.approx(len(mine) / len(orders))
    assert prices.share[5] > 0 and prices.line_value[5] == pytest.approx(everything)
    with pytest.raises(InputError, match="nobody bought"):
        prices_of(events[events.event == "view"], base_rate=0.1, discount=0.1)


@pytest.mark.parametrize("name", ["1", "2", "3", "4", "5", "seg1-risk0-rec1", "seg1-risk0-rec0"])
def test_the_forecast_discount_of_each_coupon(name):
    option, seen = {**OPTIONS, **FACTORIAL}[name], seen_of(80)
    prices = prices_of(bought(), base_rate=0.08, discount=0.15)
    uplift = everything(option, seen).get("uplift")
    cost = forecast_cost(option, seen, prices, uplift)
    for i in range(len(seen)):
        c = category_of(option, seen, uplift)[i]
        p = 0.08
        if option.segments:
            p = 1 - seen.segment_risk[i]
        if option.risk:
            p = seen.p_segment[i] if option.segments else seen.p_pooled[i]
        use = p * (seen.affinity[i, c] if option.recommendation else prices.share[c])
        if option.kind == "uplift":
            use += min(max(uplift.tau[i], 0), 1)
        assert cost[i] == pytest.approx(0.15 * prices.line_value[c] * use)


def test_an_equal_discount_is_forecast_alike_for_all_options():
    seen = seen_of(2_000, users=600)
    prices = Prices(np.linspace(5, 30, 18), np.full(18, 0.1), 0.08, 0.15)
    spend = reference_spend(OPTIONS["4"], seen, 100, prices)
    given_ = freeze(OPTIONS["4"], seen, coupons=100).decide(seen) >= 0
    by_hand = sum(forecast_cost(OPTIONS["4"], seen, prices)[i] for i in np.flatnonzero(given_))
    assert spend == pytest.approx(by_hand) and spend > 0
    for name in "1234":
        policy = freeze(OPTIONS[name], seen, spend=spend, prices=prices)
        cost = forecast_cost(OPTIONS[name], seen, prices)
        used = cost[policy.decide(seen) >= 0].sum()
        assert spend <= used == pytest.approx(policy.cutoff.reached)
        assert used <= spend + 2 * cost.max()


# ---- risk


class Network:
    """Says that a purchase is likelier than it is, by the first channel; counts its threads."""

    def __init__(self, shift: float):
        self.shift = shift

    def set_params(self, *, threads: int) -> Network:
        self.threads = threads
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-(X[:, 0, 0].astype(float) + self.shift)))
        return np.column_stack([1 - p, p])


@pytest.fixture
def known(monkeypatch):
    """Risk models of 4,000 decisions whose segments 1 and 2 have networks, 3 is too small."""
    learnt = decisions(4_000, seed=1)
    rng = np.random.default_rng(2)
    segments = rng.choice([1, 2, 3], len(learnt), p=[0.6, 0.39, 0.01])
    networks = SimpleNamespace(
        pooled_=Network(1.0), models_={1: Network(2.0), 2: Network(-1.0)}, fallbacks_={3: "few"}
    )
    asked = {}

    def trained(sequences, found, train, held_out, *rest):
        asked.update(train=train, held_out=held_out)
        return networks

    monkeypatch.setattr(risk_module, "_trained", trained)
    return learnt, segments, risk_models(learnt, segments), asked


def test_networks_learn_from_decisions_without_a_coupon_before_validation(known):
    learnt, segments, models, asked = known
    assert asked["train"].tolist() == rows_of(learnt, "train")
    assert asked["held_out"].tolist() == rows_of(learnt, "validation")
    assert part_rows(learnt, "test").tolist() == rows_of(learnt, "test")
    assert models.base_rate == pytest.approx(
        np.mean([learnt.y[i] for i in rows_of(learnt, "train")])
    )
    for number in (1, 2, 3):
        mine = [1 - learnt.y[i] for i in rows_of(learnt, "train") if segments[i] == number]
        assert models.segment_risk[number] == pytest.approx(np.mean(mine))
    wanted = [models.segment_risk[1], 1 - models.base_rate]
    np.testing.assert_allclose(models.mean_risk(np.array([1, 9])), wanted)


def platt(p: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Platt's line through the logits of `p`, without a penalty, read at `at`."""
    line = LogisticRegression(C=np.inf, max_iter=1_000, tol=1e-10)
    return line.fit(np.log(p / (1 - p))[:, None], y).predict_proba(np.log(at / (1 - at))[:, None])[
        :, 1
    ]


def test_scores_are_calibrated_within_segments_on_validation(known):
    learnt, segments, models, _ = known
    held_out = np.array(rows_of(learnt, "validation"))
    assert set(models.by_segment) == {1, 2}
    small = learnt.y[held_out][segments[held_out] == 3]
    assert min(small.sum(), (1 - small).sum()) < LEAST_EACH
    raw = {k: net.predict_proba(learnt.X)[:, 1] for k, net in models.classifier.models_.items()}
    pooled = models.classifier.pooled_.predict_proba(learnt.X)[:, 1]
    used = np.select([segments == 1, segments == 2], [raw[1], raw[2]], pooled)
    found = risk_scores(models, learnt.X, segments)
    y = learnt.y[held_out]
    np.testing.assert_allclose(found.pooled, platt(pooled[held_out], y, pooled), atol=1e-3)
    for number in (1, 2):
        mine = held_out[segments[held_out] == number]
        rows = segments == number
        wanted = platt(used[mine], learnt.y[mine], used[rows])
        np.testing.assert_allclose(found.segment[rows], wanted, atol=1e-3)
        # so that one cut-off serves all segments: the mean score is the share that buys
        assert found.segment[mine].mean() == pytest.approx(learnt.y[mine].mean(), abs=1e-3)
    rows = segments == 3
    np.testing.assert_allclose(found.segment[rows], platt(used[held_out], y, used[rows]), atol=1e-3)
    assert models.fallbacks == {3: "few"}


def test_a_part_with_one_outcome_only_is_refused(known):
    learnt, segments, *_ = known
    learnt.y[part_rows(learnt, "validation")] = 0
    with pytest.raises(InputError, match="validation part lacks one outcome"):
        risk_models(learnt, segments)


# ---- the future of a store, its histories and its places


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A run of the small store, its sequences and a future of it."""
    name = "simulated store, classroom scale, world persuadable_risk, seed 3"
    wanted = Wanted(simulate="classroom", world="persuadable_risk", seed=3, engine="duckdb")
    request = Request(name, "abc", lambda: simulate("classroom", seed=3), wanted)
    folder = tmp_path_factory.mktemp("runs") / "shop"
    run = prepare(folder, request, wanted, {}, say=lambda line: None)
    learnt = write_sequences(run, task_for(run.source))
    return run, learnt, future_store(run, decisions=500, seed=1)


def test_the_future_begins_the_day_after_and_nobody_gets_a_coupon(store):
    run, learnt, future = store
    zone = run.source.timezone
    last = read_table(run.table_path("sessions/events"), ["timestamp"]).timestamp.max()
    events = future.run.table("sessions/events", ["timestamp", "event"])
    day_after = (last.tz_convert(zone) + pd.Timedelta(days=1)).normalize()
    assert events.timestamp.min() >= day_after
    assert not future.sequences.decisions.coupon.any()
    assert "coupon_shown" not in set(events.event)
    assert len(future.sequences) == len(future.truth) >= 500
    assert future.sequences.channels == learnt.channels
    pd.testing.assert_frame_equal(
        future.run.table("contract/items"), run.table("contract/items")
    )  # the same shop
    again = future_store(run, decisions=500, seed=1)
    np.testing.assert_array_equal(again.truth.p0, future.truth.p0)
    other = future_store(run, decisions=500, seed=2)
    assert set(other.truth.key) != set(future.truth.key)


def test_the_truth_is_in_the_order_of_the_sequences(store):
    _, _, future = store
    truth = read_table(future.run.truth / "decisions.parquet").set_index("session_id")
    sessions = future.run.table("sessions/sessions")
    names = dict(zip(sessions.session_code, sessions.session_id, strict=True))
    for i in range(0, len(future.truth), 37):
        code = future.sequences.decisions.session_code.iloc[i]
        row = truth.loc[names[code]]
        assert future.truth.p0[i] == row.p0 and future.truth.key[i] == row.key
        assert future.sequences.y[i] == row.y0  # without coupons what happens is Y(0)
    shop = sessions[sessions.kind == "shop"]
    assert future.truth.sessions == len(shop)
    assert future.truth.early_buyers == shop.purchased.sum() - truth.y0.sum()
    strange = sessions.assign(session_id="another")
    with pytest.raises(InputError, match="have no truth"):
        truth_of_decisions(truth.reset_index(), strange, future.sequences)


def test_a_future_may_lie_ahead_of_todays_date(store):
    run, *_ = store
    ahead = future_store(run, decisions=300, start=dt.date(2190, 1, 1))
    assert ahead.sequences.decisions.timestamp.min() >= pd.Timestamp("2189-12-31", tz="UTC")
    assert len(ahead.histories) > len(ahead.sequences)


def test_a_future_cannot_be_made_of_a_store_without_truth(store, tmp_path):
    run, *_ = store
    bare = tmp_path / "bare"
    shutil.copytree(run.path, bare, ignore=shutil.ignore_patterns("truth", "cache"))
    with pytest.raises(InputError, match="holds no truth"):
        future_store(type(run)(bare))
    with pytest.raises(InputError, match="1 or more"):
        future_store(run, decisions=0)


def literal_history(events: pd.DataFrame, session: int, k: int, days: int) -> list[tuple]:
    """The user's events up to the k-th click of `session`, one by one."""
    mine = events[events.session_code == session]
    user = mine.user_code.iloc[0]
    clicks = 0
    for row in mine.itertuples():
        clicks += row.event in ("view", "search", "cart", "uncart")
        if clicks == k:
            click = row
            break
    out = []
    for row in events[events.user_code == user].itertuples():
        old = row.timestamp < click.timestamp - pd.Timedelta(days=days)
        if row.event in HISTORY_EVENTS and row.Index <= click.Index and not old:
            out.append((row.event, row.item_id, row.timestamp, row.session_code))
    return out


def as_tuples(history: pd.DataFrame) -> list[tuple]:
    columns = [history[name] for name in ("event", "item_id", "timestamp", "session_code")]
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize("days", [365, 20])
def test_the_history_of_a_decision_by_a_loop_over_the_log(store, days):
    run, learnt, _ = store
    rows = np.random.default_rng(0).permutation(len(learnt))[:120]
    found = histories_of_decisions(run, learnt, rows, days=days)
    events = run.table("sessions/events").sort_values(
        ["user_code", "timestamp", "row"], ignore_index=True
    )
    groups = dict(tuple(found.groupby("user_code", sort=False)))
    assert list(groups) == rows.tolist()
    longer = 0
    for i in rows:
        session = learnt.decisions.session_code.iloc[i]
        wanted = literal_history(events, session, learnt.task.k, days)
        longer += len(wanted) > 10
        got = as_tuples(groups[i])
        assert Counter(map(str, got)) == Counter(map(str, wanted))
        assert groups[i].timestamp.is_monotonic_increasing
        assert groups[i].timestamp.iloc[-1] == learnt.decisions.timestamp.iloc[i]
    assert longer > 3


def corrupted(events: pd.DataFrame, late: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """`events` with other products, kinds and values in the rows `late`, a third of them gone."""
    rng = np.random.default_rng(seed)
    wrong = events.copy()
    for column in ("event", "item_id", "category", "value", "text"):
        wrong.loc[late, column] = rng.permutation(wrong.loc[late, column].to_numpy())
    return wrong[~late | (rng.random(len(wrong)) < 0.7)].reset_index(drop=True)


def test_no_later_event_is_in_a_history(store, tmp_path):
    run, learnt, _ = store
    times = learnt.decisions.timestamp
    border = times.sort_values().iloc[len(times) // 2]
    early = np.flatnonzero(times <= border)
    events = run.table("sessions/events")
    copy = tmp_path / "wrong"
    shutil.copytree(run.path, copy, ignore=shutil.ignore_patterns("cache"))
    late = (events.timestamp > border).to_numpy()
    write_table(corrupted(events, late), copy / "results/sessions/events.parquet")
    right = histories_of_decisions(run, learnt, early)
    wrong = histories_of_decisions(type(run)(copy), learnt, early)
    pd.testing.assert_frame_equal(right, wrong)
    assert right.timestamp.max() <= border


def test_decisions_are_placed_by_the_runs_map_and_profiles_taken_before_them(
    store, tmp_path, monkeypatch
):
    # That a profile of a day knows nothing later is tested where profiles are made; here users
    # change their group from day to day, and between the run and its future.
    run, learnt, future = store
    profile, group = groups((60, 60, 60), spread=0.1)
    members = [profile[group == g] for g in range(3)]
    asked = []

    def profile_of(where, day):
        shift = pd.Timestamp(day).dayofyear + (where.name != run.name)
        users = np.arange(10_000)[shift % 5 :: 2]
        rows = pd.concat([members[g] for g in range(3)]).to_numpy()
        place = 60 * ((users + shift) % 3) + users % 60
        return pd.DataFrame(rows[place], columns=profile.columns).assign(user_code=users)

    def past_profile(where, day, users=None):
        asked.append((where.name, str(day)))
        found = profile_of(where, day).infer_objects()
        return found if users is None else found[found.user_code.isin(users)]

    monkeypatch.setattr(past, "past_profile", past_profile)
    own = tmp_path / "own"
    shutil.copytree(run.path, own, ignore=shutil.ignore_patterns("cache"))
    mine = type(run)(own)
    monkeypatch.setattr(mine, "name", run.name)
    SomSegments(n_segments=3, seed=9).fit(profile).save(mine.results / "segments" / "map.json")
    write_table(pd.DataFrame({"user_code": [0]}), mine.table_path("segments/segments"))
    places = Places(mine, learnt, every_days=120, n_jobs=1)
    found = places.segments(future.run, future.sequences)

    # One map, fitted on what was known when training ended, and never on the future.
    ended = learnt.decisions.timestamp[learnt.decisions.split == "train"].max()
    day = str(ended.tz_convert(run.source.timezone).date())
    when, zone = future.sequences.decisions.timestamp, future.run.source.timezone
    days = snapshot_days(when, zone, 120)
    assert asked[:1] == [(run.name, day)] or asked[-1:] == [(run.name, day)]
    assert set(asked) == {(run.name, day), *((future.run.name, d) for d in days)}
    fitted = SomSegments(n_segments=3, seed=0).fit(profile_of(mine, day).infer_objects())
    starts = [pd.Timestamp(d, tz=zone) for d in days]
    placed = {}
    for d in days:
        known_then = profile_of(future.run, d).infer_objects()
        placed[d] = dict(zip(known_then.user_code, fitted.predict(known_then), strict=True))
    wanted = []
    for user, at in zip(future.sequences.decisions.user_code, when, strict=True):
        last = max(d for d, start in zip(days, starts, strict=True) if start <= at)
        wanted.append(placed[last].get(user, NO_PROFILE))
    assert found.dtype == np.int64 and set(found) == {NO_PROFILE, 1, 2, 3}
    np.testing.assert_array_equal(found, wanted)

    # What was placed is found again; the map too, by another process.
    asked.clear()
    again = Places(mine, learnt, every_days=120, n_jobs=1)
    np.testing.assert_array_equal(again.segments(future.run, future.sequences), found)
    np.testing.assert_array_equal(again.fitted.predict(profile), fitted.predict(profile))
    assert not asked
    with pytest.raises(InputError, match="segments"):
        Places(run, learnt)  # chapter 03 has not run
