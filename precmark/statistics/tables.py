"""The paper's tables and figures one by one: what is printed of each, and what stands here."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from precmark.claims import paper
from precmark.statistics.accuracy import Spread
from precmark.statistics.study import Worlds

NO_BODY = "the copy at hand has its caption, not its values"


def table_of(table: pd.DataFrame, *, precision: int = 3):
    """`table` styled for a page: numbers rounded, p values below 0.001 said to be so.

    The hypotheses of tests (``null``) are left to the prose; returns a pandas Styler.
    """
    shown = table.drop(columns="null", errors="ignore")
    in_words = {"p": lambda p: "&lt;&nbsp;0.001" if p < 0.001 else f"{p:.3f}"}
    special = {name: form for name, form in in_words.items() if name in shown}
    return shown.style.hide().format(special, precision=precision, thousands=",")


def _figure(key: str, form: str) -> str:
    return form.format(paper("company_h", key))


def paper_tables(
    worlds: Worlds, spreads: Mapping[str, Spread], batches: pd.DataFrame | None
) -> pd.DataFrame:
    """A row for each of the six tables and figures, and for the regressions that are announced.

    Parameters
    ----------
    worlds : Worlds
        Of at least the world ``display_sells``, which stands beside Tables 1 to 4.
    spreads : mapping of words to Spread
        Accuracy at outlets, e.g. ``{"simulated outlets": ...}``.
    batches : pandas.DataFrame or None
        From :func:`precmark.statistics.throughput.by_batch`.

    Returns
    -------
    pandas.DataFrame
        ``place``, ``shows``, ``printed`` (by the text; the tables' bodies are not at hand),
        ``ours``, ``why`` (where the paper's figure is missing).
    """
    rows = [
        *_stores(worlds),
        ("5", f"accuracy at {_figure('accuracy.outlets', '{:.0f}')} outlets",
         f"{_figure('accuracy.low', '{:.0%}')} to {_figure('accuracy.high', '{:.0%}')}; not what "
         "is predicted, nor of how many customers",
         "; ".join(f"{name} {s.least:.0%} to {s.most:.0%}" for name, s in spreads.items())
         or "none: the log holds no outcome to predict", NO_BODY),
        ("6", f"speed and efficiency on {_figure('accuracy.performance_sets', '{:.0f}')} sets",
         "neither value nor unit", _speed(batches), NO_BODY),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["number", "shows", "printed", "ours", "why"])
    both = pd.concat(
        [
            table.assign(place="Table " + table.number),
            table.assign(
                place="Figure " + table.number,
                printed="drawn from the table",
                ours="drawn in this chapter from the same figures",
                why="the copy at hand has no pictures",
            ),
        ]
    ).sort_values("number", kind="stable")
    both.loc[both.place == "Figure 1", "ours"] = "shares of stores under the stars of Figure 4"
    regression = {
        "place": "announced, no table", "shows": "OLS and fixed-effects regressions of sales",
        "printed": "no coefficient", "ours": _regressions(worlds),
        "why": "announced in the text, not reported",
    }  # fmt: skip
    whole = pd.concat([both, pd.DataFrame([regression])], ignore_index=True)
    return whole[["place", "shows", "printed", "ours", "why"]]


def _stores(worlds: Worlds) -> list[tuple[str, str, str, str, str]]:
    """The rows of Tables 1 to 4."""
    kinds = worlds.kinds[worlds.kinds.world == "display_sells"]
    stars = kinds[kinds.by == "stars"]
    low = stars[stars.kind.astype(int) <= 2].share.sum()
    average = {c: (stars[c] * stars.share).sum() for c in ("display", "sales")}
    high = stars[stars.kind.astype(int) >= 4]
    high_display = (high.display * high.share).sum() / high.share.sum()
    four = kinds[(kinds.by == "area") & (kinds.kind != "elsewhere")].share.sum()
    retail = kinds[(kinds.by == "orientation") & (kinds.kind == "retail")].share.sum()
    threshold = _figure("stores.kind_threshold", "{:.0%}")
    return [
        ("1", "stores by stars", f"of more than {_figure('stores.stores', '{:,.0f}')} stores, "
         f"{_figure('stores.low_stars', '{:.0%}')} have one or two stars; a store is retail- or "
         f"industry-oriented above {threshold} of its sales",
         f"{worlds.stores:,} simulated stores, {low:.0%} with one or two stars, {retail:.0%} "
         "retail-oriented (ours)", NO_BODY),
        ("2", "stores, sales and display by type",
         f"about {_figure('stores.mall_displays', '{:.0f}')} unit on display a mall store",
         _by(kinds, "type"), NO_BODY),
        ("3", "stores, sales and display by area",
         f"more than {_figure('stores.four_areas', '{:.0%}')} of the stores in four areas; "
         f"{_figure('stores.stores_per_display', '{:.1f}')} stores for each unit on display, "
         f"{_figure('stores.stores_per_sale', '{:.1f}')} for each sold",
         f"{four:.0%} in four areas; {1 / average['display']:.1f} and "
         f"{1 / average['sales']:.1f} stores (set so)", NO_BODY),
        ("4", "stores, sales and display by stars",
         f"{_figure('stores.high_star_displays', '{:.2f}')} units on display a store with four "
         f"stars or more, below {_figure('stores.other_star_displays', '{:.0f}')} elsewhere",
         f"{high_display:.2f} units (set so); {_by(kinds, 'stars')}", NO_BODY),
    ]  # fmt: skip


def _by(kinds: pd.DataFrame, by: str) -> str:
    """Units on display and sold a store and month by kind, in words."""
    rows = kinds[kinds.by == by]
    return "on display / sold: " + ", ".join(
        f"{r.kind} {r.display:.2f} / {r.sales:.2f}" for r in rows.itertuples()
    )


def _speed(batches: pd.DataFrame | None) -> str:
    if batches is None:
        return "none: the pipeline was not run"
    rate = batches.rows_a_second
    return (
        f"{len(batches)} batches, median {rate.median():,.0f} rows and "
        f"{batches.megabytes_a_second.median():.2f} MB a second; {batches.efficiency.mean():.1%} "
        "of the rows sent arrive"
    )


def _regressions(worlds: Worlds) -> str:
    rows = worlds.coefficients
    rows = rows[(rows.world == "display_sells") & (rows.term == "display")].set_index("method")
    ours = ", ".join(
        f"{m} {rows.loc[m].estimate:.3f} [{rows.loc[m].low:.3f}, {rows.loc[m].high:.3f}]"
        for m in ("pooled OLS", "fixed effects")
    )
    return f"units sold for one more on display, where {rows.truth.iloc[0]:.2f} is true: {ours}"
