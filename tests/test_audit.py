"""Each check against hand-computed cases, brute force, sampling or another library."""

import inspect
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, matthews_corrcoef

from precmark.audit import (
    CHECKS,
    EXAMPLES,
    Quantity,
    arguments_of,
    run_check,
    worked_examples,
)
from precmark.audit.arithmetic import (
    difference,
    f1,
    formula,
    growth,
    mean,
    product,
    ratio,
    same,
    shares,
    total,
    weighted_mean,
)  # fmt: skip
from precmark.audit.counts import grim, proportion_interval, two_proportions
from precmark.audit.dimensions import dimensions, units_of
from precmark.audit.expressions import comparison, evaluate, parse
from precmark.audit.order import at_most, correlation, inequality, monotone, ranking, within
from precmark.audit.quantities import Interval, Unbounded
from precmark.audit.rates import accuracy_between, confusion, implied_matthews, p_value_from
from precmark.chapters import VERDICTS
from precmark.errors import InputError

GOOD, BAD, OPEN = "reproduced", "internally inconsistent", "undecided"


def q(digits, unit="") -> Quantity:
    """A figure as it is typed: text keeps its zeros."""
    return Quantity.printed(str(digits), unit)


def qs(*digits):
    return tuple(q(d) for d in digits)


# ---- quantities and intervals


def test_a_figure_stands_for_all_that_rounds_to_it():
    figure = q("0.0120", "share of sessions")
    assert (figure.interval.low, figure.interval.high) == (
        Fraction("0.01195"), Fraction("0.01205"),
    )  # fmt: skip
    assert figure.text == "1.20%"
    assert q("1031", "sessions").text == "1,031 sessions"
    assert q("1031").interval == Interval(Fraction("1030.5"), Fraction("1031.5"))
    assert Quantity(0.1).value == Fraction(1, 10) and Quantity(0.1).half_width == 0
    assert q("100.05", "index").text == "100.05"
    assert q("4.8757", "share").text == "487.57%"


def test_digits_that_were_cut_off_are_read_upwards_and_whole_numbers_stay():
    cut = q("0.22").cut.interval
    assert (cut.low, cut.high) == (Fraction("0.22"), Fraction("0.23"))
    below = q("-0.22").cut.interval
    assert (below.low, below.high) == (Fraction("-0.23"), Fraction("-0.22"))
    assert q("1031").cut == q("1031")
    assert q("0.22").cut.text == "0.22"


NUMBERS = st.decimals(-50, 50, places=2, allow_nan=False)
HALVES = st.sampled_from([Decimal("0"), Decimal("0.005"), Decimal("0.5")])
PLACES = st.lists(st.floats(0, 1), min_size=3, max_size=3)
OPERATIONS = {
    "a + b - c": lambda a, b, c: a + b - c,
    "a * b * c": lambda a, b, c: a * b * c,
    "a / b - c": lambda a, b, c: a / b - c,
    "(a - b) / b + c": lambda a, b, c: (a - b) / b + c,
    "a ** 2 - abs(b) * c": lambda a, b, c: a**2 - abs(b) * c,
    "max(a, b) - min(b, c)": lambda a, b, c: max(a, b) - min(b, c),
    "a * b / (a + c) ": lambda a, b, c: a * b / (a + c),
    "exp(a / 25) + c ** 3 - b": lambda a, b, c: Fraction(math.exp(a / 25)) + c**3 - b,
}


@settings(max_examples=150, deadline=None)
@given(st.tuples(NUMBERS, NUMBERS, NUMBERS), st.tuples(HALVES, HALVES, HALVES), PLACES,
       st.sampled_from(sorted(OPERATIONS)))  # fmt: skip
def test_an_interval_holds_whatever_its_figures_can_give(values, halves, places, expression):
    figures = {n: Quantity(v, h) for n, v, h in zip("abc", values, halves, strict=True)}
    ranges = {n: f.interval for n, f in figures.items()}
    try:
        found = evaluate(parse(expression, figures), ranges)
    except Unbounded:
        assert "/" in expression
        return
    inside = [
        r.low + (r.high - r.low) * Fraction(place)
        for r, place in zip(ranges.values(), places, strict=True)
    ]
    value = OPERATIONS[expression](*inside)
    slack = Fraction(1, 10**9) * (1 + abs(value))  # of the sampled exp, a float
    assert found.low - slack <= value <= found.high + slack


