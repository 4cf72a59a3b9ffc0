"""The truth of a fresh future, which the scoring reads and no model or policy may (chapter 07)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa

from precmark.errors import InputError, Problem
from precmark.simulate import CATEGORIES, Config
from precmark.simulate.config import COUPON_SPACING_DAYS
from precmark.simulate.draws import mix
from precmark.source import Dataset

_COLUMNS = ("decision_id", "user_number", "key", "timestamp", "p0", "rank")
_SHOP_EVENTS = ("view", "search", "cart", "uncart", "purchase")
_MACHINE_VIEWS = 100  # more in one session is a machine's (the paper's section 5.2)


@dataclass(frozen=True)
class Future:
    """A period of a simulated store in which nobody gets a coupon, and its truth.

    Attributes
    ----------
    decisions : pandas.DataFrame
        Row i is decision i, in any order: ``decision_id``, ``user_number``, ``key`` (uint64, names
        the decision in keyed draws), ``timestamp`` (UTC), ``p0`` (purchase probability without a
        coupon, 0 to 1), ``rank`` (R of 1 - p0, 0 to 1).
    users : pandas.DataFrame
        Sorted by ``user_number``: ``deal_response`` (z_u), ``cell``, ``first``, ``second`` (taste).
    sessions : int
        All shop sessions of the period: the denominator of the paper's rates.
    early_buyers : int
        Those of them that bought before the k-th click, and so never came to a decision.
    config : Config
        What the store was asked to be.
    """

    decisions: pd.DataFrame
    users: pd.DataFrame
    sessions: int
    early_buyers: int
    config: Config

    def __post_init__(self) -> None:
        problems = [
            Problem(f"decisions: no column {name}", "Take them from the store's truth table.")
            for name in _COLUMNS
            if name not in self.decisions
        ]
        if self.sessions < len(self.decisions) + self.early_buyers:
            problems.append(
                Problem(
                    f"sessions: {self.sessions:,} are fewer than {len(self.decisions):,} decisions "
                    f"and {self.early_buyers:,} early buyers",
                    "Count every session of the period.",
                )
            )
        if problems:
            raise InputError(problems)

    def __len__(self) -> int:
        return len(self.decisions)

    @cached_property
    def p0(self) -> np.ndarray:
        """Purchase probability of each decision without a coupon, shape (n,)."""
        return self.decisions["p0"].to_numpy(dtype=float)

    @cached_property
    def key(self) -> np.ndarray:
        """Key of each decision, shape (n,)."""
        return self.decisions["key"].to_numpy(dtype=np.uint64)

    @cached_property
    def mixed_key(self) -> np.ndarray:
        """:attr:`key` as :func:`precmark.simulate.uniform` takes it with ``mixed=True``."""
        return mix(self.key)

    @cached_property
    def at_us(self) -> np.ndarray:
        """Instant of each decision in microseconds since 1970 UTC, shape (n,)."""
        return self.decisions["timestamp"].astype("datetime64[us, UTC]").astype("int64").to_numpy()

    @cached_property
    def user(self) -> np.ndarray:
        """Number of each decision's user, shape (n,)."""
        return self.decisions["user_number"].to_numpy(dtype=np.int64)

    @cached_property
    def pi(self) -> np.ndarray:
        """Taste of each decision's user for each category, shape (n, 18); rows sum to 1."""
        from precmark.simulate import taste

        at = np.searchsorted(self.users["user_number"].to_numpy(), self.user)
        return taste(*(self.users[name].to_numpy()[at] for name in ("cell", "first", "second")))


def checked(future: Future, coupon: np.ndarray, name: str = "coupon") -> np.ndarray:
    """`coupon` as int8, shape (n,), where it is one that a policy may give.

    Raises
    ------
    InputError
        A wrong length, a category outside -1 to 17, or two coupons of a user within 7 days; all
        listed at once.
    """
    coupon = np.asarray(coupon)
    if coupon.shape != (len(future),):
        raise InputError(
            f"{name}: shape {coupon.shape} for {len(future):,} decisions. Give one category (0 to "
            f"{CATEGORIES - 1}) or -1 for each."
        )
    problems = []
    wrong = np.flatnonzero((coupon < -1) | (coupon >= CATEGORIES) | (coupon != np.floor(coupon)))
    if len(wrong):
        problems.append(
            Problem(
                f"{name}: not a category", f"Use 0 to {CATEGORIES - 1}, or -1 for no coupon.",
                rows=len(wrong), first_rows=tuple(int(i) + 1 for i in wrong[:5]),
                sample=str(coupon[wrong[0]]),
            )
        )  # fmt: skip
    close = too_close(future, coupon >= 0)
    if len(close):
        problems.append(
            Problem(
                f"{name}: a second coupon for the same user within {COUPON_SPACING_DAYS} days",
                "Apply the rule in time order before scoring.",
                rows=len(close), first_rows=tuple(int(i) + 1 for i in close[:5]),
            )
        )  # fmt: skip
    if problems:
        raise InputError(problems)
    return coupon.astype(np.int8)


def too_close(future: Future, given: np.ndarray) -> np.ndarray:
    """Decisions with a coupon less than 7 days after the same user's coupon before, ascending.

    Parameters
    ----------
    future : Future
    given : array of bool, shape (n,)
        Whether the decision gets a coupon.
    """
    at = np.flatnonzero(given)
    at = at[np.lexsort((future.at_us[at], future.user[at]))]
    user, when = future.user[at], future.at_us[at]
    close = (user[1:] == user[:-1]) & (when[1:] - when[:-1] < SPACING_US)
    return np.sort(at[1:][close])


SPACING_US = COUPON_SPACING_DAYS * 86_400 * 1_000_000
"""The least distance of two coupons of one user, microseconds."""


def future_of(store: Dataset, config: Config) -> Future:
    """The :class:`Future` that a store simulated with ``coupon_share=0`` holds.

    Parameters
    ----------
    store : Dataset
        From :func:`precmark.simulate.simulate`.
    config : Config
        The configuration that it was made with.

    Raises
    ------
    InputError
        When a decision of the store got a coupon: worlds would not share its history.
    """
    decisions = store.truth["decisions"].to_pandas()
    if decisions["coupon"].notna().any():
        raise InputError("the future holds coupons. Simulate it with coupon_share=0.")
    sessions, buying = _shop_sessions(store.tables["events"])
    return Future(
        decisions=decisions[list(_COLUMNS)],
        users=store.truth["users"].to_pandas(),
        sessions=sessions,
        early_buyers=buying - int(decisions["y0"].sum()),
        config=config,
    )


def _shop_sessions(events: pa.Table) -> tuple[int, int]:
    """Sessions in the shop without the machines', and those of them with a purchase."""
    import pyarrow.compute as pc

    kind = events["event"]
    shop = pa.table(
        {
            "session_id": events["session_id"],
            "view": pc.equal(kind, "view").cast(pa.int32()),
            "purchase": pc.equal(kind, "purchase").cast(pa.int32()),
        }
    ).filter(pc.is_in(kind, pa.array(_SHOP_EVENTS)))
    found = shop.group_by("session_id").aggregate([("view", "sum"), ("purchase", "max")])
    human = found.filter(pc.less_equal(found["view_sum"], _MACHINE_VIEWS))
    return human.num_rows, pc.sum(human["purchase_max"]).as_py() or 0
