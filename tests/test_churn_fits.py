"""The comparison of models: who is trained on what, who is asked what, and what is kept."""

from __future__ import annotations

import dataclasses
import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression

from precmark.churn import Model, compare, fits, models, network_variants, shelf
from precmark.errors import InputError
from precmark.tables import read_table
from precmark.training import SequenceClassifier
from tests.churn_cases import Line, chosen, decisions, rows_of
from tests.conftest import ROOT


@pytest.fixture
def log(tmp_path):
    folder = tmp_path / "log"
    folder.mkdir()
    return folder


def seen(log) -> list[dict]:
    """What each fit so far was given."""
    return [dict(np.load(path)) for path in sorted(log.glob("*.npz"))]


def without_times(comparison):
    """The tables of `comparison` as plain values, without what a clock measured."""
    tables = comparison.predictions, comparison.fits.drop(columns="seconds"), comparison.histories
    return [table.to_csv(index=False) for table in tables]


# ---- who sees what


@pytest.mark.parametrize("by", ["split", "random_split"])
def test_models_learn_from_training_and_are_asked_validation_and_test(log, by):
    sequences = decisions(first=1_000)
    found = compare(sequences, chosen(log), by=by, seeds=(3, 5), n_jobs=1)
    train, held_out = rows_of(sequences, "train", by), rows_of(sequences, "validation", by)
    fitted = seen(log)
    assert sorted(int(f["seed"]) for f in fitted) == [3, 3, 5, 5]
    for given in fitted:
        assert given["train"].tolist() == train
        assert given["y"].tolist() == sequences.y[train].tolist()
        assert given["validation"].tolist() == held_out
        assert given["y_validation"].tolist() == sequences.y[held_out].tolist()
    asked = sorted(held_out + rows_of(sequences, "test", by))
    for _, same in found.predictions.groupby(["model", "fit", "seed"]):
        assert (np.sort(same.decision) - 1_000).tolist() == asked
    kinds = found.predictions[["model", "fit", "seed"]].drop_duplicates()
    assert {tuple(k) for k in kinds.itertuples(index=False)} == {
        (model, fit, seed)
        for seed in (3, 5)
        for model, fit in [("constant", "pooled"), ("line", "pooled"), ("net", "pooled"),
                           ("net", "last epoch")]
    }  # fmt: skip
    assert found.predictions.p.dtype == np.float32


def test_predictions_are_those_of_each_model_fitted_by_hand():
    sequences = decisions()
    found = compare(sequences, chosen(), n_jobs=1)
    train = rows_of(sequences, "train")
    line = LogisticRegression().fit(sequences.X[train, 0, :1], sequences.y[train])
    said = found.predictions.set_index(["model", "fit", "decision"]).p
    for row in rows_of(sequences, "test"):
        x = float(line.decision_function(sequences.X[[row], 0, :1])[0])
        p = {"pooled": 1 / (1 + np.exp(-x)), "last epoch": 1 / (1 + np.exp(-x / 2))}
        assert said["line", "pooled", row] == pytest.approx(p["pooled"], abs=1e-6)
        assert said["net", "pooled", row] == pytest.approx(p["pooled"], abs=1e-6)
        assert said["net", "last epoch", row] == pytest.approx(p["last epoch"], abs=1e-6)
        assert said["constant", "pooled", row] == pytest.approx(sequences.y[train].mean(), abs=1e-6)


