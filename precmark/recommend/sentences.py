"""What the recommendation chapter says about its figures, from the numbers drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from precmark.churn.sentences import gap, listed
from precmark.claims import paper
from precmark.recommend.alpha import JUDGE
from precmark.recommend.occasions import DECISION_CLICK

if TYPE_CHECKING:
    from precmark.recommend.study import Chosen, Entry, Periods

WANTED = {"purchase": "bought", "view": "clicked"}
"""A target in words."""

VERBS = {"first": "beats", "second": "loses to", "neither": "cannot be told from"}
"""Whom an interval favours, in words of the first."""


def on_periods(found: Periods) -> str:
    """How the log is divided and what is asked in its later parts."""
    wanted, test = WANTED[found.wanted], found.test
    people = test.users.person.nunique()
    first = int((test.users.before == 0).sum())
    if found.clicks:
        text = (
            f"A list is asked for at click {DECISION_CLICK} of a session, where the coupon of the "
            f"later chapters is decided on; a target is what is {wanted} later in that session. "
        )
    else:
        text = (
            "A list is asked for at the start of a period, since this source holds orders and no "
            f"clicks; a target is what a user {wanted} within it. "
        )
    return text + (
        f"The validation part holds **{len(found.validation):,}** such occasions, the test part "
        f"**{len(test):,}** of {people:,} users, {len(test.targets) / max(len(test), 1):.1f} "
        f"targets each; {first:,} of them are of users who had not been seen before. Occasions "
        "after which nothing was wanted say nothing about lists and are left out."
    )


def on_curves(chosen: Chosen, titles: Mapping[str, str]) -> str:
    """Which a validation preferred with each collaborative model, and by how much."""
    if chosen.curves.empty:
        return "Nobody of whom an item is known wanted anything; a stays at 0.5."
    parts = []
    judged = chosen.curves[chosen.curves.metric == JUDGE]
    for name, curve in judged.groupby("collaborative", sort=False):
        best = curve.loc[curve.value.idxmax()]
        parts.append(f"{titles[name]} a = {best.alpha:g} ({best.value:.3f})")
    mine = judged[judged.collaborative == chosen.collaborative].set_index("alpha")
    alpha = chosen.alpha[chosen.collaborative]
    best = mine.loc[alpha]
    text = (
        f"Validation prefers, by {JUDGE}: {listed(parts)}. **{titles[chosen.collaborative]}** "
        f"makes the best hybrid, {best.value:.3f} [{best.low:.3f}, {best.high:.3f}]; content alone "
        f"has {mine.value[0.0]:.3f} and this model alone {mine.value[1.0]:.3f}. "
    )
    if alpha in (0.0, 1.0):
        ends = (
            "The best mixture is none: validation leaves {} out, and the hybrid is its other part. "
        )
        text += ends.format("content" if alpha else "the collaborative part")
    near = mine.index[mine.value >= best.low]
    if len(near) == 1:
        return text + "No other value tried comes within its interval."
    return text + (
        f"The values tried from {min(near):g} to {max(near):g} all lie within its interval, so the "
        "choice is between near equals."
    )


def on_example(ranks: pd.DataFrame, alpha: float) -> str:
    """One list: where its products come from and whether it was of use."""
    ten = ranks[ranks.listed > 0]
    others, content = (int((ten[f"place_{part}"] <= len(ten)).sum()) for part in ("cf", "cb"))
    wanted = ranks[ranks.wanted]
    text = (
        f"Of the {len(ten)} listed, {others} stand among the first {len(ten)} of r_CF, {content} "
        f"among those of r_CB, and {int(ten.touched.sum())} had been touched before. "
    )
    found = int((wanted.listed > 0).sum())
    verb = "is" if found == 1 else "are"
    text += f"Of the {len(wanted)} wanted afterwards, {found} {verb} in the list"
    missed = wanted[wanted.listed == 0]
    if len(missed):
        text += f"; the best of the others has place {int(missed.place_cf.min()):,} in r_CF"
        text += f" and place {int(missed.place_cb.min()):,} in r_CB"
    part = {0.0: "content", 1.0: "the collaborative part"}.get(alpha)
    return text + (f". With a = {alpha:g} the list is that of {part}." if part else ".")


def on_quality(quality: pd.DataFrame, models: Mapping[str, Entry]) -> str:
    """Who leads, and what the floors reach."""
    table = _read(quality, JUDGE)
    order = table.sort_values("value", ascending=False)
    best = order.iloc[0]
    floors = order[[models[m].family == "floor" for m in order.index]]
    top = floors.iloc[0]
    hits = _read(quality, "hit rate").value
    mine = "It" if best.name == "hybrid" else f"The hybrid has {table.value['hybrid']:.3f} and"
    return (
        f"**{models[best.name].title}** has the highest {JUDGE}, {best.value:.3f} "
        f"[{best.low:.3f}, {best.high:.3f}]. {mine} finds something wanted with its ten in "
        f"{hits['hybrid']:.0%} of the occasions; ten items drawn at random do in "
        f"{hits['random']:.0%}. "
    ) + (
        "The leader is a floor, a list without any model."
        if top.name == best.name
        else f"The best of the floors is *{models[top.name].title}* with {top.value:.3f}, without "
        "any model."
    )


def on_against(against: pd.DataFrame, models: Mapping[str, Entry]) -> str:
    """The hybrid against each other list, in words."""
    beaten = [models[m].title for m in against[against.favours == "first"].model]
    better = [models[m].title for m in against[against.favours == "second"].model]
    same = [models[m].title for m in against[against.favours == "neither"].model]
    text = f"By {JUDGE}, the hybrid is better than {listed(beaten) if beaten else 'nothing here'}"
    text += f"; it is worse than {listed(better)}" if better else ""
    text += f"; and the data cannot tell it from {listed(same)}" if same else ""
    return f"{text}, all by intervals of the difference on the same draws of users."


def on_targets(quality: pd.DataFrame, models: Mapping[str, Entry]) -> str:
    """New and repeat items apart."""
    texts = []
    for target, words in (
        ("repeat", "Among items that the user had touched"),
        ("new", "Among items that are new to the user"),
    ):
        table = _read(quality, JUDGE, target=target)
        if table.empty:
            continue
        best = table.value.idxmax()
        texts.append(
            f"{words} ({table.occasions.iloc[0]:,} occasions), {models[best].title} leads with "
            f"{table.value[best]:.3f}; the hybrid has {table.value['hybrid']:.3f}, what is popular "
            f"{table.value['popular']:.3f}"
        )
    return (
        ". ".join(texts)
        + ". "
        + (
            "A list of what was touched before needs no model, and a user needs no help to find it "
            "again; what a recommender is for is the second figure."
        )
    )


def on_users(quality: pd.DataFrame) -> str:
    """Warm and cold users apart."""
    cold, warm = (_read(quality, JUDGE, users=u) for u in ("cold", "warm"))
    parts = []
    if len(warm):
        parts.append(
            f"users known from before get {warm.value['hybrid']:.3f} ({warm.occasions.iloc[0]:,} "
            f"occasions; what is popular {warm.value['popular']:.3f})"
        )
    if len(cold):
        parts.append(
            f"users of whom nothing is known get {cold.value['hybrid']:.3f} "
            f"({cold.occasions.iloc[0]:,} occasions), which is the list of what is popular: a is 0 "
            "for them and content has nothing to go by"
        )
    return f"{JUDGE} of the hybrid by what is known: {'; '.join(parts)}."


def on_clicks(table: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """What the first clicks of a newcomer are worth."""
    mine = table[table.model == "hybrid"].set_index("clicks").value
    steps = ", ".join(f"{mine[c]:.3f} after {c}" for c in mine.index if c)
    first = f"{JUDGE} of the hybrid for newcomers is {mine[0]:.3f} on arrival, {steps} clicks. "
    last = table[table.clicks == table.clicks.max()].set_index("model").value
    part = last.drop(["hybrid", "popular"]).idxmax()
    return first + (
        f"The sessions and the targets are the same at every number, so the rise is what the "
        f"clicks tell. After the last, {titles[part]} alone has {last[part]:.3f}."
    )


def on_cold_items(table: pd.DataFrame, models: Mapping[str, Entry]) -> str:
    """Who finds products that nobody has touched."""
    value = table.set_index("model").value
    found = value[value > 0].sort_values(ascending=False)
    parts = [f"{models[m].title} {v:.1%}" for m, v in found.items()]
    blind = [models[m].title for m in value[value == 0].index]
    text = f"Of the wanted products that were made cold, the ten hold: {listed(parts) or 'none'}. "
    if blind:
        text += f"{listed(blind)} cannot list any of them. "
    if not any(models[m].family == "part" and m != "content" for m in found.index):
        return text.rstrip()
    return text + (
        "A collaborative model lists some because products that nobody touched are served by "
        "their content rank."
    )


def on_categories(
    table: pd.DataFrame, apart: pd.DataFrame, models: Mapping[str, Entry], wanted: str
) -> str:
    """How often the coupon's category is that of what is wanted next."""
    rate = table.set_index("model")
    best = [models[m].title for m in rate.index[rate.hit_rate == rate.hit_rate.max()]]
    mine = rate.loc["hybrid"]
    text = (
        f"The hybrid's category is that of the next item {WANTED[wanted]} in "
        f"**{mine.hit_rate:.0%}** [{mine.low:.0%}, {mine.high:.0%}] of {int(mine.occasions):,} "
        f"occasions; a random list's in {rate.hit_rate['random']:.0%}, the most popular in "
        f"{rate.hit_rate['popular']:.0%}. "
    )
    row = apart[apart.model == "same-category"]
    if len(row):
        row = row.iloc[0]
        said = {
            "first": "is beaten by the hybrid",
            "second": "beats the hybrid",
            "neither": "cannot be told from the hybrid",
        }[row.favours]
        text += (
            "The floor that matters is the category that weighs most in the user's own history: it "
            f"{said} (hybrid minus floor: {gap(row)}). "
        )
    return text + f"The highest rate of all: {listed(best)}."


