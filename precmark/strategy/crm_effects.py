"""What rules bring where the truth is known, and what their holdouts would have told (ch. 14).

An offer of worth w lifts the purchase probability by w / 0.15 times the effect of the simulated
store's 15 % coupon (at most by 90 % of what is missing to 1); points, which hold for every
category, by the mean over categories. It is assumed that effects grow with the worth and that a
second offer works as the first. A coupon is for the category that the user has clicked most often
so far, is used by all whom it wins and by those who buy anyway as often as they like its category,
and takes its worth off the whole order; points go to every buyer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.simulate import WORLDS, pulled_forward_share, taste, treatment_effect, uniform
from precmark.simulate.catalogue import NAMES
from precmark.simulate.config import DISCOUNT
from precmark.simulate.effects import RISK_SHARE_CAP
from precmark.strategy.crm import MARGIN, play
from precmark.strategy.rules import Rule, Rulebook

if TYPE_CHECKING:
    from precmark.runs import Run

EVERYBODY = Rulebook(
    (("everybody", {}),),
    (Rule("everybody", "everybody", {}, "coupon", DISCOUNT, 28.0, 0.2),),
)
"""The rival without segments: the 15 % coupon for whoever comes, under the same cap and holdout."""

POWER = 0.8


def asked(run: Run, moments: pd.DataFrame, book: Rulebook, *, seed: int = 0) -> pd.DataFrame:
    """The moments at which `book` makes an offer or holds one back, with their truth.

    Parameters
    ----------
    run : Run
        A simulated store with its truth.
    moments : pandas.DataFrame
        From :func:`precmark.strategy.crm.moments_of`.
    book : Rulebook
    seed : int

    Returns
    -------
    pandas.DataFrame
        The rows of :func:`~precmark.strategy.crm.play` that are offered or held out, with
        ``category`` (0 to 17), ``user_number``, ``key``, ``p0``, ``rank``, ``pi`` (taste for the
        category; 1 for points).
    """
    played = play(moments, book, seed=seed)
    kept = played[played.status.isin(["offered", "held out"])]
    truth = pd.read_parquet(run.truth / "decisions.parquet")
    truth = truth[["decision_id", "user_number", "key", "p0", "rank"]]
    kept = kept.merge(truth, on="decision_id", validate="one_to_one")
    kept = kept.assign(category=favourites(run, kept))
    users = pd.read_parquet(run.truth / "users.parquet").set_index("user_number")
    mine = users.loc[kept.user_number]
    pi = taste(*(mine[name].to_numpy() for name in ("cell", "first", "second")))
    points = kept.rule.map({r.name: r.kind == "points" for r in book.rules}).to_numpy(dtype=bool)
    return kept.assign(pi=np.where(points, 1.0, pi[np.arange(len(kept)), kept.category]))


def favourites(run: Run, moments: pd.DataFrame) -> np.ndarray:
    """The category that each moment's user has met in most events so far; the first of the best.

    Events up to the moment count; with none, the shop's most popular category. Shape (moments,).
    """
    events = run.table("contract/events", ["user_code", "timestamp", "category"])
    number = pd.Index(NAMES).get_indexer(events.category.astype("object"))
    events = events.assign(category=number)[number >= 0]
    asked = moments[["user_code", "timestamp"]].reset_index(drop=True)
    joined = asked.reset_index(names="moment").merge(events, on="user_code", suffixes=("", "_seen"))
    joined = joined[joined.timestamp_seen <= joined.timestamp]
    count = joined.groupby(["moment", "category"]).size().rename("n").reset_index()
    best = count.sort_values(["moment", "n", "category"], ascending=[True, False, True])
    best = best.drop_duplicates("moment").set_index("moment").category
    return best.reindex(asked.index, fill_value=0).to_numpy(dtype=int)


def true_effect(run: Run, offers: pd.DataFrame, book: Rulebook, world: str) -> np.ndarray:
    """By how much each offer lifts the purchase probability in `world`; shape (offers,)."""
    users = pd.read_parquet(run.truth / "users.parquet").sort_values("user_number")
    every = treatment_effect(offers, users, world=world)
    rules = {r.name: r for r in book.rules}
    worth = offers.rule.map({n: r.worth for n, r in rules.items()}).to_numpy(dtype=float)
    points = offers.rule.map({n: r.kind == "points" for n, r in rules.items()}).to_numpy(dtype=bool)
    own = every[np.arange(len(offers)), offers.category.to_numpy()]
    tau = np.where(points, every.mean(axis=1), own) * worth / DISCOUNT
    return np.minimum(tau, RISK_SHARE_CAP * (1 - offers.p0.to_numpy()))


def mean_order(run: Run) -> float:
    """Mean value of an order of the run's log, in its money; 1 where it has no prices."""
    if "prices" not in run.source.says:
        return 1.0
    visits = run.table("sessions/sessions", ["purchases", "revenue"])
    return float(visits.revenue[visits.purchases > 0].mean())


