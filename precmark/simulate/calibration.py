"""The store beside what the main paper prints of its shop, and where the print contradicts it."""

from __future__ import annotations

import pandas as pd

from precmark.claims import claim
from precmark.simulate.catalogue import NAMES
from precmark.simulate.config import PRODUCTS

TOLERANCE = 0.05
"""A simulated figure within this share of the published one counts as matched."""

_PAPER = "gu"


def calibration(
    sessions: pd.DataFrame, users: pd.DataFrame, *, traffic: float, timezone: str
) -> pd.DataFrame:
    """Each published figure of the shop beside the simulated one.

    Parameters
    ----------
    sessions : pandas.DataFrame
        One row a session without machines: ``user_code`` or ``user_id``, ``start`` (UTC),
        ``duration_s``, ``views``, ``purchased``, ``revenue``, ``kind``.
    users : pandas.DataFrame
        ``registered_at`` (UTC).
    traffic : float
        Share of the published traffic that the store simulates, above 0; daily counts are divided
        by it.
    timezone : str
        Whose midnights end a day.

    Returns
    -------
    pandas.DataFrame
        ``figure``, ``place``, ``unit``, ``published``, ``simulated``, ``difference`` (relative),
        ``verdict`` (``matched``, ``off`` or ``cannot be matched``), ``why``.
    """
    visits = sessions[sessions["kind"] == "shop"]
    day = visits["start"].dt.tz_convert(timezone).dt.date
    days = len(pd.date_range(day.min(), day.max()))
    who = "user_code" if "user_code" in visits else "user_id"
    registered = users["registered_at"].dropna()
    daily = days * traffic
    new = (registered.dt.tz_convert(timezone).dt.date >= day.min()).sum()
    buyers = float(visits["purchased"].mean())
    measured = {
        "section5.products": float(PRODUCTS),
        "section5.categories": float(len(NAMES)),
        "table4.sessions_per_day": len(visits) / daily,
        "table4.new_visitors_per_day": new / daily,
        "table4.session_duration_s": float(visits["duration_s"].mean()),
        "section5.page_views_per_day": visits["views"].sum() / daily,
        "section5.sales_per_day": visits["revenue"].sum() / daily,
        "section5.conversion": buyers,
        "table4.visitors_per_day": visits.groupby(day)[who].nunique().sum() / daily,
        "table4.page_views_per_day": visits["views"].sum() / daily,
    }
    return pd.DataFrame([_compare(key, value) for key, value in measured.items()])


def _compare(key: str, simulated: float) -> dict[str, object]:
    if key == "section5.conversion":
        return _compare_conversion(simulated)
    published = claim(_PAPER, key)
    difference = simulated / published.value - 1
    impossible = _IMPOSSIBLE.get(key)
    if impossible:
        verdict, why = "cannot be matched", impossible
    else:
        close = abs(difference) <= TOLERANCE
        verdict = "matched" if close else "off"
        why = f"within {TOLERANCE:.0%}" if close else f"more than {TOLERANCE:.0%} away"
    return {
        "figure": published.what,
        "place": published.place,
        "unit": published.unit,
        "published": published.value,
        "simulated": simulated,
        "difference": difference,
        "verdict": verdict,
        "why": why,
    }


def _compare_conversion(simulated: float) -> dict[str, object]:
    """The conversion is printed as a range; its middle stands for it, its ends decide."""
    low, high = (claim(_PAPER, f"section5.conversion_{end}") for end in ("low", "high"))
    inside = low.value <= simulated <= high.value
    middle = (low.value + high.value) / 2
    return {
        "figure": f"conversion of online stores, {low.value:.0%} to {high.value:.0%}",
        "place": low.place,
        "unit": low.unit,
        "published": middle,
        "simulated": simulated,
        "difference": simulated / middle - 1,
        "verdict": "matched" if inside else "off",
        "why": f"{'inside' if inside else 'outside'} the printed range",
    }


_IMPOSSIBLE = {
    "table4.visitors_per_day": "more visitors than sessions: each visitor opens one at least",
    "table4.page_views_per_day": "fewer page views than sessions; the text's number is used",
}


def contradictions() -> pd.DataFrame:
    """Where the paper's figures about its shop cannot all be true, computed from the figures.

    Returns
    -------
    pandas.DataFrame
        ``id`` (as in ``data/claims/``), ``claim``, ``place``, ``printed`` (the two
        figures), ``why``; only those that do contradict.
    """
    sessions, visitors, pages, text_pages = (
        claim(_PAPER, key)
        for key in (
            "table4.sessions_per_day",
            "table4.visitors_per_day",
            "table4.page_views_per_day",
            "section5.page_views_per_day",
        )
    )
    found = [
        (
            visitors.value > sessions.value,
            "gu-table4-visitors-within-sessions",
            "Visitors a day against sessions a day",
            visitors,
            sessions,
            "Everybody who visits opens at least one session, so visitors cannot outnumber them.",
        ),
        (
            pages.value < sessions.value,
            "gu-table4-page-views-cover-sessions",
            "Page views a day against sessions a day",
            pages,
            sessions,
            "A session without a single page view is not one: views cannot be fewer than sessions.",
        ),
        (
            pages.value != text_pages.value,
            "gu-table4-page-views-twice",
            "Page views a day in the table against the text",
            pages,
            text_pages,
            "The same quantity is printed twice with different values.",
        ),
    ]
    return pd.DataFrame(
        [
            {
                "id": ident,
                "claim": what,
                "place": " and ".join(dict.fromkeys((a.place, b.place))),
                "printed": f"{a.value:,.0f} {a.unit}; {b.value:,.0f} {b.unit}",
                "why": why,
            }
            for holds, ident, what, a, b, why in found
            if holds
        ]
    )