def on_paper(table: pd.DataFrame) -> str:
    """What the paper credits to recommendation, beside what the categories allow."""
    ratio = paper("gu", "table6.option4_couponed_conversion") / paper(
        "gu", "table6.option3_couponed_conversion"
    )
    rate = table.set_index("model").hit_rate
    return (
        f"Option 4 differs from option 3 by the recommended category alone, and the paper prints "
        f"{ratio:.1f} times its conversion. Our category is right {rate['hybrid']:.0%} of the time "
        f"against {rate['random']:.0%} at random, {rate['hybrid'] / rate['random']:.1f} times as "
        "often. The two ratios are not the same thing: being right about what somebody is going to "
        "buy is not making them buy it. How much of the one becomes the other is what the coupon "
        "ablation asks."
    )


def on_fresh(fresh: pd.DataFrame) -> str:
    """Rules and the hybrid where nobody can repeat what was touched."""
    row = fresh.set_index("model").loc["rules"]
    return (
        "A rule leads from a product to another and never to itself, which counts against rules "
        "where repeating is allowed. Among products new to the user the hybrid "
        f"{VERBS[row.favours]} them ({gap(row)})."
    )


def answer(
    quality: pd.DataFrame,
    against: pd.DataFrame,
    fresh: pd.DataFrame,
    models: Mapping[str, Entry],
    categories: pd.DataFrame | None,
) -> str:
    """The answer at the head of the chapter; `fresh` is `against` for new products."""
    rows, new = (table.set_index("model").favours for table in (against, fresh))
    value = _read(quality, JUDGE).value
    alone, part = lone_part(models), own_part(models)
    if alone is not None:
        text = (
            f"Mixing brings nothing here: validation leaves {alone} alone ({JUDGE} "
            f"{value['hybrid']:.2f}, the other part {value[_other(part, alone)]:.2f}). The list "
        )
    else:
        text = f"The hybrid ({JUDGE} {value['hybrid']:.2f}) " + _and(
            (rows["content"], f"content alone ({value['content']:.2f})"),
            (rows[part], f"{models[part].title} alone ({value[part]:.2f})"),
        )
        text += ". It "
    rules = [
        (rows["rules"], "association rules over all products"),
        (new["rules"], "association rules among products new to the user"),
    ]
    if rows["rules"] == new["rules"]:
        rules = [(rows["rules"], "association rules (over all products and among new ones)")]
    text += _and(*rules, (rows["again"], "a list of what the user touched before"))
    text += "."
    if categories is not None:
        rate = categories.set_index("model").hit_rate
        text += (
            f" Its category is the right one for a coupon in {rate['hybrid']:.0%} of the occasions "
            f"({rate['random']:.0%} at random)"
        )
        if "same-category" in rate:
            text += f"; the user's own favourite, in {rate['same-category']:.0%}"
        text += "."
    return text


