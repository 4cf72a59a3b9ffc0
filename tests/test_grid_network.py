"""The network on pictures: its layers by hand, maps that add up to the score, planted pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from precmark.errors import InputError
from precmark.grid.igtd import by_feature, images, place_features
from precmark.grid.network import GridCnn, activation_maps, bias_of, grid_classifier
from precmark.training import SequenceClassifier


def data(n: int = 600, p: int = 16, seed: int = 0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = (X[:, 3] * 2 + rng.normal(size=n) * 0.5 > 0).astype(int)
    return X, y


@pytest.fixture(scope="module")
def fitted():
    X, y = data()
    layout = place_features(X)
    pictures = images(X, layout)
    model = grid_classifier(epochs=15, filters=(16, 32), batch_size=32, learning_rate=0.01)
    return model.fit(pictures, y), layout, pictures, y


def test_the_layers_are_the_equations_in_loops():
    torch.manual_seed(0)
    net = GridCnn(3, 4, filters=(2, 3)).eval()
    x = torch.randn(1, 3, 4)

    def convolve(planes, conv):
        weight, bias = conv.weight.detach().numpy(), conv.bias.detach().numpy()
        _, rows, columns = planes.shape
        out = np.zeros((len(weight), rows, columns))
        for f in range(len(weight)):
            for r in range(rows):
                for c in range(columns):
                    total = bias[f]
                    for k in range(len(planes)):
                        for i in range(3):
                            for j in range(3):
                                a, b = r + i - 1, c + j - 1
                                if 0 <= a < rows and 0 <= b < columns:
                                    total += weight[f, k, i, j] * planes[k, a, b]
                    out[f, r, c] = max(0.0, total)
        return out

    h = convolve(x.numpy(), net.conv1)
    pooled = np.zeros_like(h)
    for f, r, c in np.ndindex(h.shape):
        near = [(a, b) for a in (r, r + 1) for b in (c, c + 1) if a < 3 and b < 4]
        pooled[f, r, c] = max(h[f, a, b] for a, b in near)
    maps = convolve(pooled, net.conv2)
    weight = net.out.weight.detach().numpy()[0]
    logit = sum(weight[i] * maps[i].mean() for i in range(3)) + float(net.out.bias.detach()[0])
    with torch.no_grad():
        assert float(net(x)) == pytest.approx(logit, abs=1e-5)
        activation = net.activation(x)[0].numpy()
    expected = sum(weight[i] * maps[i] for i in range(3))
    assert activation == pytest.approx(expected, abs=1e-5)


def test_the_mean_of_a_map_and_the_bias_are_the_logit(fitted):
    model, _, pictures, _ = fitted
    maps = activation_maps(model, pictures)
    logit = model.decision_function(pictures)
    assert maps.mean(axis=(1, 2)) + bias_of(model) == pytest.approx(logit, abs=1e-4)


def test_the_maps_point_at_the_planted_feature(fitted):
    model, layout, pictures, y = fitted
    assert (model.predict(pictures) == y).mean() > 0.85
    maps = by_feature(activation_maps(model, pictures), layout)
    apart = np.abs(maps[y == 1].mean(axis=0) - maps[y == 0].mean(axis=0))
    place = layout.places()
    near = np.abs(place - place[3]).max(axis=1) <= 2
    assert near[np.argmax(apart)]


def test_the_penalty_is_equation_13():
    # one step of Adam's weight decay d adds d w to the gradient: the derivative of d/2 |w|^2
    model = grid_classifier()
    assert model.weight_decay == pytest.approx(2e-4)


def test_same_seed_same_numbers():
    X, y = data(200)
    pictures = images(X, place_features(X))
    first, second = (grid_classifier(epochs=2, seed=3).fit(pictures, y) for _ in range(2))
    assert (first.predict_proba(pictures) == second.predict_proba(pictures)).all()


def test_no_maps_of_another_network_and_none_of_no_picture(fitted):
    model = fitted[0]
    assert activation_maps(model, np.empty((0, 4, 4))).shape == (0, 4, 4)
    other = SequenceClassifier("cnn", epochs=1, progress=False)
    rng = np.random.default_rng(0)
    other.fit(rng.normal(size=(64, 3, 4)), np.tile([0, 1], 32))
    with pytest.raises(InputError, match="no class activation maps"):
        activation_maps(other, np.zeros((1, 3, 4)))
