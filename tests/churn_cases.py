"""Small decisions and plain models that the tests of the churn chapters share."""

from __future__ import annotations

import datetime as dt
import uuid
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from precmark.churn import Comparison, Model
from precmark.sequences import Sequences, Task

TASK = Task(
    "session", "purchase", 3, 5, dt.timedelta(hours=2), "a purchase in time", "no purchase in time"
)
PARTS = ("train", "validation", "test")


def decisions(n: int = 200, *, seed: int = 0, steps: int = 5, first: int = 0) -> Sequences:
    """`n` decisions of three channels: a number that tells y, the row's own number, gaps.

    Decisions are numbered from `first`. A fifth has a coupon; 5 % are purged.
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3, steps)).astype(np.float32)
    X[:, 1] = np.arange(n)[:, None]
    X[:, 2][rng.random((n, steps)) < 0.2] = np.nan
    length = rng.integers(1, steps + 1, n)
    X[(np.arange(steps) >= length[:, None])[:, None, :].repeat(3, 1)] = np.nan
    y = (X[:, 0, 0] + rng.normal(0, 1, n) > 0.5).astype(np.int8)
    share = np.arange(n) / n
    split = np.select(
        [share < 0.5, share < 0.55, share < 0.75], ["train", "purged", "validation"], "test"
    )
    frame = pd.DataFrame(
        {
            "decision": np.arange(n) + first,
            "user_code": rng.integers(0, max(2, n // 4), n),
            "session_code": np.arange(n),
            "timestamp": pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(np.arange(n), "h"),
            "steps": length,
            "coupon": rng.random(n) < 0.2,
            "split": split.astype(object),
            "random_split": rng.choice(PARTS, n, p=[0.6, 0.2, 0.2]).astype(object),
        }
    )
    return Sequences(X, y, ("signal", "number", "gappy"), frame, TASK)


def rows_of(sequences: Sequences, part: str, by: str = "split") -> list[int]:
    """Positions of the decisions of `part` without a coupon, one by one."""
    frame = sequences.decisions
    return [i for i in range(len(frame)) if frame[by].iloc[i] == part and not frame.coupon.iloc[i]]


class Line(ClassifierMixin, BaseEstimator):
    """A logistic regression on the first step; writes the rows that it saw into `log`.

    Parameters
    ----------
    seed : int
        Below 10 it shifts all logits, so that seeds can be told apart.
    C : float
    log : path, optional
        Each fit leaves a file with the numbers of its rows (channel 1) and its labels there.
    """

    def __init__(self, seed: int = 0, C: float = 1.0, log: str | None = None):
        self.seed = seed
        self.C = C
        self.log = log

    def fit(self, X, y, *, validation=None):
        if self.log is not None:
            held_out = (None, None) if validation is None else validation
            seen = {
                "train": X[:, 1, 0], "y": y, "seed": self.seed,
                "validation": [] if held_out[0] is None else held_out[0][:, 1, 0],
                "y_validation": [] if held_out[1] is None else held_out[1],
            }  # fmt: skip
            np.savez(Path(self.log) / f"{uuid.uuid4().hex}.npz", **seen)
        self.line_ = LogisticRegression(C=self.C).fit(X[:, 0, :1], y)
        return self

    def module(self):
        """A network of the same two parameters."""
        import torch

        return torch.nn.Linear(1, 1)

    def predict_proba(self, X, epoch: str = "best"):
        shift = 0.01 * self.seed if self.seed < 10 else 0.0
        logit = self.line_.decision_function(X[:, 0, :1]) + shift
        p = 1 / (1 + np.exp(-logit * (1.0 if epoch == "best" else 0.5)))
        return np.column_stack([1 - p, p])

    @property
    def history_(self):
        """Two epochs."""
        return pd.DataFrame({"epoch": [1, 2], "train_loss": [0.6, 0.5], "valid_loss": [0.7, 0.6]})


class Mean(ClassifierMixin, BaseEstimator):
    """The share of y = 1 in training; takes no seed."""

    def fit(self, X, y, *, validation=None):
        self.rate_ = float(np.mean(y))
        return self

    def predict_proba(self, X):
        return np.tile([1 - self.rate_, self.rate_], (len(X), 1))


def a_mean(seed: int) -> Mean:
    """:class:`Mean`, whatever the seed."""
    return Mean()


def chosen(log: Path | None = None, C: float = 1.0) -> dict[str, Model]:
    """A floor, a baseline and a network, the dearest in the middle."""
    line = partial(Line, C=C, log=None if log is None else str(log))
    return {
        "constant": Model("constant", "Constant", "floor", a_mean, 1),
        "line": Model("line", "A line", "baseline", line, 4, 6.0),
        "net": Model("net", "A network", "network", line, 2, 3.0),
    }


def said(sequences: Sequences, *, fits=("pooled", "segment"), seeds=(0,), seed: int = 1):
    """A comparison whose scores are drawn, not learnt: ``good``, ``poor`` and ``constant``."""
    rng = np.random.default_rng(seed)
    scored = [*rows_of(sequences, "validation"), *rows_of(sequences, "test")]
    y = sequences.y[scored]
    tables = []
    for number in seeds:
        for fit in fits:
            for name, weight in (("good", 0.9), ("poor", 0.3), ("constant", 0.0)):
                noise = rng.normal(0, 1, len(scored)) if weight else 0.0
                logit = weight * (2.0 * y - 1) + noise - (0.5 if fit == "segment" else 0.0)
                tables.append(
                    pd.DataFrame(
                        {"decision": sequences.decisions.decision.to_numpy()[scored],
                         "model": name, "fit": fit, "seed": number,
                         "p": (1 / (1 + np.exp(-logit))).astype("float32")}
                    )
                )  # fmt: skip
    families = {"constant": "floor", "poor": "baseline", "good": "network"}
    fits_made = pd.DataFrame(
        [
            {"model": name, "title": f"The {name} one", "family": family, "seed": number,
             "seconds": 1.0 + number, "parameters": 7.0, "settings": 1, "fallbacks": ""}
            for name, family in families.items()
            for number in seeds
        ]
    )  # fmt: skip
    return Comparison(pd.concat(tables, ignore_index=True), fits_made, pd.DataFrame())
