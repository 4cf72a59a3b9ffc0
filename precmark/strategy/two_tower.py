"""A two-tower network: users and products as points of one space (You, section 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.recommend.base import Recommender
from precmark.recommend.content import item_features
from precmark.recommend.measures import K, judge
from precmark.recommend.shop import HALF_LIFE, WEIGHTS, Histories, interactions

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from precmark.recommend.occasions import Occasions

MOST_PAIRS = 20_000
"""Pairs of a history and the item that came next which one training reads at most."""

LAST = 20
"""Interactions before a pair's item that its history holds at most."""

PATIENCE = 2
"""Looks at the validation part without a better list after which training ends."""


class TwoTower(Recommender):
    """Lists by the inner product of a user's and a product's vector, both made by networks.

    The user's tower reads the history (products and searches, weighted and aged as the other
    recommenders see it, scaled to length 1) through one hidden layer; the product's adds a vector
    of its own, one of what it is (category, price band, brand, words) and a bias. Both are learnt
    from pairs of a history and the product that came next, by the softmax over all products of the
    shop: exact where catalogues are small, and to be sampled where they are not.

    Parameters
    ----------
    width : int
        Of the vectors.
    epochs : int
        Passes over the pairs; with `validation` the most of them.
    batch_size : int
    learning_rate : float
    dropout : float
        Chance that a pair's history is hidden, so that the network learns what to offer newcomers.
    seed : int
    half_life : float, optional
        See :class:`~precmark.recommend.base.Recommender`.

    Attributes
    ----------
    history_ : pandas.DataFrame
        A row an epoch: ``epoch``, ``loss`` (mean cross-entropy in nats), ``nDCG`` (validation; not
        a number without).
    epochs_ : int
        Epochs of the weights kept: those of the best validation list, else the last.
    pairs_ : int
        Pairs learnt from.

    References
    ----------
    Covington, Adams and Sargin 2016, Deep neural networks for YouTube recommendations,
    doi 10.1145/2959100.2959190; Yi et al. 2019, Sampling-bias-corrected neural modeling,
    doi 10.1145/3298689.3346996.
    """

    def __init__(
        self,
        *,
        width: int = 32,
        epochs: int = 8,
        batch_size: int = 256,
        learning_rate: float = 0.01,
        dropout: float = 0.1,
        seed: int = 0,
        half_life: float | None = HALF_LIFE,
    ):
        super().__init__(half_life=half_life)
        self.width = width
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.dropout = dropout
        self.seed = seed

    def fit(
        self, events: pd.DataFrame, items: pd.DataFrame, *, validation: Occasions | None = None
    ) -> TwoTower:
        """Learn from `events`; where `validation` occasions are given, keep the best epoch.

        Parameters and errors as in :meth:`Recommender.fit`.
        """
        self._validation = validation
        super().fit(events, items)
        del self._validation
        return self

    def _learn(self, events: pd.DataFrame) -> None:
        import torch

        from precmark.strategy.towers import Towers
        from precmark.training.devices import own_random_state, torch_threads

        features, _ = item_features(self.shop_.items)
        history, wanted = self._pairs(events)
        self.pairs_ = len(wanted)
        with own_random_state(self.seed, torch.device("cpu")), torch_threads(1):
            self.net_ = Towers(self.width, history.shape[1], features)
            self._train(history, wanted)

    def _pairs(self, events: pd.DataFrame) -> tuple[csr_matrix, np.ndarray]:
        """Histories (pairs, m + categories), rows of length 1, and the product that came next."""
        from precmark.recommend.shop import histories_of

        rng = np.random.default_rng(self.seed)
        told, target = next_items(events, rng, most=MOST_PAIRS, last=LAST)
        known = histories_of(told, self.shop_, range(len(target)), half_life=self.half_life)
        wanted = self.shop_.index.get_indexer(target)
        kept = wanted >= 0
        return _rows(known)[kept], wanted[kept]

    def _train(self, history: csr_matrix, wanted: np.ndarray) -> None:
        import torch
        from torch.nn.functional import cross_entropy

        # the bias starts at the logarithm of the products' shares: a softmax then begins at what
        # is popular and has only tastes to learn
        share = np.bincount(wanted, minlength=len(self.shop_)) + 1.0
        with torch.no_grad():
            self.net_.bias.copy_(torch.from_numpy(np.log(share / share.sum())))
        optimiser = torch.optim.Adam(self.net_.parameters(), lr=self.learning_rate)
        rng = np.random.default_rng(self.seed)
        rows, best, since = [], (-1.0, 0, None), 0
        for epoch in range(1, self.epochs + 1):
            order, losses = rng.permutation(len(wanted)), []
            for start in range(0, len(order), self.batch_size):
                at = order[start : start + self.batch_size]
                dense = history[at].toarray()
                dense[rng.random(len(at)) < self.dropout] = 0
                loss = cross_entropy(
                    self.net_(torch.from_numpy(dense)), torch.from_numpy(wanted[at])
                )
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                losses.append(float(loss.detach()) * len(at))
            quality = self._judged()
            rows.append((epoch, sum(losses) / len(wanted), quality))
            since = 0 if quality > best[0] else since + 1
            if quality > best[0]:
                weights = {k: v.clone() for k, v in self.net_.state_dict().items()}
                best = (quality, epoch, weights)
            if best[2] is not None and since >= PATIENCE:
                break
        if best[2] is not None:
            self.net_.load_state_dict(best[2])
        self.epochs_ = best[1] or self.epochs
        self.history_ = pd.DataFrame(rows, columns=["epoch", "loss", "nDCG"])

    def _judged(self) -> float:
        """nDCG on the validation occasions; not a number without any."""
        asked = self._validation
        if asked is None or not len(asked):
            return float("nan")
        lists = self.recommend(asked.users[["user_code"]], K, history=asked.history)
        return float(judge(lists, asked.targets, asked.users, self.shop_).each["nDCG"].mean())

    def _prepared(self, history: Histories) -> np.ndarray:
        """User vectors (n, width)."""
        import torch

        from precmark.training.devices import torch_threads

        rows = _rows(history)
        with torch.no_grad(), torch_threads(1):
            self._products = self.net_.products().numpy()
            self._bias = self.net_.bias.detach().numpy().copy()
            parts = [
                self.net_.users(torch.from_numpy(rows[i : i + 4096].toarray())).numpy()
                for i in range(0, rows.shape[0], 4096)
            ]
        return np.concatenate(parts) if parts else np.empty((0, self.width), np.float32)

    def _scores(self, history: Histories, prepared: np.ndarray) -> np.ndarray:
        """User times product plus the product's bias."""
        return (prepared @ self._products.T + self._bias).astype(np.float32)