def test_an_interval_is_no_wider_than_it_must_be():
    a, b = q("2.0").interval, q("4.0").interval
    assert a - b == Interval(Fraction("-2.1"), Fraction("-1.9"))
    assert a / b == Interval(
        Fraction("1.95") / Fraction("4.05"), Fraction("2.05") / Fraction("3.95")
    )
    assert Interval(Fraction(-1), Fraction(2)) ** 2 == Interval(Fraction(0), Fraction(4))
    twice = evaluate(parse("(a - b) / b", ["a", "b"]), {"a": a, "b": b})
    once = a / b - Interval(Fraction(1), Fraction(1))
    width, least = twice.high - twice.low, once.high - once.low
    assert least <= width < least * Fraction("1.1"), "a figure that stands twice costs little"


# ---- sums, ratios, means


@pytest.mark.parametrize(
    ("check", "verdict"),
    [
        (lambda: total(parts=qs(3, 4), total=q(7)), GOOD),
        (lambda: total(parts=qs(3, 4), total=q(9)), BAD),
        (lambda: total(parts=qs("3.3", "3.3", "3.3"), total=q(10)), GOOD),  # 9.75 to 10.05
        (lambda: total(parts=qs("3.1", "3.1", "3.1"), total=q(10)), BAD),  # at most 9.45
        (lambda: shares(parts=qs("0.33", "0.33", "0.33")), GOOD),
        (lambda: shares(parts=qs("0.33", "0.33", "0.31")), BAD),
        (lambda: shares(parts=qs("33.3", "33.3", "33.3"), total=q(100)), GOOD),
        (lambda: ratio(numerator=q(1031), denominator=q(100674), printed=q("0.0102")), GOOD),
        (lambda: ratio(numerator=q(1031), denominator=q(99643), printed=q("0.0107")), BAD),
        (lambda: growth(new=q("0.0376"), old=q("0.0286"), printed=q("0.31")), GOOD),
        (lambda: growth(new=q("0.0376"), old=q("0.0286"), printed=q("0.2553")), BAD),
        (lambda: product(factors=qs("1.5", "2.0"), printed=q("3.1")), GOOD),  # up to 3.178
        (lambda: product(factors=qs("1.50", "2.00"), printed=q("3.1")), BAD),
        (lambda: difference(a=q("13.69"), b=q("2.41"), printed=q("11.28")), GOOD),
        (lambda: difference(a=q("13.69"), b=q("2.41"), printed=q("11.30")), BAD),
        (lambda: mean(values=qs("55.9", "78.3", "64.9"), printed=q("66.4")), GOOD),
        (lambda: mean(values=qs("55.9", "78.3", "64.9"), printed=q("66.6")), BAD),
        (lambda: f1(precision=q("0.559"), recall=q("0.916"), printed=q("0.694")), GOOD),
        (lambda: f1(precision=q("0.559"), recall=q("0.916"), printed=q("0.738")), BAD),
        (lambda: same(values=qs("0.1369", "0.137")), GOOD),
        (lambda: same(values=qs("9438", "19865")), BAD),
        (lambda: same(values=qs("9438", "9439")), BAD),
        (lambda: formula(expression="a / b - 1", printed=q("0.31"), a=q("3.76"), b=q("2.86")),
         GOOD),
        (lambda: formula(expression="100 * (1 + a * b)", printed=q("105.57"), a=q("0.0120"),
                         b=q("3.8757")), BAD),  # 104.65, at most 104.67
        (lambda: formula(expression="sqrt(a)", printed=q("1.4"), a=q("2.0")), GOOD),
    ],
)  # fmt: skip
def test_arithmetic_by_hand(check, verdict):
    finding = check()
    assert finding.verdict == verdict, finding
    assert finding.why[-1] == "." and finding.computed


def test_the_interval_of_a_ratio_by_hand():
    finding = ratio(numerator=q("2.0"), denominator=q("4.0"), printed=q("0.5"))
    assert finding.interval == pytest.approx((1.95 / 4.05, 2.05 / 3.95))
    assert "0.5" in finding.why and finding.computed == "0.500"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(NUMBERS, HALVES, st.integers(0, 40), HALVES), min_size=1, max_size=5),
       st.randoms(use_true_random=False))  # fmt: skip
