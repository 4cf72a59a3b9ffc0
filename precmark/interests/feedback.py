"""Offers that nobody clicks sink: pages of ten shown again and again under a click model.

No log says what somebody would have clicked on another page. So clicks are simulated: a user looks
at a place with a chance that falls with the rank, and clicks what they look at with a chance that
depends on whether they wanted the product later in the log, wanted its category, or neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.interests.exposure import all_scores
from precmark.recommend.measures import K, resampled
from precmark.recommend.quality import favours
from precmark.recommend.ranks import top
from precmark.recommend.shop import WEIGHTS, Histories, histories_of
from precmark.recommend.study import subset
from precmark.simulate import uniform

if TYPE_CHECKING:
    from precmark.interests.exposure import Groups
    from precmark.recommend.hybrid import HybridRecommender
    from precmark.recommend.occasions import Occasions

MOST_USERS = 300
"""Users of the simulation; more are drawn from."""

PATIENCE = (1, 2, 3, 5)
"""n: pages on which an offer may stand without a click before it sinks."""

LOT = " by lot"
"""How a policy that sinks offers by lot ends in words."""


@dataclass(frozen=True)
class ClickModel:
    """What makes a simulated user click.

    Attributes
    ----------
    wanted, alike, other : float
        Chance, 0 to 1, to click a product that is looked at: one that the user wanted later in the
        log, one of the same category as something wanted, any other.
    fading : float
        A place at rank r is looked at with chance r^-fading, 0 or more.
    """

    wanted: float = 0.5
    alike: float = 0.05
    other: float = 0.01
    fading: float = 0.7


@dataclass(frozen=True)
class Policy:
    """What a shop does with offers and clicks.

    Attributes
    ----------
    patience : int or None
        n: after so many pages without a click an offer sinks below all others; None: never.
    by_lot : bool
        As many offers sink, but drawn from the page by lot: what mere change of the page does.
    learns : bool
        Each click joins the user's history, and the scores are worked out anew.
    """

    patience: int | None = None
    by_lot: bool = False
    learns: bool = False

    @property
    def title(self) -> str:
        """In words."""
        what = "nothing sinks" if self.patience is None else f"sinks after {self.patience}"
        what += LOT if self.by_lot else ""
        return what + (", learns" if self.learns else "")


def usual_policies(patience: Sequence[int] = PATIENCE) -> tuple[Policy, ...]:
    """No sinking, each n of `patience`, the middle n by lot, and learning without and with it."""
    middle = sorted(patience)[len(patience) // 2 - 1] if len(patience) > 1 else patience[0]
    return (
        Policy(), *(Policy(n) for n in patience), Policy(middle, by_lot=True),
        Policy(learns=True), Policy(middle, learns=True),
    )  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """What a policy showed and what came of it.

    Attributes
    ----------
    pages : pandas.DataFrame
        A row a page: ``page`` from 1, ``clicks`` (mean a user), ``found`` (mean share of the
        wanted products clicked so far, 0 to 1), ``seen`` (mean number of different products shown
        so far), ``kinds`` (mean number of groups on the page, as the exponential of its entropy;
        nan without groups).
    found, clicks, kinds : numpy.ndarray
        (users,) share of the wanted products clicked by the end, clicks in all, mean kinds a page
        over the later half of the pages.
    """

    pages: pd.DataFrame
    found: np.ndarray
    clicks: np.ndarray
    kinds: np.ndarray


def shown(
    model: HybridRecommender,
    asked: Occasions,
    policy: Policy,
    *,
    clicks: ClickModel | None = None,
    groups: Groups | None = None,
    pages: int = 12,
    seed: int = 0,
) -> Shown:
    """Pages of ten shown to each user of `asked` one after the other under `policy`.

    Parameters
    ----------
    model : HybridRecommender
    asked : Occasions
        Its targets are what the users want.
    policy : Policy
    clicks : ClickModel, optional
    groups : Groups, optional
        Groups that count as kinds and as "alike"; none where left out.
    pages : int
        1 or more.
    seed : int
        Users meet the same luck with a product on a page whatever the policy.

    Raises
    ------
    InputError
        A click model, a patience or a number of pages that cannot be; all at once.

    Notes
    -----
    A product that was clicked leaves the pages, under every policy. A sunk offer comes back when
    there is nothing better.
    """
    clicks = clicks or ClickModel()
    _check(clicks, policy, pages)
    shop, n = model.shop_, len(asked)
    attraction = _attraction(asked, shop, clicks, groups)
    wanted = attraction == clicks.wanted
    scores = all_scores(model, asked)[model.alpha_]
    looked = np.arange(1, K + 1) ** -clicks.fading
    idle = np.zeros(scores.shape, dtype=np.int32)
    clicked = np.zeros(scores.shape, dtype=bool)
    sunk, seen = clicked.copy(), clicked.copy()
    liking = _liking(model, asked) if policy.learns else None
    rng = np.random.default_rng(seed)
    rows, kinds, count = [], [], np.zeros(n)
    each = np.arange(n)[:, None]
    for page in range(pages):
        page_of = top(_standing(scores, sunk, clicked), K)
        key = (np.arange(n, dtype=np.uint64)[:, None] * np.uint64(len(shop))
               + page_of.astype(np.uint64)) * np.uint64(pages) + np.uint64(page)  # fmt: skip
        luck = uniform(seed, 0, key, "offer clicked")
        now = luck < looked * attraction[each, page_of]
        clicked[each, page_of] |= now
        seen[each, page_of] = True
        idle[each, page_of] = np.where(now, 0, idle[each, page_of] + 1)
        count += now.sum(axis=1)
        if policy.patience is not None:
            _sink(sunk, idle, page_of, policy, rng)
        if liking is not None and now.any():
            scores = _learnt(model, asked, liking, page_of, now)
        kinds.append(_kinds(page_of, groups))
        rows.append((page + 1, now.sum(1).mean(), _share(clicked, wanted).mean(),
                     seen.sum(1).mean(), kinds[-1].mean()))  # fmt: skip
    names = ["page", "clicks", "found", "seen", "kinds"]
    later = np.mean(kinds[pages // 2 :], axis=0)
    return Shown(pd.DataFrame(rows, columns=names), _share(clicked, wanted), count, later)


def _check(clicks: ClickModel, policy: Policy, pages: int) -> None:
    problems = [
        Problem(f"clicks.{name}: {value}", "Use a chance from 0 to 1.")
        for name, value in vars(clicks).items()
        if name != "fading" and not 0 <= value <= 1
    ]
    if not clicks.wanted > max(clicks.alike, clicks.other):
        fix = "Make what is wanted likelier to be clicked than anything else."
        problems.append(Problem(f"clicks.wanted: {clicks.wanted}", fix))
    if not clicks.fading >= 0:
        problems.append(Problem(f"clicks.fading: {clicks.fading}", "Use 0 or more."))
    if policy.patience is not None and policy.patience < 1:
        fix = "Let an offer stand on 1 page or more, or use None."
        problems.append(Problem(f"policy.patience: {policy.patience}", fix))
    if pages < 1:
        problems.append(Problem(f"pages: {pages}", "Show 1 page or more."))
    if problems:
        raise InputError(problems)


def _attraction(asked, shop, clicks: ClickModel, groups: Groups | None) -> np.ndarray:
    """(users, m) chance to click each product once it is looked at."""
    row = pd.Index(asked.users.user_code).get_indexer(asked.targets.user_code)
    column = shop.index.get_indexer(asked.targets.item_id)
    row, column = row[column >= 0], column[column >= 0]
    made = np.full((len(asked), len(shop)), clicks.other)
    if groups is not None:
        liked = np.zeros((len(asked), len(groups)), dtype=bool)
        liked[row, groups.code[column]] = True
        made[liked[:, groups.code]] = clicks.alike
    made[row, column] = clicks.wanted
    return made


def _standing(scores: np.ndarray, sunk: np.ndarray, clicked: np.ndarray) -> np.ndarray:
    """Scores from 0 to 1 with what sank below all others, and what was clicked below that."""
    return (scores - 2 * sunk - 4 * clicked).astype(np.float32)


def _sink(sunk, idle, page_of, policy: Policy, rng) -> None:
    """Mark the offers of this page that sink now, in place."""
    each = np.arange(len(page_of))[:, None]
    tired = idle[each, page_of] >= policy.patience
    if policy.by_lot:
        order = rng.random(tired.shape).argsort(axis=1).argsort(axis=1)
        tired, idle[each, page_of] = order < tired.sum(axis=1)[:, None], np.where(
            tired, 0, idle[each, page_of]
        )  # fmt: skip
    sunk[each, page_of] |= tired


def _liking(model: HybridRecommender, asked: Occasions) -> list:
    """The weights behind each user's history, (users, m), and the searches."""
    known = histories_of(
        asked.history, model.shop_, asked.users.user_code, half_life=model.half_life
    )
    return [np.expm1(known.items.toarray()), known.searches, known.users]


