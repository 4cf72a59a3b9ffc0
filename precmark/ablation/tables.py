"""The chapter's tables: Table 5 and Table 6 beside the paper's, the factorial, profit by margin."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from precmark.ablation.options import FACTORIAL, OPTIONS
from precmark.ablation.outcomes import MARGINS
from precmark.ablation.worlds import WORLDS_IN_ORDER, World
from precmark.claims import paper

PAPER_OPTIONS = ("1", "2", "3", "4")
"""The options of the paper's Table 5."""

MAIN = ("1", "2", "3", "4", "5", "6")
"""Those, estimated uplift, and the oracle that counts caused purchases."""

PAPER_RATES = "paper rates"
EQUAL_COUPONS = "equal coupons"
EQUAL_DISCOUNT = "equal discount"
BUDGETS = (PAPER_RATES, EQUAL_COUPONS, EQUAL_DISCOUNT)
"""Budgets: each option's printed rate, one number of coupons for all, one expected discount."""

WITH_EFFECT = tuple(w for w in WORLDS_IN_ORDER if w != "no_effect")
"""The worlds in which somebody responds."""

_SHARE, _YUAN, _COUNT = "share", "yuan", "purchases"
UNITS = {
    "coupons": "coupons", "rate_sessions": "coupons/session", "rate_eligible": "coupons/decision",
    "c1": _SHARE, "c1_n": "decisions", "c2_all": _SHARE, "c2_all_n": "sessions",
    "c2_eligible": _SHARE, "c2_eligible_n": "decisions", "incremental": _COUNT,
    "incremental_per_coupon": "purchases/coupon", "incremental_per_coupon_low": "purchases/coupon",
    "incremental_per_coupon_high": "purchases/coupon", "redemptions": "coupons",
    "order_value": _YUAN, "discount": _YUAN, "revenue": _YUAN, "net_30d": _COUNT,
    "profit_30_low": _YUAN, "profit_30_high": _YUAN, "revenue_low": _YUAN, "revenue_high": _YUAN,
    "difference": "yuan/1000 sessions", "low": "yuan/1000 sessions", "high": "yuan/1000 sessions",
    **{f"{what}_{margin}": _YUAN for what in ("profit", "exploration_cost") for margin in MARGINS},
}  # fmt: skip
"""Units of the columns of the stored tables, where they are of these tables."""

_OTHER_UNITS = {
    "holdout": {"difference": _SHARE, "low": _SHARE, "high": _SHARE},
    "cutoffs": {"wanted_rate": "coupons/session", "realised_rate": "coupons/session"},
}


def units_of(name: str, table: pd.DataFrame) -> dict[str, str]:
    """Unit of each column of the stored table `name` that has one."""
    known = UNITS | _OTHER_UNITS.get(name, {})
    return {column: unit for column, unit in known.items() if column in table}


