"""C-ATT-LSTM written straightforwardly: what the product's speed is measured against."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class ChannelAttention(nn.Module):
    """The usual channel half of a convolutional attention block, in one dimension (equation 5)."""

    def __init__(self, channels: int, ratio: int):
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool1d(1)
        self.max_pool = nn.AdaptiveMaxPool1d(1)
        self.fc1 = nn.Conv1d(channels, max(1, channels // ratio), 1, bias=False)
        self.relu = nn.ReLU()
        self.fc2 = nn.Conv1d(max(1, channels // ratio), channels, 1, bias=False)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        avg_out = self.fc2(self.relu(self.fc1(self.avg_pool(x))))
        max_out = self.fc2(self.relu(self.fc1(self.max_pool(x))))
        return self.sigmoid(avg_out + max_out)


class SpatialAttention(nn.Module):
    """The usual spatial half, in one dimension (equation 6)."""

    def __init__(self, kernel_size: int):
        super().__init__()
        self.conv = nn.Conv1d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        avg_out = torch.mean(x, dim=1, keepdim=True)
        max_out, _ = torch.max(x, dim=1, keepdim=True)
        return self.sigmoid(self.conv(torch.cat([avg_out, max_out], dim=1)))


class ReferenceCAttLstm(nn.Module):
    """Equations 1 to 10 with PyTorch's own layers, on (n, F, T) without padding."""

    def __init__(
        self,
        channels: int,
        *,
        filters: int = 32,
        kernel_size: int = 3,
        ratio: int = 8,
        spatial_kernel_size: int = 7,
        hidden: int = 32,
    ):
        super().__init__()
        self.conv1 = nn.Conv1d(channels, filters, kernel_size, padding="same", bias=False)
        self.channel1 = ChannelAttention(filters, ratio)
        self.spatial1 = SpatialAttention(spatial_kernel_size)
        self.conv2 = nn.Conv1d(filters, filters, kernel_size, padding="same", bias=False)
        self.channel2 = ChannelAttention(filters, ratio)
        self.spatial2 = SpatialAttention(spatial_kernel_size)
        self.relu = nn.ReLU()
        self.lstm = nn.LSTM(filters, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, 1)

    def forward(self, x):
        x = self.relu(self.conv1(x))
        x = self.channel1(x) * x
        x = self.spatial1(x) * x
        x = self.relu(self.conv2(x))
        x = self.channel2(x) * x
        x = self.spatial2(x) * x
        out, _ = self.lstm(x.transpose(1, 2))
        return self.fc(out[:, -1]).squeeze(1)


def copy_weights(reference: ReferenceCAttLstm, ours: nn.Module) -> None:
    """Give `ours`, a CAttLstm of the same sizes, the weights of `reference`."""
    with torch.no_grad():
        for i in "12":
            conv = getattr(reference, f"conv{i}")
            getattr(ours, f"conv{i}").weight.copy_(conv.weight.permute(2, 1, 0))
            channel, spatial = getattr(reference, f"channel{i}"), getattr(reference, f"spatial{i}")
            attention = getattr(ours, f"attention{i}")
            attention.squeeze.copy_(channel.fc1.weight[..., 0].t())
            attention.excite.copy_(channel.fc2.weight[..., 0].t())
            attention.spatial.copy_(spatial.conv.weight[0])
        ours.lstm.weight_ih.copy_(reference.lstm.weight_ih_l0)
        ours.lstm.weight_hh.copy_(reference.lstm.weight_hh_l0)
        ours.lstm.bias.copy_(reference.lstm.bias_ih_l0 + reference.lstm.bias_hh_l0)
        ours.out.load_state_dict(reference.fc.state_dict())


def reference_epoch(
    net: ReferenceCAttLstm,
    optimizer: torch.optim.Optimizer,
    x: torch.Tensor,
    y: torch.Tensor,
    *,
    batch_size: int = 32,
    device: str = "cpu",
) -> float:
    """Mean loss of one epoch as a tutorial would write it: DataLoader, zero_grad, step."""
    loss_of = nn.BCEWithLogitsLoss()
    loader = DataLoader(TensorDataset(x, y), batch_size=batch_size, shuffle=True)
    net.train()
    total = 0.0
    for xb, yb in loader:
        xb, yb = xb.to(device), yb.to(device)
        optimizer.zero_grad()
        loss = loss_of(net(xb), yb)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)
