"""Probabilities made to mean what they say: isotonic and Platt, fitted on validation data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from precmark.errors import InputError, Problem
from precmark.metrics.inputs import checked

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

METHODS = ("isotonic", "platt")

_LOGIT_CLIP = 1e-7
"""Networks saturate: a float32 probability of exactly 1 still needs a finite logit."""

_PLATT_C = 1e4
"""Inverse of the ridge on Platt's slope: without effect unless the classes part perfectly."""


def logit(p: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)), with `p` kept 1e-7 away from 0 and 1."""
    clipped = np.clip(np.asarray(p, dtype=float), _LOGIT_CLIP, 1 - _LOGIT_CLIP)
    return np.log(clipped) - np.log1p(-clipped)


class Calibrator:
    """Maps predicted probabilities to calibrated ones.

    Fit it on validation rows, never on those that the model was trained on. ``"isotonic"`` learns
    any rising step curve; it needs some hundreds of purchases, and by making scores equal it may
    move auROC and average precision a little. ``"platt"`` learns two numbers, sigma(slope x
    logit(p) + intercept); it leaves the order as it is (a model that ranks backwards gets a
    negative slope, which turns the order).

    Parameters
    ----------
    method : str
        ``"isotonic"`` or ``"platt"``.

    Attributes
    ----------
    state_ : dict of str to list of float
        All that was learnt, after :meth:`fit`: ``p`` and ``calibrated`` (corners of the curve,
        straight in between, level beyond), or ``slope`` and ``intercept``.

    References
    ----------
    Platt 1999, Probabilistic outputs for support vector machines; Zadrozny and Elkan 2002,
    doi 10.1145/775047.775151.

    Examples
    --------
    >>> calibrator = Calibrator("isotonic").fit([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1])
    >>> calibrator.transform([0.15, 0.85]).tolist()
    [0.0, 1.0]
    """

    def __init__(self, method: str = "isotonic"):
        if method not in METHODS:
            raise InputError(
                Problem(f"calibration {method!r}: unknown", f"Choose among {', '.join(METHODS)}.")
            )
        self.method = method

    def fit(self, p: ArrayLike, y: ArrayLike) -> Calibrator:
        """Learn from (n,) probabilities `p` and outcomes `y` (0 or 1) of validation rows.

        Raises
        ------
        InputError
            See :func:`~precmark.metrics.inputs.checked`.
        """
        scores = checked(y, p)
        fit = _fit_isotonic if self.method == "isotonic" else _fit_platt
        self.state_ = fit(scores.p[0], scores.y)
        return self

    def transform(self, p: ArrayLike) -> np.ndarray:
        """Calibrated probabilities, float (n,), of (n,) predicted ones.

        Raises
        ------
        InputError
            Before :meth:`fit`.
        """
        if not hasattr(self, "state_"):
            raise InputError("This calibrator has learnt nothing yet. Call fit(p, y) first.")
        given = np.asarray(p, dtype=float)
        if self.method == "isotonic":
            return np.interp(given, self.state_["p"], self.state_["calibrated"])
        slope, intercept = self.state_["slope"][0], self.state_["intercept"][0]
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-(slope * logit(given) + intercept)))

    def to_dict(self) -> dict[str, Any]:
        """Method and :attr:`state_` as plain numbers, fit for JSON."""
        return {"method": self.method, "state": {k: list(v) for k, v in self.state_.items()}}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Calibrator:
        """The calibrator that :meth:`to_dict` described.

        Raises
        ------
        InputError
            When `stored` lacks a part or holds something other than numbers.
        """
        needs = {"isotonic": {"p", "calibrated"}, "platt": {"slope", "intercept"}}
        method, state = stored.get("method"), stored.get("state")
        whole = method in needs and isinstance(state, Mapping) and set(state) == needs[method]
        try:
            numbers = {k: np.asarray(v, dtype=float) for k, v in state.items()} if whole else {}
        except (TypeError, ValueError):
            numbers = {}
        lengths = {v.shape for v in numbers.values()}
        finite = all(np.isfinite(v).all() and v.ndim == 1 and v.size for v in numbers.values())
        if not numbers or len(lengths) != 1 or not finite:
            raise InputError(
                Problem("calibration: what is stored is not a calibrator's", "Fit it again.")
            )
        calibrator = cls(method)
        calibrator.state_ = {k: v.tolist() for k, v in numbers.items()}
        return calibrator


def _fit_isotonic(p: np.ndarray, y: np.ndarray) -> dict[str, list[float]]:
    from sklearn.isotonic import IsotonicRegression

    curve = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(p, y)
    return {"p": curve.X_thresholds_.tolist(), "calibrated": curve.y_thresholds_.tolist()}


def _fit_platt(p: np.ndarray, y: np.ndarray) -> dict[str, list[float]]:
    from sklearn.linear_model import LogisticRegression

    line = LogisticRegression(C=_PLATT_C, tol=1e-8, max_iter=1000).fit(logit(p)[:, None], y)
    return {"slope": [float(line.coef_[0, 0])], "intercept": [float(line.intercept_[0])]}
