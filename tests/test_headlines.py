"""The ten sentences, each against results tables built by hand, in worlds that go either way."""

import re

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from precmark import headlines
from precmark.audit.table import SCORED
from precmark.claims import paper
from precmark.headlines import STANDING
from precmark.runs import Run

WORLDS = ("no_effect", "persuadable_risk", "lost_causes", "sure_things", "orthogonal")
EFFECTS = WORLDS[1:]
NUMBER = re.compile(r"[-+]?\d[\d,]*\.?\d*")


@pytest.fixture
def run(tiny_run):
    return Run(tiny_run)


def claim(id="x-y", verdict="reproduced", **values):
    row = {"id": id, "paper": "Gu", "place": "Table 1", "claim": "c", "printed": "1", "ours": "2",
           "verdict": verdict, "why": "It is so.", "chapter": "01_store"}  # fmt: skip
    return row | values


def claims(*rows):
    return pd.DataFrame(list(rows), columns=list(SCORED)).astype("str")


def said(run, *rows, of):
    """The sentence of chapter `of`, the only one that the tables of `run` allow."""
    (sentence,) = headlines.ten(run, claims(*rows))
    assert sentence.chapter.startswith(of)
    assert sentence.text.endswith(".")
    return sentence


# --------------------------------------------------------------------------- the ablation


def option(world="no_effect", policy="4", budget="paper rates", **values):
    return {"world": world, "policy": policy, "budget": budget, "c1": 0.1, "c1_n": 100.0,
            "c2_all": 0.1, "c2_all_n": 900.0, "profit_30": 0.0, "exploration_cost_30": 0.0,
            } | values  # fmt: skip


def test_where_coupons_do_nothing_the_comparison_is_quoted(run):
    rows = [option(policy=p, c1=c) for p, c in zip("1234", (0.05, 0.12, 0.09, 0.14), strict=True)]
    rows += [option(policy="6", c1=0.9), option("sure_things", c1=0.8),
             option(budget="equal coupons", c1=0.7)]  # fmt: skip
    run.write("ablation/options", pd.DataFrame(rows[::-1]))
    found = said(run, of="07")
    assert found.standing == "Does not hold"
    assert "**-5.0 to +4.0 points**" in found.text
    assert "(+4.0 for option 4," in found.text
    printed = 100 * (
        paper("gu", "table6.option4_couponed_conversion")
        - paper("gu", "table6.option4_other_conversion")
    )
    assert f"prints {printed:+.1f})" in found.text
    assert "not what they did" in found.text


def test_where_the_comparison_is_right_it_says_so(run):
    run.write("ablation/options", pd.DataFrame([option(policy=p, c1=0.1005) for p in "1234"]))
    found = said(run, of="07")
    assert found.standing == "Holds"
    assert "what they did: nothing." in found.text


@pytest.mark.parametrize(
    "rows",
    [[option(world="sure_things")], [option(policy="1")], [option(c1=float("nan"))]],
    ids=["no such world", "no option 4", "no coupon"],
)
def test_without_that_world_or_option_nothing_is_said(run, rows):
    run.write("ablation/options", pd.DataFrame(rows))
    assert headlines.ten(run, claims()) == []


def primary(favours):
    """A table of comparisons: whom each favours, by (comparison, world); else neither."""
    return pd.DataFrame([
        {"world": w, "comparison": c, "favours": favours.get((c, w), "neither")}
        for w in WORLDS for c in ("4-1", "4-2", "4-3", "5-4")
    ])  # fmt: skip


def by_comparison(run, favours):
    run.write("ablation/primary", primary(favours))
    return headlines.ten(run, claims())


def test_option_4_must_beat_all_three_in_a_world(run):
    favours = {(f"4-{r}", "persuadable_risk"): "first" for r in "123"}
    favours |= {("4-1", "lost_causes"): "first", ("4-2", "lost_causes"): "first"}
    favours |= {("4-3", "sure_things"): "second", ("4-1", "no_effect"): "second"}
    found, uplift = by_comparison(run, favours)
    assert found.standing == headlines.DEPENDS
    assert "**1 of 4 worlds** in which somebody responds (where likely leavers respond)" in (
        found.text
    )
    assert "; where near-buyers respond it earns less than one of them." in found.text
    assert uplift.standing == "Open"
    assert uplift.text.endswith("**0 of 4 worlds** with an effect, and less in none.")


def test_option_4_ahead_everywhere_holds(run):
    every = {(f"4-{r}", w): "first" for r in "123" for w in EFFECTS}
    found, _ = by_comparison(run, every)
    assert found.standing == "Holds"
    assert "**4 of 4 worlds**" in found.text
    assert found.text.endswith("; in none it earns less than one of them.")


