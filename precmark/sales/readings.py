"""Table 7 of the main paper, computed under every reading of its text that we can find.

The paper prints a distribution rate, a growth of the conversion and estimated sales for each of its
four options, and says only that sales are estimated from the share of coupon holders and the
discount. What each of the three means is open; here each meaning is tried with each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import pandas as pd

from precmark.claims import claim, paper
from precmark.sales.estimate import DISCOUNTED

OPTIONS = ("1", "2", "3", "4")

RATES: dict[str, str] = {
    "printed": "as printed",
    "sessions": "C-1-N of all sessions of Table 6",
    "conversions": "N read as conversions: sessions are N / C",
}
"""What the distribution rate may be."""

GROWTHS: dict[str, str] = {
    "printed": "as printed",
    "C-2": "C-1 over the option's own C-2",
    "all sessions": "C-1 over the option's mean of all sessions",
    "pooled C-2": "C-1 over the mean C-2 of all options, by sessions",
    "plain C-2": "C-1 over the plain mean C-2 of the four options",
    "option 1, C-1": "C-1 over option 1's C-1, the random coupons",
    "option 1, C-2": "C-1 over option 1's C-2, sessions without coupons",
    "market, low": "C-1 over the low end of what the paper says is usual",
    "market, middle": "C-1 over the middle of what the paper says is usual",
    "market, high": "C-1 over the high end of what the paper says is usual",
}
"""What the conversion may have grown from."""

DISCOUNTS: dict[str, str] = {name: words for name, (words, _) in DISCOUNTED.items()}
"""What the discount may be taken off."""

FORMS: dict[str, str] = {
    "share of sessions": "r is a share of the sessions: 1 + r L",
    "per other session": "r is taken for a ratio of holders to others: 1 + r / (1 - r) L",
    "share of sales": "r is a share of the sales made: 1 / (1 - r + r / (1 + L))",
    "on top": "holders' sales come on top of the benchmark: 1 + r (1 + L)",
}
"""How rate and lift L = g - d u may become sales."""


@dataclass(frozen=True)
class Interval:
    """A figure and what its printed digits leave open.

    Attributes
    ----------
    value, low, high : float
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Reading:
    """One way to read Table 7: a key of each of the four tables above.

    Attributes
    ----------
    rate, growth, discount, form : str
    """

    rate: str
    growth: str
    discount: str
    form: str

    @property
    def words(self) -> str:
        """The reading as a phrase."""
        return (
            f"rate {RATES[self.rate]}; growth {GROWTHS[self.growth]}; discount off "
            f"{DISCOUNTS[self.discount]}; {FORMS[self.form]}"
        )


def every_reading() -> list[Reading]:
    """All readings: each rate with each growth, discount and form."""
    return [Reading(*keys) for keys in product(RATES, GROWTHS, DISCOUNTS, FORMS)]


def printed(option: str, figure: str) -> Interval:
    """`figure` of `option` in Tables 6 and 7 of the paper, with what its rounding leaves open."""
    table = "table7" if figure in ("rate", "growth", "sales") else "table6"
    found = claim("gu", f"{table}.option{option}_{figure}")
    return Interval(found.value, found.value - found.half_width, found.value + found.half_width)


SAME = 1e-9
"""A gap of two intervals up to which they touch."""


def gap_of(one: Interval, other: Interval) -> float:
    """How far two intervals lie apart; 0 where they overlap."""
    return max(0.0, one.low - other.high, other.low - one.high)


def _corners(function, *inputs: Interval) -> Interval:
    """Range of `function`, monotone in each input, over the corners of their intervals."""
    ends = [function(*corner) for corner in product(*[(i.low, i.high) for i in inputs])]
    return Interval(function(*[i.value for i in inputs]), min(ends), max(ends))


@cache
def _sessions(option: str) -> tuple[float, float]:
    return tuple(
        paper("gu", f"table6.option{option}_{group}_sessions") for group in ("couponed", "other")
    )


