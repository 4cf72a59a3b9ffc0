"""The networks against literal loops over equations 1 to 10, padded and full."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from precmark.errors import InputError
from precmark.networks import (
    NETWORKS,
    CAttLstm,
    attention_maps,
    build,
    layer_costs,
    logits,
    parameter_count,
    parameters_of,
    receptive_field,
    score,
)

F, T = 5, 9
LENGTHS = [9, 1, 4, 7, 2, 9, 8]


def sigmoid(v):
    return 1 / (1 + np.exp(-np.asarray(v, float)))


def literal_convolution(x, weight):
    """Equations 1 and 2: ReLU(W * X); x (C, T), weight (taps, C, filters) as stored."""
    taps, channels, filters = weight.shape
    out = np.zeros((filters, x.shape[1]))
    for o in range(filters):
        for t in range(x.shape[1]):
            for j in range(taps):
                s = t + j - (taps - 1) // 2
                if 0 <= s < x.shape[1]:
                    for c in range(channels):
                        out[o, t] += weight[j, c, o] * x[c, s]
    return np.maximum(out, 0)


def literal_channel_map(q, squeeze, excite):
    """Equation 5: sigmoid(MLP(average) + MLP(maximum))."""
    channels, steps = q.shape
    average = [sum(q[c, t] for t in range(steps)) / steps for c in range(channels)]
    largest = [max(q[c, t] for t in range(steps)) for c in range(channels)]

    def mlp(v):
        hidden = [
            max(0.0, sum(squeeze[c, r] * v[c] for c in range(channels)))
            for r in range(squeeze.shape[1])
        ]
        return np.array(
            [sum(excite[r, c] * hidden[r] for r in range(len(hidden))) for c in range(channels)]
        )

    return sigmoid(mlp(average) + mlp(largest))


def literal_spatial_map(x, kernel):
    """Equation 6: sigmoid(W_s0 * [average; maximum] over channels)."""
    channels, steps = x.shape
    pooled = [
        [sum(x[c, t] for c in range(channels)) / channels for t in range(steps)],
        [max(x[c, t] for c in range(channels)) for t in range(steps)],
    ]
    taps = kernel.shape[1]
    z = np.zeros(steps)
    for t in range(steps):
        for half in range(2):
            for j in range(taps):
                s = t + j - (taps - 1) // 2
                if 0 <= s < steps:
                    z[t] += kernel[half, j] * pooled[half][s]
    return sigmoid(z)


def literal_lstm(x, w, u, b):
    """Equations 7 to 9 from zero states: every h_t, (T, H); gates in the order i, f, cell, o."""
    size = u.shape[1]
    h, c, states = np.zeros(size), np.zeros(size), []
    for t in range(x.shape[1]):
        z = [
            sum(w[k, j] * x[j, t] for j in range(x.shape[0]))
            + sum(u[k, j] * h[j] for j in range(size))
            + b[k]
            for k in range(4 * size)
        ]
        new_h, new_c = np.zeros(size), np.zeros(size)
        for k in range(size):
            i, f, o = sigmoid(z[k]), sigmoid(z[size + k]), sigmoid(z[3 * size + k])
            new_c[k] = f * c[k] + i * np.tanh(z[2 * size + k])
            new_h[k] = o * np.tanh(new_c[k])
        h, c = new_h, new_c
        states.append(h)
    return np.array(states)


def arrays(module):
    return {name: p.detach().double().numpy() for name, p in module.named_parameters()}


def literal_attended(q, attention):
    """Equations 3 and 4."""
    weights = arrays(attention)
    if "squeeze" in weights:
        q = literal_channel_map(q, weights["squeeze"], weights["excite"])[:, None] * q
    if "spatial" in weights:
        q = literal_spatial_map(q, weights["spatial"])[None, :] * q
    return q


def literal_logit(net, x):
    """Equations 1 to 10 of one row x (F, T) without padding."""
    h = np.asarray(x, float)
    for convolution, attention in ((net.conv1, net.attention1), (net.conv2, net.attention2)):
        h = literal_convolution(h, arrays(convolution)["weight"])
        h = literal_attended(h, attention)
    if net.lstm is not None:
        w = arrays(net.lstm)
        last = literal_lstm(h, w["weight_ih"], w["weight_hh"], w["bias"])[-1]
    else:
        last = h[:, -1]
    out = arrays(net.out)
    return sum(out["weight"][0, k] * last[k] for k in range(len(last))) + out["bias"][0]


def rows(seed=0, lengths=LENGTHS, features=F, steps=T):
    """X zero at padded steps, and its mask."""
    x = torch.randn(len(lengths), features, steps, generator=torch.Generator().manual_seed(seed))
    mask = torch.arange(steps) < torch.tensor(lengths).unsqueeze(1)
    return x * mask.unsqueeze(1), mask


def loud(net, seed=0):
    """The network with weights large enough that every gate and map differs from its start."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.6)
    return net


