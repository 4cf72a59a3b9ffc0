"""What the churn chapters say about their figures, from the numbers drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd

from precmark.churn.quality import judged
from precmark.churn.readings import AttentionReading
from precmark.claims import paper
from precmark.sequences import Sequences

AP = "average precision"
"""The metric that judges, in words."""


def signed(value: float, digits: int = 3) -> str:
    """A difference with its sign; a plain 0 where it rounds to that."""
    text = f"{value:+.{digits}f}"
    return text if float(text) else f"{0:.{digits}f}"


def gap(row) -> str:
    """A difference with its interval: ``-0.012 [-0.030, +0.006]``."""
    return f"{signed(row.difference)} [{signed(row.low)}, {signed(row.high)}]"


def listed(names) -> str:
    """Names as words: "a", "a and b", "a, b and c"."""
    names = list(names)
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def on_task(sequences: Sequences) -> str:
    """What is predicted, for how many decisions, and how rare the good outcome is."""
    task, n = sequences.task, len(sequences)
    if task.unit == "customer":
        what = f"Each decision is a customer at one of {task.origins} origins"
    else:
        what = f"Each decision is the click number {task.k} of a visit"
        what += " without a purchase so far" if task.label == "purchase" else ""
    text = (
        f"{what}; the good outcome is {task.positive}, churn is {task.negative}. There are "
        f"**{n:,}** decisions, of which {sequences.y.mean():.1%} end well, each a matrix of "
        f"{len(sequences.channels)} channels by at most {task.steps} steps."
    )
    return f"{text} {task.note}".strip()


def on_training(histories: pd.DataFrame) -> str:
    """When the validation loss was lowest, and how much was lost after it."""
    whole = histories[histories.model == "c-att-lstm"]
    whole = whole[whole.seed == whole.seed.iloc[0]]
    best = whole.loc[whole.valid_loss.idxmin()]
    last = whole.iloc[-1]
    text = (
        f"The whole network has its lowest validation loss ({best.valid_loss:.4f}) after epoch "
        f"{best.epoch:.0f} of {last.epoch:.0f}"
    )
    if best.epoch == last.epoch:
        return f"{text}, the last: more epochs might still help."
    worse = last.valid_loss - best.valid_loss
    text += f"; by the last epoch it is {worse:.4f} higher"
    if last.train_loss < best.train_loss:
        text += f" while the training loss goes on falling to {last.train_loss:.4f}"
    return f"{text}. Whoever trains all epochs and keeps the last pays for that."


def on_parts(against: pd.DataFrame) -> str:
    """What leaving out each part does to average precision."""
    lines = []
    for row in judged(against).itertuples():
        lines.append(f"- {row.title}: {gap(row)}, {told(row.verdict)}.")
    return "Average precision against the whole network:\n\n" + "\n".join(lines)


def on_resolution(against: pd.DataFrame, sequences: Sequences) -> str:
    """What the intervals of the differences allow to say, and what they do not."""
    rows = judged(against)
    width = float(((rows.high - rows.low) / 2).median())
    good = int(sequences.part("test").y.sum())
    text = (
        f"With {good:,} good outcomes in the test part, differences below about {width:.3f} cannot "
        "be told from none. "
    )
    if (rows.favours == "neither").all():
        return text + (
            "No interval here leaves out zero. That does not show that a part is useless; it shows "
            "that its merit on these data is smaller than the noise by which anyone would choose "
            "who goes by the test score."
        )
    return text + (
        "An interval that holds zero does not show that a part is useless; one that leaves it out "
        "shows that the part matters here, by as much as the interval says."
    )


def told(verdict: str) -> str:
    """A verdict on a difference in words that finish a sentence."""
    return verdict if verdict.startswith("no ") else f"{verdict}, and by more than chance"


def on_attention(reading: AttentionReading) -> str:
    """One decision's gates in words: where they are widest and narrowest."""
    steps = reading.steps.assign(spatial=reading.spatial[1])
    top, low = steps.loc[steps.spatial.idxmax()], steps.loc[steps.spatial.idxmin()]
    spread = float(steps.spatial.max() - steps.spatial.min())
    place = f" {top.when} before the decision" if top.when not in ("", "now") else ""
    place = " at the decision itself" if top.when == "now" else place
    text = (
        f"Of {len(steps)} steps, the second module's gate is widest ({top.spatial:.2f}) at "
        f"*{top.step}*{place} and narrowest ({low.spatial:.2f}) at *{low.step}*. "
    )
    if spread < 0.1:
        text += "The gates hardly differ: the module lets every step through alike. "
    gates = reading.channel[1]
    if np.ptp(gates) < 1e-6:
        text += (
            f"All its channel gates are {gates[0]:.2f}: the hidden units of the shared perceptron "
            "are off, so it weighs no channel against another. "
        )
    else:
        text += f"Its channel gates run from {gates.min():.2f} to {gates.max():.2f}. "
    return f"{text}The score is {reading.p:.2f}."


