"""Table 3: the filter of tags learnt on one month, and tried on the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.claims import paper
from precmark.grid.months import Monthly
from precmark.grid.tags import SIZES, Filtered, TagLog, by_size, filter_tags, having, tag_log
from precmark.metrics.resampling import percentiles, user_weights

if TYPE_CHECKING:
    from precmark.runs import Run


@dataclass(frozen=True)
class Potential:
    """What users left by the filter did in the month after.

    Attributes
    ----------
    users, left : int
        Candidates, and those of them with a tag typical of the outcome.
    rate, rate_left, rate_most : float
        Share with the outcome of all candidates, of those left, and of as many with the most tags
        of any kind.
    difference, low, high : float
        ``rate_left`` less ``rate``, and its 95 % interval over users.
    over_most, over_most_low, over_most_high : float
        ``rate_left`` less ``rate_most``, the same way.
    """

    users: int
    left: int
    rate: float
    rate_left: float
    rate_most: float
    difference: float
    low: float
    high: float
    over_most: float
    over_most_low: float
    over_most_high: float


@dataclass(frozen=True)
class TagStudy:
    """The filter at seven sizes of the log, what it keeps of the whole, and what that is worth.

    Attributes
    ----------
    sizes : pandas.DataFrame
        See :func:`~precmark.grid.tags.by_size`.
    filtered : Filtered
        On the whole log before the month that teaches.
    potential : Potential or None
        None where the filter keeps no tag typical of the outcome.
    """

    sizes: pd.DataFrame
    filtered: Filtered
    potential: Potential | None


def tag_study(
    run: Run, data: Monthly, *, sizes: int = SIZES, draws: int = 300, seed: int = 0
) -> TagStudy:
    """The tags of all events before the last but one month, filtered by what came in it.

    What is left is tried on the last month, by the tags of all events before that one.

    Parameters
    ----------
    run : Run
    data : Monthly
    sizes : int
        Sizes of the log that are measured.
    draws, seed : int
        Of the bootstrap over users; `seed` also orders the users.
    """
    log = tag_log(run)
    last = len(data.months) - 1
    taught, came = _before(log, data, last - 1, run.source.timezone)
    found = filter_tags(taught, came)
    measured = by_size(taught, came, sizes=sizes, seed=seed)
    later, then = _before(log, data, last, run.source.timezone)
    return TagStudy(measured, found, potential(later, then, found.buyers, draws, seed))


def _before(log: TagLog, data: Monthly, month: int, timezone: str) -> tuple[TagLog, np.ndarray]:
    """Events of the candidates of `month` before it, and the candidates with the outcome."""
    start = pd.Timestamp(data.months[month], tz=timezone).tz_convert("UTC").tz_localize(None)
    at = data.rows(month, month)
    users = data.decisions["user_code"].to_numpy()[at]
    known = (log.timestamp < start.to_datetime64()) & np.isin(log.users, users)
    return log.take(known), users[data.y[at] == 1]


def potential(
    log: TagLog, came: Iterable[int], buyers: Iterable[str], draws: int, seed: int
) -> Potential | None:
    """See :class:`Potential`; `log` holds what was known before, `came` who had the outcome."""
    held = having(log, buyers)
    left = held.to_numpy() > 0
    if not left.any():
        return None
    y = held.index.isin(list(came)).astype(float)
    every = having(log, log.names).to_numpy()
    # equal numbers of tags are parted by lot, not by who registered first
    lot = np.random.default_rng(seed).permutation(len(every))
    most = np.zeros(len(y), bool)
    most[np.lexsort((lot, -every))[: left.sum()]] = True
    weights = np.concatenate(list(user_weights(len(y), draws, seed)), axis=1)

    def rates(mask: np.ndarray) -> np.ndarray:
        return ((y * mask) @ weights) / np.maximum(mask @ weights, 1)

    rate = [float(y[mask].mean()) for mask in (np.ones(len(y), bool), left, most)]
    low, high = percentiles(rates(left) - rates(np.ones(len(y))))
    over_low, over_high = percentiles(rates(left) - rates(most))
    return Potential(
        len(y), int(left.sum()), *rate, rate[1] - rate[0], float(low), float(high),
        rate[1] - rate[2], float(over_low), float(over_high),
    )  # fmt: skip


def printed_table3() -> pd.DataFrame:
    """Table 3 as printed: ``size``, ``gigabytes``, ``tags``, ``filtered``, ``users``."""
    names = {"gigabytes": "log_size", "tags": "tags", "filtered": "filtered", "users": "users"}
    return pd.DataFrame(
        [
            {
                "size": k,
                **{column: paper("liu", f"table3.{key}_{k}") for column, key in names.items()},
            }
            for k in range(1, SIZES + 1)
        ]
    )


def table3_text(sizes: pd.DataFrame) -> pd.DataFrame:
    """Table 3 for readers: the paper's line beside ours."""
    rows = []
    for printed, r in zip(printed_table3().itertuples(), sizes.itertuples(), strict=True):
        rows.append(
            {"line": r.size, "log, paper": f"{printed.gigabytes:.2f} GB",
             "log, ours": f"{r.rows:,} rows, {r.megabytes:.1f} MB",
             "tags, paper": f"{printed.tags:,.0f}", "tags, ours": f"{r.tags:,}",
             "filtered, paper": f"{printed.filtered:,.0f} ({printed.filtered / printed.tags:.0%})",
             "filtered, ours": f"{r.filtered:,} ({r.filtered / max(r.tags, 1):.0%})",
             "users, paper": f"{printed.users:,.0f}", "users, ours": f"{r.users:,}",
             "users left, ours": f"{r.kept_users:,}", "seconds": f"{r.seconds:.3f}",
             "memory": f"{r.peak_mb:.0f} MB"}
        )  # fmt: skip
    return pd.DataFrame(rows)
