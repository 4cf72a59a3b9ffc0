"""What chapter 13 says of its figures, from the numbers drawn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from precmark.churn.sentences import listed, signed
from precmark.claims import paper
from precmark.statistics.accuracy import Spread, customers_for_range
from precmark.statistics.components import Components, Factors
from precmark.statistics.customers import TITLES, Customers
from precmark.statistics.groups import TwoGroups
from precmark.statistics.logistic import LogisticReport
from precmark.statistics.pairs import Pairs
from precmark.statistics.proportions import TwoProportions
from precmark.statistics.study import Worlds
from precmark.statistics.variables import VariableClusters

LEAST_KMO = 0.5
"""Below this, factor analysis makes no sense."""


def p_text(p: float) -> str:
    """A p value in words: ``"p = 0.031"``, ``"p < 0.001"``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def interval(row, digits: int = 3) -> str:
    """An estimate with its interval: ``0.253 [0.246, 0.261]``."""
    return f"{row.estimate:.{digits}f} [{row.low:.{digits}f}, {row.high:.{digits}f}]"


def on_customers(customers: Customers) -> str:
    """Who is described, what is predicted, and which columns could not be used."""
    train, test = customers.train, customers.test
    text = (
        f"The outcome is whether {customers.rows} {customers.outcome}. The earlier part has "
        f"**{len(train):,}** {customers.rows}, of whom {train.outcome.mean():.1%} do; the later "
        f"part {len(test):,} ({test.outcome.mean():.1%})."
    )
    if customers.left_out:
        constant = [TITLES[c] for c, why in customers.left_out.items() if why == "a constant"]
        others = [
            f"{TITLES[c]} (it equals {why})"
            for c, why in customers.left_out.items()
            if why != "a constant"
        ]
        if constant:
            text += f" Left out, being the same for all here: {listed(constant)}."
        if others:
            text += f" Left out as collinear: {listed(others)}."
    return text


def on_logistic(report: LogisticReport) -> str:
    """The three tests together, AIC and SBC, C, and the columns whose interval leaves out 1."""
    tests = report.tests.set_index("test")
    fit = report.fit.set_index("criterion")
    agree = (tests.p < 0.05).nunique() == 1
    words = listed(f"{name} {row.chi2:,.1f} ({p_text(row.p)})" for name, row in tests.iterrows())
    text = (
        f"That all slopes are zero is tested three ways, with {tests.df.iloc[0]} degrees of "
        f"freedom: {words}. They "
        + ("agree" if agree else "do not agree, which says that the sample is small for them")
        + ". "
    )
    lower = {c: fit.loc[c, "with_columns"] < fit.loc[c, "constant_only"] for c in ("AIC", "SBC")}
    if all(lower.values()):
        text += "Both AIC and SBC are lower with the columns than without. "
    elif lower["AIC"]:
        text += "AIC is lower with the columns, SBC is not: it charges more for each of them. "
    else:
        text += "Neither AIC nor SBC pays for the columns. "
    pairs = report.pairs
    shares = [n / pairs.pairs for n in (pairs.concordant, pairs.discordant, pairs.tied)]
    text += (
        f"Of {pairs.pairs:,} pairs of an event and a non-event, {shares[0]:.1%} are concordant, "
        f"{shares[1]:.1%} discordant and {shares[2]:.1%} tied, so C is **{pairs.c:.3f}**. "
    )
    slopes = report.coefficients[report.coefficients.term != "constant"]
    clear = slopes[(slopes.low > 1) | (slopes.high < 1)]
    up = [TITLES.get(t, t) for t in clear.term[clear.odds_ratio > 1]]
    down = [TITLES.get(t, t) for t in clear.term[clear.odds_ratio < 1]]
    if up:
        text += f"The odds rise with {listed(up)}. "
    if down:
        text += f"They fall with {listed(down)}. "
    rest = len(slopes) - len(clear)
    if rest:
        text += f"For {rest} of {len(slopes)} columns the interval holds 1."
    return text.strip()


def on_later(report: LogisticReport, later: Pairs) -> str:
    """C on rows that the fit never saw, beside that of the fit, and whether it found anything."""
    found = report.tests.set_index("test").p["likelihood ratio"] < 0.05
    gap = report.pairs.c - later.c
    text = f"On the later part, which the fit never saw, C is **{later.c:.3f}**"
    if gap > 0.02:
        return text + f", {gap:.3f} less than on the rows that it was fitted to: that one flatters."
    if not found:
        return text + ". There was nothing to hold: the slopes may all be zero."
    return text + ": what the fit found holds later."


