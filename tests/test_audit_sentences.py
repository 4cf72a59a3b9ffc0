"""What chapter 09 says and draws, against counts made by hand from small files."""

import matplotlib.pyplot as plt
import pytest

from precmark.audit import (
    audit,
    checks_used,
    differences,
    load,
    scorecard,
    sentences,
    shares_and_counts,
    worked_examples,
)
from precmark.plots.audit import difference_intervals, possible_shares

HEAD = '[paper]\nshort = "{paper}"\n\n[figures.t]\n'
FIGURE = '{name} = {{ value = {value}, unit = "{unit}", place = "Table 1", what = "{what}" }}\n'
CLAIM = '\n[[claims]]\nid = "{id}"\nplace = "Table 1"\nclaim = "{claim}"\ncheck = "{check}"\n{rest}'


@pytest.fixture
def loaded(tmp_path):
    """Two papers: 39 of 1,031 is 3.783 %, so 3.78 % can be and 3.76 % cannot."""
    good, bad = tmp_path / "a.toml", tmp_path / "b.toml"
    shares = {"one": "0.0378", "two": "0.0376", "low": "0.0286", "near": "0.0360"}
    figures = "".join(
        FIGURE.format(name=n, value=v, unit="share", what=f"share_{n}") for n, v in shares.items()
    ) + FIGURE.format(name="cases", value=1031, unit="cases", what="cases") + FIGURE.format(
        name="many", value=99643, unit="cases", what="many cases"
    )  # fmt: skip

    def grim(paper, share, total="cases"):
        rest = f'figures = {{ share = "t.{share}", total = "t.{total}" }}\n'
        return CLAIM.format(
            id=f"{paper}-{share}-{total}", claim=f"Of {share} it can be.", check="grim", rest=rest
        )

    def apart(paper, one, other):
        rest = (
            f'figures = {{ share1 = "t.{one}", total1 = "t.many", share2 = "t.{other}", '
            'total2 = "t.cases" }\n'
        )
        return CLAIM.format(
            id=f"{paper}-{one}-above-{other}", claim="One is above.", check="two_proportions",
            rest=rest,
        )  # fmt: skip

    private = CLAIM.format(
        id="xu-private", claim="All like it.", check="not_testable", rest='reason = "Private."\n'
    )
    tried = CLAIM.format(
        id="xu-tried", claim="It is best.", check="chapter", rest='chapter = "05_baselines"\n'
    )
    good.write_text(HEAD.format(paper="Xu") + figures + grim("xu", "one") + private + tried)
    bad.write_text(
        HEAD.format(paper="Yi") + figures + grim("yi", "two") + grim("yi", "two", "many")
        + apart("yi", "two", "low") + apart("yi", "near", "near")
    )  # fmt: skip
    return load([good, bad])


def test_the_answer_counts_what_can_be_checked(loaded):
    text = sentences.answer(audit(loaded))
    assert text == (
        "Of 7 claims, 5 can be checked by arithmetic on the printed figures alone. 1 of them is "
        "contradicted: 1 of Yi. 1 cannot be tested by anyone outside, and 1 is tried on data in "
        "other chapters."
    )
    assert sentences.answer(audit([])) == "The files hold no claim."


def test_contradictions_are_listed_by_paper_with_their_arithmetic(loaded):
    text = sentences.contradictions(audit(loaded))
    assert text.startswith("**Yi** (1 claim)") and "Xu" not in text
    assert "- Of two it can be. (Table 1) **But:** No count gives 3.76%: 38 of 1,031" in text
    assert sentences.contradictions(audit(loaded[:3])).startswith("No claim is contradicted")


def test_marks_that_markdown_reads_are_written_out(loaded):
    table = audit(loaded)
    table.loc[table["id"] == "yi-two-cases", "why"] = "a_b * <c> | $d$."
    text = sentences.contradictions(table)
    assert r"a\_b \* \<c> \| \$d\$." in text


def test_shares_beside_what_a_count_can_give(loaded):
    table = shares_and_counts(loaded).set_index("id")
    assert list(table.index) == ["xu-one-cases", "yi-two-cases"], "what cannot fail is left out"
    row = table.loc["yi-two-cases"]
    assert (row.below, row.above) == pytest.approx((38 / 1031, 39 / 1031))
    assert (row.cases, row.printed, row.half_width) == (1031, 0.0376, 0.00005)
    text = sentences.on_grim(table)
    assert text.startswith("1 of 2 shares cannot be")
    gap = 100 * (39 / 1031 - 0.0376)
    assert f"off by {gap:.3f} to {gap:.3f} points, where rounding explains 0.005" in text
    assert "cut off" not in text
    assert sentences.on_grim(table.iloc[:1]).startswith("0 of 1") and "nearest" not in (
        sentences.on_grim(table.iloc[:1])
    )
    assert "No claim compares a share" in sentences.on_grim(table.iloc[:0])
    fig, drawn = possible_shares(shares_and_counts(loaded))
    labels = [t.get_text() for t in fig.axes[0].get_yticklabels()]
    assert labels == ["share_one\n3.78% of 1,031", "share_two\n3.76% of 1,031"]
    marks = [line.get_xdata() for line in fig.axes[0].lines]
    assert min(abs(marks[0])) == pytest.approx(100 * abs(39 / 1031 - 0.0378))
    assert len(drawn) == 2
    plt.close(fig)


def test_differences_name_those_that_chance_can_make(loaded):
    table = differences(loaded)
    assert list(table["verdict"]) == ["undecided", "undecided"]
    assert table["difference"].tolist() == pytest.approx([0.009, 0.0])
    text = sentences.on_differences(table)
    assert text.startswith("0 of 2 differences are beyond chance; not so share_two less share_low")
    assert sentences.on_differences(table.iloc[:0]) == "No claim compares two shares."
    moved = table.assign(low=table["low"] + 0.5, high=table["high"] + 0.5)
    assert sentences.on_differences(moved).startswith("2 of 2 differences are beyond chance. ")
    fig, drawn = difference_intervals(table)
    assert len(fig.axes[0].get_yticklabels()) == 2 and drawn is table
    plt.close(fig)


def test_the_tables_of_the_page(loaded):
    audited = audit(loaded)
    every = sentences.all_claims(audited)
    assert every["Verdict"].tolist() == [
        "internally inconsistent", "undecided", "undecided", "undecided", "reproduced",
        "not testable with public data", "tried in a chapter",
    ]  # fmt: skip
    assert every.loc[every["Id"] == "xu-tried", "Place"].item() == "Xu, Table 1"
    assert scorecard(audited)["all"].to_dict() == {"Xu": 3, "Yi": 4}
    checks = sentences.checks_table(
        checks_used(audited).set_index("check"), worked_examples().set_index("check")
    ).set_index("Check")
    assert checks.loc["grim", ["Claims here", "Contradicted"]].tolist() == [3, 1]
    assert checks.loc["grim", "Takes"] == "share, total, [items]"
    assert checks.loc["inequality", "Takes"] == "expression and a figure for each name"
    assert checks["Claims here"].sum() == 7 and checks["Asks"].str.len().min() > 20
