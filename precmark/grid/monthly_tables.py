"""Tables 1, 2 and 6 with ours beside: accuracy by month, four rates, precision and recall."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from precmark import metrics
from precmark.claims import paper
from precmark.grid.fits import MODEL_TITLES, NETWORKS, PAPER_KEYS, Answer
from precmark.grid.months import TESTED, Monthly

CONSTANT = "constant"
ATTENTION, HYBRID = "lstm-attention", "cnn-lstm-attention"
FIRST = 7
"""The paper's first month."""

RATES = ("sensitivity", "specificity", "accuracy", "matthews")
"""Table 2's rows."""


def paper_month(data: Monthly, number: int) -> int:
    """The paper's month, 7 to 12, that month `number` stands for; others follow or precede it."""
    return number - (len(data.months) - TESTED) + FIRST


def table1(
    data: Monthly, answers: Sequence[Answer], *, draws: int = 300, seed: int = 0
) -> pd.DataFrame:
    """Accuracy in training and on the following month, and average precision there.

    Parameters
    ----------
    data : Monthly
    answers : sequence of Answer
        To :func:`~precmark.grid.fits.table1_asks`.
    draws, seed : int
        Of the bootstrap over users.

    Returns
    -------
    pandas.DataFrame
        One row a line of Table 1 and model: ``row`` ("7-8"), ``train`` and ``test`` (months of the
        log), ``model``, ``train_accuracy``, ``accuracy``, ``accuracy_low``, ``accuracy_high``,
        ``average_precision`` with ``ap_low`` and ``ap_high``, ``paper_train`` and ``paper_test``
        (accuracy as printed; not a number where the paper has none, as for the row 7-12 that
        nobody trains), and ``base_rate`` of the test month. The constant says what is more
        frequent in training.
    """
    found = []
    for (first, last), mine in _by_training(answers).items():
        test = mine[0].rows["test"]
        y = data.y[test]
        name = f"{paper_month(data, first)}-{paper_month(data, last)}"
        rate = float(data.y[mine[0].rows["train"]].mean())
        drawn = metrics.bootstrap(
            y, {CONSTANT: np.full(len(y), rate), **{a.ask.model: a.p["test"] for a in mine}},
            data.decisions["user_code"].to_numpy()[test],
            metrics=["accuracy", "average_precision"], draws=draws, seed=seed,
        )  # fmt: skip
        wide = drawn.table().pivot(index="model", columns="metric")
        trained = {CONSTANT: max(rate, 1 - rate)}
        for a in mine:
            trained[a.ask.model] = float(
                ((a.p["train"] >= 0.5) == data.y[a.rows["train"]].astype(bool)).mean()
            )
        for model, accuracy in trained.items():
            here = wide.loc[model]
            found.append(
                {"row": name, "train": _span(data, first, last),
                 "test": data.months[mine[0].ask.test], "model": model,
                 "train_accuracy": accuracy, "accuracy": here["value", "accuracy"],
                 "accuracy_low": here["low", "accuracy"], "accuracy_high": here["high", "accuracy"],
                 "average_precision": here["value", "average_precision"],
                 "ap_low": here["low", "average_precision"],
                 "ap_high": here["high", "average_precision"],
                 "paper_train": _printed(model, "train", name),
                 "paper_test": _printed(model, "test", name), "base_rate": float(y.mean())}
            )  # fmt: skip
    return pd.DataFrame(found)


def _by_training(answers: Sequence[Answer]) -> dict[tuple[int, int], list[Answer]]:
    found: dict[tuple[int, int], list[Answer]] = {}
    for answer in answers:
        found.setdefault((answer.ask.first, answer.ask.last), []).append(answer)
    return found


def _span(data: Monthly, first: int, last: int) -> str:
    months = data.months
    return months[first] if first == last else f"{months[first]} to {months[last]}"


def _printed(model: str, kind: str, row: str) -> float:
    if model not in PAPER_KEYS:
        return float("nan")
    return paper("liu", f"table1.{PAPER_KEYS[model]}_{kind}_{row.replace('-', '_')}")


def table1_text(table: pd.DataFrame) -> pd.DataFrame:
    """Table 1 for readers: a line a row of the paper, for each model "paper / ours" in testing."""
    order = [m for m in MODEL_TITLES if m in set(table["model"])]
    text = table.assign(
        text=[
            f"{r.accuracy:.2f}"
            if np.isnan(r.paper_test)
            else f"{r.paper_test:.2f} / {r.accuracy:.2f}"
            for r in table.itertuples()
        ]
    )
    rows = list(dict.fromkeys(table["row"]))
    wide = text.pivot(index="row", columns="model", values="text").loc[rows, order]
    wide.columns = [MODEL_TITLES[m] for m in order]
    first = table.drop_duplicates("row").set_index("row").loc[rows]
    wide.insert(0, "tested on", first["test"])
    wide.insert(0, "trained on", first["train"])
    return wide.reset_index(names="paper's months")


