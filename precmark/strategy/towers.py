"""The network of the two-tower recommender; imported only where one is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class Towers(nn.Module):
    """A tower that reads a history, one that reads a product, and the product's bias.

    Parameters
    ----------
    width : int
        Of both vectors.
    inputs : int
        Columns of a history: products and searched categories.
    features : scipy.sparse.csr_matrix
        (m, features) of the products, float32.
    """

    def __init__(self, width: int, inputs: int, features: csr_matrix):
        super().__init__()
        self.read = nn.Linear(inputs, 2 * width)
        self.turn = nn.Linear(2 * width, width)
        self.described = nn.Linear(features.shape[1], width, bias=False)
        # small at first, so that a product nobody touched is what its description says
        self.own = nn.Parameter(0.01 * torch.randn(features.shape[0], width))
        self.bias = nn.Parameter(torch.zeros(features.shape[0]))
        self.register_buffer("features", torch.from_numpy(features.toarray()))

    def users(self, history: Tensor) -> Tensor:
        """User vectors (n, width) of histories (n, inputs)."""
        return self.turn(torch.relu(self.read(history)))

    def products(self) -> Tensor:
        """Product vectors (m, width)."""
        return self.own + self.described(self.features)

    def forward(self, history: Tensor) -> Tensor:
        """Scores (n, m): the inner products and the bias."""
        return self.users(history) @ self.products().T + self.bias
