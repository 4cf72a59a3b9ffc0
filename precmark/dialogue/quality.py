"""How well each classifier does on a set: answers, refusals, calibration, all with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.dialogue.scope import confidence, energy, log_loss, risk_coverage

if TYPE_CHECKING:
    from precmark.dialogue.study import Fitted, Utterances

METRICS = {
    "accuracy": "right intent among the test sentences",
    "familiar": "right intent among sentences written together with the training ones",
    "answered": "in-scope test sentences answered",
    "right": "right intent among those answered",
    "refused": "out-of-scope sentences refused",
    "served": "turns of the mixed test dealt with: answered rightly, or refused out of scope",
}
"""Shares that are measured of every model, in words."""


def codes(fit: Fitted, intents: pd.Series) -> np.ndarray:
    """Column of each of `intents` among the fit's classes."""
    return np.searchsorted(fit.understanding.classifier.classes_, intents.to_numpy(dtype=object))


def outcomes(fit: Fitted, found: Utterances) -> pd.DataFrame:
    """Each sentence of the test with what the fit makes of it.

    Returns
    -------
    pandas.DataFrame
        ``part`` (``"test"``, ``"outside"``, ``"familiar"``), ``right`` (bool; never outside),
        ``confidence`` (0 to 1), ``energy``, ``answered`` (bool).
    """
    parts = []
    for part, logits, intents in (
        ("test", fit.logits, found.test.intent),
        ("outside", fit.outside, None),
        ("familiar", fit.familiar, None if found.familiar is None else found.familiar.intent),
    ):
        right = np.zeros(len(logits), bool)
        if intents is not None:
            right = logits.argmax(axis=1) == codes(fit, intents)
        sure = confidence(logits, fit.understanding.temperature_) if len(logits) else right * 1.0
        parts.append(
            pd.DataFrame(
                {
                    "part": part, "right": right, "confidence": sure,
                    "energy": energy(logits) if len(logits) else right * 1.0,
                    "answered": sure >= fit.understanding.threshold_.value,
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _columns(table: pd.DataFrame) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Numerator and denominator of each metric, a value a sentence."""
    test, outside = (table.part == "test").to_numpy(), (table.part == "outside").to_numpy()
    familiar = (table.part == "familiar").to_numpy()
    right, answered = table.right.to_numpy(), table.answered.to_numpy()
    good = (test & right & answered) | (outside & ~answered)
    return {
        "accuracy": (test & right, test),
        "familiar": (familiar & right, familiar),
        "answered": (test & answered, test),
        "right": (test & right & answered, test & answered),
        "refused": (outside & ~answered, outside),
        "served": (good, test | outside),
    }


def shares(
    fits: Sequence[Fitted], found: Utterances, *, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Every share of :data:`METRICS` of every model, with 95 % intervals over sentences.

    Several seeds of a model are averaged sentence by sentence before sentences are drawn.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``metric``, ``value``, ``low``, ``high``, ``sentences``; metrics of parts that
        the set lacks are left out.
    """
    drawn = _drawn(fits, found, draws=draws, seed=seed)
    rows = []
    for (model, metric), (values, count) in drawn.items():
        low, high = np.nanquantile(values[1:], (0.025, 0.975))
        rows.append((model, metric, values[0], low, high, count))
    return pd.DataFrame(rows, columns=["model", "metric", "value", "low", "high", "sentences"])


def differences(
    fits: Sequence[Fitted],
    found: Utterances,
    pairs: Sequence[tuple[str, str]],
    *,
    metric: str = "accuracy",
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """First minus second of each of `pairs`, on the same draws of sentences.

    Returns
    -------
    pandas.DataFrame
        ``first``, ``second``, ``metric``, ``difference``, ``low``, ``high``, ``favours``
        (``"first"``, ``"second"`` or ``"neither"``: the interval holds 0).
    """
    drawn = _drawn(fits, found, draws=draws, seed=seed)
    rows = []
    for first, second in pairs:
        values = drawn[first, metric][0] - drawn[second, metric][0]
        low, high = np.quantile(values[1:], (0.025, 0.975))
        favours = "first" if low > 0 else "second" if high < 0 else "neither"
        rows.append((first, second, metric, values[0], low, high, favours))
    columns = ["first", "second", "metric", "difference", "low", "high", "favours"]
    return pd.DataFrame(rows, columns=columns)


def _drawn(
    fits: Sequence[Fitted], found: Utterances, *, draws: int, seed: int
) -> dict[tuple[str, str], tuple[np.ndarray, int]]:
    """The value and its draws, (1 + draws,), and the sentences, of each model and metric."""
    from precmark.metrics.resampling import user_weights

    by_model: dict[str, list[pd.DataFrame]] = {}
    for fit in fits:
        by_model.setdefault(fit.model, []).append(outcomes(fit, found))
    columns, keys, counts = [], [], []
    for model, tables in by_model.items():
        each = [_columns(t) for t in tables]
        for metric in METRICS:
            top, below = (np.mean([e[metric][i] for e in each], axis=0) for i in (0, 1))
            if below.any():
                columns += [top, below]
                keys.append((model, metric))
                counts.append(round(below.sum()))
    whole = np.array(columns)
    n = whole.shape[1]
    sums = [whole @ w for w in (np.ones((n, 1)), *user_weights(n, draws, seed))]
    totals = np.concatenate(sums, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = totals[0::2] / totals[1::2]
    return {key: (ratio[i], counts[i]) for i, key in enumerate(keys)}


def scope_table(
    fits: Sequence[Fitted], found: Utterances, *, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """How well each score tells in-scope test sentences from those outside, first seed only.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``score`` (a key of :data:`~precmark.dialogue.scope.SCORES`), ``value`` (area
        under the ROC curve), ``low``, ``high``. Empty where nothing is out of scope.
    """
    from scipy.stats import rankdata

    from precmark.metrics import bootstrap

    rows = []
    for model, fit in first_seeds(fits).items():
        table = outcomes(fit, found)
        table = table[table.part != "familiar"]
        inside = (table.part == "test").to_numpy().astype(int)
        if not 0 < inside.sum() < len(inside):
            continue
        # an area needs the order alone; ranks lie between 0 and 1 as the bootstrap asks
        for score, column in (("probability", "confidence"), ("energy", "energy")):
            rank = rankdata(table[column]) / len(table)
            drawn = bootstrap(inside, {model: rank}, metrics=["auroc"], draws=draws, seed=seed)
            row = drawn.table().iloc[0]
            rows.append((model, score, row["value"], row["low"], row["high"]))
    return pd.DataFrame(rows, columns=["model", "score", "value", "low", "high"])


def calibration(fits: Sequence[Fitted], found: Utterances) -> pd.DataFrame:
    """What the temperature does on the test sentences, first seed only.

    Returns
    -------
    pandas.DataFrame
        A row a model: ``model``, ``temperature``, ``log_loss_before`` and ``_after``,
        ``error_before`` and ``_after`` (expected calibration error of the highest probability in
        ten bins of equal count), ``mean_confidence`` (after) and ``accuracy``.
    """
    rows = []
    for model, fit in first_seeds(fits).items():
        at = codes(fit, found.test.intent)
        right = fit.logits.argmax(axis=1) == at
        t = fit.understanding.temperature_
        rows.append(
            {
                "model": model,
                "temperature": t,
                "log_loss_before": log_loss(fit.logits, at),
                "log_loss_after": log_loss(fit.logits, at, t),
                "error_before": expected_error(right, confidence(fit.logits)),
                "error_after": expected_error(right, confidence(fit.logits, t)),
                "mean_confidence": float(confidence(fit.logits, t).mean()),
                "accuracy": float(right.mean()),
            }
        )
    return pd.DataFrame(rows)


def expected_error(right: np.ndarray, sure: np.ndarray, bins: int = 10) -> float:
    """Mean distance of confidence and accuracy over bins of equal count, weighted by their rows."""
    from precmark.metrics import equal_count_bins

    table = pd.DataFrame({"bin": equal_count_bins(sure, bins), "right": right, "sure": sure})
    grouped = table.groupby("bin").agg(n=("right", "size"), a=("right", "mean"), c=("sure", "mean"))
    return float((grouped.n * (grouped.a - grouped.c).abs()).sum() / grouped.n.sum())


def curves(fits: Sequence[Fitted], found: Utterances) -> pd.DataFrame:
    """Risk and coverage of each model over test and out-of-scope sentences together.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``score`` (confidence), ``coverage``, ``risk``, and ``chosen``: the row at the
        threshold that validation chose.
    """
    parts = []
    for model, fit in first_seeds(fits).items():
        table = outcomes(fit, found)
        table = table[table.part != "familiar"]
        curve = risk_coverage(table.right.to_numpy(), table.confidence.to_numpy())
        above = curve.score >= fit.understanding.threshold_.value
        curve["chosen"] = np.arange(len(curve)) == int(above.sum()) - 1
        parts.append(curve.assign(model=model))
    return pd.concat(parts, ignore_index=True)


def first_seeds(fits: Sequence[Fitted]) -> Mapping[str, Fitted]:
    """The first fit of each model, in order."""
    found: dict[str, Fitted] = {}
    for fit in fits:
        found.setdefault(fit.model, fit)
    return found


def confusions(fit: Fitted, found: Utterances, k: int = 8) -> pd.DataFrame:
    """The k commonest mistakes on the test sentences: ``intent``, ``taken_for``, ``sentences``,
    ``example``.
    """
    names = fit.understanding.classifier.classes_
    table = found.test.assign(taken_for=names[fit.logits.argmax(axis=1)].astype(str))
    wrong = table[table.intent != table.taken_for]
    grouped = wrong.groupby(["intent", "taken_for"], sort=True).text.agg(["size", "first"])
    grouped = grouped.sort_values("size", ascending=False, kind="stable").head(k).reset_index()
    return grouped.rename(columns={"size": "sentences", "first": "example"})