@cache
def rate_of(option: str, reading: str) -> Interval:
    """The distribution rate of `option` under `reading` (a key of :data:`RATES`)."""
    held, others = _sessions(option)
    if reading == "printed":
        return printed(option, "rate")
    if reading == "sessions":
        return _exact(held / (held + others))
    return _corners(
        lambda c1, c2: held / c1 / (held / c1 + others / c2),
        printed(option, "couponed_conversion"), printed(option, "other_conversion"),
    )  # fmt: skip


def _exact(value: float) -> Interval:
    return Interval(value, value, value)


@cache
def growth_of(option: str, reading: str) -> Interval:
    """The growth of the conversion of `option` under `reading` (a key of :data:`GROWTHS`)."""
    if reading == "printed":
        return printed(option, "growth")
    converted = printed(option, "couponed_conversion")
    if reading == "all sessions":
        held, others = _sessions(option)
        return _corners(
            lambda c1, c2: c1 * (held + others) / (held * c1 + others * c2) - 1,
            converted, printed(option, "other_conversion"),
        )  # fmt: skip
    if reading == "option 1, C-1" and option == "1":
        return _exact(0.0)
    return _corners(lambda c1, base: c1 / base - 1, converted, base_of(option, reading))


@cache
def base_of(option: str, reading: str) -> Interval:
    """The conversion from which that of `option` has grown, under `reading`."""
    if reading == "C-2":
        return printed(option, "other_conversion")
    if reading.startswith("option 1"):
        group = "couponed" if reading.endswith("C-1") else "other"
        return printed("1", f"{group}_conversion")
    if reading.startswith("market"):
        low, high = (paper("gu", f"section5.conversion_{end}") for end in ("low", "high"))
        return _exact({"low": low, "middle": (low + high) / 2, "high": high}[reading.split()[1]])
    others = [printed(o, "other_conversion") for o in OPTIONS]
    weights = [_sessions(o)[1] if reading == "pooled C-2" else 1.0 for o in OPTIONS]
    return Interval(
        *(
            sum(w * getattr(c, end) for w, c in zip(weights, others, strict=True)) / sum(weights)
            for end in ("value", "low", "high")
        )
    )


def implied_base(option: str) -> Interval:
    """The conversion that `option`'s printed growth was measured from: C-1 / (1 + growth)."""
    return _corners(
        lambda c1, g: c1 / (1 + g), printed(option, "couponed_conversion"),
        printed(option, "growth"),
    )  # fmt: skip


def sales_of(option: str, reading: Reading, discount: float | None = None) -> Interval:
    """Estimated sales of `option` under `reading`, 100 without coupons.

    Parameters
    ----------
    option : {"1", "2", "3", "4"}
    reading : Reading
    discount : float, optional
        None: the paper's.

    Returns
    -------
    Interval
        ``low`` and ``high`` span what the printed digits of the inputs leave open. Where two inputs
        rest on one figure they are let vary apart, so the range is, if anything, too wide.
    """
    d = paper("gu", "section5.discount") if discount is None else discount
    units = DISCOUNTED[reading.discount][1]
    return _corners(
        lambda r, g: 100 * _FORM[reading.form](r, g - d * float(units(g))),
        rate_of(option, reading.rate), growth_of(option, reading.growth),
    )  # fmt: skip


_FORM = {
    "share of sessions": lambda r, lift: 1 + r * lift,
    "per other session": lambda r, lift: 1 + r / (1 - r) * lift,
    "share of sales": lambda r, lift: 1 / (1 - r + r / (1 + lift)),
    "on top": lambda r, lift: 1 + r * (1 + lift),
}


