"""Speed of the dialogue: one sentence read, and one turn with its products."""

from __future__ import annotations

import numpy as np

from benchmarks import figure
from precmark.dialogue import readings, study
from precmark.dialogue.intents import load
from precmark.dialogue.shelf import Shelf
from precmark.simulate import simulate


def shelf_of_the_store() -> Shelf:
    """The simulated store's products, learnt from its classroom log."""
    tables = simulate("classroom", seed=11).tables
    events, items = (tables[name].to_pandas() for name in ("events", "items"))
    codes, _ = events.user_id.factorize(sort=True)
    return Shelf(events.assign(user_code=codes), items, currency="CNY")


def run(scale: str = "full") -> list[dict]:
    models = (
        ("logistic", "cnn", "gru", "attention", "together") if scale == "full" else ("logistic",)
    )
    intents = load()
    found = study.shopping(intents)
    fits = study.fit_all(found, models)
    count = 600 if scale == "full" else 60
    texts = [*found.test.text, *found.outside_test]
    texts = [texts[i] for i in np.random.default_rng(0).permutation(len(texts))[:count]]
    times = readings.reading_times(fits, texts).set_index("model")
    talk = {"understanding": fits[0].understanding, "shelf": shelf_of_the_store(),
            "leads_to": intents.leads_to}  # fmt: skip
    readings.turn_times(talk, texts[:12])
    turns = readings.turn_times(talk, texts)[0]
    p50, p99 = turns.milliseconds.quantile([0.5, 0.99])
    shown = turns[turns.action == "recommend"].milliseconds
    target = 50.0 if scale == "full" else None
    return [
        figure("a turn, median", p50, "ms", "lower"),
        figure("a turn, 99th percentile", p99, "ms", "lower", target=target),
        figure("a turn that shows products, 99th percentile", shown.quantile(0.99), "ms", "lower"),
        *[
            figure(f"one sentence read by {name}, 99th percentile", row.p99_ms, "ms", "lower")
            for name, row in times.iterrows()
        ],
        *[
            figure(f"fit of {name} on the shopping intents", row.fit_seconds, "s", "lower")
            for name, row in times.iterrows()
        ],
    ]


if __name__ == "__main__":
    for row in run():
        print(row)