def mean_gaps(
    data: Monthly, answers: Sequence[Answer], first: str, *, draws: int = 300, seed: int = 0
) -> pd.DataFrame:
    """Mean over the twelve rows of what `first` is ahead by, with intervals over users.

    Parameters
    ----------
    data, answers, draws, seed
        See :func:`table1`.
    first : str
        A model.

    Returns
    -------
    pandas.DataFrame
        ``than``, ``metric`` (accuracy, average_precision), ``difference``, ``low``, ``high``,
        ``favours`` ("first", "second", "neither"), ``rows_ahead`` (of the rows, in how many
        `first` has the higher value). The rows share test months and users, so their draws are
        one: each user is drawn with all decisions.
    """
    by_row = _by_training(answers)
    models = [m for m in dict.fromkeys(a.ask.model for a in answers) if m != first]
    names = ["accuracy", "average_precision"]
    value, drawn = _row_metrics(data, by_row, [first, *models], names, draws, seed)
    found = []
    for i, model in enumerate(models, 1):
        for k, metric in enumerate(names):
            gap = drawn[:, 0, k] - drawn[:, i, k]
            low, high = np.nanpercentile(gap.mean(axis=0), (2.5, 97.5))
            each = value[:, 0, k] - value[:, i, k]
            favours = "first" if low > 0 else "second" if high < 0 else "neither"
            found.append(
                {"than": model, "metric": metric, "difference": float(each.mean()),
                 "low": float(low), "high": float(high), "favours": favours,
                 "rows_ahead": int((each > 0).sum())}
            )  # fmt: skip
    return pd.DataFrame(found)


def _row_metrics(data, by_row, models, names, draws, seed) -> tuple[np.ndarray, np.ndarray]:
    """(rows, models, metrics) and the same drawn, (rows, models, metrics, draws).

    Every row draws from the same list of users with the same seed, so that a user counts as often
    in one row as in another.
    """
    everybody = np.unique(data.decisions["user_code"])
    values, drawn = [], []
    for mine in by_row.values():
        said = {a.ask.model: a.p["test"] for a in mine}
        test = mine[0].rows["test"]
        users = np.searchsorted(everybody, data.decisions["user_code"].to_numpy()[test])
        made = _shared_draws(
            data.y[test], [said[m] for m in models], users, len(everybody), names, draws, seed
        )
        values.append(made[0])
        drawn.append(made[1])
    return np.stack(values), np.stack(drawn)


def _shared_draws(y, scores, users, n_users, names, draws, seed):
    """Metrics of `scores`, and with every user weighed as drawn out of all `n_users`."""
    from precmark.metrics.measures import areas, from_sums, rank, sums
    from precmark.metrics.resampling import user_weights

    values = np.empty((len(scores), len(names)))
    drawn = np.empty((len(scores), len(names), draws))
    tools = []
    ones = np.ones((n_users, 1))
    for i, p in enumerate(scores):
        order = rank(y, p, users, n_users)
        by_user = sums(y, p, 0.5, users, n_users)
        tools.append((order, by_user))
        values[i] = _both(order, by_user, ones, areas, from_sums)[:, 0]
    at = 0
    for weights in user_weights(n_users, draws, seed):
        for i, (order, by_user) in enumerate(tools):
            drawn[i, :, at : at + weights.shape[1]] = _both(
                order, by_user, weights, areas, from_sums
            )
        at += weights.shape[1]
    return values, drawn


def _both(order, by_user, weights, areas, from_sums) -> np.ndarray:
    return np.stack([from_sums(by_user @ weights)["accuracy"], areas(order, weights)[1]])


def table2(
    data: Monthly, answers: Sequence[Answer], *, draws: int = 300, seed: int = 0
) -> pd.DataFrame:
    """Table 2: four rates of each model on the last month, thresholds chosen on held-out users.

    Parameters
    ----------
    data, draws, seed
        See :func:`table1`.
    answers : sequence of Answer
        Those of Table 1; the ones trained on the paper's months 7 to 11 count.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``metric`` (:data:`RATES`), ``value``, ``low``, ``high``, ``threshold`` (best
        Matthews correlation on the held-out users) and ``paper``; for the constant as well.
    """
    _, mine = max(_by_training(answers).items(), key=lambda kv: kv[0][1] - kv[0][0])
    test, rate = mine[0].rows["test"], float(data.y[mine[0].rows["train"]].mean())
    limits = {
        a.ask.model: metrics.choose_threshold(
            data.y[a.rows["validation"]], a.p["validation"], "matthews"
        ).value
        for a in mine
    }
    found = metrics.metrics_table(
        data.y[test], {a.ask.model: a.p["test"] for a in mine}, limits,
        data.decisions["user_code"].to_numpy()[test], base_rate=rate, metrics=RATES, draws=draws,
        seed=seed,
    )  # fmt: skip
    found = found.assign(threshold=found["model"].map({CONSTANT: 0.5, **limits}))
    short = dict(zip(RATES, (*RATES[:3], "mcc"), strict=True))
    return found.assign(
        paper=[
            paper("liu", f"table2.{PAPER_KEYS[m]}_{short[r]}") if m in PAPER_KEYS else np.nan
            for m, r in zip(found["model"], found["metric"], strict=True)
        ]
    )