def on_separation(report: LogisticReport) -> str:
    """Whether separation was found, by what, and what the penalised likelihood answers."""
    kind = report.separation.kind
    if kind == "none":
        return "Nothing separates the two kinds of row: the likelihood has its maximum."
    text = (
        f"The separation is **{kind}**: {listed(report.separation.columns)} parts the "
        f"{report.events:,} rows with the event from the {report.rows - report.events:,} without"
        + ("" if kind == "complete" else ", ties apart")
        + ". The likelihood has no maximum; its coefficients grow until the steps stop, and what a "
        "program prints then is where it stopped. "
    )
    rows = report.coefficients.set_index("term")
    for column in report.separation.columns:
        row = rows.loc[column]
        high = "no upper bound" if not np.isfinite(row.high) else f"{row.high:,.3g}"
        text += (
            f"The penalised answer for *{column}* is an odds ratio of {row.odds_ratio:,.3g} "
            f"(from {row.low:,.2g} to {high}). "
        )
    return text + "The width says what the data know."


def on_clusters(clusters: VariableClusters) -> str:
    """How many groups, the largest, and who stands for them."""
    table = clusters.table
    standing = [TITLES.get(v, v) for v in table.variable[table.stands]]
    size = table.groupby("cluster").variable.size()
    largest = [TITLES.get(v, v) for v in table.variable[table.cluster == size.idxmax()]]
    poor = table[(table.own < 0.5) & (size.loc[table.cluster].to_numpy() > 1)]
    text = (
        f"{len(table)} variables fall into **{clusters.clusters}** groups. The largest holds "
        f"{listed(largest)}. Whoever wants one variable a group takes {listed(standing)}."
    )
    if len(poor):
        names = listed(TITLES.get(v, v) for v in poor.variable)
        text += f" Less than half of {names} is told by the group's own component."
    return text


def on_components(components: Components) -> str:
    """Contribution of the first component, what chance leaves, and the paper's cumulative rate."""
    table = components.table
    k = components.above_chance
    enough = int((table.cumulative >= 0.85).to_numpy().argmax()) + 1
    text = f"The first component carries {table.contribution[0]:.0%} of the variance"
    if table.eigenvalue[0] <= table.chance[0]:
        text += ", and not even its eigenvalue is larger than unrelated variables would give. "
    else:
        more = f", the first {k} {table.cumulative[k - 1]:.0%}" if k > 1 else ""
        text += (
            f"{more}; beyond {'it' if k == 1 else k} an eigenvalue is no larger than unrelated "
            "variables would give. "
        )
    return (
        f"{text}The usual 85 % take {enough}; eigenvalues above 1 would keep "
        f"{int((table.eigenvalue > 1).sum())}. The three rules need not agree, and the paper names "
        "none."
    )


def on_factors(factors: Factors, why: str) -> str:
    """Whether factors make sense here, how they were fitted, and what each is about."""
    text = f"Kaiser, Meyer and Olkin's measure is {factors.kmo:.2f}"
    if factors.kmo < LEAST_KMO:
        text += ", too low for common factors: what correlates here does so in pairs. "
    else:
        text += (
            ", just enough to look for common factors. "
            if factors.kmo < 0.6
            else (", enough to look for common factors. ")
        )
    if why:
        text += (
            f"With as many factors as lie above chance the likelihood {why}, "
            "as it does where variables are nearly sums of others. Principal factors are shown "
            "instead. "
        )
    for j in range(factors.loadings.shape[1]):
        heavy = np.flatnonzero(np.abs(factors.loadings[:, j]) >= 0.5)
        heavy = heavy[np.argsort(-np.abs(factors.loadings[heavy, j]), kind="stable")]
        names = [
            TITLES.get(factors.columns[i], factors.columns[i])
            + (" (reversed)" if factors.loadings[i, j] < 0 else "")
            for i in heavy
        ]
        about = listed(names) if names else "nothing above 0.5"
        text += f"Factor {j + 1} ({factors.shares[j]:.0%} of the variance): {about}. "
    return text.strip()


def on_two(groups: TwoGroups, found: TwoProportions, power_now: float, least: float) -> str:
    """The test, its interval, and what the samples could have found."""
    percent = [f"{100 * v:+.2f}" for v in (found.difference, found.low, found.high)]
    differs = found.p < 0.05
    text = (
        f"Of {found.n1:,} {groups.first}, {found.p1:.2%} {groups.outcome}; of {found.n2:,} "
        f"{groups.second}, {found.p2:.2%}. z = {found.z:.2f}, {p_text(found.p)}: the shares "
        + ("differ" if differs else "cannot be told apart")
        + f". The difference is {percent[0]} points [{percent[1]}, {percent[2]}]. "
    )
    if np.isfinite(least):
        text += (
            f"Samples of this size find a rise of {100 * least:.2f} points four times in five; one "
            f"as large as measured they find {power_now:.0%} of the time. "
        )
    if not found.enough:
        text += "Some expected count is below 5: the normal curve is a poor stand-in. "
    text += (
        "Chance dealt the groups, so a difference is an effect."
        if groups.randomised
        else "The groups were not dealt by chance: a difference is not an effect of belonging to "
        "one."
    )
    return text