def chosen(
    table: pd.DataFrame,
    *,
    world: str | None = None,
    budget: str | None = None,
    policies: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Rows of one world, one budget and some policies, in the order of `policies`."""
    keep = pd.Series(True, index=table.index)
    if world is not None:
        keep &= table["world"] == world
    if budget is not None:
        keep &= table["budget"] == budget
    rows = table[keep]
    if policies is not None:
        wanted = {name: i for i, name in enumerate(policies)}
        rows = rows[rows["policy"].isin(wanted)]
        rows = rows.sort_values("policy", key=lambda p: p.map(wanted), kind="stable")
    return rows.reset_index(drop=True)


def table5() -> pd.DataFrame:
    """Table 5 as it is run here: which part each option uses, and who chooses the users.

    Columns ``option``, ``segments``, ``C-ATT-LSTM``, ``hybrid recommendation`` (Yes or No for the
    paper's options), ``who gets a coupon``, ``in the paper``.
    """
    how = {"risk": "highest risk", "uplift": "highest estimated uplift", "oracle": "the truth"}
    rows = []
    for option in OPTIONS.values():
        yes_no = [
            "Yes" if part else "No"
            for part in (option.segments, option.risk, option.recommendation)
        ]
        who = how[option.kind] if option.kind != "risk" or option.risk else "by lot"
        rows.append(
            {
                "option": option.title,
                **dict(
                    zip(
                        ("segments", "C-ATT-LSTM", "hybrid recommendation"),
                        yes_no if option.kind == "risk" else ["", "", ""],
                        strict=True,
                    )
                ),
                "who gets a coupon": who,
                "in the paper": "yes" if option.name in PAPER_OPTIONS else "no",
            }
        )
    return pd.DataFrame(rows)


def table6(options: pd.DataFrame, *, world: str, budget: str) -> pd.DataFrame:
    """Table 6 as printed and as it comes out in `world`, a row an option of the paper.

    Parameters
    ----------
    options : pandas.DataFrame
        The results table ``ablation/options``.

    Returns
    -------
    pandas.DataFrame
        ``policy``, ``option``; as printed ``paper_c1``, ``paper_c1_n``, ``paper_c2``,
        ``paper_c2_n``; ours ``c1``, ``c1_n``, ``c2_all``, ``c2_all_n``, ``c2_eligible``,
        ``c2_eligible_n``; ``true`` (purchases that a coupon causes).
    """
    printed = printed_table6().set_index("policy")
    rows = chosen(options, world=world, budget=budget, policies=PAPER_OPTIONS).set_index("policy")
    ours = rows[["c1", "c1_n", "c2_all", "c2_all_n", "c2_eligible", "c2_eligible_n"]]
    out = printed.loc[rows.index].join(ours).assign(true=rows["incremental_per_coupon"])
    out.insert(0, "option", rows["title"])
    return out.reset_index()


def printed_table6() -> pd.DataFrame:
    """The paper's Table 6: ``policy``, ``paper_c1``, ``paper_c1_n``, ``paper_c2``, ``paper_c2_n``.

    Conversions from 0 to 1, numbers of sessions.
    """
    keys = {
        "paper_c1": "couponed_conversion", "paper_c1_n": "couponed_sessions",
        "paper_c2": "other_conversion", "paper_c2_n": "other_sessions",
    }  # fmt: skip
    return pd.DataFrame(
        [
            {"policy": k} | {c: paper("gu", f"table6.option{k}_{v}") for c, v in keys.items()}
            for k in PAPER_OPTIONS
        ]
    )


def table6_words(table: pd.DataFrame) -> pd.DataFrame:
    """:func:`table6` as text, printed and ours in neighbouring columns."""
    share = "{:.2%}".format
    count = "{:,.0f}".format
    return pd.DataFrame(
        {
            "option": table["option"],
            "C-1 printed": table["paper_c1"].map(share),
            "C-1 ours": table["c1"].map(share),
            "C-1-N printed": table["paper_c1_n"].map(count),
            "C-1-N ours": table["c1_n"].map(count),
            "C-2 printed": table["paper_c2"].map(share),
            "C-2 ours, all sessions": table["c2_all"].map(share),
            "C-2 ours, eligible": table["c2_eligible"].map(share),
            "C-2-N printed": table["paper_c2_n"].map(count),
            "C-2-N ours, all": table["c2_all_n"].map(count),
            "C-2-N ours, eligible": table["c2_eligible_n"].map(count),
            "truly caused a coupon": table["true"].map(share),
        }
    )


def factorial(
    options: pd.DataFrame, *, budget: str = EQUAL_COUPONS, measure: str = "incremental_per_coupon"
) -> pd.DataFrame:
    """The eight cells of segments x risk x recommendation by world.

    Returns
    -------
    pandas.DataFrame
        ``cell`` (title, with the paper's option where it is one), ``segments``, ``risk``,
        ``recommendation`` and a column of `measure` a world.
    """
    rows = chosen(options, budget=budget, policies=FACTORIAL)
    wide = rows.pivot(index="policy", columns="world", values=measure).loc[list(FACTORIAL)]
    there = {OPTIONS[k].cell: k for k in PAPER_OPTIONS}
    cells = [
        f"{o.title} (option {there[name]})" if name in there else o.title
        for name, o in FACTORIAL.items()
    ]
    parts = {
        part: [getattr(o, part) for o in FACTORIAL.values()]
        for part in ("segments", "risk", "recommendation")
    }
    out = pd.DataFrame({"cell": cells, **parts})
    for world in WORLDS_IN_ORDER:
        out[world] = wide[world].to_numpy()
    return out


def main_effects(cells: pd.DataFrame) -> pd.DataFrame:
    """What each part adds on average over the four settings of the other two.

    Parameters
    ----------
    cells : pandas.DataFrame
        From :func:`factorial`.

    Returns
    -------
    pandas.DataFrame
        ``part`` and a column a world, in the unit of the cells.
    """
    worlds = [w for w in WORLDS_IN_ORDER if w in cells]
    rows = []
    for part in ("segments", "risk", "recommendation"):
        on = cells[part].astype(bool)
        gap = cells.loc[on, worlds].mean() - cells.loc[~on, worlds].mean()
        rows.append({"part": part, **gap})
    return pd.DataFrame(rows)


def per_thousand(rows: pd.DataFrame, column: str) -> pd.Series:
    """`column` per 1,000 sessions of the future."""
    return 1_000 * rows[column] / (rows["c1_n"] + rows["c2_all_n"])


def profit_by_margin(
    options: pd.DataFrame, *, budget: str = EQUAL_COUPONS, policies: Iterable[str] = MAIN
) -> pd.DataFrame:
    """Profit at each margin: ``world``, ``policy``, ``title``, ``margin`` (%), ``profit`` (yuan per
    1,000 sessions), ``break_even`` (margin in % at which the profit is 0; NaN without caused
    orders).
    """
    rows = chosen(options, budget=budget, policies=policies)
    value = rows["order_value"].where(rows["order_value"] > 0)
    base = rows[["world", "policy", "title"]].assign(break_even=100 * rows["discount"] / value)
    return pd.concat(
        [
            base.assign(margin=margin, profit=per_thousand(rows, f"profit_{margin}"))
            for margin in MARGINS
        ],
        ignore_index=True,
    )


def rates(cutoffs: pd.DataFrame) -> pd.DataFrame:
    """Wanted and realised coupons a session by budget, one row a policy of the paper's options."""
    rows = cutoffs[cutoffs["policy"].isin(MAIN)]
    return rows.groupby(["budget", "policy"], sort=False, as_index=False)[
        ["wanted_rate", "realised_rate"]
    ].first()


def rates_words(cutoffs: pd.DataFrame) -> pd.DataFrame:
    """:func:`rates` as text."""
    found = rates(cutoffs)
    return pd.DataFrame(
        {
            "budget": found["budget"],
            "option": found["policy"],
            "coupons a session, wanted": found["wanted_rate"].map("{:.2%}".format),
            "coupons a session, realised": found["realised_rate"].map("{:.2%}".format),
        }
    )


def learners(
    options: pd.DataFrame, *, budget: str = EQUAL_COUPONS, margin: int = 30
) -> pd.DataFrame:
    """Both uplift learners and the oracles, yuan per 1,000 sessions and purchases per 100 coupons.

    Columns ``world``, ``policy``, ``caused per 100 coupons``, ``profit``, ``exploration``, ``net``.
    """
    policies = [name for name, o in OPTIONS.items() if o.kind != "risk"]
    rows = chosen(options, budget=budget, policies=policies)
    rows = rows.sort_values(
        "world", key=lambda w: w.map(WORLDS_IN_ORDER.index), kind="stable", ignore_index=True
    )
    gain, paid = (per_thousand(rows, f"{what}_{margin}") for what in ("profit", "exploration_cost"))
    return pd.DataFrame(
        {
            "world": rows["world"],
            "policy": rows["title"],
            "caused per 100 coupons": 100 * rows["incremental_per_coupon"],
            "profit": gain,
            "exploration": paid.fillna(0.0),
            "net": gain - paid.fillna(0.0),
        }
    )


def worlds_words(worlds: pd.DataFrame) -> pd.DataFrame:
    """:func:`precmark.simulate.world_summary` under headings for readers, effects in points."""
    points = [c for c in worlds if c.startswith(("average_", "oracle_"))]
    shown = worlds.assign(**{c: (100 * worlds[c]).map("{:.2f}".format) for c in points})
    shown["world"] = shown["world"].str.replace("_", " ")
    shown["pulled_forward_share"] = shown["pulled_forward_share"].map("{:.0%}".format)
    shown["risk_correlation"] = [
        f"{value:+.2f}" if value == value else "none" for value in worlds["risk_correlation"]
    ]
    names = {
        "average_effect": "mean effect, points", "risk_correlation": "correlation with risk",
        "pulled_forward_share": "pulled forward", "average_net_30d": "mean effect, 30-day net",
        "average_best_category": "mean effect, best category",
    }  # fmt: skip
    for column in shown:
        if column.startswith("oracle_"):
            names[column] = f"oracle, {column.removeprefix('oracle_')} of sessions"
    return shown.rename(columns=names)


def needed_words(needed: pd.DataFrame) -> pd.DataFrame:
    """:func:`precmark.ablation.needed_response` as text, a row a world."""
    share = "{:.2%}".format
    none = "none is enough"
    there = needed["reachable"]
    return pd.DataFrame(
        {
            "world": needed["world"].str.replace("_", " "),
            "C-1 without a coupon": needed["without"].map(share),
            "C-1": needed["c1"].map(share),
            "C-1 wanted": needed["target"].map(share),
            "mean effect needed among them": needed["needed_tau"].map(share),
            "A needed": needed["needed_effect"].map("{:.3f}".format).where(there, none),
            "times the assumed A": needed["times"].map("{:.1f}".format).where(there, none),
        }
    )


def stored(study, primary: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The tables of `study` that other chapters read, and `primary` as shown, by name."""
    names = ("options", "replications", "holdout", "cutoffs", "sweeps", "needed", "worlds")
    return {name: getattr(study, name) for name in names} | {"primary": primary}


def quoted(study) -> dict[str, str]:
    """The values that the chapter quotes in its prose, by key; fewer where `study` is None."""
    printed = printed_table6()
    sessions = printed["paper_c1_n"] + printed["paper_c2_n"]
    share = [paper("gu", f"table7.option{k}_rate") for k in PAPER_OPTIONS]
    four = printed[printed["policy"] == "4"].iloc[0]
    out = {
        "times": f"{four.paper_c1 / four.paper_c2:.1f}",
        "discount": f"{paper('gu', 'section5.discount'):.0%}",
        "hours": f"{paper('gu', 'section5.coupon_hours'):g}",
        "effect": f"{World('no_effect').effect:g}",
        "rate_low": f"{min(share):.2%}",
        "rate_high": f"{max(share):.2%}",
        "sizes": f"up to {sessions.max() / sessions.min() - 1:.0%}",
    }
    if study is None:
        return out
    row = study.options.iloc[0]
    return out | {
        "decisions": f"{row.c1_n + row.c2_eligible_n:,.0f}",
        "sessions": f"{row.c1_n + row.c2_all_n:,.0f}",
    }