def table7() -> pd.DataFrame:
    """Table 7 under every reading, a row a reading and option.

    Returns
    -------
    pandas.DataFrame
        ``reading`` (number), ``rate``, ``growth``, ``discount``, ``form`` (keys), ``option``,
        ``printed`` sales, ``computed``, ``low``, ``high`` (what the printed inputs leave open),
        ``miss`` (how far `printed` with its own rounding lies outside of that; 0 inside),
        ``agrees``.
    """
    rows = []
    for number, reading in enumerate(every_reading(), 1):
        for option in OPTIONS:
            wanted, got = printed(option, "sales"), sales_of(option, reading)
            off = gap_of(wanted, got)
            rows.append(
                (number, reading.rate, reading.growth, reading.discount, reading.form, option,
                 wanted.value, got.value, got.low, got.high, off, off < SAME)
            )  # fmt: skip
    columns = ["reading", "rate", "growth", "discount", "form", "option", "printed", "computed",
               "low", "high", "miss", "agrees"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def ranked(table: pd.DataFrame) -> pd.DataFrame:
    """The readings of :func:`table7` from the one that comes nearest to all four rows.

    Returns
    -------
    pandas.DataFrame
        Index: number of the reading. ``rate``, ``growth``, ``discount``, ``form``, ``rows`` that
        agree, ``largest miss`` in points of the index, and the options' computed sales.
    """
    keys = ["rate", "growth", "discount", "form"]
    grouped = table.groupby("reading")
    found = (
        grouped[keys]
        .first()
        .join(pd.DataFrame({"rows": grouped.agrees.sum(), "largest miss": grouped.miss.max()}))
    )
    options = table.pivot(index="reading", columns="option", values="computed")
    found = found.join(options.rename(columns=lambda o: f"option {o}"))
    return found.sort_values(["largest miss", "rows"], ascending=[True, False], kind="stable")


def row_by_row() -> pd.DataFrame:
    """Tables 6 and 7 of the paper beside what follows from them, a row an option.

    Returns
    -------
    pandas.DataFrame
        ``option``; ``rate printed``, ``rate from counts``; ``growth printed``, ``growth from
        C-2``; ``base implied`` by the printed growth, ``C-2``; ``sales printed``, ``no discount``
        (what printed rate and growth give if coupons cost nothing), ``discounted`` (with every
        purchase with a coupon discounted), ``discount implied`` by the printed figures (below 0: a
        surcharge).
    """
    free = Reading("printed", "printed", "none", "share of sessions")
    full = Reading("printed", "printed", "all", "share of sessions")
    rows = []
    for o in OPTIONS:
        rate, growth = printed(o, "rate").value, printed(o, "growth").value
        sales = printed(o, "sales").value
        rows.append({
            "option": o, "rate printed": rate, "rate from counts": rate_of(o, "sessions").value,
            "growth printed": growth, "growth from C-2": growth_of(o, "C-2").value,
            "base implied": implied_base(o).value, "C-2": printed(o, "other_conversion").value,
            "sales printed": sales, "no discount": sales_of(o, free).value,
            "discounted": sales_of(o, full).value,
            "discount implied": 1 - (1 + (sales / 100 - 1) / rate) / (1 + growth),
        })  # fmt: skip
    return pd.DataFrame(rows)


def above_free() -> list[str]:
    """Options whose printed sales exceed what their printed rate and growth give without discount.

    No discount can raise sales at a given growth, so these rows contradict themselves under every
    form but ``"on top"``, which counts the sales of coupon holders in the 100 and again beside it.
    """
    free = [Reading("printed", "printed", "none", form) for form in FORMS if form != "on top"]
    return [
        o for o in OPTIONS
        if all(printed(o, "sales").low > sales_of(o, reading).high for reading in free)
    ]  # fmt: skip


def growth_readings() -> pd.DataFrame:
    """Whether the printed growth follows from Table 6, a row a meaning of growth.

    Returns
    -------
    pandas.DataFrame
        Index: key of :data:`GROWTHS` but for ``"printed"``. ``rows``: options whose printed growth
        agrees within the rounding of the figures; ``largest miss``: of the growth, as a share.
        Nearest first.
    """
    found = {}
    for meaning in GROWTHS:
        if meaning == "printed":
            continue
        off = [gap_of(printed(o, "growth"), growth_of(o, meaning)) for o in OPTIONS]
        found[meaning] = {"rows": sum(g < SAME for g in off), "largest miss": max(off)}
    table = pd.DataFrame.from_dict(found, orient="index")
    return table.sort_values(["rows", "largest miss"], ascending=[False, True], kind="stable")
