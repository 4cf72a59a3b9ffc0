"""The estimator of the networks against a plain PyTorch loop, scikit-learn and hand-made cases."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, log_loss
from sklearn.pipeline import make_pipeline
from sklearn.utils.class_weight import compute_sample_weight
from torch import nn

from precmark.errors import InputError
from precmark.networks import build
from precmark.training import (
    ChannelScaler,
    Diverged,
    SequenceClassifier,
    SlicedBatches,
    TensorRows,
    batch_order,
    choose_device,
)
from precmark.training import progress as progress_module
from precmark.training.loop import BalancedLoss


def sequences(n=100, channels=4, steps=6, seed=0, full=False):
    """Sequences whose label depends on the first channel's sum, with gaps and padding."""
    rng = np.random.default_rng(seed)
    X = rng.normal(3, 2, size=(n, channels, steps)).astype(np.float32)
    if not full:
        X[rng.random(X.shape) < 0.1] = np.nan
        X[:, 0] = rng.normal(3, 2, size=(n, steps))
        length = rng.integers(1, steps + 1, n)
        X[(np.arange(steps) >= length[:, None])[:, None, :].repeat(channels, 1)] = np.nan
    away = np.nansum(X[:, 0] - 3, axis=1)
    y = (away + rng.normal(0, 1, n) > 0.5).astype(np.int8)
    return X, y


class Line(nn.Module):
    """A logistic regression on all channels and steps."""

    def __init__(self, channels, steps):
        super().__init__()
        self.line = nn.Linear(channels * steps, 1)

    def forward(self, x, mask=None):
        return self.line(x.flatten(1)).squeeze(1)


class Noisy(Line):
    """The same with dropout before it: draws random numbers in every step."""

    def forward(self, x, mask=None):
        return super().forward(nn.functional.dropout(x, 0.3, self.training))


class Breaks(Line):
    """Gives NaN at its seventh training step."""

    def __init__(self, channels, steps):
        super().__init__(channels, steps)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x, mask=None):
        if self.training:
            self.calls += 1
            if self.calls == 7:
                return super().forward(x) * float("nan")
        return super().forward(x)


class BreaksLate(Line):
    """Gets an infinite gradient in the eighth step, the last one of its second epoch."""

    def __init__(self, channels, steps):
        super().__init__(channels, steps)
        self.calls = 0
        self.line.weight.register_hook(self._spoil)

    def _spoil(self, gradient):
        self.calls += 1
        return gradient / 0 if self.calls == 8 else gradient


# ---- scaling and batches


def test_scaler_is_mean_and_deviation_of_the_values_that_are_there():
    X, _ = sequences()
    scaler = ChannelScaler.fit(X)
    rows = scaler.transform(X)
    for f in range(X.shape[1]):
        values = [float(v) for v in X[:, f].ravel() if v == v]
        mean = sum(values) / len(values)
        deviation = (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5
        for i in range(len(X)):
            for t in range(X.shape[2]):
                wanted = 0 if np.isnan(X[i, f, t]) else (X[i, f, t] - mean) / deviation
                assert rows.x[i, f, t] == pytest.approx(wanted, abs=2e-6)
    for i in range(len(X)):
        real = [not all(np.isnan(X[i, :, t])) for t in range(X.shape[2])]
        assert rows.mask[i].tolist() == real
    assert scaler.constant == ()


def test_scaler_holds_large_numbers_and_many_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(1e6, 10, size=(40_000, 2, 3)).astype(np.float32)
    scaler = ChannelScaler.fit(X)
    np.testing.assert_allclose(scaler.mean, X.astype(np.float64).mean(axis=(0, 2)))
    np.testing.assert_allclose(scaler.scale, X.astype(np.float64).std(axis=(0, 2)))


def test_full_sequences_need_no_mask():
    X, _ = sequences(full=True)
    assert ChannelScaler.fit(X).transform(X).mask is None


def test_a_constant_channel_becomes_zero_and_is_noted():
    X, y = sequences()
    X[:, 2][~np.isnan(X[:, 2])] = 0.1
    model = SequenceClassifier(Line, epochs=1, channels=["gap", "value", "coupon", "new"]).fit(X, y)
    assert model.notes_ == (
        "channel 2 (coupon) has the same value in all training sequences; it carries nothing.",
    )
    other = X.copy()
    other[:, 2][~np.isnan(other[:, 2])] = 1e9
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(other))


