"""Training on a CUDA device: the recorded step is the plain one. Skipped where there is none."""

import numpy as np
import pytest
import torch

from precmark.networks import NETWORKS
from precmark.training import SequenceClassifier
from tests.test_training import Noisy, plain_loop, sequences

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="torch.cuda.is_available() is False here"
)


@pytest.mark.parametrize("network", NETWORKS)
def test_recorded_steps_are_the_plain_loop(network):
    # 150 sequences: four full batches and a shorter one, which is not recorded
    X, y = sequences(n=150)
    model = SequenceClassifier(network, epochs=2, seed=5, device="cuda").fit(X, y)
    net, losses = plain_loop(network, X, y, model.scaler_, epochs=2, seed=5)
    if all(m.p == 0 for m in net.modules() if isinstance(m, torch.nn.Dropout)):
        np.testing.assert_allclose(model.history_.train_loss, losses, atol=1e-3)
    assert np.isfinite(model.predict_proba(X)).all()


def test_a_fit_on_the_device_resumes(tmp_path):
    X, y = sequences(n=150)
    settings = {"network": Noisy, "device": "cuda", "checkpoint": tmp_path / "c.safetensors"}
    whole = SequenceClassifier(epochs=4, **settings).fit(X, y, validation=(X, y))
    SequenceClassifier(epochs=2, **settings).fit(X, y, validation=(X, y))
    rest = SequenceClassifier(epochs=4, **settings).fit(X, y, validation=(X, y), resume=True)
    np.testing.assert_allclose(whole.predict_proba(X), rest.predict_proba(X), atol=1e-5)
    path = tmp_path / "c.safetensors"
    loaded = SequenceClassifier.load(path, network=Noisy, device="cpu")
    np.testing.assert_allclose(loaded.predict_proba(X), rest.predict_proba(X), atol=1e-5)
