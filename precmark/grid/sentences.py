"""What chapter 10 says about its figures, from the numbers drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from precmark.churn.sentences import gap, listed, signed
from precmark.claims import paper
from precmark.grid.audience import distance_of_shares
from precmark.grid.comparison import TITLES, MapReading
from precmark.grid.fits import MODEL_TITLES, PLAIN, Answer
from precmark.grid.igtd import Layout
from precmark.grid.months import OUTCOME_WORDS, WEEKS, Monthly
from precmark.grid.tag_study import Potential, TagStudy, printed_table3
from precmark.grid.tags import exponent


def on_months(data: Monthly) -> str:
    """Who is looked at, how often, and what counts as the good outcome."""
    counts = data.decisions.groupby("month").size()
    text = (
        f"Each decision is a customer at the start of a month, seen in the {WEEKS} weeks before. "
        f"The log has **{len(data.months)}** complete months with a month of history, "
        f"{data.months[0]} to {data.months[-1]}, and {counts.min():,} to {counts.max():,} "
        f"candidates in each. The outcome is {OUTCOME_WORDS[data.outcome]}; it comes for "
        f"{data.y.mean():.1%} of the decisions."
    )
    if data.outcome != "purchase":
        text += (
            " Purchases would be the paper's outcome, but there are too few of them in a month of "
            "this log to train on or to judge by."
        )
    return text


def on_layout(layout: Layout) -> str:
    """How much the swaps lower the mismatch."""
    before, after = layout.errors[0], layout.error
    return (
        f"**{len(layout.names)}** features stand on a grid of {layout.shape[0]} by "
        f"{layout.shape[1]}. {layout.swaps:,} swaps in {len(layout.errors) - 1:,} turns bring the "
        f"mean mismatch of ranks from {before:.3f} to {after:.3f}, {1 - after / before:.0%} less; "
        f"then no swap of two features helps. It does not go to 0: distances of "
        f"{len(layout.names)} features do not fit into a plane."
    )


def on_grid(found: pd.DataFrame, quality: pd.DataFrame) -> str:
    """Whether the placement matters, and whether the picture does."""
    rows = found.set_index("than")
    ap = quality[quality.metric == "average_precision"].set_index("model")
    lot = rows.loc["by lot"]
    text = (
        f"The network on the placed grid has an average precision of {ap.value['placed']:.3f} "
        f"[{ap.low['placed']:.3f}, {ap.high['placed']:.3f}], the constant "
        f"{ap.value['constant']:.3f}. Against grids on which the same features stand by lot it "
        f"is {gap(lot)}: "
    )
    text += {
        "first": "the placement helps here.",
        "second": "the placement harms here.",
        "neither": "whether alike features are neighbours makes no difference that these data can "
        "show.",
    }[lot.favours]
    others = []
    for name in ("logistic", "boosting"):
        row = rows.loc[name]
        word = {"first": "behind", "second": "ahead of the network", "neither": "not told apart"}
        others.append(f"{TITLES[name].lower()} is {word[row.favours]} (placed minus it {gap(row)})")
    return f"{text} On the same features {listed(others)}."


def on_maps(reading: MapReading) -> str:
    """What the maps name, and whether the network needs it."""
    top = reading.table.reindex(reading.table["apart"].abs().sort_values(ascending=False).index)
    need = reading.table.sort_values("lost", ascending=False)
    text = (
        "The mean of each map and the bias add up to the logit (largest gap "
        f"{reading.identity:.0e}). The two groups' maps lie furthest apart at "
        f"{listed(f'`{f}`' for f in top['feature'].head(3))}. Shuffling says that the network "
        f"loses most without {listed(f'`{f}`' for f in need['feature'].head(3))}. "
    )
    if not np.isfinite(reading.agreement):
        return text + "The two orders cannot be compared: one of them does not vary."
    text += f"The rank correlation of the two orders is {reading.agreement:.2f}. "
    if reading.agreement < 0.5:
        return text + (
            "A bright pixel is therefore no proof that its feature matters: each value of the last "
            "maps has seen the features around it too."
        )
    return text + "Here the bright pixels are mostly those of the features that matter."


def on_table1(table: pd.DataFrame, gaps: pd.DataFrame) -> str:
    """How the networks stand to the constant, and the hybrid to the others."""
    wide = table.pivot(index="row", columns="model", values="accuracy")
    nets = [m for m in wide if m not in ("constant", "logistic")]
    best = wide[nets].max(axis=1)
    ahead = int((best > wide["constant"]).sum())
    over = (wide[nets].sub(wide["constant"], axis=0)).mean()
    printed = table.dropna(subset="paper_test")
    text = (
        f"The paper's accuracies in testing run from {printed.paper_test.min():.2f} to "
        f"{printed.paper_test.max():.2f}, without the share of the larger class beside them. Here "
        f"the constant reaches {wide['constant'].min():.2f} to {wide['constant'].max():.2f}; in "
        f"{ahead} of {len(wide)} rows the best of the four networks is above it, and on the mean "
        f"of the rows they are {signed(over.min())} to {signed(over.max())} from it. "
    )
    rows = gaps[gaps["metric"] == "average_precision"]
    parts = [f"{MODEL_TITLES[r.than]} {gap(r)}" for r in rows.itertuples()]
    return (
        f"{text}By average precision, the mean over the rows of the hybrid minus each other: "
        f"{'; '.join(parts)}."
    )


def on_training_accuracy(table: pd.DataFrame) -> str:
    """What more months of training do, and how far training and testing lie apart."""
    nets = table[~table["model"].isin(["constant", "logistic"])]
    ours = float((nets["train_accuracy"] - nets["accuracy"]).mean())
    printed = float((nets["paper_train"] - nets["paper_test"]).mean())
    higher = int((nets["paper_test"] >= nets["paper_train"]).sum())
    mine = int((nets["accuracy"] >= nets["train_accuracy"]).sum())
    return (
        "Accuracy in training less accuracy in testing is on average "
        f"{signed(printed)} in the paper and {signed(ours)} here; testing is at least as good as "
        f"training in {higher} of {len(nets)} printed pairs and in {mine} of ours. A month that "
        "is easier than those before it does that, and so does a test part that is no later month."
    )


def on_fits(answers: Sequence[Answer]) -> str:
    """How many networks were still getting better when their epochs ended."""
    nets = [a for a in answers if a.ask.model != PLAIN]
    last = sum(a.last_best for a in nets)
    text = (
        f"In {last} of {len(nets)} fits of networks the last epoch was the best on held-out users"
    )
    if last * 4 > len(nets):
        return f"{text}: they are trained short, and more epochs might part them."
    return f"{text}: more epochs would help few of them."


def on_table2(table: pd.DataFrame) -> str:
    """The Matthews correlations, ours and as printed."""
    rows = table[(table["metric"] == "matthews") & (table["model"] != "constant")]
    nets = rows.dropna(subset="paper")
    best = rows.loc[rows["value"].idxmax()]
    spread = f"{nets['value'].min():.2f} to {nets['value'].max():.2f}"
    return (
        f"The networks' Matthews correlations here run from {spread}, in the paper from "
        f"{nets['paper'].min():.2f} to {nets['paper'].max():.2f}. The highest here is that of "
        f"{MODEL_TITLES[best.model]}, {best['value']:.2f} [{best.low:.2f}, {best.high:.2f}]. "
        "Thresholds were chosen on held-out users for this correlation, not on the test month."
    )


def on_table3(study: TagStudy) -> str:
    """How the filter grows with the log, in the paper and here."""
    sizes, printed = study.sizes, printed_table3()
    theirs = exponent(printed["gigabytes"], printed["tags"])
    tags = exponent(sizes["rows"], sizes["tags"])
    seconds = exponent(sizes["rows"], sizes["seconds"])
    last = sizes.iloc[-1]
    share = float(printed["filtered"].iloc[-1] / printed["tags"].iloc[-1])
    text = (
        f"Tags grow as the log to the power {theirs[0]:.2f} in the paper and {tags[0]:.2f} "
        f"[{tags[1]:.2f}, {tags[2]:.2f}] here; the time of the filter to the power "
        f"{seconds[0]:.2f} [{seconds[1]:.2f}, {seconds[2]:.2f}], {last.seconds:.2f} s and "
        f"{last.peak_mb:.0f} MB for {last.rows:,.0f} rows. The paper keeps {share:.0%} of the "
        f"tags; a filter that believes a tag only beyond luck keeps "
        f"{last.filtered / last.tags:.0%} "
    )
    if not last.kept:
        return text + "here: no tag tells the two groups apart."
    first = sizes.loc[sizes["kept"] > 0].iloc[0]
    return text + (
        f"here, {last.kept:,.0f} of {last.different:,.0f} different ones, and none below "
        f"{first.rows:,.0f} rows: what is kept depends on how much was seen."
        if first["size"] > 1
        else f"here, {last.kept:,.0f} of {last.different:,.0f} different ones."
    )


def on_potential(found: Potential | None) -> str:
    """Whether users left by the filter came more often in the month after."""
    if found is None:
        return (
            "The filter keeps no tag typical of the outcome, so it leaves no users whose potential "
            "could be tried."
        )
    verdict = _sign(found.low, found.high, "more often", "less often")
    text = (
        f"Of {found.users:,} candidates of the next month, {found.left:,} have a tag typical of "
        f"the outcome. It came for {found.rate_left:.1%} of them and for {found.rate:.1%} of all "
        f"(difference {signed(found.difference)} [{signed(found.low)}, {signed(found.high)}]): "
        f"{verdict}. As many users with simply the most tags of any kind: {found.rate_most:.1%} "
    )
    over = _sign(found.over_most_low, found.over_most_high, "the filter finds more than activity",
                 "activity alone finds more than the filter")  # fmt: skip
    return f"{text}({over})."


def _sign(low: float, high: float, above: str, below: str) -> str:
    return above if low > 0 else below if high < 0 else "no difference that the data can show"


def on_table4(table: pd.DataFrame) -> str:
    """How far the predicted are from a picture of all candidates."""
    parts = []
    for trait in ("gender", "age"):
        printed, ours = distance_of_shares(table, trait)
        parts.append(f"by {trait} {printed:.2%} in the paper and {ours:.1%} here")
    told = table[(table["value"] != "others")]
    off = told[(told["share_candidates"] < told["low"]) | (told["share_candidates"] > told["high"])]
    text = (
        "If the predicted users were swapped until they mirror all candidates, this share would "
        f"have to change: {listed(parts)}. A selection that mirrors everybody has selected by "
        "nothing that goes with gender or age, or has not selected. "
    )
    if off.empty:
        return text + "Here no group's share among the predicted leaves its interval."
    names = listed(f"{r.trait} {r.value}" for r in off.itertuples())
    return text + (
        f"Here the shares of {names} differ by more than their intervals; of twenty groups that "
        "do not, one would by luck."
    )


def on_table5(table: pd.DataFrame, currency: str = "") -> str:
    """How many more of those written to come, in the paper and here."""
    printed = paper("liu", "section43.precision_mean") / paper("liu", "section43.general_mean")
    ahead = int((table["low"] > table["general"]).sum())
    text = (
        f"Those with the highest scores come {table['lift'].min():.1f} to "
        f"{table['lift'].max():.1f} times as often as candidates picked at random, {ahead} of "
        f"{len(table)} months beyond chance; the paper's two means have a ratio of {printed:.2f}. "
    )
    money = table["precision_money"].mean(), table["general_money"].mean()
    if money[1] > 0:
        text += (
            f"They also spend more: {money[0]:,.2f} {currency} a contact and month against "
            f"{money[1]:,.2f}. "
        )
    return text + (
        "That is no income from marketing. Most of them would have come without a message; what a "
        "message adds needs a comparison by lot."
    )


def on_table6(table: pd.DataFrame) -> str:
    """The means here and in the paper, and what the mean of ratios hides."""
    mean = table[table["month"] == "mean"].set_index("metric")
    pooled = table[table["month"] == "pooled"].set_index("metric")
    p, r = mean.value["precision"], mean.value["recall"]
    joined = 2 * p * r / (p + r)
    months = table[~table["month"].isin(["mean", "pooled"])]
    rate = months["base_rate"].mean()
    return (
        f"Mean precision {p:.3f} (paper {mean.paper['precision']:.3f}), recall {r:.3f} "
        f"({mean.paper['recall']:.3f}), F1 {mean.value['f1']:.3f} ({mean.paper['f1']:.3f}). The "
        f"outcome comes for {rate:.1%} of the candidates here, and whoever says yes to all has "
        f"that precision, a recall of 1 and an F1 of {2 * rate / (1 + rate):.3f}; the paper does "
        "not give its share, so the levels cannot be compared. The mean of the months' F1 is "
        f"{mean.value['f1']:.3f}, the F1 of the two means {joined:.3f}, and that of all decisions "
        f"as one list {pooled.value['f1']:.3f} [{pooled.low['f1']:.3f}, {pooled.high['f1']:.3f}]."
    )


def answer(found: pd.DataFrame, gaps: pd.DataFrame, table1: pd.DataFrame) -> str:
    """The chapter's answer in three sentences."""
    rows = found.set_index("than")
    lot = rows.loc["by lot"]
    place = {
        "first": "Placing alike features side by side helps the network",
        "second": "Placing alike features side by side harms the network",
        "neither": "It makes no difference that the data can show where on the picture a feature "
        "stands",
    }[lot.favours]
    better = [TITLES[n].lower() for n in ("logistic", "boosting") if rows.favours[n] == "second"]
    second = (
        f"{listed(better)} on the same features {'beats' if len(better) == 1 else 'beat'} it"
        if better
        else "logistic regression and boosting on the same features are not beyond it"
    )
    ap = gaps[gaps["metric"] == "average_precision"].set_index("than")
    ours = [MODEL_TITLES[m] for m in ap.index if ap.favours[m] == "second"]
    beaten = [MODEL_TITLES[m] for m in ap.index if ap.favours[m] == "first"]
    third = "Over the twelve rows of Table 1 the hybrid network is "
    pieces = []
    if beaten:
        pieces.append(f"ahead of {listed(beaten)}")
    if ours:
        pieces.append(f"behind {listed(ours)}")
    third += (
        " and ".join(pieces) if pieces else "told apart from none of the others"
    ) + " in average precision"
    wide = table1.pivot(index="row", columns="model", values="accuracy")
    nets = [m for m in wide if m not in ("constant", "logistic")]
    over = float((wide[nets].max(axis=1) - wide["constant"]).mean())
    return (
        f"{place} (average precision {gap(lot)} against places by lot), and {second}. {third}. "
        f"By accuracy, the paper's measure, the best of four networks is {signed(over)} from a "
        "constant that looks at nobody."
    )