def test_each_segment_is_asked_of_its_own_model(log):
    sequences = decisions(4_000, seed=2)
    rng = np.random.default_rng(0)
    segments = rng.choice([0, 1, 2, 3], len(sequences), p=[0.3, 0.5, 0.18, 0.02])
    # What tells y apart differs between the segments.
    sequences.y[segments == 1] = 1 - sequences.y[segments == 1]
    found = compare(sequences, chosen(log), segments=segments, n_jobs=1)
    said = found.predictions.set_index(["model", "fit", "decision"]).p.sort_index()
    train = np.array(rows_of(sequences, "train"))
    own = {s: train[segments[train] == s] for s in (0, 1, 2, 3)}
    small = [s for s in own if len(own[s]) < 320]
    assert small == [2, 3]
    held_out = np.array(rows_of(sequences, "validation"))
    given = {(tuple(f["train"]), tuple(f["validation"])) for f in seen(log)}
    assert given == {
        (tuple(train), tuple(held_out)),
        *((tuple(own[s]), tuple(held_out[segments[held_out] == s])) for s in (0, 1)),
    }
    asked = rows_of(sequences, "test")
    for s in own:
        rows = train if s in small else own[s]
        line = LogisticRegression().fit(sequences.X[rows, 0, :1], sequences.y[rows])
        mine = [row for row in asked if segments[row] == s]
        p = line.predict_proba(sequences.X[mine, 0, :1])[:, 1]
        for name in ("line", "net"):
            np.testing.assert_allclose(said[name, "segment"].loc[mine], p, atol=1e-6)
        rate = sequences.y[rows].mean()
        np.testing.assert_allclose(said["constant", "segment"].loc[mine], rate, atol=1e-6)
    pooled = LogisticRegression().fit(sequences.X[train, 0, :1], sequences.y[train])
    p = pooled.predict_proba(sequences.X[asked, 0, :1])[:, 1]
    np.testing.assert_allclose(said["line", "pooled"].loc[asked], p, atol=1e-6)
    for words in found.fits.fallbacks:
        assert words == "; ".join(
            f"{s}: {len(own[s]):,} training decisions, fewer than 320" for s in small
        )


def test_tables_keep_the_order_of_the_models_whatever_they_cost():
    sequences = decisions()
    backwards = dict(reversed(chosen().items()))
    for asked in (chosen(), backwards):
        found = compare(sequences, asked, seeds=(0, 1), n_jobs=1)
        assert found.fits.model.unique().tolist() == list(asked)
        assert found.predictions.model.unique().tolist() == list(asked)
        assert found.fits.seed.tolist() == [0, 1] * 3
    table = found.fits.set_index(["model", "seed"])
    assert (table.title["line"] == "A line").all() and (table.family["net"] == "network").all()
    assert table.settings["line"].tolist() == [4, 4]
    assert (table.parameters["net"] == 2).all()
    assert table.parameters[["constant", "line"]].isna().all()
    assert (table.seconds > 0).all()
    assert found.histories.model.unique().tolist() == ["net"]
    assert found.histories.groupby("seed").epoch.apply(list).to_dict() == {0: [1, 2], 1: [1, 2]}


def test_processes_change_nothing():
    sequences = decisions()
    alone = compare(sequences, chosen(), seeds=(0, 1), n_jobs=1)
    shared = compare(sequences, chosen(), seeds=(0, 1), n_jobs=2)
    assert without_times(alone) == without_times(shared)
    p = alone.predictions[alone.predictions.model == "line"].set_index(["seed", "decision"]).p
    assert (p[1] > p[0]).all()


# ---- what is kept


def test_a_kept_fit_is_found_again(log, tmp_path):
    sequences, keep = decisions(), tmp_path / "keep"
    first = compare(sequences, chosen(log), n_jobs=1, keep=keep)
    files = {path: path.stat().st_mtime_ns for path in keep.iterdir()}
    assert len(files) == 9 and len(seen(log)) == 2
    again = compare(sequences, chosen(log), n_jobs=1, keep=keep)
    assert len(seen(log)) == 2
    assert {path: path.stat().st_mtime_ns for path in keep.iterdir()} == files
    assert without_times(again) == without_times(first)
    assert again.fits.seconds.tolist() == first.fits.seconds.tolist()
    # One more model or seed costs one more fit.
    compare(sequences, chosen(log), seeds=(0, 1), n_jobs=1, keep=keep)
    assert [int(f["seed"]) for f in seen(log)].count(1) == 2 and len(seen(log)) == 4


def flipped(sequences):
    sequences.y[0] = 1 - sequences.y[0]