VARIANTS = {
    "as in the paper": {},
    "no channel attention": {"channel_attention": False},
    "no spatial attention": {"spatial_attention": False},
    "no attention": {"channel_attention": False, "spatial_attention": False},
    "no LSTM": {"lstm": False},
    "ratio above the channels": {"ratio": 64},
    "even kernels": {"kernel_size": 2, "spatial_kernel_size": 4},
    "kernels longer than the history": {"kernel_size": 11, "spatial_kernel_size": 25},
    "one tap": {"kernel_size": 1, "spatial_kernel_size": 1},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_c_att_lstm_is_the_equations_full_and_padded(variant):
    sizes = {"filters": 6, "hidden": 4, "ratio": 2} | VARIANTS[variant]
    net = loud(CAttLstm(F, T, **sizes))
    x, mask = rows()
    full = torch.randn(3, F, T, generator=torch.Generator().manual_seed(1))
    want = [literal_logit(net, row.numpy()) for row in full]
    np.testing.assert_allclose(net(full).detach(), want, atol=1e-5)
    want = [literal_logit(net, row[:, :n].numpy()) for row, n in zip(x, LENGTHS, strict=True)]
    np.testing.assert_allclose(net(x, mask).detach(), want, atol=1e-5)


def test_each_equation_by_itself():
    net = loud(CAttLstm(F, T, filters=6, hidden=4, ratio=2))
    q = torch.rand(4, 6, T, generator=torch.Generator().manual_seed(2))
    first = q.permute(2, 0, 1)
    weights = arrays(net.attention1)
    channel, spatial = (m.detach().numpy() for m in net.attention1.maps(first))
    convolved = net.conv2(first).detach().numpy()
    states = net.lstm(first).detach().numpy()
    w = arrays(net.lstm)
    for n in range(4):
        row = q[n].double().numpy()
        m_c = literal_channel_map(row, weights["squeeze"], weights["excite"])
        m_s = literal_spatial_map(m_c[:, None] * row, weights["spatial"])
        np.testing.assert_allclose(channel[n], m_c, atol=1e-5)
        np.testing.assert_allclose(spatial[:, n], m_s, atol=1e-5)
        want = literal_convolution(row, arrays(net.conv2)["weight"])
        np.testing.assert_allclose(convolved[:, n].T, want, atol=1e-5)
        want = literal_lstm(row, w["weight_ih"], w["weight_hh"], w["bias"])
        np.testing.assert_allclose(states[:, n], want, atol=1e-5)


def test_the_reduction_keeps_at_least_one_hidden_unit():
    net = CAttLstm(F, T, filters=4, ratio=8)
    assert net.attention1.squeeze.shape == (4, 1)
    assert CAttLstm(F, T, filters=32, ratio=8).attention1.squeeze.shape == (32, 4)


@pytest.mark.parametrize("name", NETWORKS)
def test_padding_changes_nothing(name):
    torch.manual_seed(0)
    net = loud(build(name, channels=F, steps=T)).eval()
    x, mask = rows()
    padded = net(x, mask).detach()
    for i, n in enumerate(LENGTHS):
        alone = net(x[i : i + 1, :, :n]).detach()
        np.testing.assert_allclose(padded[i : i + 1], alone, rtol=1e-4, atol=1e-5)
    everything = torch.ones(3, T, dtype=torch.bool)
    full = torch.randn(3, F, T)
    np.testing.assert_allclose(net(full, everything).detach(), net(full).detach(), atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_row_without_steps_gives_a_number_and_a_finite_gradient(name):
    net = build(name, channels=F, steps=T)
    x, mask = rows(lengths=[0, 3, 0])
    found = net(x, mask)
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_those_of_finite_differences(name):
    torch.manual_seed(0)
    small = {"filters": 3, "hidden": 3, "width": 4, "heads": 2, "blocks": 1, "inner": 3}
    taken = {k: v for k, v in small.items() if k in parameters_of(name)}
    net = build(name, channels=2, steps=4, **taken).double()
    x, mask = rows(lengths=[4, 2], features=2, steps=4)
    x = x.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: net(v, mask), (x,))
    weights = tuple(net.parameters())
    assert torch.autograd.gradcheck(lambda *_: net(x.detach(), mask), weights)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_reach_every_weight(name):
    net = loud(build(name, channels=F, steps=T))
    x, mask = rows()
    net(x, mask).sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in net.parameters())