@given(st.integers(1, 700), st.integers(1, 40), st.integers(0, 9), st.integers(1, 5))
@settings(max_examples=50, deadline=None)
def test_each_row_is_in_one_batch_in_the_order_of_the_epoch(n, size, seed, epoch):
    rows = TensorRows(torch.arange(n * 2.0).view(n, 1, 2), None, torch.arange(n * 1.0))
    batches = SlicedBatches(rows, size, seed)
    batches.epoch = epoch
    seen = list(batches)
    assert len(seen) == len(batches) == -(-n // size)
    order = torch.cat([y for _, _, y in seen]).long()
    assert order.tolist() == batch_order(n, seed, epoch).tolist()
    assert sorted(order.tolist()) == list(range(n))
    assert all(len(y) == size for _, _, y in seen[:-1])
    assert batches.rows(len(seen)).tolist() == seen[-1][2].tolist()
    for x, mask, y in seen:
        assert mask is None and torch.equal(x[:, 0, 0], 2 * y)


def test_blocks_of_batches_do_not_change_the_order():
    rows = TensorRows(torch.zeros(1000, 1, 1), None, torch.arange(1000.0))
    order = torch.cat([y for _, _, y in SlicedBatches(rows, 1, seed=3)])
    assert order.tolist() == batch_order(1000, 3, 1).tolist()
    assert order.tolist() != batch_order(1000, 3, 2).tolist()


# ---- the fit


def plain_loop(network, X, y, scaler, *, epochs, seed, rate=1e-3, batch=32, **parameters):
    """Training as one writes it down: scaled arrays, Adam as it comes, one batch after another."""
    torch.manual_seed(seed)
    net = build(network, channels=X.shape[1], steps=X.shape[2], **parameters)
    x = (X - scaler.mean[:, None]) / scaler.scale[:, None]
    x = torch.tensor(np.where(np.isnan(x), 0, x), dtype=torch.float32)
    mask = torch.tensor(~np.isnan(X).all(axis=1))
    label = torch.tensor(y, dtype=torch.float32)
    adam = torch.optim.Adam(net.parameters(), lr=rate, foreach=False)
    losses = []
    for epoch in range(1, epochs + 1):
        order, total = batch_order(len(X), seed, epoch), 0.0
        for start in range(0, len(X), batch):
            rows = order[start : start + batch]
            p = torch.sigmoid(net(x[rows], mask[rows]))
            loss = -(label[rows] * p.log() + (1 - label[rows]) * (1 - p).log()).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
            total += loss.item() * len(rows)
        losses.append(total / len(X))
    return net, losses


@pytest.mark.parametrize("network", ["c-att-lstm", "lstm-attention"])
def test_fit_is_the_plain_loop(network):
    X, y = sequences(n=150)
    sizes = {"filters": 8} if network == "c-att-lstm" else {}
    model = SequenceClassifier(network, network_parameters=sizes, epochs=3, seed=5).fit(X, y)
    net, losses = plain_loop(network, X, y, model.scaler_, epochs=3, seed=5, **sizes)
    for (name, ours), theirs in zip(
        model.module().named_parameters(), net.parameters(), strict=True
    ):
        np.testing.assert_allclose(ours.detach(), theirs.detach(), atol=1e-6, err_msg=name)
    np.testing.assert_allclose(model.history_.train_loss, losses, atol=1e-6)


def test_one_layer_is_logistic_regression():
    X, y = sequences(n=400, channels=3, steps=1, full=True)
    model = SequenceClassifier(Line, epochs=600, batch_size=400, learning_rate=0.2).fit(X, y)
    scaled = (X[:, :, 0] - X[:, :, 0].mean(0)) / X[:, :, 0].std(0)
    reference = LogisticRegression(C=np.inf).fit(scaled, y)
    np.testing.assert_allclose(model.predict_proba(X), reference.predict_proba(scaled), atol=2e-3)
    assert (model.predict(X) == reference.predict(scaled)).mean() > 0.99


def test_history_is_what_sklearn_says_of_the_predictions():
    X, y = sequences(n=40)
    held_out = sequences(n=60, seed=1)
    model = SequenceClassifier(Line, epochs=12, learning_rate=0.1).fit(X, y, validation=held_out)
    history = model.history_
    assert history.epoch.tolist() == list(range(1, 13)) and (history.seconds > 0).all()
    assert model.best_epoch_ == 1 + int(np.argmin(history.valid_loss)) < 12
    for epoch, row in (("last", history.iloc[-1]), ("best", history.loc[model.best_epoch_ - 1])):
        p = model.predict_proba(held_out[0], epoch=epoch)
        np.testing.assert_allclose(p.sum(axis=1), 1)
        assert row.valid_loss == pytest.approx(log_loss(held_out[1], p), abs=1e-6)
        precision = average_precision_score(held_out[1], p[:, 1])
        assert row.valid_average_precision == pytest.approx(precision)
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X, epoch="best"))
    last = clone(model).set_params(keep="last").fit(X, y, validation=held_out)
    np.testing.assert_array_equal(last.predict_proba(X), model.predict_proba(X, epoch="last"))
    assert np.abs(last.predict_proba(X) - model.predict_proba(X)).max() > 1e-4