def on_accuracy(name: str, spread: Spread) -> str:
    """One set of outlets: its range, against the constant answer and against chance."""
    low, high = spread.chance_least, spread.chance_most
    text = (
        f"*{name}*: {spread.customers:,} in all at {spread.outlets} outlets, accuracy "
        f"{spread.accuracy:.1%} overall and from {spread.least:.0%} to {spread.most:.0%} by "
        f"outlet; {spread.inside:.0%} of the outlets lie in the paper's range. The constant answer "
        f"is right in {spread.constant:.1%}"
    )
    if spread.hindsight > spread.constant + 1e-9:
        text += f" (the better one, known only afterwards, in {spread.hindsight:.1%})"
    text += (
        f"; the model beats it at {spread.beats_constant} outlets. Were all outlets alike, the "
        f"least accurate would lie between {low[0]:.0%} and {low[1]:.0%} and the most accurate "
        f"between {high[0]:.0%} and {high[1]:.0%} ({p_text(spread.p)} that they are alike"
    )
    if spread.p >= 0.05:
        return text + "): chance explains the whole spread."
    return text + (
        f"): outlets do differ, by a standard deviation of {100 * spread.beyond:.1f} points beyond "
        "chance."
    )


def on_range() -> str:
    """How many customers an outlet would give the paper's range by chance alone."""
    low, high = paper("company_h", "accuracy.low"), paper("company_h", "accuracy.high")
    outlets = int(paper("company_h", "accuracy.outlets"))
    n = customers_for_range(low, high, outlets)
    return (
        f"The paper does not say how many customers each of its {outlets} outlets had. With about "
        f"**{n:,.0f}** at each, outlets that are all right in {(low + high) / 2:.0%} of the cases "
        f"would range from {low:.0%} to {high:.0%} by chance alone. With fewer, equal outlets "
        "would range more widely than the paper's."
    )


def on_throughput(stages: pd.DataFrame, batches: pd.DataFrame) -> str:
    """Speed and efficiency over the batches, and where the time goes."""
    share = stages.groupby("stage", sort=False).seconds.sum()
    share = share / share.sum()
    fast, slow = batches.rows_a_second.max(), batches.rows_a_second.min()
    names = {"check": "checking and normalising", "sessions": "finding visits",
             "columns": "making columns", "score": "scoring"}  # fmt: skip
    middle = batches.rows_a_second.median()
    text = (
        f"{len(batches)} batches of {batches['rows'].median():,.0f} rows took "
        f"{batches.seconds.sum():.0f} s: a median of **{middle:,.0f} rows** and "
        f"{batches.megabytes_a_second.median():.2f} MB a second, from {slow:,.0f} to {fast:,.0f} "
        f"rows. {share.max():.0%} of the time goes into {names[share.idxmax()]}. "
    )
    if batches.efficiency.min() >= 1:
        text += "Every row sent arrives in a visit. "
    else:
        text += (
            f"Of the rows sent, {batches.efficiency.mean():.1%} arrive in visits of people "
            f"({batches.efficiency.min():.1%} in the worst batch); the others are set aside or "
            "robots'. "
        )
    tie = np.corrcoef(np.log(batches["rows"]), np.log(batches.rows_a_second))[0, 1]
    if len(batches) > 2 and tie > 0.3:
        text += (
            "Larger batches are faster by the row (their logarithms correlate at "
            f"{tie:.2f}): every step has a price of its own to start."
        )
    return text.strip()


def answer(
    worlds: Worlds,
    report: LogisticReport | None,
    spreads: Mapping[str, Spread],
    batches: pd.DataFrame,
) -> str:
    """The chapter's answer in a few sentences."""
    rows = worlds.coefficients.set_index(["world", "method", "term"])
    idle = rows.loc[("display_idle", "pooled OLS", "display")]
    fixed = rows.loc[("display_idle", "fixed effects", "display")]
    follows = rows.loc[("display_follows", "fixed effects", "display")]
    text = (
        "The methods work, and all are here; the study's tables cannot carry its conclusions. "
        "Among simulated outlets where display sells nothing, pooled OLS still finds "
        f"{signed(idle.estimate, 2)} units for each one on display and fixed effects "
        f"{signed(fixed.estimate, 2)}; where displays follow demand, fixed effects "
        f"are misled too ({signed(follows.estimate, 2)}). "
    )
    if report is not None:
        text += f"On the data at hand the logistic regression reaches C = {report.pairs.c:.2f}. "
    ranges = listed(f"{s.least:.0%} to {s.most:.0%} ({name})" for name, s in spreads.items())
    text += f"Accuracy by outlet runs from {ranges}. "
    n = customers_for_range(
        paper("company_h", "accuracy.low"), paper("company_h", "accuracy.high"),
        int(paper("company_h", "accuracy.outlets")),
    )  # fmt: skip
    return text + (
        f"The paper's range is what equal outlets show by chance with {n:,.0f} customers each. "
        f"The pipeline handles a median of {batches.rows_a_second.median():,.0f} rows a second in "
        f"{len(batches)} batches."
    )
