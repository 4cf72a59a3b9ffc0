"""The hybrid of collaborative and content scores (Gu, section 4.3, equation 11)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from precmark.errors import InputError, Problem
from precmark.recommend.base import Recommender
from precmark.recommend.collaborative import MODELS, collaborative_model
from precmark.recommend.content import Content
from precmark.recommend.ranks import in_chunks, top, within_user_ranks
from precmark.recommend.shop import HALF_LIFE, histories_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from precmark.recommend.occasions import Occasions
    from precmark.recommend.shop import Histories


class HybridRecommender(Recommender):
    """Lists by r' = a r_CF + (1 - a) r_CB, both as ranks within the user over all products.

    Parameters
    ----------
    collaborative : str
        ``"item-item"``, ``"als"``, ``"svd"`` or ``"nmf"``.
    alpha : float, optional
        a, 0 to 1; chosen on validation data where left out.
    seed : int
        Of ALS, SVD and NMF.
    half_life : float, optional
        Later moments of a user after which an event counts half; None: a history does not age.

    Attributes
    ----------
    alpha_ : float
        The a in use. Users of whom no item is known, and items that nobody touched in training,
        have a = 0 whatever it is.
    curve_ : pandas.DataFrame or None
        What validation said of each a (:func:`~precmark.recommend.alpha.alpha_curve`).

    Notes
    -----
    Where nothing at all is known of a user, r_CB is the rank of the items by popularity. Items with
    the same r' are listed by popularity.

    References
    ----------
    Gu, section 4.3, equation (11).
    """

    def __init__(
        self,
        collaborative: str = "item-item",
        alpha: float | None = None,
        seed: int = 0,
        *,
        half_life: float | None = HALF_LIFE,
    ):
        super().__init__(half_life=half_life)
        self.collaborative = collaborative
        self.alpha = alpha
        self.seed = seed

    def fit(
        self,
        events: pd.DataFrame,
        items: pd.DataFrame,
        *,
        validation: pd.DataFrame | Occasions | None = None,
    ) -> HybridRecommender:
        """Learn both scores from `events`, and a from `validation` unless it was given.

        Parameters
        ----------
        events, items
            As in :meth:`Recommender.fit`.
        validation : events frame or Occasions, optional
            Later events: what their users bought (clicked, where nobody buys) is to be found from
            what `events` tells of them. Or occasions with histories of their own. Left out, the
            last fifth of `events` serves while a is chosen, and the model then learns from all.

        Raises
        ------
        InputError
            Listing an unknown `collaborative`, an `alpha` outside [0, 1], a `half_life` of 0 or
            less, and what :func:`~precmark.recommend.shop.table_problems` finds.
        """
        self.curve_ = None
        self.alpha_ = 0.5 if self.alpha is None else float(self.alpha)
        super().fit(events, items)
        if self.alpha is None:
            from precmark.recommend.alpha import choose_alpha

            self.alpha_, self.curve_ = choose_alpha(self, events, items, validation)
        return self

    def with_alpha(self, alpha: float) -> HybridRecommender:
        """The same fitted model with another a, 0 to 1; nothing is learnt again."""
        made = copy.copy(self)
        made.alpha = made.alpha_ = float(alpha)
        problems = made._problems()
        if problems:
            raise InputError(problems)
        return made

    def _problems(self) -> list[Problem]:
        problems = super()._problems()
        if self.collaborative not in MODELS:
            has = f"One of {', '.join(MODELS)}."
            problems.append(Problem(f"collaborative: {self.collaborative!r}", has))
        if self.alpha is not None and not 0 <= self.alpha <= 1:
            fix = "Use a share from 0 (content alone) to 1 (collaborative alone)."
            problems.append(Problem(f"alpha: {self.alpha}", fix))
        return problems

    def _learn(self, events: pd.DataFrame) -> None:
        self.model_ = collaborative_model(self.collaborative, self.seed)
        liking = histories_of(events, self.shop_, half_life=None)
        self.model_.fit(liking.items[~liking.cold])
        self.content_ = Content().fit(self.shop_)

    def _prepared(self, history: Histories):
        return self.model_.prepare(history.items)

    def parts(self, history: Histories, prepared) -> tuple[np.ndarray, np.ndarray]:
        """r_CF and r_CB, (n, m) float32 each from 0 to 1, of users prepared by the model."""
        content = self.content_.scores(history)
        unknown = history.cold & (np.diff(history.searches.indptr) == 0)
        content[unknown] = self.shop_.popularity
        by_content = within_user_ranks(content)
        by_others = within_user_ranks(self.model_.scores(prepared))
        by_others[history.cold] = by_content[history.cold]
        untouched = self.shop_.popularity == 0
        by_others[:, untouched] = by_content[:, untouched]
        return by_others, by_content

    def _scores(self, history: Histories, prepared) -> np.ndarray:
        return _blend(*self.parts(history, prepared), self.alpha_)

    def lists_by_alpha(
        self, known: Histories, grid: Sequence[float], k: int
    ) -> Iterator[tuple[float, pd.DataFrame]]:
        """Lists of k, as :meth:`recommend` returns them, for each a of `grid`, ranking once."""
        prepared = self._prepared(known)

        def work(rows: slice) -> list[tuple[np.ndarray, np.ndarray]]:
            by_others, by_content = self.parts(known[rows], prepared[rows])
            found = []
            for alpha in grid:
                scores = _blend(by_others, by_content, alpha)
                columns = top(scores, k)
                found.append((columns, np.take_along_axis(scores, columns, axis=1)))
            return found

        pieces = list(in_chunks(work, len(known)))
        for i, alpha in enumerate(grid):
            columns, scores = (np.concatenate([p[i][j] for p in pieces]) for j in (0, 1))
            yield float(alpha), self._frame(known, columns, scores)


def _blend(by_others: np.ndarray, by_content: np.ndarray, alpha: float) -> np.ndarray:
    """Equation (11) on ranks."""
    blended = by_others * np.float32(alpha)
    blended += by_content * np.float32(1 - alpha)
    return blended