def on_published_rates(table: pd.DataFrame) -> str:
    """How many rows of published rates contradict themselves."""
    wrong = int((~table["agree"]).sum())
    share = table["share of positives"].mean()
    if not wrong:
        return "The printed correlations follow from the other three rates."
    return (
        "The first three rates agree with one another: all rows imply that "
        f"{share:.1%} of the test cases are positive. But in {wrong} of {len(table)} rows the "
        "Matthews correlation that "
        "follows from them is not the printed one, and no rounding explains the gap. The second "
        "sign: rates that cannot all be true."
    )


def on_models(quality: pd.DataFrame, against: pd.DataFrame, sequences: Sequences) -> str:
    """Who leads, where C-ATT-LSTM and gradient boosting stand, and what the floors reach."""
    pooled = judged(quality).set_index("model")
    order = pooled.sort_values("value", ascending=False)
    best = order.iloc[0]
    text = (
        f"**{best.title}** has the highest average precision, {best.value:.3f} "
        f"[{best.low:.3f}, {best.high:.3f}]; the constant has {pooled.value['constant']:.3f}. "
    )
    text += versus_boosting(against)
    compared = judged(against)
    better = compared[compared.favours == "first"].title
    worse = compared[compared.favours == "second"].title
    open_ = len(compared) - len(better) - len(worse)
    text += (
        f" Of the {len(compared)} other models, {len(worse)} are worse than C-ATT-LSTM by more "
        f"than chance, {len(better)} better, and for {open_} the data cannot tell."
    )
    if len(better):
        text += f" Better: {listed(better)}."
    return text


def on_accuracy(quality: pd.DataFrame) -> str:
    """What accuracy says of the models, and whether it tells them from the constant."""
    table = quality[(quality.fit == "pooled") & (quality.metric == "accuracy")].set_index("model")
    constant = table.value["constant"]
    best = table.drop(index="constant").sort_values("value", ascending=False).iloc[0]
    if best.value - constant > 0.02:
        return (
            f"Accuracy runs up to {best.value:.3f} ({best.title}) against {constant:.3f} of the "
            "constant: where both outcomes are common it can tell models apart, and it still "
            "depends on the threshold, as sensitivity and specificity do."
        )
    return (
        f"The best accuracy is {best.value:.3f} ({best.title}); the constant, which finds nobody, "
        f"has {constant:.3f}. That is the first sign by which a comparison can be known: where "
        "accuracy is what it reports of a rare outcome, ask for the constant's. Sensitivity and "
        "specificity depend on the threshold, so they compare thresholds as much as models."
    )


def versus_boosting(against: pd.DataFrame) -> str:
    """C-ATT-LSTM against gradient boosting, in one sentence."""
    found = judged(against)
    found = found[found.model == "histogram-boosting"]
    if found.empty:
        return ""
    row = found.iloc[0]
    said = {
        "first": "Gradient boosting beats C-ATT-LSTM",
        "second": "C-ATT-LSTM beats gradient boosting",
        "neither": "C-ATT-LSTM does not beat gradient boosting, nor the other way round, by more "
        "than chance",
    }[row.favours]
    return f"{said} (gradient boosting minus C-ATT-LSTM: {gap(row)})."


def on_segments(table: pd.DataFrame, fits: pd.DataFrame) -> str:
    """Whether one model a segment helps, for C-ATT-LSTM and for the others."""
    each = table.drop_duplicates("model")
    worse, better = each[each.verdict == "lower"], each[each.verdict == "higher"]
    text = (
        f"One model a segment is worse than the pooled one for {len(worse)} of {len(each)} models "
        f"by more than chance, and better for {len(better)}"
    )
    text += f" ({listed(better.title)}). " if len(better) else ". "
    mine = each[each.model == "c-att-lstm"]
    if len(mine):
        text += f"For C-ATT-LSTM the difference is {segment_gap(mine.iloc[0])}. "
    fell = fits[fits.model == "c-att-lstm"].fallbacks.iloc[0] if len(mine) else ""
    return text + (f"Served by the pooled model: {fell}." if fell else "")