def test_option_4_behind_everywhere_does_not_hold(run):
    found, _ = by_comparison(run, {("4-1", w): "second" for w in EFFECTS})
    assert found.standing == "Does not hold"
    assert "**0 of 4 worlds** in which somebody responds;" in found.text
    who = "likely leavers, middling risks, near-buyers or people of any risk"
    assert f"where {who} respond it earns less" in found.text


@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(st.lists(st.sampled_from(["first", "second", "neither"]), min_size=20, max_size=20))
def test_the_worlds_counted_are_those_of_the_table(run, sides):
    keys = [(c, w) for w in WORLDS for c in ("4-1", "4-2", "4-3", "5-4")]
    favours = dict(zip(keys, sides, strict=True))
    four, five = by_comparison(run, favours)
    best = sum(all(favours[f"4-{r}", w] == "first" for r in "123") for w in EFFECTS)
    beaten = sum(any(favours[f"4-{r}", w] == "second" for r in "123") for w in EFFECTS)
    assert f"**{best} of 4 worlds**" in four.text
    assert ("in none it earns less" in four.text) == (beaten == 0)
    ahead = sum(favours["5-4", w] == "first" for w in EFFECTS)
    assert f"**{ahead} of 4 worlds**" in five.text
    behind = [w for w in EFFECTS if favours["5-4", w] == "second"]
    tail = five.text.split("and less ")[1]
    assert [w for w in EFFECTS if headlines.RESPONDERS[w] in tail] == behind
    expected = {4: "Holds", 0: "Does not hold" if behind else "Open"}
    assert five.standing == expected.get(ahead, headlines.DEPENDS)


def test_uplift_is_also_counted_after_paying_for_what_it_knows(run):
    run.write("ablation/primary", primary({("5-4", w): "first" for w in EFFECTS}))
    rows = []
    for world, cost in zip(WORLDS, (0.5, 4.0, 3.5, 1.0, -2.0), strict=True):
        rows += [
            option(world, "4", "equal coupons", profit_30=5.0),
            option(world, "5", "equal coupons", profit_30=8.0, exploration_cost_30=cost),
            option(world, "5", "paper rates", profit_30=-99.0),
        ]
    run.write("ablation/options", pd.DataFrame(rows))
    found = next(s for s in headlines.ten(run, claims()) if "who responds" in s.text)
    assert found.standing == "Holds"
    assert "**4 of 4 worlds**" in found.text
    assert "it is ahead in 2 (where near-buyers or people of any risk respond)." in found.text


def test_without_a_cost_of_exploring_none_is_told(run):
    run.write("ablation/primary", primary({}))
    rows = [option(w, p, "equal coupons") for w in EFFECTS for p in "45"]
    run.write("ablation/options", pd.DataFrame(rows))
    assert "in expectation" not in headlines.ten(run, claims())[1].text


@pytest.mark.parametrize("lost", ["5-4", "4-2"])
def test_a_comparison_that_lacks_leaves_its_sentence_out(run, lost):
    table = primary({})
    run.write("ablation/primary", table[table.comparison != lost])
    (found,) = headlines.ten(run, claims())
    assert ("option 4 earns more" in found.text) == (lost == "5-4")


def test_a_world_of_ones_own_is_named(run):
    table = primary({("5-4", "sure_things"): "first"}).replace("sure_things", "my_world")
    run.write("ablation/primary", table)
    assert "(where those of *my world* respond)" in headlines.ten(run, claims())[1].text


def need(world="orthogonal", **values):
    return {"world": world, "target": 0.1369, "without": 0.04, "c1": 0.05, "needed_tau": 0.0969,
            "times": 20.0, "reachable": True} | values  # fmt: skip


def test_what_the_printed_conversion_would_need(run):
    run.write("ablation/needed", pd.DataFrame([
        need("no_effect", times=1.0), need("persuadable_risk", times=5.96), need(times=40.4),
        need("sure_things", times=float("nan"), reachable=False),
    ]))  # fmt: skip
    found = said(run, of="07")
    assert found.standing == "Does not hold"
    assert found.text.startswith("For 13.69% of option 4's coupon holders to buy")
    assert "**6.0 to 40 times** as strong" in found.text
    assert "none would do where near-buyers respond" in found.text
    assert "without a coupon 4.0% of those" in found.text


@pytest.mark.parametrize(
    ("row", "part", "standing"),
    [
        (need(reachable=False, times=float("nan")), "**no strength** of coupons", "Does not hold"),
        (need(needed_tau=0.0, times=0.0, without=0.2, c1=0.21), "**need not do anything**",
         "Holds in simulation"),
        (need(c1=0.14, times=0.97), "**1.0 times** as strong", "Holds in simulation"),
    ],
    ids=["none is enough", "none is needed", "reached"],
)  # fmt: skip
def test_needs_at_their_ends(run, row, part, standing):
    run.write("ablation/needed", pd.DataFrame([row]))
    found = said(run, of="07")
    assert part in found.text
    assert found.standing == standing