def test_validation_is_never_trained_on():
    X, y = sequences()
    alone = SequenceClassifier(Line, epochs=3).fit(X, y)
    judged = SequenceClassifier(Line, epochs=3).fit(X, y, validation=sequences(n=50, seed=2))
    np.testing.assert_array_equal(alone.predict_proba(X), judged.predict_proba(X, epoch="last"))
    assert alone.best_epoch_ == 3 and alone.history_.valid_loss.isna().all()


def test_early_stopping_ends_after_the_patience():
    X, y = sequences(n=40)
    held_out = sequences(n=60, seed=1)
    settings = {"network": Line, "learning_rate": 0.1}
    full = SequenceClassifier(epochs=60, **settings).fit(X, y, validation=held_out)
    short = SequenceClassifier(epochs=60, early_stopping=2, **settings)
    short.fit(X, y, validation=held_out)
    losses = full.history_.valid_loss.tolist()
    best, ended = 0, 60
    for epoch in range(1, 60):
        if losses[epoch] < losses[best]:
            best = epoch
        if epoch - best == 2:
            ended = epoch + 1
            break
    assert len(short.history_) == ended < 60
    assert short.history_.valid_loss.tolist() == losses[:ended]
    assert short.best_epoch_ == best + 1


def test_balanced_loss_is_sklearns_balanced_weights():
    rng = np.random.default_rng(0)
    y = (rng.random(90) < 0.2).astype(int)
    logits = torch.tensor(rng.normal(size=90), dtype=torch.float32)
    loss = BalancedLoss(torch.tensor(y, dtype=torch.float32))
    part = slice(10, 50)
    p = torch.sigmoid(logits[part]).double().numpy()
    each = -(y[part] * np.log(p) + (1 - y[part]) * np.log(1 - p))
    wanted = (each * compute_sample_weight("balanced", y)[part]).mean()
    given = float(loss(logits[part], torch.tensor(y[part], dtype=torch.float32)))
    assert given == pytest.approx(wanted, rel=1e-5)


def test_balanced_fit_is_sklearns():
    X, _ = sequences(n=400, channels=3, steps=1, full=True)
    y = (np.random.default_rng(0).random(400) < 0.1 + 0.02 * X[:, 0, 0]).astype(int)
    settings = {"epochs": 300, "batch_size": 400, "learning_rate": 0.1}
    model = SequenceClassifier(Line, class_weight="balanced", **settings).fit(X, y)
    scaled = (X[:, :, 0] - X[:, :, 0].mean(0)) / X[:, :, 0].std(0)
    reference = LogisticRegression(C=np.inf, class_weight="balanced").fit(scaled, y)
    np.testing.assert_allclose(model.predict_proba(X), reference.predict_proba(scaled), atol=2e-3)


def test_same_seed_same_bits_and_nothing_outside_is_disturbed():
    X, y = sequences()
    torch.manual_seed(123)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    one = SequenceClassifier(Noisy, epochs=2, seed=4).fit(X, y).predict_proba(X)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(7)
    again = SequenceClassifier(Noisy, epochs=2, seed=4).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(one, again)
    other = SequenceClassifier(Noisy, epochs=2, seed=5).fit(X, y).predict_proba(X)
    assert np.abs(one - other).max() > 1e-3