def segment_gap(row) -> str:
    """By segment minus pooled, with its interval."""
    return f"{signed(row.difference)} [{signed(row.difference_low)}, {signed(row.difference_high)}]"


def on_leak(table: pd.DataFrame) -> str:
    """How much better the models look when the split is drawn at random."""
    found = table[table.metric == "auroc"].pivot(index="title", columns="split", values="value")
    found = found.drop("Constant", errors="ignore")
    parts = [
        f"{title} {row['by time']:.3f} by time and {row['at random']:.3f} at random"
        for title, row in found.iterrows()
    ]
    gain = float((found["at random"] - found["by time"]).mean())
    text = f"Area under the ROC curve: {listed(parts)}. "
    if gain > 0.005:
        return text + (
            f"At random the models look better, by {gain:.3f} on average. The two test parts hold "
            "different decisions, so part of that is luck; but only the random one lets a model "
            "learn from what came after the decisions that it is examined on."
        )
    return text + (
        "The random split does not flatter here, on average. It could have: nothing in it keeps "
        "the future out, and the two test parts hold different decisions."
    )


def on_clicks(table: pd.DataFrame) -> str:
    """What the later clicks are worth."""
    lines = []
    for title, same in table[table.series != "constant"].groupby("series", sort=False):
        first, last = same.iloc[0], same.iloc[-1]
        lines.append(
            f"{title} {first.value:.3f} [{first.low:.3f}, {first.high:.3f}] after {first.clicks} "
            f"and {last.value:.3f} [{last.low:.3f}, {last.high:.3f}] after {last.clicks} clicks"
        )
    floor = table[table.series == "constant"]
    if table.judged.nunique() == 1:
        judged = f"On the {table.judged.iloc[-1]:,} test sessions that get to the last click"
    else:
        judged = "On the test sessions that get so far, others for each number of clicks"
    return (
        f"{judged}, of which {floor.value.iloc[0]:.1%} end well after {floor.clicks.iloc[0]} and "
        f"{floor.value.iloc[-1]:.1%} after {floor.clicks.iloc[-1]}, average precision is: "
        f"{'; '.join(lines)}. Each click waited for is a click at which somebody leaves."
    )


def on_lift(tables) -> str:
    """What the tenth with the highest score holds."""
    parts = [
        f"{title} {t.lift.iloc[0]:.1f} [{t.lift_low.iloc[0]:.1f}, {t.lift_high.iloc[0]:.1f}] "
        f"({t.gain.iloc[0]:.0%})"
        for title, t in tables.items()
    ]
    return (
        "Lift of the good outcome in the tenth that is scored highest, and in brackets the share "
        f"of all good outcomes that it holds: {listed(parts)}."
    )


def on_calibration(table: pd.DataFrame) -> str:
    """Which models need calibration."""
    wide = table.pivot(index="model", columns="calibration", values="expected calibration error")
    parts = [
        f"{name} from {row['none']:.3f} to {row['Platt']:.3f}" for name, row in wide.iterrows()
    ]
    return f"Platt scaling takes the expected calibration error of {listed(parts)}."


def on_importance(found) -> str:
    """The channels and the steps that matter most to each probed model."""
    text = ""
    for title, same in found.permutation.groupby("model", sort=False):
        channels = same[same.kind == "channel"].nlargest(3, "drop")
        steps = same[same.kind == "step"]
        text += (
            f"{title} leans most on {listed(channels.name.map(plain))}; shuffling the decision's "
            f"own step alone costs {steps['drop'].iloc[0]:.3f} of average precision. "
        )
    if len(found.gradients):
        top = found.gradients.mean(axis=1).nlargest(3).index
        text += f"By gradient, C-ATT-LSTM reacts most to {listed(map(plain, top))}."
    return text


def plain(channel: str) -> str:
    """A channel's name as prose prints it."""
    return f"*{channel.replace('_', ' ')}*"