def another_value(sequences):
    sequences.X[0, 0, 0] += 1


def another_coupon(sequences):
    sequences.decisions.loc[0, "coupon"] = not sequences.decisions.coupon[0]


def another_part(sequences):
    sequences.decisions.loc[sequences.decisions.index[-1], "split"] = "purged"


@pytest.mark.parametrize("change", [flipped, another_value, another_coupon, another_part])
def test_other_data_are_fitted_anew(log, tmp_path, change):
    sequences, asked = decisions(), {"line": chosen(log)["line"]}
    compare(sequences, asked, n_jobs=1, keep=tmp_path / "keep")
    change(sequences)
    kept = compare(sequences, asked, n_jobs=1, keep=tmp_path / "keep")
    assert len(seen(log)) == 2
    assert without_times(kept) == without_times(compare(sequences, asked, n_jobs=1))


def test_other_settings_segments_splits_and_code_are_fitted_anew(log, tmp_path, monkeypatch):
    sequences, keep = decisions(), tmp_path / "keep"
    segments = np.arange(len(sequences)) % 2

    def fitted(C=1.0, **given) -> int:
        before = len(seen(log))
        asked = {"line": chosen(log, C)["line"]}
        found = compare(sequences, asked, n_jobs=1, keep=keep, **given)
        assert found.predictions.fit.eq("segment").any() == ("segments" in given)
        return len(seen(log)) - before

    assert fitted() == 1
    assert fitted(C=2.0) == 1
    assert fitted(by="random_split") == 1
    assert fitted(segments=segments) == 1
    assert fitted(segments=1 - segments) == 1
    monkeypatch.setattr(shelf, "code", lambda: "another")
    assert fitted() == 1
    monkeypatch.undo()
    assert fitted() + fitted(C=2.0) + fitted(segments=segments) == 0


def test_the_key_follows_the_code_of_the_models(tmp_path, monkeypatch):
    code = shelf.code()
    assert code == shelf.code()
    for name in ("networks", "training", "baselines", "churn"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "one.py").write_text("1")
    (tmp_path / "churn" / "fits.py").write_text("1")
    monkeypatch.setattr(shelf, "__file__", str(tmp_path / "churn" / "fits.py"))
    codes = [shelf.code()]
    for name in ("networks/one", "training/one", "baselines/one", "churn/fits"):
        (tmp_path / f"{name}.py").write_text("2")
        codes.append(shelf.code())
    assert len({code, *codes}) == 6


def test_a_fit_that_was_cut_off_while_it_was_written_is_made_again(log, tmp_path, monkeypatch):
    sequences, keep, asked = decisions(), tmp_path / "keep", {"net": chosen(log)["net"]}
    write, calls = pq.write_table, []

    def cut_off(table, path, **given):
        calls.append(path)
        if len(calls) == 2:
            path.write_bytes(b"PAR1 and no more")
            raise KeyboardInterrupt
        write(table, path, **given)

    monkeypatch.setattr(pq, "write_table", cut_off)
    with pytest.raises(KeyboardInterrupt):
        compare(sequences, asked, n_jobs=1, keep=keep)
    monkeypatch.undo()
    (left,) = keep.iterdir()
    assert left.name.endswith("-predictions.parquet") and len(read_table(left))
    found = compare(sequences, asked, n_jobs=1, keep=keep)
    assert len(seen(log)) == 2 and len(list(keep.iterdir())) == 3
    assert without_times(found) == without_times(compare(sequences, asked, n_jobs=1))


class Stuck(Line):
    """Says that it has begun, and never ends."""

    def fit(self, X, y, *, validation=None):
        super().fit(X, y, validation=validation)
        time.sleep(600)
        return self


KILLED = """
import sys
from functools import partial
from pathlib import Path
from precmark.churn import Model, compare
from tests.churn_cases import chosen, decisions
from tests.test_churn_fits import Stuck
log, keep = map(Path, sys.argv[1:])
stuck = Model("stuck", "Stuck", "baseline", partial(Stuck, log=str(log)), 1, 0.1)
asked = {"stuck": stuck, "line": chosen(log)["line"]}
compare(decisions(), asked, n_jobs=1, keep=keep)
"""