def test_a_weighted_mean_is_bounded_exactly(rows, random):
    values = [Quantity(v, h) for v, h, _, _ in rows]
    weights = [Quantity(w, h) for _, _, w, h in rows]
    assume(any(w.value for w in weights))
    finding = weighted_mean(values=values, weights=weights, printed=q("0"))
    low, high = finding.interval

    def drawn(figure, corner):
        found = figure.interval
        place = random.choice([0, 1]) if corner else Fraction(random.random())
        return max(found.low + (found.high - found.low) * place, Fraction(0))

    seen = []
    for i in range(100):
        corner = i % 2 == 0
        w = [drawn(x, corner) for x in weights]
        ends = [x.interval for x in values]
        lowest = random.random() < 0.5
        x = [e.low if lowest else e.high for e in ends]
        if sum(w):
            seen.append(float(sum(a * b for a, b in zip(x, w, strict=True)) / sum(w)))
    assert low - 1e-9 <= min(seen) and max(seen) <= high + 1e-9
    if len(rows) <= 2:
        assert (low, high) == pytest.approx((min(seen), max(seen)), abs=1e-9), "and no wider"


def test_a_weighted_mean_agrees_with_numpy():
    values, weights = [0.0376, 0.0286], [1031, 99643]
    exact = np.average(values, weights=weights)
    given_by = {"values": qs(*values), "weights": qs(*weights)}
    assert weighted_mean(**given_by, printed=q(f"{exact:.4f}")).verdict == GOOD
    assert weighted_mean(**given_by, printed=q(f"{exact + 0.0002:.4f}")).verdict == BAD


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=6), st.integers(1, 4))
def test_true_figures_that_were_rounded_raise_no_alarm(counts, places):
    """A table made from real counts and rounded passes every check."""
    assume(all(counts))
    whole = sum(counts)
    rounded = [q(f"{c / whole:.{places}f}") for c in counts]
    assert shares(parts=rounded).verdict == GOOD
    part = ratio(numerator=q(counts[0]), denominator=q(whole), printed=rounded[0])
    assert part.verdict == GOOD
    change = growth(
        new=q(counts[0]), old=q(counts[1]), printed=q(f"{counts[0] / counts[1] - 1:.{places}f}")
    )
    assert change.verdict == GOOD
    assert grim(share=rounded[0], total=q(whole)).verdict in (GOOD, OPEN)


def test_a_division_by_what_may_be_nothing_is_open():
    assert ratio(numerator=q("1"), denominator=Quantity(0.01, 0.05), printed=q("3")).verdict == OPEN
    assert formula(expression="log(a)", printed=q("3"), a=Quantity(0.01, 0.05)).verdict == OPEN


def test_a_contradiction_that_cutting_off_explains_is_weaker():
    """0.2255 rounds to 0.23; 0.22 is what is left when the digits are cut off."""
    arguments = {"numerator": q(602), "denominator": q(2670), "printed": q("0.22")}
    assert ratio(**arguments).verdict == BAD
    finding = run_check("ratio", arguments)
    assert finding.verdict == "holds if assumed" and "cut off" in finding.why
    far = run_check("ratio", {**arguments, "printed": q("0.24")})
    assert far.verdict == BAD and "cut off" not in far.why


def test_one_figure_with_two_values_is_said_with_its_places():
    table, text = (
        Quantity(v, 0.5, "pages", "page views", place)
        for v, place in ((9438, "Table 4"), (19865, "Section 5.1"))
    )
    why = same(values=[table, table, text]).why
    assert why == (
        "Printed are 9,438 pages (Table 4) and 19,865 pages (Section 5.1), where one figure "
        "should stand."
    )
    other = Quantity(9000, 0.5, "pages", "visits", "Abstract")
    assert (
        "(page views; Table 4) and 9,000 pages (visits; Abstract)"
        in same(values=[table, other]).why
    )


# ---- expressions from a file are arithmetic and nothing else


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("__import__('os').system('true')", "only the functions"),
        ("a.b", "Attribute"),
        ("[a for a in b]", "ListComp"),
        ("a if b else 1", "IfExp"),
        ("a // b", "only + - * / **"),
        ("a ** b", "a power is a whole number"),
        ("a ** 1000", "a power is a whole number"),
        ("'x' * a * b", "no number"),
        ("a + True + b", "no number"),
        ("sqrt(a, b)", "lacks its number"),
        ("a +", "not arithmetic"),
        ("a + c + b", "'c' stands for no figure"),
        ("a + 1", "'b' is not used"),
        ("lambda: a", "Lambda"),
    ],
)
def test_an_expression_is_arithmetic_only(expression, words):
    with pytest.raises(InputError, match=words.replace("*", r"\*").replace("+", r"\+")):
        formula(expression=expression, printed=q("1"), a=q("1"), b=q("2"))


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("a + b", "write two sides"),
        ("a == b", "write two sides"),
        ("a < b < 3", "write two sides"),
        ("a < 3 or a > b", "write two sides"),
        ("a <", "is not arithmetic"),
        ("a // 2 < b", "only + - * / **"),
        ("a < (b < 1)", "Compare is not arithmetic"),
        ("a < c", "name 'c' stands for no figure"),
        ("a < 1", "figure 'b' is not used"),
        ("open('x') < a", "only the functions"),
    ],
)
def test_an_inequality_is_two_sides_of_arithmetic_only(expression, words):
    with pytest.raises(InputError, match=words.replace("*", r"\*").replace("+", r"\+")):
        inequality(expression=expression, a=q("1"), b=q("2"))