def _rows(history: Histories) -> csr_matrix:
    """(n, m + categories) float32: items and searches side by side, each row of length 1 or 0."""
    from scipy.sparse import hstack
    from sklearn.preprocessing import normalize

    both = hstack([history.items, history.searches], format="csr", dtype=np.float32)
    return normalize(both).astype(np.float32)


def next_items(
    events: pd.DataFrame, rng: np.random.Generator, *, most: int, last: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """Pairs of what a user had done and the product that came next.

    Parameters
    ----------
    events : pandas.DataFrame
        As in :meth:`~precmark.recommend.base.Recommender.fit`.
    rng : numpy.random.Generator
        Draws the pairs, carts and purchases as often as their weight says.
    most : int
        Pairs at most.
    last : int
        Interactions before the next product that a history holds at most.

    Returns
    -------
    pandas.DataFrame, numpy.ndarray
        Events of the histories, ``user_code`` being the pair's number; and each pair's next
        ``item_id``. A history ends before the moment of its product: what shares its time stamp
        is not in it.
    """
    known = interactions(events).sort_values(["user_code", "timestamp"], kind="stable")
    known = known.reset_index(drop=True)
    moment = known.groupby(["user_code", "timestamp"], sort=False).ngroup().to_numpy()
    begins = np.flatnonzero(np.diff(moment, prepend=-1) > 0)  # first row of each moment
    opening = begins[moment]
    first = np.searchsorted(known.user_code.to_numpy(), known.user_code.to_numpy())
    weight = known.event.map(WEIGHTS).to_numpy(dtype=float)
    chosen = np.arange(len(known))
    if len(chosen) > most:
        p = weight / weight.sum()
        chosen = np.sort(rng.choice(len(known), most, replace=False, p=p))
    start = np.maximum(first[chosen], opening[chosen] - last)
    count = opening[chosen] - start
    pair = np.repeat(np.arange(len(chosen)), count)
    step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    at = np.repeat(start, count) + step
    told = known.iloc[at].assign(user_code=pair)
    return told, known.item_id.to_numpy()[chosen]