def test_rows_are_scored_alone_as_together():
    X, y = sequences(n=120)
    model = SequenceClassifier(epochs=1, network_parameters={"filters": 8}).fit(X, y)
    together = model.predict_proba(X)
    alone = np.concatenate([model.predict_proba(X[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(alone, together[:20], atol=1e-6)
    assert model.predict_proba(X[:0]).shape == (0, 2)


def test_it_is_a_scikit_learn_classifier():
    X, y = sequences()
    model = SequenceClassifier("lstm", network_parameters={"hidden": 4}, epochs=1)
    assert clone(model).get_params() == model.get_params()
    assert SequenceClassifier().get_params() | {"seed": 0} == SequenceClassifier().get_params()
    piped = make_pipeline(model).fit(X, y)
    assert piped.classes_.tolist() == [0, 1]
    assert 0 <= piped.score(X, y) <= 1


def test_the_defaults_are_the_papers_settings():
    given = SequenceClassifier().get_params()
    wanted = {"network": "c-att-lstm", "learning_rate": 0.001, "epochs": 30, "batch_size": 32}
    assert {name: given[name] for name in wanted} == wanted


# ---- when it goes wrong


def test_a_loss_of_nan_names_epoch_batch_and_rows_and_keeps_the_last_epoch(tmp_path):
    X, y = sequences(n=100)
    path = tmp_path / "c.safetensors"
    model = SequenceClassifier(Breaks, epochs=5, batch_size=25, seed=3, checkpoint=path)
    with pytest.raises(Diverged) as caught:
        model.fit(X, y)
    text = str(caught.value)
    assert "epoch 2, batch 3 of 4" in text and "epoch 1 are kept" in text
    first = batch_order(100, 3, 2)[50:55].tolist()
    assert f"index {', '.join(map(str, first))})" in text
    wanted = SequenceClassifier(Line, epochs=1, batch_size=25, seed=3).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), wanted.predict_proba(X))
    stored = SequenceClassifier.load(path, network=Breaks)
    np.testing.assert_array_equal(stored.predict_proba(X), wanted.predict_proba(X))


def test_a_weight_of_infinity_after_the_last_batch_is_found():
    X, y = sequences(n=100)
    model = SequenceClassifier(BreaksLate, epochs=5, batch_size=25)
    with pytest.raises(Diverged, match="a weight became infinite or NaN in epoch 2, batch 4 of 4"):
        model.fit(X, y)
    assert len(model.history_) == 1


def bad(change, **params):
    X, y = sequences()
    X, y, validation = change(X, y)
    return SequenceClassifier(**({"network": Line, "epochs": 1} | params)), X, y, validation


def spoilt(X, place, value):
    X = X.copy()
    X[place] = value
    return X


BAD_DATA = {
    "one class": (lambda X, y: (X, y * 0, None), "all 100 labels are 0"),
    "too few": (lambda X, y: (X[:20], y[:20], None), "20 sequences, fewer than one batch of 32"),
    "none": (lambda X, y: (X[:0], y[:0], None), "0 sequences"),
    "flat": (lambda X, y: (X[:, 0], y, None), "shape (100, 6)"),
    "text": (lambda X, y: (X.astype(str), y, None), "Give sequences as numbers"),
    "infinite": (lambda X, y: (spoilt(X, (7, 0, 0), np.inf), y, None), "1 row (index 7)"),
    "no step": (lambda X, y: (spoilt(X, 8, np.nan), y, None), "without a single step"),
    "left-padded": (
        lambda X, y: (X[:, :, ::-1], y, None),
        "steps do not begin at the left",
    ),
    "lengths": (lambda X, y: (X, y[:50], None), "shape (50,) for 100 sequences"),
    "labels": (lambda X, y: (X, y + 1, None), "other labels than 0 and 1"),
    "label text": (lambda X, y: (X, y.astype(str), None), "Give 0 and 1"),
    "all missing": (
        lambda X, y: (spoilt(X, (slice(None), 3), np.nan), y, None),
        "channel 3 has no",
    ),
    "validation": (lambda X, y: (X, y, (X[:, :2], y)), "2 channels and 6 steps, but the network"),
    "validation labels": (lambda X, y: (X, y, (X, y[:3])), "validation y has shape (3,)"),
    "validation empty": (lambda X, y: (X, y, (X[:0], y[:0])), "validation has no sequences"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_is_refused_in_words(case):
    change, words = BAD_DATA[case]
    model, X, y, validation = bad(change)
    with pytest.raises(InputError) as caught:
        model.fit(X, y, validation=validation)
    assert words in str(caught.value)


BAD_PARAMETERS = {
    "network": ("c-att-lstn", "Did you mean 'c-att-lstm'?"),
    "learning_rate": (-1, "learning_rate is -1"),
    "epochs": (0, "epochs is 0"),
    "batch_size": (2.5, "batch_size is 2.5"),
    "weight_decay": (float("nan"), "weight_decay is nan"),
    "early_stopping": (3, "early_stopping needs sequences to judge by"),
    "class_weight": ("even", "class_weight is 'even'. Give one of None, 'balanced'"),
    "keep": ("first", "keep is 'first'"),
    "seed": (-3, "seed is -3"),
    "threads": (0, "threads is 0"),
    "progress": ("loud", "progress is 'loud'"),
    "device": ("tpu", "device 'tpu' is not here. Use \"auto\", or one of: cpu"),
    "channels": (["one"], "channels names 1 channels, X has 4"),
    "network_parameters": ({"filters": 0}, "filters is 0"),
}


@pytest.mark.parametrize("name", BAD_PARAMETERS)
def test_bad_parameters_are_refused_in_words(name):
    value, words = BAD_PARAMETERS[name]
    X, y = sequences()
    with pytest.raises(InputError) as caught:
        SequenceClassifier(**{name: value}).fit(X, y)
    assert words in str(caught.value)


def test_every_problem_is_listed_at_once():
    X, y = sequences()
    with pytest.raises(InputError) as caught:
        SequenceClassifier("cn", epochs=-1, keep="x").fit(spoilt(X, (0, 0, 0), np.inf), y + 2)
    assert len(caught.value.problems) == 5


def test_scoring_refuses_other_shapes_and_an_unfitted_model():
    X, y = sequences()
    with pytest.raises(InputError, match="not fitted"):
        SequenceClassifier().predict_proba(X)
    model = SequenceClassifier(Line, epochs=1).fit(X, y)
    with pytest.raises(InputError, match="4 channels and 5 steps, but the network was fitted to 4"):
        model.predict_proba(X[:, :, :5])
    with pytest.raises(InputError, match=r"epoch is 'first'"):
        model.predict_proba(X, epoch="first")


def test_devices_are_chosen_by_name():
    wanted = "cuda" if torch.cuda.is_available() else "cpu"
    assert choose_device("auto").type == wanted
    assert choose_device("cpu").type == "cpu"
    if wanted == "cpu":
        with pytest.raises(InputError, match="device 'cuda' is not here"):
            choose_device("cuda")


def test_progress_is_silent_in_a_pipe_unless_asked(capsys, monkeypatch):
    X, y = sequences()
    monkeypatch.setattr(progress_module, "_SAY_EVERY_S", 0)
    SequenceClassifier(Line, epochs=2).fit(X, y, validation=(X, y))
    assert capsys.readouterr() == ("", "")
    model = SequenceClassifier(Line, epochs=2, progress=True).fit(X, y, validation=(X, y))
    said = capsys.readouterr()
    row = model.history_.iloc[1]
    assert said.out == ""
    assert said.err.splitlines()[1] == (
        f"epoch 2 of 2, loss {row.train_loss:.4f}, validation {row.valid_loss:.4f}"
    )


class Interrupted(Breaks):
    """Is interrupted at its seventh training step, as by Ctrl-C."""

    def forward(self, x, mask=None):
        if self.training and self.calls == 6:
            raise KeyboardInterrupt
        return super().forward(x, mask)


def test_an_interrupted_fit_says_so_and_keeps_the_last_epoch(monkeypatch, capsys):
    X, y = sequences(n=100)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    model = SequenceClassifier(Interrupted, epochs=5, batch_size=25)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert "training" in capsys.readouterr().err
    assert len(model.history_) == 1 and torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    wanted = SequenceClassifier(Line, epochs=1, batch_size=25, progress=False).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), wanted.predict_proba(X))
    assert capsys.readouterr().err == ""