# ---- order


@pytest.mark.parametrize(
    ("expression", "figures", "verdict"),
    [
        ("a <= b", {"a": "0.5", "b": "0.6"}, GOOD),
        ("a <= b", {"a": "0.6", "b": "0.5"}, BAD),
        ("a >= b", {"a": "0.6", "b": "0.5"}, GOOD),
        ("a >= b", {"a": "0.5", "b": "0.6"}, BAD),
        ("a <= b", {"a": "0.5", "b": "0.5"}, OPEN),
        ("a < b", {"a": "0.5", "b": "0.5"}, OPEN),
        ("a < b", {"a": "0.5", "b": "0.54"}, OPEN),  # 0.5 may be 0.549
        ("a < b", {"a": "0.5", "b": "0.56"}, GOOD),
        ("a > 0.5", {"a": "0.51"}, GOOD),
        ("a > 0.5", {"a": "0.50"}, OPEN),
        ("2 * a - 1 <= sqrt(b)", {"a": "1.0", "b": "4.0"}, GOOD),
        ("s <= 100 * (1 + r * g)", {"s": "105.57", "r": "0.0120", "g": "3.8757"}, BAD),
        ("s <= 100 * (1 + r * g)", {"s": "100.05", "r": "0.0107", "g": "0.2553"}, GOOD),
    ],
)
def test_inequalities_by_hand(expression, figures, verdict):
    finding = inequality(expression=expression, **{n: q(d) for n, d in figures.items()})
    assert finding.verdict == verdict, finding
    assert finding.why[-1] == "." and finding.computed


def test_an_inequality_of_exact_numbers_is_decided_at_the_edge():
    two = {"a": Quantity(2), "b": Quantity(2)}
    found = {r: inequality(expression=f"a {r} b", **two).verdict for r in ("<=", "<", ">=", ">")}
    assert found == {"<=": GOOD, "<": BAD, ">=": GOOD, ">": BAD}


def test_an_inequality_says_both_sides_with_their_values():
    finding = inequality(
        expression="s <= 100 * (1 + r * g)", s=q("105.57"), r=q("0.0120", "share"),
        g=q("3.8757", "share"),
    )  # fmt: skip
    assert finding.why == "105.57 is not at most 100 × (1 + 1.20% × 387.57%) = 104.651."
    assert finding.computed == "105.57 against 104.651"
    low, high = finding.interval
    assert low == pytest.approx(105.565 - 100 * (1 + 0.01205 * 3.87575), abs=1e-9)
    assert high == pytest.approx(105.575 - 100 * (1 + 0.01195 * 3.87565), abs=1e-9)
    share = inequality(expression="a > 0.5", a=q("0.78", "share of stores"))
    assert share.why == "78% is above 50%."


@settings(max_examples=60, deadline=None)
@given(st.tuples(NUMBERS, NUMBERS, NUMBERS), st.tuples(HALVES, HALVES, HALVES), PLACES,
       st.sampled_from(["<=", "<", ">=", ">"]))  # fmt: skip
def test_an_inequality_is_decided_only_where_all_true_figures_agree(values, halves, places, op):
    figures = [Quantity(v, h) for v, h in zip(values, halves, strict=True)]
    verdict = inequality(
        expression=f"a * b {op} a + c", **dict(zip("abc", figures, strict=True))
    ).verdict
    at = [f.interval.low + Fraction(p) * (f.interval.high - f.interval.low)
          for f, p in zip(figures, places, strict=True)]  # fmt: skip
    left, right = at[0] * at[1], at[0] + at[2]
    holds = {"<=": left <= right, "<": left < right, ">=": left >= right, ">": left > right}[op]
    if left != right:  # Ranges that share only an end are told apart.
        assert verdict in ((GOOD, OPEN) if holds else (BAD, OPEN))


