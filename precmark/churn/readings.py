"""Three decisions read step by step: what the second attention module lets through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark.sequences import Sequences

LEAST_STEPS = 4
"""Decisions with fewer real steps are not drawn where others have more: nothing to read."""


@dataclass(frozen=True)
class AttentionReading:
    """One decision and its gates.

    Attributes
    ----------
    name : str
        "likeliest", "middle" or "least-likely".
    p : float
        P(y = 1) that the network gives.
    came : bool
        Whether y = 1.
    steps : pandas.DataFrame
        One row a real step, the earliest first: ``step`` (what happened), ``when`` (time before the
        decision, in words; "" without a clock).
    spatial : list of two arrays, each of one gate a real step
        Of the first and of the second module, 0 to 1.
    channel : list of two arrays, shape (filters,)
        Gates of the channel attention of either module.
    caption : str
    """

    name: str
    p: float
    came: bool
    steps: pd.DataFrame
    spatial: list[np.ndarray]
    channel: list[np.ndarray]
    caption: str

    @property
    def labels(self) -> list[str]:
        """Each step in words, with its time before the decision on a second line."""
        return [f"{s.step}\n{s.when}".strip() for s in self.steps.itertuples()]


def attention_readings(sequences: Sequences, model) -> list[AttentionReading]:
    """The test decisions with the highest, the middle and the lowest score, read step by step.

    Parameters
    ----------
    sequences : Sequences
    model : SequenceClassifier
        A fitted C-ATT-LSTM.
    """
    from precmark.networks import attention_maps

    test = sequences.part("test")
    p = model.predict_proba(test.X)[:, 1]
    enough = np.flatnonzero(test.mask.sum(axis=1) >= min(LEAST_STEPS, test.mask.sum(axis=1).max()))
    order = enough[np.argsort(p[enough], kind="stable")]
    chosen = {
        "likeliest": order[-1], "middle": order[len(order) // 2], "least-likely": order[0],
    }  # fmt: skip
    rows = model.tensors(test.X)
    maps = attention_maps(model.module(), rows.x, rows.mask)
    out = []
    for name, row in chosen.items():
        real = test.mask[row]
        steps = step_words(test.X[row], test.channels)
        came = bool(test.y[row])
        outcome = test.task.positive if came else test.task.negative
        out.append(
            AttentionReading(
                name, float(p[row]), came, steps,
                [np.asarray(gates[row])[real] for gates in maps.spatial],
                [np.asarray(gates[row]) for gates in maps.channel],
                f"Gates of both attention modules on the {name.replace('-', ' ')} decision: "
                f"score {p[row]:.2f}, and what came was {outcome}.",
            )
        )  # fmt: skip
    return out


def step_words(x: np.ndarray, channels: tuple[str, ...]) -> pd.DataFrame:
    """What happened at each real step of one decision, in words.

    Parameters
    ----------
    x : array, shape (F, T)
        Not standardised; NaN where a step did not happen.

    Returns
    -------
    pandas.DataFrame
        ``step``, ``when``, the earliest first.
    """
    real = ~np.isnan(x).all(axis=0)
    at = {name: number for number, name in enumerate(channels)}
    rows = []
    for column in np.flatnonzero(real):
        values = {name: float(x[number, column]) for name, number in at.items()}
        when = before(np.expm1(values["log_age_s"])) if "log_age_s" in values else ""
        rows.append((_what(values), when))
    return pd.DataFrame(rows, columns=["step", "when"])


def _what(values: dict[str, float]) -> str:
    """The event of one step, from its flags; what is special about it in brackets."""
    kinds = [n.removeprefix("is_") for n, v in values.items() if n.startswith("is_") and v == 1]
    if "has_order" in values:
        orders = np.expm1(values.get("log_orders", 0.0))
        many = "order" if round(orders) == 1 else "orders"
        return f"{orders:.0f} {many}" if values["has_order"] else "no order"
    words = kinds[0] if kinds else "other"
    marks = [
        said
        for name, said in (("visit_start", "new visit"), ("seen_item", "item again"))
        if values.get(name) == 1
    ]
    return words + (f" ({', '.join(marks)})" if marks else "")


def before(seconds: float) -> str:
    """A time before the decision in words: "12 s", "5 min", "3 h", "8 days"; "now" for zero."""
    if seconds < 0.5:
        return "now"
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
