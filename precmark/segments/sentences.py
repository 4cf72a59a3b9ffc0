"""What the segmentation chapter says about its figures, from the numbers drawn."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from precmark.segments.choose import NumberChoice
from precmark.segments.compare import Gap, Separation
from precmark.segments.personas import Personas


def strength(index: float) -> str:
    """An adjusted Rand index in words."""
    for least, words in (
        (0.9, "almost the same"),
        (0.65, "much the same"),
        (0.3, "partly the same"),
    ):
        if index >= least:
            return words
    return "largely different"


def way(index: float) -> str:
    """How two segmentations with this adjusted Rand index part the users, in words."""
    words = strength(index)
    return f"in {words} ways" if words == "largely different" else f"in {words} way"


def on_choice(choices: Mapping[str, NumberChoice]) -> str:
    """Which number of segments the rule picked for each segmentation, and how firm that is."""
    lines = []
    for name, choice in choices.items():
        if choice.table.empty:
            lines.append(f"{name.capitalize()}: too few users differ, so one segment.")
            continue
        row = choice.table[choice.table.chosen].iloc[0]
        lines.append(
            f"{name.capitalize()}: **{choice.chosen}** segments. Refits on random subsets of the "
            f"users agree with them at an adjusted Rand index of {row.stability:.2f} on average "
            f"({row.stability_low:.2f} to {row.stability_high:.2f}), so another sample would give "
            f"{strength(row.stability)} segments; its silhouette is {row.silhouette:.2f}."
        )
    return "\n".join(f"- {line}" for line in lines)


def on_stickiness(table: pd.DataFrame) -> str:
    """What the stickiness plane's table (see ``plots.segments.stickiness_plane``) shows."""
    dormant = table[table.segment == 0]
    share = float(dormant.share.sum())
    text = f"{share:.0%} of the users did nothing in the window and are dormant by rule. "
    active = table[table.segment > 0]
    if active.empty:
        return text + "Nobody else is left to part."
    best = active.iloc[0]
    text += (
        f"The stickiest segment ({best.users:,.0f} users) came on {best.active_days:.1f} days "
        f"and did {best.activity_per_day:.1f} things a day. "
    )
    spread = active.regularity.max() - active.regularity.min()
    if len(active) > 1 and spread < 0.1:
        text += "Regularity hardly differs between the segments: depth alone parts them. "
    elif active.active_days.min() < 1.5 and len(active) > 1:
        once = active.loc[active.active_days < 1.5, "users"].sum() / active.users.sum()
        text += f"{once:.0%} of the active users are in segments that came about once. "
    return text.strip()


def on_personas(found: Personas) -> str:
    """The segments by name, the largest first."""
    ranked = found.table.sort_values(["users", "segment"], ascending=[False, True])
    lines = []
    for row in ranked.itertuples():
        top = found.traits[(found.traits.segment == row.segment) & (found.traits["rank"] == 1)]
        line = f"**{row.persona}** (segment {row.segment}): {row.users:,} users, {row.share:.1%}"
        if len(ranked) > 1:
            trait = top.iloc[0]
            line += (
                f"; most unlike the others in {trait.feature.replace('_', ' ')} "
                f"({trait.mean_in:,.1f} against {trait.mean_rest:,.1f} on average)"
            )
        lines.append(line)
    return "\n".join(f"- {line}." for line in lines)


def on_lifecycle(table: pd.DataFrame) -> str:
    """How the lifecycle labels (a frame with ``lifecycle``) are spread, the commonest first."""
    share = table.lifecycle.value_counts(normalize=True)
    return ", ".join(f"{part:.0%} {name}" for name, part in share.items())


def on_returns(days: float) -> str:
    """Within how many days users come back (see ``lifecycle.usual_gap`` with nine in ten)."""
    if days != days:
        return "Nobody in this log came on two days"
    return f"Nine in ten returns in this log came within {days:,.0f} days"


def on_gap(gap: Gap, first: str, second: str) -> str:
    """Whether segmentation `first` parts the future better than `second`, as far as can be said."""
    said = f"{gap.difference:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"
    if gap.low != gap.low:
        return f"{first} and {second} cannot be compared: too few users had the outcome."
    if gap.low > 0:
        return f"{first} parts the future better than {second}: area {said}."
    if gap.high < 0:
        return f"{first} parts the future worse than {second}: area {said}."
    return f"{first} and {second} show no difference that the data can settle: area {said}."


def verdict_on_gap(gap: Gap, *, simulated: bool = False) -> str:
    """The verdict on "the first beats the second"; what only a simulation shows is assumed."""
    if gap.low > 0:
        return "holds if assumed" if simulated else "reproduced"
    return "not reproduced" if gap.high <= 0 else "undecided"


def on_future(parted: Mapping[str, Separation], what: str) -> str:
    """How well each segmentation parts those who did `what` from those who did not."""
    lines = []
    for name, part in parted.items():
        if part.auroc != part.auroc:
            lines.append(f"{name}: too few did, or all, so nothing can be said")
            continue
        told = "says more than chance" if part.low > 0.5 else "cannot be told from chance"
        lines.append(f"{name}: {part.auroc:.3f} ({part.low:.3f} to {part.high:.3f}), {told}")
    total = next(iter(parted.values())).rates
    base = total.with_outcome.sum() / total.users.sum()
    head = f"{base:.1%} of the users {what}. Area under the ROC curve of the segment's own rate:"
    return head + "\n\n" + "\n".join(f"- {line}." for line in lines)