def on_cost(quality: pd.DataFrame, fits: pd.DataFrame) -> str:
    """Seconds and parameters of the dearest model, of boosting and of C-ATT-LSTM."""
    seconds = fits.groupby("title").seconds.mean().sort_values()
    text = f"The dearest model is {seconds.index[-1]} ({seconds.iloc[-1]:,.0f} s)"
    for title in ("C-ATT-LSTM", "Gradient boosting"):
        if title in seconds.index[:-1]:
            text += f"; {title} takes {seconds[title]:,.0f} s"
    mine = fits[fits.model == "c-att-lstm"].parameters
    if len(mine) and np.isfinite(mine.iloc[0]):
        text += f". C-ATT-LSTM has {mine.iloc[0]:,.0f} parameters"
    return text + "."


def answer(
    quality: pd.DataFrame, against: pd.DataFrame | None, by_segment: pd.DataFrame | None
) -> str:
    """The answer at the head of the chapter."""
    pooled = judged(quality)
    order = pooled.sort_values("value", ascending=False).reset_index(drop=True)
    best = order.iloc[0]
    text = f"{best.title} leads with an average precision of {best.value:.2f} "
    text += f"(the constant: {pooled[pooled.model == 'constant'].value.iloc[0]:.2f}). "
    if against is not None:
        text += versus_boosting(against) + " "
    if by_segment is not None and "c-att-lstm" in set(by_segment.model):
        row = by_segment[by_segment.model == "c-att-lstm"].iloc[0]
        said = {"higher": "raises", "lower": "lowers"}.get(row.verdict)
        text += (
            f"One model a segment {said} its average precision ({segment_gap(row)})."
            if said
            else "One model a segment makes no difference to it that the data can show "
            f"({segment_gap(row)})."
        )
    return text.strip()


def on_customers(found) -> str:
    """The learnt models against the floors, and what the top hundredth changes."""
    table = found.quality[found.quality.metric == "average_precision"]
    every = table[table.split == "all customers"].set_index("model")
    best = every.drop(index="constant").sort_values("value", ascending=False).iloc[0]
    text = (
        f"Of {found.customers:,} customers at the last origin, the top hundredth ({found.top:,}) "
        f"holds {found.top_revenue:.0%} of all revenue so far. Best by average precision: "
        f"**{best.title}**, {best.value:.3f} [{best.low:.3f}, {best.high:.3f}]; recency alone "
        f"reaches {every.value['recency']:.3f} and BG/NBD {every.value['bg-nbd']:.3f}. "
    )
    for than, words in (("recency", "recency alone"), ("bg-nbd", "BG/NBD")):
        mine = found.gaps[found.gaps.than == than]
        better = mine[mine.favours == "first"].title
        text += f"{len(better)} of {len(mine)} models beat {words} by more than chance" + (
            f" ({listed(better)}). " if len(better) else ". "
        )
    poor = table[table.split == "without the top 1 %"].set_index("model")
    moved = (poor.value - every.value).drop(index="constant").abs().max()
    text += (
        f"Without the top hundredth no model's average precision moves by more than {moved:.3f}."
    )
    return " ".join([text, *found.notes])


def on_visits(found) -> str:
    """Our areas beside the published ones, and what the page value is worth."""
    auroc = found.quality[found.quality.metric == "auroc"]
    whole = auroc[auroc.split == "all columns"].set_index("model")
    best = whole.drop(index="constant").sort_values("value", ascending=False).iloc[0]
    boosting = whole.loc["histogram-boosting"]
    text = (
        f"On {found.visits:,} test visits, {found.purchases:,} with a purchase, gradient boosting "
        f"reaches an area under the ROC curve of {boosting.value:.3f} [{boosting.low:.3f}, "
        f"{boosting.high:.3f}]; published are {paper('online_shoppers', 'xgboost.auroc')} "
        "(XGBoost, "
        f"with feature selection and oversampling) and "
        f"{paper('online_shoppers', 'gradient_boosting.auroc')} (gradient boosting). The best here "
        f"is {best.title} with {best.value:.3f}. "
    )
    without = auroc[auroc.split == "without the page value"].set_index("model")
    if len(without):
        left = without.loc["histogram-boosting"]
        text += (
            f"Without the page value, gradient boosting falls to {left.value:.3f} [{left.low:.3f}, "
            f"{left.high:.3f}]: most of what tells finished visits apart is a number that exists "
            "because they are finished."
            if left.high < boosting.low
            else f"Without the page value, gradient boosting has {left.value:.3f}."
        )
    return text
