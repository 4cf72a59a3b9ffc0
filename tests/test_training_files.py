"""Checkpoints: the same bits after a resume, and refusal of all that is not one of ours."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from precmark.errors import InputError
from precmark.training import SequenceClassifier, read_checkpoint
from tests.conftest import ROOT
from tests.test_training import Line, Noisy, sequences

SMALL = {"network_parameters": {"filters": 4, "hidden": 4}}


def same(one: SequenceClassifier, other: SequenceClassifier) -> None:
    """Both hold the same weights, history (seconds apart), scaler and optimiser, to the bit."""
    for kind in ("best", "last"):
        weights, others = one.module(kind).state_dict(), other.module(kind).state_dict()
        assert weights.keys() == others.keys()
        assert all(torch.equal(weights[name], others[name]) for name in weights)
    history, others = (m.history_.drop(columns="seconds") for m in (one, other))
    pd.testing.assert_frame_equal(history, others, check_exact=True)
    assert one.best_epoch_ == other.best_epoch_ and one.notes_ == other.notes_
    np.testing.assert_array_equal(one.scaler_.mean, other.scaler_.mean)
    for i, state in one.trained_.adam.items():
        assert all(torch.equal(t, other.trained_.adam[i][name]) for name, t in state.items())


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A fitted classifier, its file, and the data it was fitted to."""
    X, y = sequences(n=80)
    X[:, 2][~np.isnan(X[:, 2])] = 1
    held_out = sequences(n=40, seed=1)
    model = SequenceClassifier(epochs=2, seed=3, **SMALL).fit(X, y, validation=held_out)
    path = model.save(tmp_path_factory.mktemp("files") / "model.safetensors")
    return model, path, X, y, held_out


def test_what_was_saved_comes_back_to_the_bit(saved):
    model, path, X, _, _ = saved
    loaded = SequenceClassifier.load(path)
    same(model, loaded)
    for epoch in ("best", "last"):
        np.testing.assert_array_equal(
            model.predict_proba(X, epoch=epoch), loaded.predict_proba(X, epoch=epoch)
        )
    assert loaded.get_params() == model.get_params()
    again = loaded.save(path.with_name("again.safetensors"))
    assert again.read_bytes() == path.read_bytes()


def test_a_network_of_ones_own_needs_its_class(tmp_path):
    X, y = sequences()
    model = SequenceClassifier(Noisy, epochs=1).fit(X, y)
    path = model.save(tmp_path / "own.safetensors")
    same(model, SequenceClassifier.load(path, network=Noisy))
    with pytest.raises(InputError, match=r"holds a network 'tests\.test_training\.Noisy'"):
        SequenceClassifier.load(path)
    with pytest.raises(InputError, match=r"not tests\.test_training\.Line"):
        SequenceClassifier.load(path, network=Line)


@pytest.mark.parametrize("settings", [SMALL, {"network": Noisy, "class_weight": "balanced"}])
def test_a_resumed_fit_ends_in_the_same_bits(tmp_path, settings):
    X, y = sequences(n=80)
    held_out = sequences(n=40, seed=1)
    path = tmp_path / "c.safetensors"
    whole = SequenceClassifier(epochs=5, **settings).fit(X, y, validation=held_out)
    SequenceClassifier(epochs=2, checkpoint=path, **settings).fit(X, y, validation=held_out)
    assert len(read_checkpoint(path).trained.history) == 2
    rest = SequenceClassifier(epochs=5, checkpoint=path, **settings)
    rest.fit(X, y, validation=held_out, resume=True)
    same(whole, rest)
    done = SequenceClassifier(epochs=5, checkpoint=path, **settings)
    same(whole, done.fit(X, y, validation=held_out, resume=True))


def test_a_fit_that_stopped_early_stays_stopped(tmp_path):
    X, y = sequences(n=40)
    held_out = sequences(n=60, seed=1)
    path = tmp_path / "c.safetensors"
    settings = {"network": Line, "learning_rate": 0.1, "early_stopping": 2, "checkpoint": path}
    model = SequenceClassifier(epochs=60, **settings).fit(X, y, validation=held_out)
    again = SequenceClassifier(epochs=90, **settings)
    same(model, again.fit(X, y, validation=held_out, resume=True))


KILLED = """
import sys
from precmark.training import SequenceClassifier
from tests.test_training import sequences
X, y = sequences(n=400)
SequenceClassifier(epochs=2000, checkpoint=sys.argv[1], **{settings}).fit(X, y)
"""


def test_a_killed_fit_leaves_a_whole_checkpoint_and_goes_on_to_the_same_bits(tmp_path):
    path = tmp_path / "c.safetensors"
    script = KILLED.format(settings=SMALL)
    process = subprocess.Popen([sys.executable, "-c", script, path], cwd=ROOT)
    until = time.monotonic() + 60
    while not path.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = len(read_checkpoint(path).trained.history)
    assert 1 <= done < 2000
    X, y = sequences(n=400)
    rest = SequenceClassifier(epochs=done + 2, checkpoint=path, **SMALL)
    rest.fit(X, y, resume=True)
    same(SequenceClassifier(epochs=done + 2, **SMALL).fit(X, y), rest)