@pytest.mark.parametrize("name", NETWORKS)
def test_the_whole_graph_can_be_compiled(name):
    net = build(name, channels=F, steps=T).eval()
    whole = torch.compile(net, backend="eager", fullgraph=True)
    x, mask = rows()
    np.testing.assert_allclose(whole(x, mask).detach(), net(x, mask).detach(), atol=1e-6)
    np.testing.assert_allclose(whole(x).detach(), net(x).detach(), atol=1e-6)


def test_every_rival_has_about_as_many_parameters():
    for channels in (8, 16, 24):
        size = parameter_count(build("c-att-lstm", channels=channels, steps=20))
        for name in NETWORKS:
            count = parameter_count(build(name, channels=channels, steps=20))
            assert 0.8 <= count / size <= 1.2, (name, channels)


def test_lstm_agrees_with_pytorchs_layer():
    net = loud(build("lstm", channels=F, steps=T, hidden=4))
    theirs = torch.nn.LSTM(F, 4, batch_first=True)
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(net.lstm.weight_ih)
        theirs.weight_hh_l0.copy_(net.lstm.weight_hh)
        theirs.bias_ih_l0.copy_(net.lstm.bias)
        theirs.bias_hh_l0.zero_()
    x, mask = rows()
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        x.transpose(1, 2), mask.sum(1), batch_first=True, enforce_sorted=False
    )
    want = net.out(theirs(packed)[1][0][0]).squeeze(1)
    np.testing.assert_allclose(net(x, mask).detach(), want.detach(), atol=1e-6)