def _and(*parts: tuple[str, str]) -> str:
    """Verbs and objects, each verb once: "beats a and b, and loses to c"."""
    objects: dict[str, list[str]] = {}
    for favours, what in parts:
        objects.setdefault(VERBS[favours], []).append(what)
    said = [f"{verb} {listed(whats)}" for verb, whats in objects.items()]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])}, and {said[-1]}"


def _other(part: str, alone: str) -> str:
    return part if alone == "content" else "content"


def parts_verdict(against: pd.DataFrame, models: Mapping[str, Entry]) -> str:
    """Whom the comparison of the hybrid with its own two parts favours."""
    rows = against.set_index("model").favours
    mine = {rows["content"], rows[own_part(models)]}
    return "second" if "second" in mine else "first" if mine == {"first"} else "neither"


def lone_part(models: Mapping[str, Entry]) -> str | None:
    """The part that the hybrid consists of where its a is 0 or 1, in words; else None."""
    title = models["hybrid"].title
    if title.endswith("a = 1)"):
        return models[own_part(models)].title
    return "content" if title.endswith("a = 0)") else None


def own_part(models: Mapping[str, Entry]) -> str:
    """The collaborative model that the hybrid is made of."""
    title = models["hybrid"].title
    return next(name for name in models if f"({models[name].title}," in title)


def _read(
    quality: pd.DataFrame, metric: str, *, target: str = "all", users: str = "all"
) -> pd.DataFrame:
    """One metric of one target and group of users, by model."""
    kept = (quality.metric == metric) & (quality.target == target) & (quality.users == users)
    return quality[kept].set_index("model")
