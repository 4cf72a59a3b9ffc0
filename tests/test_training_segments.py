"""One model a segment: who gets one, which model scores whom, the same in any process."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from precmark.baselines import BASELINES
from precmark.errors import InputError
from precmark.training import SegmentedClassifier, SequenceClassifier
from precmark.training.segmented import for_segment, segment_labels
from tests.test_training import Line, sequences


class Sums(ClassifierMixin, BaseEstimator):
    """A logistic regression on the sums of the channels, in the shape that segments need."""

    def __init__(self, C=1.0, random_state=0):
        self.C = C
        self.random_state = random_state

    def fit(self, X, y, *, validation=None):
        self.validation_ = validation
        self.n_ = len(X)
        self.model_ = LogisticRegression(C=self.C).fit(np.nansum(X, axis=2), y)
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(np.nansum(X, axis=2))


@pytest.fixture(scope="module")
def shop():
    """300 sequences in segments: a (150), b (100), tiny (20), rare (20, one class), none (10)."""
    X, y = sequences(n=300)
    segments = np.repeat(np.array(["a", "b", "tiny", "rare", None], object), [150, 100, 20, 20, 10])
    y = y.copy()
    y[segments == "rare"] = 1
    return X, y, segments


def segmented(estimator, **params):
    settings = {"min_decisions": 20, "min_each_class": 5, "n_jobs": 1} | params
    return SegmentedClassifier(estimator, **settings)


def test_each_segment_is_scored_by_its_own_model_and_the_rest_by_the_pooled(shop):
    X, y, segments = shop
    model = segmented(Sums(), min_decisions=21).fit(X, y, segments=segments)
    assert set(model.models_) == {"a", "b"}
    assert model.fallbacks_ == {
        "rare": "20 training decisions, fewer than 21",
        "tiny": "20 training decisions, fewer than 21",
    }
    p = model.predict_proba(X, segments)
    pooled = Sums().fit(X, y)
    for segment in ("a", "b"):
        rows = segments == segment
        own = Sums().fit(X[rows], y[rows])
        np.testing.assert_allclose(p[rows], own.predict_proba(X[rows]))
        assert np.abs(p[rows] - pooled.predict_proba(X[rows])).max() > 1e-3
    rest = ~np.isin(segments.astype(str), ["a", "b"])
    np.testing.assert_allclose(p[rest], pooled.predict_proba(X[rest]))
    assert (model.predict(X, segments) == (p[:, 1] > 0.5)).all()


def test_too_few_of_a_class_falls_back_and_says_which(shop):
    X, y, segments = shop
    model = segmented(Sums()).fit(X, y, segments=segments)
    assert model.fallbacks_ == {"rare": "0 training decisions with y = 0, fewer than 5"}
    assert set(model.models_) == {"a", "b", "tiny"}
    numbers = np.arange(300) // 100
    model = segmented(Sums(), min_decisions=200).fit(X, y, segments=numbers)
    assert [type(key) for key in model.fallbacks_] == [int, int, int]


def test_unseen_and_missing_segments_go_to_the_pooled_model(shop):
    X, y, _ = shop
    segments = np.repeat([0, 1, 2], 100)
    model = segmented(Sums()).fit(X, y, segments=segments)
    pooled = model.pooled_.predict_proba(X[:4])
    for other in ([9, -1, 9, -1], [None, np.nan, pd.NA, "0"], np.full(4, np.nan)):
        np.testing.assert_array_equal(model.predict_proba(X[:4], other), pooled)
    # a column of whole numbers with a gap arrives as floats
    one = model.models_[1].predict_proba(X[:1])
    np.testing.assert_array_equal(model.predict_proba(X[:2], [1.0, np.nan])[:1], one)
    assert model.predict_proba(X[:0], []).shape == (0, 2)


def test_labels_of_segments():
    given = [1, 2.0, np.int64(3), "x", None, float("nan"), -1, pd.NA, 1.5]
    assert segment_labels(given) == [1, 2, 3, "x", None, None, None, None, 1.5]
    assert segment_labels(pd.Series([1, None], dtype="Int64")) == [1, None]
    assert segment_labels(pd.Categorical(["u", "v"])) == ["u", "v"]


def test_validation_is_split_by_segment(shop):
    X, y, segments = shop
    held_out = sequences(n=60, seed=1)
    labels = np.repeat(["a", "b"], 30)
    one_class = held_out[1].copy()
    one_class[30:] = 0
    model = segmented(Sums()).fit(
        X, y, segments=segments, validation=(held_out[0], one_class), validation_segments=labels
    )
    assert len(model.pooled_.validation_[0]) == 60
    np.testing.assert_array_equal(model.models_["a"].validation_[0], held_out[0][:30])
    assert model.models_["b"].validation_ is None
    assert model.notes_[0].startswith("segment b: its 30 validation decisions lack a class")
    assert model.notes_[1].startswith("segment tiny: its 0 validation decisions")


def test_a_segment_whose_fit_is_refused_falls_back_with_the_reason(shop):
    X, y, segments = shop
    X = X.copy()
    X[segments == "b", 2] = np.nan
    model = segmented(SequenceClassifier(Line, epochs=1), min_decisions=40)
    model.fit(X, y, segments=segments)
    assert set(model.models_) == {"a"}
    assert model.fallbacks_["b"].startswith(
        "its own model could not be trained: channel 2 has no value"
    )
    X[:, 2] = np.nan
    with pytest.raises(InputError, match="channel 2 has no value in the training sequences"):
        model.fit(X, y, segments=segments)


def test_seeds_and_checkpoints_are_the_segments_own(tmp_path):
    base = SequenceClassifier(seed=3, checkpoint=tmp_path / "risk.safetensors")
    one, two = (for_segment(base, name) for name in ("a", "b/c"))
    # for_segment changes what it is given: both names are the same object here
    assert one is two is base
    seeds = {
        for_segment(SequenceClassifier(seed=seed), name).seed
        for seed in (0, 1)
        for name in ("a", "b", 1, 2)
    }
    assert len(seeds) == 8 and all(0 <= s < 2**32 for s in seeds)
    fresh = for_segment(SequenceClassifier(checkpoint=tmp_path / "risk.safetensors"), "b/c")
    assert fresh.checkpoint == tmp_path / "risk-segment-b_c.safetensors"
    assert for_segment(Sums(random_state=None), "a").random_state is None


def test_processes_change_no_number(shop):
    X, y, segments = shop
    settings = {"network_parameters": {"filters": 4, "hidden": 4}, "epochs": 2}
    network = SequenceClassifier(**settings)
    alone = segmented(network, min_decisions=40).fit(X, y, segments=segments)
    apart = segmented(network, min_decisions=40, n_jobs=2).fit(X, y, segments=segments)
    p = alone.predict_proba(X, segments)
    np.testing.assert_array_equal(p, apart.predict_proba(X, segments))
    rows = segments == "b"
    own = for_segment(SequenceClassifier(**settings), "b").fit(X[rows], y[rows])
    np.testing.assert_array_equal(p[rows], own.predict_proba(X[rows]))
    assert apart.pooled_.module().training is False
    assert torch.equal(
        apart.pooled_.trained_.last["out.bias"], alone.pooled_.trained_.last["out.bias"]
    )
    assert network.seed == 0 and not hasattr(network, "trained_")


def test_baselines_can_be_segmented_too(shop):
    X, y, segments = shop
    base = BASELINES["logistic"].make(seed=3)
    model = segmented(base, min_decisions=100).fit(
        X, y, segments=segments, validation=(X, y), validation_segments=segments
    )
    assert set(model.models_) == {"a", "b"}
    rows = segments == "a"
    own = for_segment(BASELINES["logistic"].make(seed=3), "a")
    own.fit(X[rows], y[rows], validation=(X[rows], y[rows]))
    np.testing.assert_allclose(
        model.predict_proba(X[rows], segments[rows]), own.predict_proba(X[rows])
    )


def test_bad_input_is_refused_in_words(shop):
    X, y, segments = shop
    with pytest.raises(InputError) as caught:
        segmented(Sums(), min_decisions=0, n_jobs=0).fit(
            X, y, segments=segments[:5], validation=(X, y)
        )
    text = str(caught.value)
    assert len(caught.value.problems) == 4
    for words in ("min_decisions is 0", "n_jobs is 0", "5 segments", "300 rows and no segments"):
        assert words in text
    with pytest.raises(InputError, match="not fitted"):
        segmented(Sums()).predict_proba(X, segments)
    model = segmented(Sums()).fit(X, y, segments=segments)
    with pytest.raises(InputError, match="300 rows and 3 segments"):
        model.predict_proba(X, segments[:3])