def test_cnn_agrees_with_pytorchs_layers():
    net = loud(build("cnn", channels=F, steps=T, filters=4))
    nn = torch.nn
    theirs = nn.Sequential(
        nn.Conv1d(F, 4, 3, padding=1), nn.ReLU(), nn.MaxPool1d(2, ceil_mode=True),
        nn.Conv1d(4, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
    )  # fmt: skip
    with torch.no_grad():
        for ours, layer in ((net.conv1, theirs[0]), (net.conv2, theirs[3])):
            layer.weight.copy_(ours.weight.permute(2, 1, 0))
            layer.bias.copy_(ours.bias)
    x = torch.randn(6, F, T)
    np.testing.assert_allclose(net(x).detach(), net.out(theirs(x)).squeeze(1).detach(), atol=1e-5)


@pytest.mark.parametrize("name", ["lstm-attention", "cnn-lstm-attention"])
def test_attention_over_steps_by_hand(name):
    net = loud(build(name, channels=F, steps=T, hidden=4))
    x, mask = rows()
    for i, n in enumerate(LENGTHS):
        h = x[i, :, :n].double().numpy()
        if name == "cnn-lstm-attention":
            weight, bias = arrays(net.conv1)["weight"], arrays(net.conv1)["bias"]
            flat = np.ones((1, n))
            joined = np.concatenate([h, flat])  # the bias as a constant channel of the middle tap
            taps = np.concatenate([weight, np.zeros((3, 1, len(bias)))], 1)
            taps[1, -1] = bias
            h = literal_convolution(joined, taps)
        w = arrays(net.lstm)
        states = literal_lstm(h, w["weight_ih"], w["weight_hh"], w["bias"])
        a = arrays(net.attention)
        scores = [
            a["direction.weight"][0] @ np.tanh(a["score.weight"] @ s + a["score.bias"])
            for s in states
        ]
        weights = np.exp(scores) / np.exp(scores).sum()
        context = sum(weight * s for weight, s in zip(weights, states, strict=True))
        out = arrays(net.out)
        want = out["weight"][0] @ context + out["bias"][0]
        np.testing.assert_allclose(net(x, mask)[i].item(), want, atol=1e-5)


def test_transformer_agrees_with_pytorchs_encoder():
    net = loud(build("transformer", channels=F, steps=T, width=8, heads=2, blocks=2, inner=6))
    layer = torch.nn.TransformerEncoderLayer(
        8, 2, 6, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    theirs = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).train()
    pairs = {
        "norm1": "norm1", "norm2": "norm2", "mix": "self_attn.out_proj",
        "widen": "linear1", "narrow": "linear2",
    }  # fmt: skip
    for ours, other in zip(net.blocks, theirs.layers, strict=True):
        for mine, their in pairs.items():
            other.get_submodule(their).load_state_dict(ours.get_submodule(mine).state_dict())
        other.self_attn.in_proj_weight.data.copy_(ours.qkv.weight.data)
        other.self_attn.in_proj_bias.data.copy_(ours.qkv.bias.data)
    x, mask = rows()
    position = np.array(
        [[(np.cos if k % 2 else np.sin)(t / 10_000 ** ((k - k % 2) / 8)) for k in range(8)]
         for t in range(T)]
    )  # fmt: skip
    h = net.project(x.transpose(1, 2)) + torch.tensor(position, dtype=torch.float32)
    h = net.norm(theirs(h, src_key_padding_mask=~mask))
    want = [net.out(h[i, :n].mean(0)).item() for i, n in enumerate(LENGTHS)]
    np.testing.assert_allclose(net(x, mask).detach(), want, rtol=1e-4, atol=1e-5)


def test_the_reference_of_the_benchmark_gives_the_same_outputs_and_gradients():
    from benchmarks.reference_networks import ReferenceCAttLstm, copy_weights

    torch.manual_seed(3)
    reference, ours = ReferenceCAttLstm(16), CAttLstm(16, 20)
    copy_weights(reference, ours)
    x = torch.randn(8, 16, 20)
    np.testing.assert_allclose(ours(x).detach(), reference(x).detach(), atol=1e-5)
    ours(x).square().sum().backward()
    reference(x).square().sum().backward()
    by_kernel = reference.conv1.weight.grad.permute(2, 1, 0)
    np.testing.assert_allclose(ours.conv1.weight.grad, by_kernel, rtol=1e-3, atol=1e-6)
    by_map = reference.spatial2.conv.weight.grad[0]
    np.testing.assert_allclose(ours.attention2.spatial.grad, by_map, rtol=1e-3, atol=1e-6)
    assert parameter_count(reference) == parameter_count(ours) + 4 * 32  # its second bias


def test_attention_maps_are_equations_5_and_6_of_real_steps_only():
    net = loud(CAttLstm(F, T, filters=6, hidden=4, ratio=2))
    x, mask = rows()
    maps = attention_maps(net, x.numpy(), mask.numpy())
    for i, n in enumerate(LENGTHS):
        h = x[i, :, :n].double().numpy()
        for k, (convolution, attention) in enumerate(
            ((net.conv1, net.attention1), (net.conv2, net.attention2))
        ):
            q = literal_convolution(h, arrays(convolution)["weight"])
            weights = arrays(attention)
            m_c = literal_channel_map(q, weights["squeeze"], weights["excite"])
            m_s = literal_spatial_map(m_c[:, None] * q, weights["spatial"])
            np.testing.assert_allclose(maps.channel[k][i], m_c, atol=1e-5)
            np.testing.assert_allclose(maps.spatial[k][i, :n], m_s, atol=1e-5)
            assert np.isnan(maps.spatial[k][i, n:]).all()
            h = literal_attended(q, attention)


def test_attention_maps_of_other_networks_and_of_left_out_halves():
    x, _ = rows()
    without = CAttLstm(F, T, channel_attention=False, spatial_attention=False)
    maps = attention_maps(without, x)
    assert all((m == 1).all() for m in (*maps.channel, *maps.spatial))
    with pytest.raises(InputError, match="Lstm has no attention maps"):
        attention_maps(build("lstm", channels=F, steps=T), x)


@pytest.mark.parametrize("name", NETWORKS)
def test_costs_add_up_to_the_network(name):
    net = build(name, channels=F, steps=T)
    costs = layer_costs(net)
    assert sum(c.parameters for c in costs) == sum(p.numel() for p in net.parameters())
    assert costs[-1].output_shape == (1,)
    assert len(receptive_field(net)) == len(costs)


def test_costs_of_c_att_lstm_by_hand():
    costs = {c.layer: c for c in layer_costs(CAttLstm(16, 20))}
    assert costs["first convolution"][2:] == ((32, 20), 16 * 3 * 32, 16 * 3 * 32 * 20)
    assert costs["second convolution"].multiply_adds == 32 * 3 * 32 * 20
    assert costs["first channel attention"].parameters == 2 * 32 * 4
    assert costs["first channel attention"].multiply_adds == 4 * 32 * 4 + 32 * 20
    assert costs["second spatial attention"].multiply_adds == 2 * 7 * 20 + 32 * 20
    assert costs["LSTM"].parameters == 4 * (32 * 32 + 32 * 32 + 32)
    assert costs["LSTM"].multiply_adds == (4 * 32 * (32 + 32) + 3 * 32) * 20
    assert costs["logit"][3:] == (33, 32)


def steps_seen(function, x, step):
    """Steps of x (T, 1, C) that `function`'s output at `step` changes with."""
    x = x.clone().requires_grad_()
    function(x)[step].sum().backward()
    return int((x.grad.abs().sum((1, 2)) > 0).sum())


def test_the_receptive_field_is_where_gradients_come_from():
    steps, middle = 41, 20
    options = {"channel_attention": False, "lstm": False, "filters": 4}
    net = CAttLstm(3, steps, **options)
    with torch.no_grad():
        for p in net.parameters():
            p.abs_()  # so that no ReLU closes
    x = torch.rand(steps, 1, 3) + 0.1
    reach = {r.layer: r for r in receptive_field(net)}
    attended = lambda v: net.attention1(net.conv1(v))  # noqa: E731
    for layer, function in (
        ("first convolution", net.conv1),
        ("first spatial attention", attended),
        ("second convolution", lambda v: net.conv2(attended(v))),
        ("second spatial attention", net.features),
    ):
        assert steps_seen(function, x, middle) == reach[layer].weights, layer
    assert [r.features for r in reach.values()] == [3, 3, 5, 5, 5]
    plain = CAttLstm(3, steps, spatial_attention=False)
    assert {r.layer: r.weights for r in receptive_field(plain)}["first channel attention"] == 41
    pooled = receptive_field(build("cnn", channels=3, steps=steps))
    assert [r.features for r in pooled] == [3, 4, 8, 41]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("threads", [1, 2])
def test_scores_are_the_networks_own_in_the_order_given(name, threads):
    torch.manual_seed(0)
    net = loud(build(name, channels=F, steps=T)).train()
    lengths = np.random.default_rng(0).integers(0, T + 1, 50).tolist()
    x, mask = rows(lengths=lengths)
    state = copy.deepcopy(net.state_dict())
    before = torch.get_num_threads()
    p = score(net, x.numpy(), mask.numpy(), chunk=7, threads=threads)
    want = torch.sigmoid(net.eval()(x, mask)).detach()
    np.testing.assert_allclose(p, want, atol=1e-5)
    net.train()
    q = score(net, x, chunk=7, threads=threads)
    assert net.training and torch.get_num_threads() == before
    np.testing.assert_allclose(q, torch.sigmoid(net.eval()(x)).detach(), atol=1e-5)
    np.testing.assert_allclose(logits(net, x, chunk=11), net(x).detach(), rtol=1e-4, atol=1e-4)
    assert p.dtype == np.float32
    assert all(torch.equal(state[k], v) for k, v in net.state_dict().items())


def test_scores_of_nothing_and_of_nonsense():
    net = build("cnn", channels=F, steps=T)
    assert score(net, np.zeros((0, F, T), np.float32)).shape == (0,)
    assert score(net, torch.zeros(0, F, T), torch.zeros(0, T, dtype=torch.bool)).shape == (0,)
    with pytest.raises(InputError) as refused:
        score(net, torch.zeros(3, F, T), torch.ones(3, T + 1), chunk=0, threads=0)
    assert len(refused.value.problems) == 3
    with pytest.raises(InputError, match="2 dimensions"):
        score(net, torch.zeros(3, F))


def test_a_wrong_request_is_answered_with_everything_wrong():
    with pytest.raises(InputError, match="there is no 'gru'"):
        build("gru", channels=F, steps=T)
    with pytest.raises(InputError) as refused:
        build("c-att-lstm", channels=0, steps=True, filters=2.5, lstm=1, depth=3)
    assert len(refused.value.problems) == 5
    with pytest.raises(InputError, match="no multiple of heads"):
        build("transformer", channels=F, steps=T, width=10, heads=4)
    assert build("lstm", channels=np.int64(3), steps=np.int64(4)).channels == 3


def test_the_same_seed_gives_the_same_weights():
    for name in NETWORKS:
        torch.manual_seed(5)
        first = build(name, channels=F, steps=T).state_dict()
        torch.manual_seed(5)
        second = build(name, channels=F, steps=T).state_dict()
        assert all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("steps", [1, 2, 5, T])
def test_scoring_computes_what_training_does(name, steps):
    options = {"kernel_size": 4} if "kernel_size" in parameters_of(name) else {}
    net = loud(build(name, channels=F, steps=T, **options)).eval()
    x, mask = rows(lengths=[steps, 1, 0, steps], steps=steps)
    want = net(x, mask).detach()
    with torch.inference_mode():
        np.testing.assert_allclose(net(x, mask), want, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(net(x), net(x, torch.ones_like(mask)), rtol=1e-5, atol=1e-5)