def test_the_verdict_on_the_claim_decides_how_a_sentence_opens(run):
    run.write("ablation/needed", pd.DataFrame([need()]))
    for verdict, opening in STANDING.items():
        found = said(run, claim("gu-option4-conversion-1369", verdict), of="07")
        assert found.standing == opening
    assert said(run, claim("gu-option4-conversion-1369", ""), of="07").standing == "Does not hold"


# ---------------------------------------------------------------------- sales and recommendation


def test_readings_that_give_table_7_are_counted(run):
    for full, words in ((0, "**none** gives"), (1, "**1** gives"), (2, "**2** give all")):
        run.write("sales/readings", pd.DataFrame({"rows": [4] * full + [3, 2, 0]}))
        found = said(run, of="08")
        assert found.text.startswith(f"Of {3 + full} ways to read")
        assert words in found.text
        assert "coupons do nothing" not in found.text


def test_the_formula_is_quoted_where_coupons_do_nothing(run):
    run.write("sales/readings", pd.DataFrame({"rows": [0, 1]}))
    rows = [
        ("equal coupons", "no_effect", "4", 1.0),
        ("paper rates", "no_effect", "1", 2.0),
        ("paper rates", "orthogonal", "4", 3.0),
        ("paper rates", "no_effect", "4", 100.44),
    ]
    truth = pd.DataFrame(rows, columns=["budget", "world", "policy", "estimated"])
    run.write("sales/truth", truth.assign(true=99.987))
    found = said(run, claim("gu-table7-sales-follow", "internally inconsistent"), of="08")
    assert found.standing == "Contradicts itself"
    assert "report 100.44 for option 4, where 100 is no change and 99.99 is true." in found.text


def test_the_recommender_stands_beside_the_best_of_the_others(run):
    table = pd.DataFrame({"model": ["random", "same-category", "hybrid"],
                          "hit_rate": [0.1, 0.334, 0.31], "low": [0.09, 0.31, 0.29],
                          "high": [0.11, 0.35, 0.33]})  # fmt: skip
    run.write("recommendation/categories", table)
    found = said(run, of="06")
    assert found.standing == "Open"
    assert "**31%** of the cases [29%, 33%]" in found.text
    assert "the category that the user touched most, in 33% [31%, 35%]." in found.text
    for part in (table[:2], table[2:]):
        run.write("recommendation/categories", part)
        assert headlines.ten(run, claims()) == []


# ---------------------------------------------------------------------- churn and segments


def differences(favours="second", **values):
    row = {"model": "histogram-boosting", "title": "gradient boosting", "than": "c-att-lstm",
           "metric": "average_precision", "difference": -0.013, "low": -0.022, "high": -0.003,
           "fit": "pooled", "favours": favours} | values  # fmt: skip
    return pd.DataFrame([row])


@pytest.mark.parametrize(
    ("favours", "opening"),
    [("first", "Gradient boosting beats the paper's network C-ATT-LSTM ("),
     ("second", "The paper's network C-ATT-LSTM beats gradient boosting ("),
     ("neither", "The paper's network C-ATT-LSTM does not beat gradient")],
)  # fmt: skip
def test_the_network_against_boosting(run, favours, opening):
    run.write("churn/differences", differences(favours))
    models = pd.DataFrame({"model": ["a", "b", "c", "a", "a"], "fit": ["pooled"] * 4 + ["segment"]})
    run.write("churn/quality", models)
    found = said(run, claim("gu-network-is-the-model-to-use", "undecided"), of="05")
    assert found.text.startswith(opening)
    assert "-0.013 [-0.022, -0.003]" in found.text
    assert "among **3 models**" in found.text
    assert found.standing == "Open"
    alone = {"first": "Does not hold", "second": "Holds", "neither": "Open"}
    assert said(run, of="05").standing == alone[favours]
    run.write("churn/differences", differences(model="other"))
    assert headlines.ten(run, claims()) == []


def test_segments_of_the_profile_against_rfm(run):
    id = "gu-profile-segments-beat-rfm"
    words = {"holds if assumed": "are better than", "reproduced": "are better than",
             "not reproduced": "are worse than", "undecided": "cannot be told from"}  # fmt: skip
    for verdict, level in words.items():
        found = said(run, claim(id, verdict, ours="area -0.048"), of="03")
        assert f"whole profile {level} those of RFM: by **-0.048** of area" in found.text
        assert found.text.startswith("In telling what users do afterwards")
    run.write("segments/future", pd.DataFrame({"outcome": ["bought"]}))
    assert "In telling who bought afterwards" in said(run, claim(id), of="03").text