def table2_text(table: pd.DataFrame) -> pd.DataFrame:
    """Table 2 for readers: a line a model, each rate as "paper / ours [interval]"."""
    from precmark.metrics.tables import interval_text

    text = table.assign(
        text=[
            ("" if np.isnan(r.paper) else f"{r.paper:.2f} / ")
            + interval_text(r.value, r.low, r.high)
            for r in table.itertuples()
        ]
    )
    models = list(dict.fromkeys(table["model"]))
    wide = text.pivot(index="model", columns="metric", values="text").loc[models, list(RATES)]
    wide.insert(0, "model", [MODEL_TITLES[m] for m in models])
    return wide.rename(columns={"matthews": "Matthews correlation"}).reset_index(drop=True)


def table6(
    data: Monthly, answers: Sequence[Answer], model: str, *, draws: int = 300, seed: int = 0
) -> pd.DataFrame:
    """Table 6: precision, recall and F1 of `model` in the first five tested months, and means.

    Parameters
    ----------
    data, draws, seed
        See :func:`table1`.
    answers : sequence of Answer
        To :func:`~precmark.grid.fits.growing_asks`.
    model : str

    Returns
    -------
    pandas.DataFrame
        ``month`` ("7" to "11", "mean", and "pooled": all decisions of the five months as one
        list), ``test`` (month of the log), ``metric`` (precision, recall, f1), ``value``, ``low``,
        ``high``, ``paper`` and ``base_rate``. The mean of F1 is the mean of the months' F1.
    """
    start = len(data.months) - TESTED
    mine = {a.ask.test: a for a in answers if a.ask.model == model}
    names = ("precision", "recall", "f1")
    rows, pooled = [], []
    for number in range(start, start + TESTED - 1):
        a = mine[number]
        y = data.y[a.rows["test"]]
        limit = metrics.choose_threshold(
            data.y[a.rows["validation"]], a.p["validation"], "f1"
        ).value
        chosen = (a.p["test"] >= limit).astype(float)
        users = data.decisions["user_code"].to_numpy()[a.rows["test"]]
        pooled.append((y, chosen, users))
        month = paper_month(data, number)
        rows += _rates(y, chosen, users, names, str(month), data.months[number], draws, seed)
    whole = [np.concatenate(part) for part in zip(*pooled, strict=True)]
    frame = pd.DataFrame(rows)
    mean = frame.groupby("metric", sort=False)["value"].mean()
    rows += [
        {"month": "mean", "test": "", "metric": m, "value": float(mean[m]), "low": np.nan,
         "high": np.nan, "base_rate": np.nan}
        for m in names
    ]  # fmt: skip
    rows += _rates(*whole, names, "pooled", "", draws, seed)
    out = pd.DataFrame(rows)
    return out.assign(
        paper=[
            np.nan if month == "pooled" else paper("liu", f"table6.{metric}_{month}")
            for month, metric in zip(out["month"], out["metric"], strict=True)
        ]
    )


def _rates(y, chosen, users, names, month: str, test: str, draws: int, seed: int) -> list[dict]:
    drawn = metrics.bootstrap(
        y, chosen, users, thresholds=0.5, metrics=names, draws=draws, seed=seed
    ).table()
    return [
        {"month": month, "test": test, "metric": r.metric, "value": r.value, "low": r.low,
         "high": r.high, "base_rate": float(np.mean(y))}
        for r in drawn.itertuples()
    ]  # fmt: skip


def table6_text(table: pd.DataFrame) -> pd.DataFrame:
    """Table 6 for readers: a line a month, "paper / ours [interval]"."""
    from precmark.metrics.tables import interval_text

    text = table.assign(
        text=[
            ("" if np.isnan(r.paper) else f"{r.paper:.3f} / ")
            + interval_text(r.value, r.low, r.high, 3)
            for r in table.itertuples()
        ]
    )
    months = list(dict.fromkeys(table["month"]))
    wide = text.pivot(index="month", columns="metric", values="text")
    wide = wide.loc[months, ["precision", "recall", "f1"]]
    first = table.drop_duplicates("month").set_index("month").loc[months]
    wide.insert(0, "tested on", first["test"])
    wide["rate of the outcome"] = ["" if np.isnan(v) else f"{v:.3f}" for v in first["base_rate"]]
    return wide.reset_index(names="paper's month")


def attention_models() -> tuple[str, ...]:
    """The two networks that the paper calls the better ones (section 4.1)."""
    return NETWORKS[2:]
