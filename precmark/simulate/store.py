"""The simulated store as a data set: public tables in the contract, and a truth beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from precmark.claims import paper
from precmark.simulate.catalogue import NAMES, items_table
from precmark.simulate.config import Config
from precmark.simulate.coupons import Outcomes, outcomes
from precmark.simulate.draws import numbered, pick, stream
from precmark.simulate.history import History, history
from precmark.simulate.live import live, machines
from precmark.simulate.log import build
from precmark.simulate.orders import Orders, list_prices, orders
from precmark.simulate.people import COUNTRIES, PLATFORMS, PROVIDERS, REFERRERS
from precmark.simulate.risk import fit
from precmark.simulate.visits import ZONE, local_epoch_us
from precmark.source import CAPABILITIES, Dataset, Source

_WORDS = {
    "persuadable_risk": "coupons move those about to leave",
    "lost_causes": "coupons move the middle, not the surest leavers",
    "sure_things": "coupons move those who nearly bought anyway",
    "orthogonal": "coupons move users whatever their risk",
    "no_effect": "coupons move nobody",
}


def simulate(
    scale: str = "sample", *, world: str = "persuadable_risk", seed: int = 1, **parameters: Any
) -> Dataset:
    """A store whose truth is known: events, users, items, assignments, and the truth apart.

    Parameters
    ----------
    scale : str
        ``classroom`` (about 2,000 decisions), ``sample`` (10,000), ``book`` (100,000) or
        ``paper`` (the full published traffic, 8 to 10 million events): fewer users, always the
        whole year.
    world : str
        Who responds to a coupon: one of :data:`precmark.simulate.WORLDS`.
    seed : int
        Same seed and parameters, same bits. Worlds of one seed share everything except what
        coupons changed.
    **parameters
        Further fields of :class:`precmark.simulate.Config`: ``order_share``, ``taste_match``,
        ``effect``, ``k``, ``best_auroc``, ``conversion``, ``coupon_share``, ...

    Returns
    -------
    Dataset
        ``tables``: ``events``, ``users``, ``items``, ``assignments`` (pyarrow tables in the
        contract; events sorted by time). ``truth``: ``decisions`` (one row a decision: p0, rank R,
        V, y0, the parts of the logit in logits, tau of the coupon shown) and ``users``
        (``baseline`` b_u, ``deal_response`` z_u, taste), which no model may read.

    Raises
    ------
    InputError
        Every parameter out of range, at once.

    Notes
    -----
    Browsing does not depend on purchases or coupons: sessions, clicks and dwell times come from
    one stream for all worlds, a purchase is placed after the decision that led to it. A value in
    the log is before the coupon; ``coupon_used`` carries the discount.

    Examples
    --------
    >>> store = simulate("classroom", world="no_effect", seed=3)
    >>> store.tables["items"].num_rows
    863
    """
    config = Config(scale=scale, world=world, seed=seed, **parameters)
    model = fit(config.k, config.order_share, config.best_auroc, config.conversion)
    past = history(config)
    settled = outcomes(config, past, model)
    placed = orders(config, past, settled)
    bots = machines(config, past)
    events, present, session_ids = build(config, past, settled, placed, live(config, past), bots)
    numbers = np.flatnonzero(present)
    decisions = _truth_decisions(config, past, settled, session_ids)
    return Dataset(
        source=_source(config),
        tables={
            "events": events,
            "users": _users(config, past, numbers),
            "items": items_table(list_prices(config)),
            "assignments": _assignments(past, settled, placed, decisions),
        },
        truth={
            "decisions": decisions,
            "users": _truth_users(past, numbers[numbers < len(past.people.activity)]),
        },
    )


def _source(config: Config) -> Source:
    return Source(
        name=f"simulated-{config.scale}",
        title=f"Simulated store, {config.scale} scale",
        says=frozenset(CAPABILITIES) - {"visits"},
        simulated=True,
        timezone=ZONE,
        currency="CNY",
        licence="CC BY 4.0",
        reference="precmark.simulate",
        notes=(
            f"World {config.world}: {_WORDS[config.world]}. Seed {config.seed}.",
            "Calibrated to the shop that the main paper describes, never to its results.",
            "A value is before the coupon; coupon_used carries the discount.",
        ),
    )


def _stamps(config: Config, at_ms: np.ndarray) -> pa.Array:
    stamps = at_ms * 1_000 + local_epoch_us(config.start)
    return pa.array(stamps).cast(pa.timestamp("us", tz="UTC"))


def _names(codes: np.ndarray, names: tuple[str, ...]) -> pa.Array:
    return pa.array(names).take(pa.array(codes, mask=codes < 0))


def _truth_decisions(
    config: Config, past: History, settled: Outcomes, session_ids: pa.Array
) -> pa.Table:
    decisions, user = past.decisions, past.decisions.user
    n = len(user)
    return pa.table(
        {
            "decision_id": numbered("d", np.arange(1, n + 1), 7),
            "user_id": numbered("u", user + 1, 7),
            "session_id": pick(session_ids, decisions.session),
            "user_number": user,
            "key": settled.key,
            "timestamp": _stamps(config, decisions.at_ms),
            "training": settled.training,
            "eligible": settled.eligible,
            "coupon": _names(settled.coupon, NAMES),
            "totals_logit": settled.totals_logit,
            "order_logit": settled.order_logit,
            "baseline_logit": past.people.baseline[user].astype(np.float64),
            "noise_logit": past.noise,
            "p0": settled.p0,
            "rank": settled.rank,
            "v": settled.v,
            "y0": settled.y0,
            "y": settled.y,
            "tau": settled.tau,
            "pulled_forward": settled.pulled_forward,
        }
    )


def _truth_users(past: History, numbers: np.ndarray) -> pa.Table:
    crowd = past.people
    return pa.table(
        {
            "user_id": numbered("u", numbers + 1, 7),
            "user_number": numbers.astype(np.int32),
            **{
                name: getattr(crowd, name)[numbers]
                for name in (
                    "activity", "depth", "baseline", "deal_response", "cell", "first", "second",
                    "style", "female", "age", "live",
                )
            },
        }
    )  # fmt: skip


def _assignments(past: History, settled: Outcomes, placed: Orders, decisions: pa.Table) -> pa.Table:
    """Eligible decisions of the training period with what was drawn and what came of it."""
    n = len(settled.key)
    bought = placed.decision >= 0
    revenue = np.bincount(placed.decision[bought], placed.value[bought], n)
    cost = np.bincount(placed.decision[bought], placed.discount[bought], n)
    at = np.flatnonzero(settled.eligible)
    coupon = settled.coupon[at]
    shown = coupon >= 0
    share = settled.coupon_share
    propensity = np.where(shown, share / len(NAMES), 1.0 - share)
    rows = decisions.select(["decision_id", "user_id", "session_id", "timestamp"]).take(
        pa.array(at)
    )
    extra = {
        "arm": pa.array(("none", "coupon")).take(pa.array(shown.astype(np.int8))),
        "category": _names(coupon, NAMES),
        "propensity": pa.array(propensity),
        "outcome": pa.array(settled.y[at].astype(np.int64)),
        "revenue": pa.array(np.round(revenue[at], 2)),
        "cost": pa.array(np.round(cost[at], 2)),
    }
    for name, values in extra.items():
        rows = rows.append_column(name, values)
    return rows


def _users(config: Config, past: History, numbers: np.ndarray) -> pa.Table:
    """Table 1's attributes with the paper's gaps; crawlers have an id and little else."""
    crowd, seed = past.people, config.seed
    humans = numbers[numbers < len(crowd.activity)]
    machines_present = len(numbers) - len(humans)
    rng = stream(seed, "attributes")
    n = len(humans)
    gender = np.where(crowd.female[humans], 0, 1)
    known = (paper("gu", "table1.female") + paper("gu", "table1.male")) / paper(
        "gu", "table1.users"
    )
    gender = np.where(rng.random(n) < known, gender, 2)
    level = np.exp(1.9 + 0.75 * crowd.activity[humans] + 0.5 * rng.standard_normal(n))
    level = np.clip(np.floor(level), *(paper("gu", f"table1.level_{e}") for e in ("low", "high")))
    stamps = _stamps(config, past.visits.first_s[humans] * 1_000)
    age = _reported_age(rng, crowd.age[humans])

    def padded(values: pa.Array) -> pa.Array:
        return pa.concat_arrays([values, pa.nulls(machines_present, values.type)])

    codes = {name: getattr(crowd, name)[humans] for name in ("platform", "referrer", "country")}
    return pa.table(
        {
            "user_id": numbered("u", numbers + 1, 7),
            "gender": padded(_names(gender, ("female", "male", "unknown"))),
            "age": padded(age),
            "level": padded(pa.array(level.astype(np.int64))),
            "country": padded(_names(codes["country"], COUNTRIES)),
            "login_platform": padded(_names(codes["platform"], PLATFORMS)),
            "has_avatar": padded(pa.array(rng.random(n) < 0.62)),
            "referrer": padded(_names(codes["referrer"], REFERRERS)),
            "registered_at": padded(stamps),
            "signup_provider": padded(_names(crowd.provider[humans], PROVIDERS)),
        }
    )


def _reported_age(rng: np.random.Generator, age: np.ndarray) -> pa.Array:
    """The age that users give: mostly none, some true, two default values, some impossible."""
    users = paper("gu", "table1.users")
    spikes = {51: paper("gu", "table1.age_51"), 52: paper("gu", "table1.age_52")}
    valid, given = paper("gu", "table1.age_valid"), paper("gu", "table1.age_given")
    truthful = (valid - sum(spikes.values())) / users
    edges = np.cumsum([truthful, *(v / users for v in spikes.values()), (given - valid) / users])
    kind = np.digitize(rng.random(len(age)), edges)
    odd = np.array([0, 1, 2, 3, 5, 6, 7, 61, 66, 70, 80, 88, 99, 100, 110, 118, 120, 125])
    choices = [
        age,
        *(np.full(len(age), a) for a in spikes),
        odd[rng.integers(0, len(odd), len(age))],
    ]
    reported = np.choose(np.minimum(kind, 3), choices).astype(np.float64)
    return pa.array(reported, mask=kind == 4)
