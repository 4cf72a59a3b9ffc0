"""Variable clusters, components and factors against other libraries and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2
from sklearn.cluster import AgglomerativeClustering
from sklearn.decomposition import PCA, FactorAnalysis
from statsmodels.multivariate.factor import Factor

from precmark.errors import InputError
from precmark.statistics import (
    cluster_variables,
    factor_analysis,
    principal_components,
    sampling_adequacy,
    settled_factors,
)


def two_factors(n=3_000, seed=1, noise=0.6) -> tuple[pd.DataFrame, np.ndarray]:
    """Six variables of two factors and noise of their own, and the true loadings."""
    rng = np.random.default_rng(seed)
    loadings = np.array([[0.8, 0], [0.8, 0], [0.8, 0], [0, 0.8], [0, 0.8], [0, -0.8]])
    X = rng.normal(size=(n, 2)) @ loadings.T + noise * rng.normal(size=(n, 6))
    return pd.DataFrame(X * [1, 10, 0.1, 5, 1, 1] + 3, columns=list("abcdef")), loadings


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return two_factors()[0]


COLUMNS = list("abcdef")


# ---- clusters


def test_clusters_are_those_of_scikit_learn_on_the_same_distances(frame):
    for k in (1, 2, 3, 4, 6):
        found = cluster_variables(frame, COLUMNS, clusters=k)
        distance = 1 - np.abs(frame[COLUMNS].corr().to_numpy())
        theirs = AgglomerativeClustering(k, metric="precomputed", linkage="average").fit_predict(
            distance
        )
        ours = found.table.cluster.to_numpy()
        assert found.clusters == k
        for i in range(6):
            assert ((ours == ours[i]) == (theirs == theirs[i])).all()


def test_the_planted_groups_are_found_and_signs_do_not_matter(frame):
    found = cluster_variables(frame, COLUMNS)
    assert found.table.cluster.tolist() == [1, 1, 1, 2, 2, 2]
    heights = found.tree[:, 2]
    assert heights[3] < found.height < heights[4]


def test_squared_correlations_with_components_by_scikit_learn(frame):
    found = cluster_variables(frame, COLUMNS, clusters=2).table.set_index("variable")
    scaled = (frame - frame.mean()) / frame.std()
    first, second = (PCA(1).fit_transform(scaled[list(part)])[:, 0] for part in ("abc", "def"))
    for name in COLUMNS:
        r = [np.corrcoef(frame[name], score)[0, 1] ** 2 for score in (first, second)]
        own, other = r if name in "abc" else r[::-1]
        assert found.own[name] == pytest.approx(own)
        assert found.next[name] == pytest.approx(other, abs=1e-12)
        assert found.ratio[name] == pytest.approx((1 - own) / (1 - other))
    for part in ("abc", "def"):
        rows = found.loc[list(part)]
        assert rows.stands.sum() == 1
        assert rows.ratio[rows.stands].iloc[0] == rows.ratio.min()


def test_a_group_is_split_until_it_has_one_dimension(frame):
    for k in range(1, 7):
        table = cluster_variables(frame, COLUMNS, clusters=k).table
        second = [
            np.sort(np.linalg.eigvalsh(frame[list(r.variable)].corr()))[-2] if len(r) > 1 else 0
            for _, r in table.groupby("cluster")
        ]
        if max(second) <= 1:
            break
    assert cluster_variables(frame, COLUMNS).clusters == k


@pytest.mark.parametrize(("columns", "clusters"), [(["a"], None), (COLUMNS, 7), (COLUMNS, 0)])
def test_impossible_numbers_of_clusters_are_refused(frame, columns, clusters):
    with pytest.raises(InputError):
        cluster_variables(frame, columns, clusters=clusters)


def test_collinear_variables_are_named(frame):
    with pytest.raises(InputError, match=r"g: collinear, it equals .* \* a"):
        principal_components(frame.assign(g=frame.a - 2 * frame.b), [*COLUMNS, "g"])


# ---- components


def test_components_are_scikit_learns(frame):
    found = principal_components(frame, COLUMNS)
    scaled = (frame - frame.mean()) / frame.std()
    theirs = PCA().fit(scaled)
    np.testing.assert_allclose(found.table.eigenvalue, theirs.explained_variance_)
    np.testing.assert_allclose(found.table.contribution, theirs.explained_variance_ratio_)
    np.testing.assert_allclose(found.table.cumulative, theirs.explained_variance_ratio_.cumsum())
    np.testing.assert_allclose(np.abs(found.vectors), np.abs(theirs.components_.T), atol=1e-7)
    np.testing.assert_allclose(np.cov(found.scores, rowvar=False),
                               np.diag(found.table.eigenvalue), atol=1e-9)  # fmt: skip
    largest = np.abs(found.vectors).argmax(axis=0)
    assert (found.vectors[largest, range(6)] > 0).all()


def test_chance_is_what_unrelated_samples_of_the_same_size_give():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(rng.normal(size=(80, 5)), columns=list("abcde"))
    found = principal_components(frame, list("abcde"), draws=2_000).table
    literal = np.array(
        [
            np.sort(np.linalg.eigvalsh(np.corrcoef(rng.normal(size=(80, 5)), rowvar=False)))[::-1]
            for _ in range(2_000)
        ]
    )
    np.testing.assert_allclose(found.chance, np.quantile(literal, 0.95, axis=0), atol=0.03)
    assert principal_components(two_factors()[0], COLUMNS).above_chance == 2


def test_the_same_seed_gives_the_same_chance(frame):
    one, two = (principal_components(frame, COLUMNS, seed=3).table.chance for _ in range(2))
    assert one.equals(two)


# ---- factors


def test_factors_by_likelihood_are_scikit_learns_and_the_planted_ones(frame):
    found = factor_analysis(frame, COLUMNS, factors=2)
    scaled = (frame - frame.mean()) / frame.std(ddof=0)
    theirs = FactorAnalysis(2, tol=1e-10, max_iter=20_000, svd_method="lapack").fit(scaled)
    # Loadings are free up to a rotation: what they reproduce is not.
    ours = found.unrotated @ found.unrotated.T
    np.testing.assert_allclose(ours, theirs.components_.T @ theirs.components_, atol=2e-3)
    np.testing.assert_allclose(found.uniqueness, theirs.noise_variance_, atol=2e-3)
    np.testing.assert_allclose(found.loadings @ found.loadings.T, ours, atol=1e-8)
    np.testing.assert_allclose(np.abs(found.loadings).max(axis=1), 0.8, atol=0.05)
    assert found.converged and not found.heywood
    assert found.shares == pytest.approx([0.32, 0.32], abs=0.03)


def test_varimax_has_the_largest_variance_of_squares_of_all_rotations(frame):
    found = factor_analysis(frame, COLUMNS, factors=2)

    def spread(loadings):
        return (loadings**2).var(axis=0).sum()

    turned = []
    for angle in np.linspace(0, np.pi, 721):
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turned.append(spread(found.unrotated @ rotation))
    assert spread(found.loadings) == pytest.approx(max(turned), rel=1e-4)


def test_principal_factors_are_one_step_of_statsmodels(frame):
    found = factor_analysis(frame, COLUMNS, factors=2, method="principal factors")
    theirs = Factor(frame[COLUMNS], n_factor=2, method="pa", smc=True).fit(maxiter=1)
    np.testing.assert_allclose(
        np.abs(found.unrotated), np.abs(np.asarray(theirs.loadings_no_rot)), atol=1e-6
    )


def test_adequacy_and_bartletts_test_by_regressions(frame):
    found = factor_analysis(frame, COLUMNS, factors=2)
    simple, partial = np.zeros(6), np.zeros(6)
    scaled = ((frame - frame.mean()) / frame.std()).to_numpy()
    for i in range(6):
        for j in range(6):
            if i != j:
                rest = np.delete(scaled, [i, j], axis=1)
                left = [
                    scaled[:, k] - rest @ np.linalg.lstsq(rest, scaled[:, k], rcond=None)[0]
                    for k in (i, j)
                ]
                partial[i] += np.corrcoef(*left)[0, 1] ** 2
                simple[i] += np.corrcoef(scaled[:, i], scaled[:, j])[0, 1] ** 2
    assert found.kmo == pytest.approx(simple.sum() / (simple.sum() + partial.sum()))
    np.testing.assert_allclose(found.kmo_by_variable, simple / (simple + partial))
    statistic = -(3_000 - 1 - 17 / 6) * np.log(np.linalg.det(frame.corr()))
    assert found.bartlett == pytest.approx(statistic)
    assert found.bartlett_df == 15
    assert found.bartlett_p == pytest.approx(chi2.sf(statistic, 15))


def test_adequacy_of_pairs_is_a_half():
    assert sampling_adequacy(np.array([[1, 0.6], [0.6, 1]]))[0] == pytest.approx(0.5)


def test_where_the_likelihood_fails_principal_factors_take_over(frame):
    good, why = settled_factors(frame, principal_components(frame, COLUMNS))
    assert good.method == "maximum likelihood" and why == "" and good.loadings.shape == (6, 2)
    # g is all but the sum of a and d: it has nothing of its own.
    rng = np.random.default_rng(0)
    scaled = (frame - frame.mean()) / frame.std()
    odd = scaled.assign(g=scaled.a + scaled.d + 1e-3 * rng.normal(size=len(frame)))
    other, why = settled_factors(odd, principal_components(odd, [*COLUMNS, "g"]))
    assert other.method == "principal factors" and why
    assert (other.uniqueness > -1e-6).all()


def test_too_many_factors_and_unknown_words_are_refused_together(frame):
    with pytest.raises(InputError) as caught:
        factor_analysis(frame, COLUMNS, factors=4, rotation="oblique", method="magic")
    assert len(caught.value.problems) == 3
    assert "3 at most can be determined" in str(caught.value)