def test_a_killed_comparison_keeps_what_was_finished(log, tmp_path):
    keep = tmp_path / "keep"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(log), str(keep)], cwd=ROOT, env=environment
    )
    try:
        deadline = time.monotonic() + 60
        while len(list(log.glob("*.npz"))) < 2 and child.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert child.poll() is None
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    names = sorted(path.name.rsplit("-")[1] for path in keep.iterdir())
    assert names == ["fits.parquet", "histories.parquet", "predictions.parquet"]
    compare(decisions(), {"line": chosen(log)["line"]}, n_jobs=1, keep=keep)
    assert len(list(log.glob("*.npz"))) == 2


# ---- the models of the chapters


def test_every_model_can_be_sent_to_a_process_and_named_in_a_key():
    found = models(("a", "b"), epochs=7)
    families = [m.family for m in found.values()]
    assert families == sorted(families, key=fits.FAMILIES.index) and set(families) == set(
        fits.FAMILIES
    )
    variants = network_variants(epochs=7)
    for name, model in {**found, **variants}.items():
        assert model.name == name and model.settings >= 1
        one = pickle.loads(pickle.dumps(model)).make(3)
        # An object's address in the key would never be found again.
        assert " at 0x" not in str(one.get_params())
        if model.family == "network":
            assert one.get_params()["seed"] == 3 and one.get_params()["epochs"] == 7
    parameters = {str(v.make(0).get_params()) for v in variants.values()}
    assert len(parameters) == len(variants)
    whole = str(variants["c-att-lstm"].make(0).get_params())
    assert whole == str(found["c-att-lstm"].make(0).get_params())
    assert dataclasses.replace(found["cnn"], weight=1.0).make is found["cnn"].make


def test_models_are_left_out_by_name():
    every = list(models(("a",)))
    assert list(models(("a",), leave_out=" ann, cnn,")) == [
        name for name in every if name not in ("ann", "cnn")
    ]
    with pytest.raises(InputError) as refused:
        models(("a",), leave_out="anm,constant,c-att-lstm")
    assert all(name in str(refused.value) for name in ("'anm'", "constant has", "c-att-lstm has"))


def small_network(seed: int) -> SequenceClassifier:
    return SequenceClassifier(
        "c-att-lstm", epochs=2, batch_size=16, seed=seed, progress=False,
        network_parameters={"filters": 8, "hidden": 4},
    )  # fmt: skip


def test_a_kept_network_serves_segments_without_being_trained_again(tmp_path, monkeypatch):
    sequences, keep = decisions(), tmp_path / "keep"
    asked = {"net": Model("net", "A network", "network", small_network, 2)}
    first = compare(sequences, asked, n_jobs=1, keep=keep)
    # Segments this small are all served by the pooled network.
    segments = np.arange(len(sequences)) % 2

    def refuse(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(SequenceClassifier, "fit", refuse)
    found = compare(sequences, asked, segments=segments, n_jobs=1, keep=keep)
    p = found.predictions.pivot(index="decision", columns="fit", values="p")
    before = first.predictions.pivot(index="decision", columns="fit", values="p")
    np.testing.assert_array_equal(p[["pooled", "last epoch"]], before[["pooled", "last epoch"]])
    np.testing.assert_allclose(p["segment"], before["pooled"], atol=1e-6)
    assert found.histories.equals(first.histories)
    assert (found.fits.seconds >= first.fits.seconds).all()
    monkeypatch.undo()
    anew = compare(sequences, asked, segments=segments, n_jobs=1)
    assert anew.fits.fallbacks.tolist() == found.fits.fallbacks.tolist()
    order = ["fit", "decision"]
    pd.testing.assert_frame_equal(
        anew.predictions.sort_values(order, ignore_index=True),
        found.predictions.sort_values(order, ignore_index=True), atol=1e-6,
    )  # fmt: skip
