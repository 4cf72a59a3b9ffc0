"""The papers' figures as data: values, and what their digits leave open."""

import tomllib
from decimal import Decimal
from fractions import Fraction

import pytest

from precmark import claims
from precmark.errors import InputError


@pytest.mark.parametrize(
    ("digits", "rounding", "half_width"),
    [
        ("0.0376", None, Fraction(5, 100_000)),
        ("0.0120", None, Fraction(5, 100_000)),
        ("0.50", None, Fraction(5, 1000)),
        ("1e-3", None, Fraction(1, 2000)),
        ("1031", None, Fraction(1, 2)),
        ("2670000", 5000, Fraction(5000)),
        ("743", 0, Fraction(0)),
        ("0.25", Decimal("0.05"), Fraction(1, 20)),
    ],
)
def test_the_digits_typed_say_how_far_a_figure_is_known(digits, rounding, half_width):
    value = tomllib.loads(f"v = {digits}", parse_float=Decimal)["v"]
    assert claims.half_width_of(value, rounding) == half_width


def test_a_kept_figure_has_its_digits_place_and_words():
    kept = claims.claim("gu", "table6.option4_couponed_conversion")
    assert (kept.value, kept.half_width) == (0.1369, 0.00005)
    assert kept.place == "Table 6" and kept.unit.startswith("share")
    assert claims.paper("gu", "table6.option4_couponed_sessions") == 978


def test_unknown_papers_and_figures_are_named_with_the_nearest():
    with pytest.raises(InputError, match=r"Did you mean 'table6\.option4_couponed_sessions'"):
        claims.paper("gu", "table6.option4_couponed_session")
    with pytest.raises(InputError, match=r"no paper 'gru'.*gu"):
        claims.paper("gru", "table6.x")