def test_one_model_a_segment(run):
    row = claim("gu-segment-models-predict-better", "not reproduced", ours="average precision -0.1")
    assert headlines.ten(run, claims(row)) == []  # no results of the chapter
    run.write("churn/differences", differences(model="other"))
    found = said(run, row, of="05")
    assert found.standing == "Does not hold"
    assert "its average precision by **-0.1** against one network for all" in found.text


def test_what_a_random_split_changes(run):
    rows = [
        ("LR", "by time", 0.70),
        ("LR", "at random", 0.74),
        ("NN", "by time", 0.80),
        ("NN", "at random", 0.81),
        ("Constant", "by time", 0.5),
        ("Constant", "at random", 0.9),
    ]
    leak = pd.DataFrame(rows, columns=["title", "split", "value"]).assign(metric="auroc")
    run.write("churn/leak", pd.concat([leak, leak.assign(metric="f1", value=0.0)]))
    assert "**+0.025** on average" in said(run, of="05").text
    run.write("churn/leak", leak[leak.split == "by time"])
    assert headlines.ten(run, claims()) == []


def test_a_verdict_alone_makes_a_sentence(run):
    row = claim("liu-table2-mcc", "internally inconsistent", paper="Liu", place="Table 2")
    found = said(run, row, of="05")
    assert (found.standing, found.text) == ("Contradicts itself", "Liu, Table 2: It is so.")


# ------------------------------------------------------------------------------- the page's ten


def everything(run):
    """Tables for every sentence; the verdicts that some of them rest on."""
    run.write("ablation/options", pd.DataFrame([option(policy=p) for p in "1234"]))
    run.write("ablation/primary", primary({}))
    run.write("ablation/needed", pd.DataFrame([need()]))
    run.write("sales/readings", pd.DataFrame({"rows": [0]}))
    table = pd.DataFrame({"model": ["random", "hybrid"], "hit_rate": 0.1, "low": 0.0, "high": 1.0})
    run.write("recommendation/categories", table)
    run.write("churn/differences", differences())
    run.write("churn/quality", pd.DataFrame({"model": ["a"], "fit": ["pooled"]}))
    leak = pd.DataFrame({"title": "LR", "metric": "auroc", "split": ["by time", "at random"],
                         "value": [0.7, 0.8]})  # fmt: skip
    run.write("churn/leak", leak)
    ids = ("gu-segment-models-predict-better", "gu-profile-segments-beat-rfm", "liu-table2-mcc")
    return claims(*[claim(id) for id in ids], claim("y-z", "internally inconsistent", paper="You"))


def test_ten_sentences_and_the_count_of_all_claims_last(run):
    found = everything(run)
    without = headlines.ten(run, found)
    assert len(without) == 10
    assert {s.chapter[:2] for s in without} == {"03", "05", "06", "07", "08"}
    run.write("audit/claims", pd.DataFrame({"id": ["x"]}))
    ten = headlines.ten(run, found)
    assert ten[:9] == without[:9]
    assert ten[9].standing == "In all"
    assert ten[9].text == (
        "Of **4 claims** of 2 papers the papers' own figures contradict 1, whatever the data; 3 "
        "hold."
    )


@pytest.mark.parametrize(
    "gone",
    ["ablation/options", "ablation/primary", "ablation/needed", "sales/readings",
     "recommendation/categories", "churn/differences", "churn/quality", "churn/leak"],
)  # fmt: skip
def test_every_sentence_copes_without_its_table(run, gone):
    found = everything(run)
    whole = headlines.ten(run, found)
    run.table_path(gone).unlink()
    left = headlines.ten(run, found)
    assert [s for s in whole if s not in left]
    assert all(s.text for s in left)


def test_an_empty_run_says_nothing(run):
    assert headlines.ten(run, claims()) == []


def test_no_number_is_typed_into_a_sentence():
    """Numbers in the texts are names: options, tables, models a count; never a result."""
    import ast
    from pathlib import Path

    tree = ast.parse(Path(headlines.__file__).read_text())
    docs = {ast.get_docstring(n, clean=False) for n in ast.walk(tree)
            if isinstance(n, ast.Module | ast.FunctionDef | ast.ClassDef)}  # fmt: skip
    words = [
        part.value for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for part in ast.walk(f)
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and " " in part.value
        and part.value not in docs
    ]  # fmt: skip
    assert words
    named = re.compile(
        r"options 1 to 4|options 1 (?=\()|2 (?=\(no)|3 (?=\(no)|option 4|Table 7|100 is no change"
    )
    for text in words:
        assert not NUMBER.search(named.sub("", text)), text
