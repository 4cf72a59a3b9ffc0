"""The part of a simulated store that no coupon or purchase changes: who comes, and clicks what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precmark.simulate.browsing import Clicks, browse, click_counts
from precmark.simulate.config import Config
from precmark.simulate.draws import stream
from precmark.simulate.people import People, draw_category, people
from precmark.simulate.risk import EARLY_SHARE, NOISE_SD, Decisions, observe
from precmark.simulate.visits import DAY_S, MIN_GAP_S, Visits, user_count, visits

LIVE_SHARE = 0.20
"""Share of users who watch live streams."""


@dataclass(frozen=True)
class History:
    """Users, visits, clicks and decisions.

    Attributes
    ----------
    people : People
    visits : Visits
        The burn-in's included.
    logged : array of int64
        Positions in `visits` of the log's sessions, to which the next three belong.
    clicks : Clicks
    early : array of bool
        Sessions that buy before the k-th click.
    decisions : Decisions
    noise : array of float64
        e of each decision, logits.
    """

    people: People
    visits: Visits
    logged: np.ndarray
    clicks: Clicks
    early: np.ndarray
    decisions: Decisions
    noise: np.ndarray


def history(config: Config, traffic: float | None = None) -> History:
    """Draw a store's history; depends on scale, seed, calendar and k, never on the world.

    Parameters
    ----------
    config : Config
    traffic : float, optional
        Share of the published traffic in place of the scale's.
    """
    crowd = people(config.seed, user_count(config, traffic), LIVE_SHARE)
    seen = visits(config, crowd.activity)
    rng = stream(config.seed, "sessions")
    opening = draw_category(rng, crowd, seen.user)
    last_s = config.days * DAY_S - MIN_GAP_S
    logged = np.flatnonzero((seen.start_s >= 0) & (seen.start_s < last_s))
    user = seen.user[logged]
    count = click_counts(config.seed, crowd, user)
    clicks = browse(config.seed, crowd, user, opening[logged], count, config.k)
    short = count < config.k
    chance = EARLY_SHARE / max(short.mean(), 1e-9)
    early = short & (rng.random(len(user), dtype=np.float32) < chance)
    decisions = observe(seen, logged, clicks, opening, early, config.k)
    noise = NOISE_SD * stream(config.seed, "unknowable").standard_normal(len(decisions.session))
    return History(crowd, seen, logged, clicks, early, decisions, noise)
