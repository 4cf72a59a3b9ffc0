"""The whole ablation on a small store: budgets, frozen policies, what they may know, tables.

Policies are made once from a store of the smallest scale; the checks read its tables with plain
pandas and loops, and remake the policies after what they must not know has been destroyed.
"""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from precmark.ablation import expected, primary_comparisons, sweeps
from precmark.ablation.averages import averaged_difference, replicated
from precmark.ablation.enough import too_little
from precmark.ablation.future import future_store, run_config
from precmark.ablation.options import FACTORIAL, OPTIONS
from precmark.ablation.play import ceilings, distinct, frozen_policies
from precmark.ablation.scenes import scene_of, trained_on
from precmark.ablation.study import study
from precmark.ablation.tables import BUDGETS, EQUAL_COUPONS, EQUAL_DISCOUNT, MAIN
from precmark.ablation.worlds import WORLDS_IN_ORDER, World
from precmark.churn.places import Places
from precmark.claims import paper
from precmark.contract.schema import CLICK_EVENTS
from precmark.errors import InputError
from precmark.prepare import Request, Wanted, prepare
from precmark.runs import Run
from precmark.segments import SomSegments
from precmark.segments.past import past_profile
from precmark.sequences import read_sequences, task_for, write_sequences
from precmark.simulate import simulate, taste
from precmark.simulate.catalogue import NAMES
from precmark.simulate.orders import expected_baskets
from precmark.tables import read_table, write_table