def test_the_sides_of_a_comparison():
    left, relation, right = comparison("a + 1 >= b", ("a", "b"))
    values = {"a": Interval(Fraction(2), Fraction(2)), "b": Interval(Fraction(5), Fraction(5))}
    assert relation == ">="
    assert (evaluate(left, values).low, evaluate(right, values).low) == (3, 5)


@pytest.mark.parametrize(
    ("best", "others", "order", "verdict"),
    [
        ("0.90", ["0.80", "0.70"], "highest", GOOD),
        ("0.80", ["0.90", "0.70"], "highest", BAD),
        ("0.80", ["0.80", "0.70"], "highest", OPEN),
        ("0.80", ["0.81"], "highest", BAD),
        ("0.8", ["0.81"], "highest", OPEN),
        ("0.8", ["0.79", "0.95"], "highest", BAD),
        ("0.1", ["0.2", "0.3"], "lowest", GOOD),
        ("0.2", ["0.1", "0.3"], "lowest", BAD),
        ("0.2", ["0.2"], "lowest", OPEN),
    ],
)
def test_ranking_by_hand(best, others, order, verdict):
    assert ranking(best=q(best), others=qs(*others), order=order).verdict == verdict


@pytest.mark.parametrize(
    ("values", "direction", "verdict"),
    [
        (["1", "2", "3"], "increasing", GOOD),
        (["1", "3", "2"], "increasing", BAD),
        (["3", "2", "1"], "decreasing", GOOD),
        (["3", "2", "2.5"], "decreasing", OPEN),
        (["3.0", "2.0", "2.5"], "decreasing", BAD),
        (["1", "1", "2"], "increasing", OPEN),
    ],
)
def test_monotone_by_hand(values, direction, verdict):
    assert monotone(values=qs(*values), direction=direction).verdict == verdict


def test_bounds_by_hand():
    assert at_most(smaller=q(5790), larger=q(13438)).verdict == GOOD
    assert at_most(smaller=q(13438), larger=q(11145)).verdict == BAD
    assert at_most(smaller=q("0.84"), larger=q("0.8")).verdict == GOOD, "0.8 may be 0.849"
    assert within(value=q("0.0286"), low=q("0.02"), high=q("0.03")).verdict == GOOD
    assert within(value=q("0.0376"), low=q("0.02"), high=q("0.03")).verdict == BAD
    near = within(value=q("0.0303"), low=q("0.02"), high=q("0.03"))
    assert near.verdict == GOOD and near.why.endswith("as these are rounded.")
    over = at_most(smaller=q("0.60", "share of sales"), larger=Quantity(0.5))
    assert over.why == "60% is more than 50%."
    assert correlation(value=q("-0.71")).verdict == GOOD
    assert correlation(value=q("1.00")).verdict == GOOD
    assert correlation(value=q("1.01")).verdict == BAD


# ---- counts


@settings(max_examples=120, deadline=None)
@given(st.integers(1, 90), st.integers(1, 4), st.integers(0, 10**4), st.integers(1, 3))
def test_grim_against_every_count(cases, places, digits, items):
    """Brute force: round every share that so many cases can give, half up and half down."""
    step = Fraction(1, 10**places)
    share = Fraction(digits % (10**places + 1), 10**places)
    possible = any(
        abs(Fraction(k, cases * items) - share) <= step / 2 for k in range(cases * items + 1)
    )
    finding = grim(
        share=Quantity(share, step / 2), total=Quantity(cases), items=Quantity(items)
    )  # fmt: skip
    if finding.verdict == OPEN:
        every = all(
            any(abs(Fraction(k, cases * items) - d * step) <= step / 2
                for k in range(cases * items + 1))
            for d in range(10**places + 1)
        ) if places < 3 else True  # fmt: skip
        assert possible and every, "a test that cannot fail"
    else:
        assert finding.verdict == (GOOD if possible else BAD)


def test_grim_names_the_counts_beside():
    """Of 1,031 sessions, 38 are 3.69 % and 39 are 3.78 %: 3.76 % is between."""
    finding = grim(share=q("0.0376", "share of sessions"), total=q(1031))
    assert finding.verdict == BAD
    assert "38 of 1,031 is 3.686%" in finding.why and "39 of 1,031 is 3.783%" in finding.why
    assert grim(share=q("0.0378"), total=q(1031)).computed == "39 of 1,031"