def effects(
    run: Run,
    moments: pd.DataFrame,
    book: Rulebook,
    *,
    worlds: Sequence[str] = WORLDS,
    margin: float = MARGIN,
    seed: int = 0,
) -> pd.DataFrame:
    """What each rule, all rules, and the coupon for everybody come to, world by world, on average.

    Returns
    -------
    pandas.DataFrame
        ``world``; ``rule`` ("all rules" and "everybody" among them); ``offers``; ``base`` (mean
        purchase probability without an offer); ``effect`` (mean rise of it); ``extra`` (purchases
        caused); ``extra_30d`` (those not only pulled forward); ``discount`` and ``profit`` (money
        over all offers, at `margin` of an order's value), ``profit_100`` (a hundred offers).
    """
    order = mean_order(run)
    rows = []
    for made in (book, EVERYBODY):
        found = asked(run, moments, made, seed=seed)
        given = found[found.status == "offered"].reset_index(drop=True)
        worth = given.rule.map({r.name: r.worth for r in made.rules}).to_numpy(dtype=float)
        groups = {r.name: (given.rule == r.name).to_numpy() for r in made.rules}
        if made is book:
            groups["all rules"] = np.ones(len(given), dtype=bool)
        for world in worlds:
            tau = true_effect(run, given, made, world)
            discount = order * worth * (tau + given.p0 * given.pi)
            profit = margin * order * tau - discount
            for name, mine in groups.items():
                n = int(mine.sum())
                rows.append(
                    {
                        "world": world, "rule": name, "offers": n,
                        "base": given.p0[mine].mean(), "effect": tau[mine].sum() / max(n, 1),
                        "extra": tau[mine].sum(),
                        "extra_30d": tau[mine].sum() * (1 - pulled_forward_share(world)),
                        "discount": discount[mine].sum(), "profit": profit[mine].sum(),
                        "profit_100": 100 * profit[mine].sum() / max(n, 1),
                    }
                )  # fmt: skip
    place = {world: i for i, world in enumerate(worlds)}
    table = pd.DataFrame(rows)
    return table.sort_values("world", key=lambda w: w.map(place), kind="stable", ignore_index=True)


def holdouts(
    run: Run,
    moments: pd.DataFrame,
    book: Rulebook,
    *,
    world: str,
    replications: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """What comparing the offered with the held out would have found, rule by rule.

    Outcomes are drawn again and again: Y(0) = [V < p0], Y(1) = [V < p0 + tau], both with one V.

    Returns
    -------
    pandas.DataFrame
        A row a rule, and "all rules": ``rule``, ``offered``, ``held_out``, ``truth`` (mean effect
        on the offered); ``measured``, ``low``, ``high`` (the first replication, 95 %);
        ``half_width`` (mean of the intervals'), ``found`` (share of the replications whose interval
        lies above 0), ``needed`` (moments offered, and as many held out, with which it would lie
        there in 80 % of them; infinite where the truth is 0 or less).
    """
    found = asked(run, moments, book, seed=seed).reset_index(drop=True)
    tau = true_effect(run, found, book, world)
    offered = (found.status == "offered").to_numpy()
    key, p0 = found.key.to_numpy(dtype=np.uint64), found.p0.to_numpy()
    chance = np.where(offered, p0 + tau, p0)
    bought = np.array(
        [uniform(seed, r, key, "outcome") < chance for r in range(1, replications + 1)]
    )
    groups = {r.name: (found.rule == r.name).to_numpy() for r in book.rules}
    groups["all rules"] = np.ones(len(found), dtype=bool)
    rows = []
    for name, mine in groups.items():
        with_offer, without = mine & offered, mine & ~offered
        if with_offer.sum() < 2 or without.sum() < 2:
            continue
        difference, half = contrast(bought[:, with_offer], bought[:, without])
        truth, base = tau[with_offer].mean(), p0[mine].mean()
        rows.append(
            {
                "rule": name, "offered": int(with_offer.sum()), "held_out": int(without.sum()),
                "truth": truth, "measured": difference[0], "low": difference[0] - half[0],
                "high": difference[0] + half[0], "half_width": half.mean(),
                "found": (difference > half).mean(), "needed": needed(base, truth),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def contrast(offered: np.ndarray, held_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Difference of two shares and half the width of its 95 % interval, a replication a row.

    Variances are those of Agresti and Caffo (one buyer and one other added to each group), which
    hold up in small groups; the difference is the plain one (doi:10.1080/00031305.2000.10474560).
    """
    shares, variance = [], 0.0
    for group in (offered, held_out):
        n = group.shape[1]
        shares.append(group.mean(axis=1))
        p = (group.sum(axis=1) + 1) / (n + 2)
        variance = variance + p * (1 - p) / (n + 2)
    return shares[0] - shares[1], 1.96 * np.sqrt(variance)


def needed(base: float, effect: float) -> float:
    """Moments in each of two equal groups that show `effect` on `base` four times in five."""
    from scipy.stats import norm

    if not effect > 0:
        return float("inf")
    both = base * (1 - base) + (base + effect) * (1 - base - effect)
    return float(np.ceil((norm.ppf(0.975) + norm.ppf(POWER)) ** 2 * both / effect**2))