WEEK_US = 7 * 86_400_000_000
WINDOW = pd.Timedelta(seconds=9_000)
TRUTH = "truth/decisions.parquet"
QUICK = {
    "decisions": 1_500, "replications": 20, "epochs": 1, "every_days": 200, "order_sweep": "no",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """A run of the smallest simulated store with sequences and three segments."""
    name = "simulated store, classroom scale, world persuadable_risk, seed 3"
    wanted = Wanted(simulate="classroom", world="persuadable_risk", seed=3, engine="duckdb")
    request = Request(name, "abc", lambda: simulate("classroom", seed=3), wanted)
    folder = tmp_path_factory.mktemp("runs") / "shop"
    made = prepare(folder, request, wanted, {}, say=lambda line: None)
    learnt = write_sequences(made, task_for(made.source, steps=6))
    day = str(learnt.decisions.timestamp.quantile(0.6).date())
    segments = SomSegments(n_segments=3, seed=0).fit(past_profile(made, day))
    segments.save(made.results / "segments" / "map.json")
    write_table(pd.DataFrame({"user_code": [0]}), made.table_path("segments/segments"))
    return made


@pytest.fixture(scope="module")
def found(run):
    with pytest.MonkeyPatch.context() as patch:  # every value takes a play of each world
        patch.setattr(sweeps, "EFFECTS", (0.009, 0.018))
        patch.setattr(sweeps, "TASTES", (0.25,))
        return study(run, **QUICK, n_jobs=2)


def scene_from(run: Run):
    """Policies' view of the future of `run`, learnt from its tables; one epoch a network."""
    learnt = read_sequences(run)
    places = Places(run, learnt, every_days=QUICK["every_days"], n_jobs=1)
    segments = places.segments(run, learnt)
    trained = trained_on(run, learnt, segments, epochs=1, n_jobs=1)
    store = future_store(run, decisions=QUICK["decisions"])
    return store, scene_of(trained, store, places.segments(store.run, store.sequences), n_jobs=1)


def decided(scene):
    """Every policy's coupons and cut-offs, those by uplift learnt in one world."""
    fixed, cutoffs = frozen_policies(scene)
    learnt, more = frozen_policies(scene, world=World("sure_things"))
    return {**fixed, **learnt}, pd.concat([cutoffs, more], ignore_index=True)


@pytest.fixture(scope="module")
def made(run, found):
    """The store and scene of the study again, with every policy's coupons and cut-offs."""
    store, scene = scene_from(run)
    return store, scene, *decided(scene)


def copied(run: Run, tmp_path, *, kept: bool = True) -> Run:
    """A copy of `run` with its futures; the segments of its decisions only where `kept`."""
    folder = tmp_path / run.path.name
    forgotten = shutil.ignore_patterns(*([] if kept else ["ablation"]))
    shutil.copytree(run.path, folder, ignore=forgotten)
    return Run(folder)


# ---- the tables


def test_every_policy_stands_under_every_budget_in_every_world(found):
    keys = found.options[["world", "budget", "policy"]]
    wanted = [(w, b, p) for w in WORLDS_IN_ORDER for b in BUDGETS for p in [*OPTIONS, *FACTORIAL]]
    assert list(keys.itertuples(index=False, name=None)) == wanted
    for row in found.options.itertuples():
        option = {**OPTIONS, **FACTORIAL}[row.policy]
        parts = (option.title, option.segments, option.risk, option.recommendation)
        assert (row.title, row.segments, row.risk, row.recommendation) == parts
    none = found.options[found.options.world == "no_effect"]
    assert (none.incremental == 0).all() and (none.order_value == 0).all()
    # The paper's option 4 is a cell of the factorial under another name.
    four = found.options[found.options.policy == "4"].set_index(["world", "budget"])
    cell = found.options[found.options.policy == "seg1-risk1-rec1"].set_index(["world", "budget"])
    names = ["policy", "title"]
    pd.testing.assert_frame_equal(four.drop(columns=names), cell.drop(columns=names))


def test_expectations_and_intervals_are_those_of_the_coupons(found, made):
    store, _, coupons, _ = made
    world = World("lost_causes")
    rows = found.options[found.options.world == world.name].set_index(["budget", "policy"])
    for key in [(b, p) for b in BUDGETS for p in ("1", "2", "3", "4", "seg1-risk0-rec1")]:
        wanted = expected(store.truth, coupons[key], world).as_dict()
        np.testing.assert_allclose(rows.loc[key, list(wanted)].astype(float), list(wanted.values()))
    drawn = found.replications
    assert set(drawn.budget) == {EQUAL_COUPONS}
    assert len(drawn) == 20 * len(WORLDS_IN_ORDER) * 17
    mine = drawn[(drawn.world == world.name) & (drawn.policy == "2")]
    row = rows.loc[(EQUAL_COUPONS, "2")]
    assert sorted(mine.replication) == list(range(1, 21))
    for column in ("incremental_per_coupon", "profit_30"):
        ends = np.percentile(mine[column], [2.5, 97.5])
        np.testing.assert_allclose(row[[f"{column}_low", f"{column}_high"]].astype(float), ends)
    pd.testing.assert_frame_equal(found.primary, primary_comparisons(drawn))


def test_what_the_experiment_cost_is_counted_by_hand(run, found):
    # No world, no effect: the coupons of the tenth cost their discounts on sure redemptions.
    truth = read_table(run.truth / "decisions.parquet")
    learnt = read_sequences(run)
    code = run.table("sessions/sessions", ["session_code", "session_id"])
    session = code.set_index("session_code").session_id
    train = learnt.decisions[learnt.decisions.split == "train"]
    shown = truth[truth.coupon.notna() & truth.session_id.isin(session[train.session_code])]

    users = read_table(run.truth / "users.parquet").set_index("user_number").loc[shown.user_number]
    pi = taste(*(users[c].to_numpy() for c in ("cell", "first", "second")))
    _, own = expected_baskets(run_config(run))
    cost = 0.0
    for i, (p0, name) in enumerate(zip(shown.p0, shown.coupon.astype(str), strict=True)):
        category = list(NAMES).index(name) if name in NAMES else int(float(name))
        cost += p0 * pi[i, category] * 0.15 * own[category]
    rows = found.options[found.options.world == "no_effect"].set_index(["budget", "policy"])
    assert rows.exploration_cost_30[EQUAL_COUPONS, "5"] == pytest.approx(cost)
    assert rows.exploration_cost_30[EQUAL_COUPONS, "5 T-learner"] == pytest.approx(cost)
    assert (rows.exploration_cost_30.xs("4", level="policy") == 0).all()


def test_sweeps_at_the_usual_values_are_the_main_table(found):
    main = found.options[found.options.budget == EQUAL_COUPONS].set_index(["world", "policy"])
    for sweep, value in (("effect", 0.009), ("taste_match", 0.25)):
        rows = found.sweeps[(found.sweeps.sweep == sweep) & (found.sweeps.value == value)]
        assert len(rows) == len(WORLDS_IN_ORDER) * len(MAIN)
        for row in rows.itertuples():
            for column in ("coupons", "incremental", "profit_30", "discount"):
                assert getattr(row, column) == main.loc[(row.world, row.policy), column]
    assert 0.009 in sweeps.EFFECTS and 0.25 in sweeps.TASTES  # else there were nothing to check
    lot = found.sweeps[(found.sweeps.policy == "1") & (found.sweeps.sweep == "effect")]
    by = lot.set_index(["world", "value"]).incremental
    assert by["orthogonal", 0.018] / by["orthogonal", 0.009] == pytest.approx(2, rel=0.02)


def test_each_share_of_order_has_a_store_of_its_own(run):
    learnt = read_sequences(run)
    places = Places(run, learnt, every_days=200, n_jobs=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeps, "ORDERS", (0.0, 1.0))
        table = sweeps.swept_order(run, learnt, places, decisions=600, epochs=1)
    assert set(table.sweep) == {"order_share"}
    keys = [tuple(row) for row in table[["value", "world", "policy"]].to_numpy()]
    assert len(keys) == len(set(keys)) == 2 * len(WORLDS_IN_ORDER) * 4
    assert (table[table.world == "no_effect"].incremental == 0).all()
    # By lot, the mean effect is A in every world with one, up to the luck of some 60 coupons.
    by_lot = table[(table.policy == "1") & (table.world == "orthogonal")]
    assert by_lot.incremental_per_coupon.between(0.003, 0.018).all()
    # Each is the store of its own share: its decisions follow other chances of a purchase.
    made = [
        Run(path) for path in (run.path / "cache" / "futures").iterdir() if "order" in path.name
    ]
    shares = {read_table(m.truth / "decisions.parquet", ["p0"]).p0.mean() for m in made}
    assert len(made) >= 2 and len(shares) == len(made)


def test_the_first_futures_tables(found, made):
    store, _, coupons, _ = made
    assert list(found.holdout.world) == list(found.needed.world) == list(WORLDS_IN_ORDER)
    assert list(found.worlds.world) == list(WORLDS_IN_ORDER)
    four = coupons[EQUAL_COUPONS, "4"]
    assert (found.holdout.targeted == np.count_nonzero(four >= 0)).all()
    assert (found.holdout.policy == "4").all() and (found.holdout.budget == EQUAL_COUPONS).all()
    assert found.needed.without.iloc[0] == pytest.approx(store.truth.p0[four >= 0].mean())
    assert found.config == store.truth.config and found.config.coupon_share == 0


# ---- budgets


def test_each_budget_by_a_loop_over_the_validation_sessions(run, made):
    _, scene, _, cutoffs = made
    learnt = read_sequences(run)
    held_out = learnt.decisions[learnt.decisions.split == "validation"]
    first, last = held_out.timestamp.min(), held_out.timestamp.max()
    sessions = 0
    for row in run.table("sessions/sessions").itertuples():
        sessions += row.kind == "shop" and first <= row.start <= last
    assert scene.validation_sessions == sessions
    spend = {row.policy: row for row in cutoffs[cutoffs.budget == EQUAL_DISCOUNT].itertuples()}
    for row in cutoffs.itertuples():
        if row.budget == EQUAL_DISCOUNT:
            assert row.wanted == pytest.approx(spend["4"].wanted)
            continue
        option = row.policy if row.budget == "paper rates" and row.policy in "1234" else "4"
        rate = paper("gu", f"table7.option{option}_rate")
        assert row.wanted_rate == rate and row.wanted == pytest.approx(rate * sessions)
        assert row.wanted <= row.reached < row.wanted + 1  # the next whole coupon
    four = cutoffs[(cutoffs.policy == "4") & (cutoffs.budget != EQUAL_DISCOUNT)]
    equal = spend["4"]
    assert abs(equal.wanted_rate - four.reached.iloc[0] / sessions) <= 1.5 / sessions


def test_frozen_cut_offs_applied_one_by_one_as_time_goes_by(made):
    store, scene, coupons, cutoffs = made
    decisions = store.sequences.decisions
    when = decisions.timestamp.astype("datetime64[us, UTC]").astype("int64").to_numpy()
    user, seen = decisions.user_code.to_numpy(), scene.seen
    score = {
        "1": np.zeros(len(seen)), "2": 1 - seen.p_pooled,
        "3": 1 - seen.p_segment, "4": 1 - seen.p_segment,
        "seg1-risk0-rec1": seen.segment_risk,
    }  # fmt: skip
    category = {"1": seen.random_category, "3": seen.random_category}
    for row in cutoffs[cutoffs.policy.isin(list(score))].itertuples():
        last: dict[int, int] = {}
        for i in np.argsort(when, kind="stable"):
            s = score[row.policy][i]
            wanted = s > row.cutoff or (s == row.cutoff and seen.lot[i] >= row.lot)
            rested = user[i] not in last or when[i] - last[user[i]] >= WEEK_US
            given = wanted and rested
            if given:
                last[user[i]] = when[i]
            which = category.get(row.policy, seen.affinity.argmax(axis=1))[i] if given else -1
            assert coupons[row.budget, row.policy][i] == which
        count = np.count_nonzero(coupons[row.budget, row.policy] >= 0)
        assert row.realised_rate == count / store.truth.sessions


def test_no_user_gets_two_coupons_within_seven_days(made):
    store, scene, coupons, _ = made
    oracles = ceilings(scene, World("orthogonal"))
    for coupon in {**coupons, **oracles}.values():
        given = store.truth.decisions[coupon >= 0]
        gaps = given.sort_values("timestamp").groupby("user_number").timestamp.diff().dropna()
        assert (gaps >= pd.Timedelta(days=7)).all()


# ---- what policies may know


def test_nothing_of_the_truth_reaches_a_policy(run, made, tmp_path):
    _, _, coupons, cutoffs = made
    blind = copied(run, tmp_path)
    nested = next((blind.path / "cache" / "futures").glob("future-0-*"))
    rng = np.random.default_rng(0)
    assigned = set(run.table("contract/assignments").session_id)
    for folder in (blind.path, nested):
        truth = read_table(folder / TRUTH)
        # What the experiment itself showed stays: it happened.
        hidden = ~truth.session_id.isin(assigned if folder == blind.path else set()).to_numpy()
        for name in ("p0", "rank", "v"):
            truth.loc[hidden, name] = rng.random(hidden.sum())
        write_table(truth, folder / TRUTH)
    users = read_table(nested / "truth/users.parquet")
    users["deal_response"] = rng.permutation(users.deal_response)
    write_table(
        users.assign(first=users.second, second=users["first"]), nested / "truth/users.parquet"
    )
    store, scene = scene_from(blind)
    assert not np.array_equal(store.truth.p0, made[0].truth.p0)
    again, frozen = decided(scene)
    for key, coupon in coupons.items():
        np.testing.assert_array_equal(again[key], coupon, err_msg=str(key))
    pd.testing.assert_frame_equal(frozen, cutoffs)


def destroyed(run: Run, border: pd.Timestamp) -> None:
    """Everything in the log of `run` after `border` becomes another log."""
    path = run.table_path("sessions/events")
    events = read_table(path)
    late = (events.timestamp > border).to_numpy()
    assert 0 < late.sum() < len(late)
    rng, values = np.random.default_rng(1), events.copy()
    # Clicks stay clicks: their number decides which sessions come to a decision at all.
    clicks = events.event.isin(CLICK_EVENTS).to_numpy()
    changed = ["event", "item_id", "category", "quantity", "value", "text"]
    for which in (np.flatnonzero(late & clicks), np.flatnonzero(late & ~clicks)):
        other = rng.permutation(which)
        for name in changed:
            values[name] = values[name].astype(object)
            values.iloc[which, values.columns.get_loc(name)] = events[name].to_numpy(object)[other]
    write_table(values.astype({c: events[c].dtype for c in changed}), path)


def test_nothing_later_reaches_a_cut_off_or_a_decision(run, made, tmp_path):
    store, _, coupons, cutoffs = made
    later = copied(run, tmp_path, kept=False)
    learnt = read_sequences(run)
    held_out = learnt.decisions[learnt.decisions.split == "validation"]
    destroyed(later, held_out.timestamp.max() + WINDOW)
    write_sequences(later, learnt.task)
    nested = Run(next((later.path / "cache" / "futures").glob("future-0-*")))
    border = store.sequences.decisions.timestamp.quantile(0.5)
    destroyed(nested, border)
    write_sequences(nested, learnt.task)
    there, scene = scene_from(later)
    assert not np.array_equal(read_sequences(later).X, learnt.X, equal_nan=True)
    assert not np.array_equal(there.sequences.X, store.sequences.X, equal_nan=True)
    again, frozen = decided(scene)
    early = (store.sequences.decisions.timestamp <= border).to_numpy()
    assert scene.seen.key[early].tolist() == store.truth.key[early].tolist()
    for key, coupon in coupons.items():
        np.testing.assert_array_equal(again[key][early], coupon[early], err_msg=str(key))
    late = "realised_rate"  # of the whole future
    pd.testing.assert_frame_equal(frozen.drop(columns=late), cutoffs.drop(columns=late))


# ---- the same numbers, several stores, bad input


def test_the_same_seed_gives_the_same_numbers(run, found):
    # With the networks that were kept, and in one process.
    again = study(run, **QUICK, world_sweeps=False, n_jobs=1)
    assert again.sweeps.empty and list(again.sweeps) == list(found.sweeps)
    for name in ("options", "replications", "holdout", "cutoffs", "needed", "worlds"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(found, name))


def test_several_stores_are_averaged(run):
    both = study(run, **QUICK, world_sweeps=False, stores=2, n_jobs=2)
    assert both.replications[["store", "training_seed"]].drop_duplicates().values.tolist() == [
        [0, 0], [1, 0],
    ]  # fmt: skip
    rows = both.options[(both.options.policy == "2") & (both.options.world == "orthogonal")]
    cut = both.cutoffs[(both.cutoffs.policy == "2") & (both.cutoffs.budget == EQUAL_COUPONS)]
    rate = rows[rows.budget == EQUAL_COUPONS].rate_sessions.item()
    assert len(cut) == 2 and rate == pytest.approx(cut.realised_rate.mean())
    assert len(both.primary) == 20


def test_trainings_are_kept_apart_and_averaged(run, found):
    quick = {name: QUICK[name] for name in ("decisions", "epochs", "every_days", "replications")}
    drawn = replicated(run, world="lost_causes", stores=1, seeds=2, n_jobs=1, **quick)
    mine = found.replications
    mine = mine[(mine.world == "lost_causes") & mine.policy.isin(["3", "4"])]
    pd.testing.assert_frame_equal(
        drawn[drawn.training_seed == 0].reset_index(drop=True),
        mine[list(drawn)].reset_index(drop=True),
        check_like=True,
    )
    column = "incremental_per_coupon"
    gaps = []
    for number in (0, 1):
        rows = drawn[drawn.training_seed == number].set_index("replication")
        gaps.append(rows[column][rows.policy == "4"] - rows[column][rows.policy == "3"])
    row = averaged_difference(drawn).iloc[0]
    assert row.difference == pytest.approx(np.mean(gaps))


def test_an_averaged_difference_has_the_width_of_its_parts():
    # Stores, trainings and replications differ by known amounts; others are told from these.
    rng = np.random.default_rng(0)
    stores, seeds, times = 40, 40, 60
    store = rng.normal(0, 3.0, stores)[:, None, None]
    training = rng.normal(0, 2.0, seeds)[None, :, None]
    luck = rng.normal(0, 1.0, (stores, 1, times))
    first = store + training + luck + 5.0
    where = np.indices(first.shape).reshape(3, -1)
    keys = dict(zip(("store", "training_seed", "replication"), where, strict=True))
    parts = [
        pd.DataFrame({**keys, "world": "w", "policy": name, "gain": value.ravel()})
        for name, value in (("a", first), ("b", np.zeros(first.shape)))
    ]
    row = averaged_difference(pd.concat(parts), "a", "b", measure="gain", draws=4_000).iloc[0]
    assert row.difference == pytest.approx(first.mean())
    spread = np.sqrt(np.var(store) / stores + np.var(training) / seeds + np.var(luck) / stores)
    assert row.half_width == pytest.approx(1.96 * spread, rel=0.1)
    assert row.low < row.difference < row.high
    with pytest.raises(InputError, match="lack policy c"):
        averaged_difference(pd.concat(parts), "a", "c", measure="gain")


def test_policies_that_decide_alike_are_scored_once():
    a, b = np.array([1, -1], dtype=np.int8), np.array([-1, 1], dtype=np.int8)
    once, same = distinct({("x", "1"): a, ("x", "2"): b, ("y", "1"): a.copy()})
    assert len(once) == 2 and same["x", "1"] == same["y", "1"] != same["x", "2"]
    np.testing.assert_array_equal(once[same["x", "2"]], b)


def test_everything_wrong_with_a_request_is_said_at_once(run, tmp_path):
    bare = copied(run, tmp_path)
    (bare.path / "results/contract/assignments.parquet").unlink()
    shutil.rmtree(bare.truth)
    with pytest.raises(InputError) as error:
        study(bare, replications=0, stores=0, seeds=-1, decisions=-5, order_sweep="maybe")
    text = str(error.value)
    for said in ("replications: 0", "stores: 0", "seeds: -1", "decisions: -5",
                 "order_sweep: 'maybe'", "no assignments", "no truth"):  # fmt: skip
        assert said in text
    assert "no assignments" in too_little(bare) and too_little(run) == ""


def test_one_arm_or_a_propensity_of_zero_leave_the_chapter_out(run, tmp_path):
    one = copied(run, tmp_path)
    path = one.table_path("contract/assignments")
    table = read_table(path)
    write_table(table[table.arm == "none"].assign(propensity=0.0), path)
    said = too_little(one)
    assert "one arm only" in said and "propensity" in said
    with pytest.raises(InputError, match="one arm only"):
        study(one, **QUICK)