def test_grim_tries_every_total_that_a_rounded_one_can_be():
    loose = grim(share=q("0.0376"), total=Quantity(1031, 50))
    hit = [n for n in range(981, 1082) if any(round(k / n, 4) == 0.0376 for k in range(100))]
    assert hit and loose.verdict == GOOD


@pytest.mark.parametrize(
    ("one", "other", "claim", "verdict"),
    [
        (("0.0376", 1031), ("0.0286", 99643), "first higher", OPEN),
        (("0.1369", 978), ("0.0241", 76328), "first higher", GOOD),
        (("0.0241", 76328), ("0.1369", 978), "first higher", BAD),
        (("0.0241", 76328), ("0.1369", 978), "differ", GOOD),
        (("0.0500", 500), ("0.0500", 500), "differ", OPEN),
        (("0.0241", 76328), ("0.1369", 978), "alike", BAD),
        (("0.1369", 978), ("0.0241", 76328), "alike", BAD),
        (("0.0500", 500), ("0.0500", 500), "alike", OPEN),
        (("0.0000", 500), ("0.0000", 500), "first higher", OPEN),
    ],
)
def test_two_proportions(one, other, claim, verdict):
    finding = two_proportions(
        share1=q(one[0], "share"), total1=q(one[1]), share2=q(other[0], "share"),
        total2=q(other[1]), claim=claim,
    )  # fmt: skip
    assert finding.verdict == verdict, finding.why


def test_the_interval_of_two_shares_is_newcombes():
    """Newcombe 1998, table II: 56 of 70 against 48 of 80 is 0.2000, 0.0524 to 0.3339."""
    finding = two_proportions(
        share1=Quantity(Fraction(56, 70)), total1=q(70), share2=Quantity(Fraction(48, 80)),
        total2=q(80),
    )  # fmt: skip
    assert finding.interval == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_the_interval_of_two_shares_widens_with_what_the_digits_leave_open():
    counts = {"total1": q(10_000), "total2": q(10_000)}
    sharp = two_proportions(share1=q("0.5400"), share2=q("0.4900"), **counts)
    loose = two_proportions(share1=q("0.54"), share2=q("0.49"), **counts)
    assert sharp.verdict == loose.verdict == GOOD
    assert loose.interval[0] < sharp.interval[0] < sharp.interval[1] < loose.interval[1]


def test_a_printed_interval_against_wilsons_formula():
    k, n, z = 45, 300, 1.959963985
    p = k / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    right = {"low": q(f"{centre - half:.4f}"), "high": q(f"{centre + half:.4f}")}
    assert proportion_interval(share=q("0.150"), total=q(n), **right).verdict == GOOD
    wald = 1.959963985 * math.sqrt(p * (1 - p) / n)
    right = {"low": q(f"{p - wald:.3f}"), "high": q(f"{p + wald:.3f}")}
    assert proportion_interval(share=q("0.150"), total=q(n), **right).verdict == GOOD
    wrong = {"low": q("0.140"), "high": q("0.160")}
    assert proportion_interval(share=q("0.150"), total=q(n), **wrong).verdict == BAD
    assert proportion_interval(share=q("0.150"), total=q(n), high=q("0.25")).verdict == BAD


# ---- rates of a classifier, test statistics


@settings(max_examples=25, deadline=None)
@given(st.tuples(*[st.integers(1, 300)] * 4))
def test_matthews_of_a_real_table_is_found_and_another_one_is_not(table):
    tp, fp, fn, tn = table
    truth = np.repeat([1, 0, 1, 0], [tp, fp, fn, tn])
    guess = np.repeat([1, 1, 0, 0], [tp, fp, fn, tn])
    sensitivity, specificity = tp / (tp + fn), tn / (tn + fp)
    assume(abs(sensitivity - specificity) > 0.05)
    rates = {
        "sensitivity": q(f"{sensitivity:.5f}"), "specificity": q(f"{specificity:.5f}"),
        "accuracy": q(f"{(tp + tn) / sum(table):.5f}"),
    }  # fmt: skip
    right = matthews_corrcoef(truth, guess)
    assert implied_matthews(**rates, matthews=q(f"{right:.3f}")).verdict == GOOD
    assert implied_matthews(**rates, matthews=q(f"{right + 0.05:.3f}")).verdict == BAD
    assert accuracy_between(**rates).verdict == GOOD