def _learnt(model, asked, liking: list, page_of, now) -> np.ndarray:
    """Scores with the clicks of this page in the histories; what is older ages by a moment."""
    from scipy.sparse import csr_matrix

    weights, searches, users = liking
    moved = now.any(axis=1)
    aged = 1.0 if model.half_life is None else 0.5 ** (1 / model.half_life)
    weights[moved] *= aged
    row, place = np.nonzero(now)
    weights[row, page_of[row, place]] += WEIGHTS["view"]
    known = Histories(users, csr_matrix(np.log1p(weights).astype(np.float32)), searches)
    by_others, by_content = model.parts(known, model.model_.prepare(known.items))
    return np.float32(model.alpha_) * by_others + np.float32(1 - model.alpha_) * by_content


def _kinds(page_of: np.ndarray, groups: Groups | None) -> np.ndarray:
    """(users,) exponential of the entropy of the groups on each page; nan without groups."""
    if groups is None:
        return np.full(len(page_of), np.nan)
    code, width = groups.code[page_of], len(groups)
    place = code + width * np.arange(len(page_of))[:, None]
    share = np.bincount(place.ravel(), minlength=width * len(page_of)).reshape(-1, width) / K
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    return np.exp(-(share * logs).sum(axis=1))


def _share(clicked: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return (clicked & wanted).sum(axis=1) / np.maximum(wanted.sum(axis=1), 1)


def fewer(asked: Occasions, most: int = MOST_USERS, *, seed: int = 0) -> Occasions:
    """`asked` with at most `most` occasions, drawn by lot."""
    if len(asked) <= most:
        return asked
    kept = np.zeros(len(asked), dtype=bool)
    kept[np.random.default_rng(seed).choice(len(asked), most, replace=False)] = True
    return subset(asked, kept)


def by_lot(
    results: Mapping[str, Shown], asked: Occasions, *, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Sinking what nobody clicked less sinking as many by lot, as :func:`compared` returns it.

    Two rows a measure, the policy by lot first; empty where `results` hold no such pair.
    """
    lot = next((name for name in results if name.endswith(LOT)), None)
    same = lot.removesuffix(LOT) if lot else None
    if same not in results:
        return pd.DataFrame()
    pair = {name: results[name] for name in (lot, same)}
    return compared(pair, asked, draws=draws, seed=seed)


def compared(
    results: Mapping[str, Shown], asked: Occasions, *, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Each policy and its difference from the first, over people.

    Parameters
    ----------
    results : mapping of policy in words to Shown
        Of the same users; the first is what the others are compared with.
    asked : Occasions
    draws, seed : int

    Returns
    -------
    pandas.DataFrame
        ``policy``, ``measure`` (``"found"``, ``"clicks"``, ``"kinds"``), ``value``, ``low``,
        ``high``, ``difference``, ``difference_low``, ``difference_high``, ``favours``
        (``"first"``: more than the first policy). Measures without a number are left out.
    """
    tables, people = [], asked.users.person.to_numpy()
    first = next(iter(results))
    for measure in ("found", "clicks", "kinds"):
        series = {name: getattr(result, measure) for name, result in results.items()}
        if np.isnan(series[first]).any():
            continue
        drawn = resampled(series, people, draws=draws, seed=seed)
        apart = pd.DataFrame(
            [drawn.difference(name, first) for name in results],
            columns=["difference", "low", "high"],
        )
        apart = apart.assign(favours=favours(apart))
        names = {"low": "difference_low", "high": "difference_high"}
        table = drawn.table().rename(columns={"name": "policy"}).assign(measure=measure)
        tables.append(pd.concat([table, apart.rename(columns=names)], axis=1))
    return pd.concat(tables, ignore_index=True)