# ---- refused


def test_resuming_with_other_parameters_or_data_says_which(tmp_path):
    X, y = sequences()
    path = tmp_path / "c.safetensors"
    SequenceClassifier(epochs=3, checkpoint=path, **SMALL).fit(X, y)
    before = path.read_bytes()

    def refusal(X, y, validation=None, **changed):
        settings = {"epochs": 4, "checkpoint": path} | SMALL | changed
        with pytest.raises(InputError) as caught:
            SequenceClassifier(**settings).fit(X, y, validation=validation, resume=True)
        return str(caught.value)

    text = refusal(X, y, learning_rate=0.01, seed=9)
    assert "learning_rate was 0.001 and is now 0.01" in text and "seed was 0 and is now 9" in text
    assert "network was 'c-att-lstm' and is now 'lstm'" in refusal(X, y, network="lstm")
    assert "network_parameters was" in refusal(X, y, network_parameters={"filters": 8})
    assert "other sequences, labels or validation" in refusal(X + 1, y)
    assert "other sequences, labels or validation" in refusal(X, 1 - y)
    assert "other sequences, labels or validation" in refusal(X, y, (X, y))
    assert "4 channels and 6 steps, the sequences have 4 and 5" in refusal(X[:, :, :5], y)
    assert "holds 3 epochs, more than epochs=2" in refusal(X, y, epochs=2)
    assert "Give checkpoint=PATH" in refusal(X, y, checkpoint=None)
    assert "no checkpoint at" in refusal(X, y, checkpoint=tmp_path / "none")
    assert path.read_bytes() == before


def test_a_file_cut_off_anywhere_is_refused(saved, tmp_path):
    raw = saved[1].read_bytes()
    path = tmp_path / "cut.safetensors"
    for length in [0, 1, 7, 8, 9, 100, *np.linspace(200, len(raw) - 1, 20, dtype=int)]:
        path.write_bytes(raw[:length])
        with pytest.raises(InputError, match="cut off or is no checkpoint"):
            SequenceClassifier.load(path)


def test_a_file_changed_anywhere_is_refused(saved, tmp_path):
    raw = saved[1].read_bytes()
    path = tmp_path / "changed.safetensors"
    places = np.random.default_rng(0).choice(len(raw), 250, replace=False)
    for place in [*range(12), *places]:
        changed = bytearray(raw)
        changed[place] ^= 1 << (place % 7)
        path.write_bytes(changed)
        with pytest.raises(InputError):
            SequenceClassifier.load(path)
    with safe_open(saved[1], "pt") as file:
        tensors, metadata = {k: file.get_tensor(k) for k in file.keys()}, file.metadata()  # noqa: SIM118
    tensors["best.out.bias"] += 1e-3
    save_file(tensors, path, metadata)
    with pytest.raises(InputError, match="was changed after it was written"):
        SequenceClassifier.load(path)


def test_weights_of_another_architecture_are_refused(saved, tmp_path):
    _, _, X, y, _ = saved
    other = SequenceClassifier(Line, epochs=1).fit(X, y)
    other.network = "c-att-lstm"
    path = other.save(tmp_path / "mixed.safetensors")
    with pytest.raises(InputError, match="weights of another architecture than c-att-lstm"):
        SequenceClassifier.load(path)


def test_what_is_no_checkpoint_is_refused_and_never_executed(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(InputError, match="no checkpoint at"):
        SequenceClassifier.load(path)
    with pytest.raises(InputError, match="no checkpoint at"):
        SequenceClassifier.load(tmp_path)

    class Payload:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "executed"),))

    pickled = pickle.dumps(Payload())
    torch.save({"weights": torch.zeros(3)}, tmp_path / "torch.pt")
    for raw in (pickled, b"text\n", json.dumps({}).encode(), (tmp_path / "torch.pt").read_bytes()):
        path.write_bytes(raw)
        with pytest.raises(InputError, match="is no checkpoint"):
            SequenceClassifier.load(path)
    assert not (tmp_path / "executed").exists()
    for metadata in (None, {"precmark": '{"format": "precmark sequence classifier 0"}'}):
        save_file({"a": torch.zeros(2)}, path, metadata)
        with pytest.raises(InputError, match="no checkpoint of this version"):
            SequenceClassifier.load(path)


def test_nothing_is_left_half_written(saved, tmp_path):
    model = saved[0]
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(InputError, match="could not be written"):
        model.save(target)
    assert list(tmp_path.iterdir()) == [target] and not list(target.iterdir())
    with pytest.raises(InputError, match="not fitted"):
        SequenceClassifier().save(tmp_path / "x")