def test_rates_that_no_table_has():
    rates = {"sensitivity": q("0.70"), "specificity": q("0.80"), "accuracy": q("0.90")}
    assert accuracy_between(**rates).verdict == BAD
    assert implied_matthews(**rates, matthews=q("0.5")).verdict == BAD
    level = {"sensitivity": q("0.8"), "specificity": q("0.8"), "accuracy": q("0.9")}
    assert implied_matthews(**level, matthews=q("0.9")).verdict in (GOOD, OPEN)


def test_confusion_against_scikit_learn():
    from sklearn import metrics

    rng = np.random.default_rng(0)
    truth, guess = rng.integers(0, 2, 500), rng.integers(0, 2, 500)
    tn, fp, fn, tp = confusion_matrix(truth, guess).ravel()
    counts = {
        "true_positives": q(tp), "false_positives": q(fp), "false_negatives": q(fn),
        "true_negatives": q(tn),
    }  # fmt: skip
    right = {
        "sensitivity": metrics.recall_score(truth, guess),
        "specificity": metrics.recall_score(truth, guess, pos_label=0),
        "precision": metrics.precision_score(truth, guess),
        "accuracy": metrics.accuracy_score(truth, guess),
        "f1": metrics.f1_score(truth, guess),
    }
    for name, value in right.items():
        assert confusion(**counts, rate=name, printed=q(f"{value:.4f}")).verdict == GOOD
        assert confusion(**counts, rate=name, printed=q(f"{value + 0.001:.4f}")).verdict == BAD


@pytest.mark.parametrize(
    ("arguments", "verdict"),
    [  # Critical values of the usual tables.
        ({"statistic": "2.228", "df": "10", "printed": "0.05"}, GOOD),
        ({"statistic": "-2.228", "df": "10", "printed": "0.050"}, GOOD),
        ({"statistic": "2.228", "df": "10", "printed": "0.03"}, BAD),
        ({"statistic": "1.960", "printed": "0.050", "distribution": "normal"}, GOOD),
        ({"statistic": "1.960", "printed": "0.050"}, GOOD),
        ({"statistic": "3.841", "df": "1", "printed": "0.050", "distribution": "chi2"}, GOOD),
        ({"statistic": "4.26", "df": "2", "df2": "9", "printed": "0.05", "distribution": "F"},
         GOOD),
        ({"statistic": "4.26", "df": "2", "df2": "9", "printed": "0.01", "distribution": "F"}, BAD),
        ({"statistic": "2.1", "df": "100", "below": "0.05"}, GOOD),
        ({"statistic": "1.5", "df": "100", "below": "0.05"}, BAD),
    ],
)  # fmt: skip
def test_p_values_from_tables(arguments, verdict):
    given_as = {k: v if k == "distribution" else q(v) for k, v in arguments.items()}
    assert p_value_from(**given_as).verdict == verdict


# ---- dimensions


@pytest.mark.parametrize(
    ("left", "right", "symbols", "verdict"),
    [
        ("E", "m * c ** 2", {"E": "J", "m": "kg", "c": "m/s"}, GOOD),
        ("E", "m * c", {"E": "J", "m": "kg", "c": "m/s"}, BAD),
        ("tau", "W * h + b", {"tau": "torque", "W": "1", "h": "1", "b": "1"}, BAD),
        ("p", "sigma(W * h + b)", {"p": "1", "W": "1", "h": "1", "b": "1"}, GOOD),
        ("p", "sigma(W * h)", {"p": "1", "W": "yuan", "h": "1"}, BAD),
        ("s", "v / t", {"s": "yuan/day", "v": "yuan", "t": "days"}, GOOD),
        ("s", "v / t", {"s": "yuan/s", "v": "yuan", "t": "h"}, GOOD),
        ("s", "a + b", {"s": "yuan", "a": "yuan", "b": "visits"}, BAD),
        ("s", "-a * 2", {"s": "yuan", "a": "yuan"}, GOOD),
        ("s", "a ** -1", {"s": "s", "a": "Hz"}, GOOD),
    ],
)
def test_dimensions_by_hand(left, right, symbols, verdict):
    assert dimensions(left=left, right=right, symbols=symbols).verdict == verdict


def test_units_multiply_and_cancel():
    assert units_of("N m") == units_of("J") == {"kg": 1, "m": 2, "s": -2}
    assert units_of("kg m^2 / s^2") == units_of("torque")
    assert units_of("1") == units_of("%") == units_of("m / m") == {}
    assert units_of("yuan/visit") == {"yuan": 1, "visit": -1}


# ---- what a check cannot work with


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: grim(share=q("13.69", "share"), total=q(100)), "from 0 to 1"),
        (lambda: grim(share=q("0.5"), total=q(0)), "whole number from 1"),
        (lambda: grim(share=q("0.5"), total=q(10), items=q(0)), "items"),
        (lambda: two_proportions(share1=q("1.2"), total1=q(9), share2=q("0.2"), total2=q(0)),
         "2 problems"),
        (lambda: f1(precision=q("55.9"), recall=q("0.0"), printed=q("0.5")), "2 problems"),
        (lambda: weighted_mean(values=qs(1, 2), weights=qs(1), printed=q(1)), "2 values but 1"),
        (lambda: weighted_mean(values=qs(1), weights=qs(0), printed=q(1)), "above 0"),
        (lambda: ratio(numerator=q(1), denominator=q(0), printed=q(1)), "denominator is 0"),
        (lambda: growth(new=q(1), old=q(0), printed=q(1)), "old figure is 0"),
        (lambda: monotone(values=qs(1), direction="increasing"), "two values"),
        (lambda: within(value=q(1), low=q(3), high=q(2)), "Swap"),
        (lambda: proportion_interval(share=q("0.5"), total=q(10)), "low, high or both"),
        (lambda: p_value_from(statistic=q(2)), "printed or below"),
        (lambda: p_value_from(statistic=q(2), printed=q(1), distribution="chi2"), "degrees"),
        (lambda: implied_matthews(sensitivity=q(70), specificity=q(80), accuracy=q("0.5"),
                                  matthews=q("0.5")), "2 problems"),
        (lambda: accuracy_between(sensitivity=q(70), specificity=q("0.8"), accuracy=q("0.5")),
         "per cent"),
        (lambda: confusion(true_positives=q(0), false_positives=q(0), false_negatives=q(1),
                           true_negatives=q(1), rate="precision", printed=q(1)), "no case"),
        (lambda: dimensions(left="a", right="b *", symbols={"a": "1", "c": "m"}), "not arithmetic"),
        (lambda: dimensions(left="a", right="b", symbols={"a": "1", "c": "m"}), "2 problems"),
        (lambda: dimensions(left="a", right="b", symbols={"a": "3 m", "b": "m"}), "no unit"),
        (lambda: dimensions(left="a", right="a if a else a", symbols={"a": "m"}), "not a product"),
    ],
)  # fmt: skip
def test_figures_that_cannot_be_checked_are_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()


# ---- the list of checks


def test_every_check_says_what_it_does_and_takes():
    for name, check in CHECKS.items():
        assert inspect.getdoc(check).splitlines()[0].endswith("."), name
        taken, _ = arguments_of(name)
        assert taken and any(a.needed for a in taken.values()), name
    taken, more = arguments_of("formula")
    assert more and taken["expression"].kind == "text" and taken["printed"].kind == "figure"
    assert arguments_of("ranking")[0]["order"].choices == ("highest", "lowest")
    assert arguments_of("dimensions")[0]["symbols"].kind == "units"
    assert arguments_of("total")[0]["parts"].kind == "figures"
    assert not arguments_of("grim")[0]["items"].needed


def test_what_only_others_can_try_has_no_verdict_of_its_own():
    assert run_check("chapter", {"chapter": "07_ablation"}).verdict == ""
    kept = run_check("not_testable", {"reason": "The firm's data are private"})
    assert kept.verdict == "not testable with public data" and kept.why.endswith("private.")
    assert kept.verdict in VERDICTS


BY_HAND = {  # Each made-up example, computed on paper.
    BAD: "total ratio mean weighted_mean same ranking monotone at_most correlation grim "
    "implied_matthews accuracy_between p_value_from",
    GOOD: "shares growth product difference f1 formula within inequality proportion_interval "
    "confusion dimensions",
    OPEN: "two_proportions",
    "": "chapter",
    "not testable with public data": "not_testable",
}


def test_every_check_has_an_example_with_the_verdict_that_a_reader_computes():
    assert list(EXAMPLES) == list(CHECKS)
    found = worked_examples()
    assert found["check"].tolist() == list(CHECKS)
    wanted = {name: verdict for verdict, names in BY_HAND.items() for name in names.split()}
    assert found.set_index("check")["verdict"].to_dict() == wanted
    assert all(text.endswith(".") for text in found["finds"])
