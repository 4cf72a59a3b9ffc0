"""A fresh future of the same simulated store, made as any log is and kept beside the run."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from precmark.ablation.truth import Future
from precmark.errors import InputError
from precmark.runs import Run
from precmark.sequences import Sequences, read_sequences, write_sequences
from precmark.simulate import SCALES, Config, simulate
from precmark.simulate.config import DECISIONS_PER_DAY
from precmark.tables import read_table

HISTORY_DAYS = 365
"""How far back a decision's history reaches."""

LONGEST = 1.5
"""A calendar is stretched up to this many years before the next larger scale is taken."""

HISTORY_EVENTS = ("view", "search", "cart", "uncart", "purchase", "cancel")
HISTORY_COLUMNS = (
    "user_code", "item_id", "event", "timestamp", "category", "quantity", "value", "session_code",
    "text",
)  # fmt: skip
_ASKED = re.compile(r"simulated store, (\w+) scale, world (\w+), seed (\d+)")
TRUTH_OF_USERS = ["user_number", "deal_response", "cell", "first", "second"]
_TRUTH = ["decision_id", "session_id", "user_number", "key", "timestamp", "p0", "rank", "y0"]


@dataclass(frozen=True)
class FutureStore:
    """A store's future in which nobody gets a coupon: what policies see, and the truth apart.

    Attributes
    ----------
    run : Run
        The nested run that holds its tables.
    sequences : Sequences
        Of its n decisions, with the channels and steps of the run that policies learn from.
    truth : Future
        Row i belongs to decision i of `sequences`; only the scoring reads it.
    """

    run: Run
    sequences: Sequences
    truth: Future

    @cached_property
    def histories(self) -> pd.DataFrame:
        """The events before each decision, see :func:`histories_of_decisions`."""
        return histories_of_decisions(self.run, self.sequences)


def future_store(
    run: Run, *, decisions: int = 100_000, seed: int = 0, **changes: object
) -> FutureStore:
    """The future of `run`'s store, with `decisions` eligible decisions or more.

    Another seed draws other users of the same shop: same catalogue, same tastes, same law of
    purchases, the calendar from the day after the run's last. Nobody gets a coupon, so that all
    worlds share one history. The log goes the way of any other log (contract, sessions, sequences)
    into a run of its own below ``cache/futures`` of `run`, and is found there again as long as the
    request and the code that makes it are the same.

    Parameters
    ----------
    run : Run
        Of a simulated store, with sequences.
    decisions : int
        1 or more. The smallest scale serves that needs no more than a year and a half; fewer
        users, never fewer days than a year.
    seed : int
        Number of the future; each is another store.
    **changes
        Fields of :class:`precmark.simulate.Config` in place of the run's (the sweeps use them).

    Raises
    ------
    InputError
        When `run` is no simulated store, its sequences are missing or decide at another click than
        the simulator.
    """
    config = future_config(run, decisions=decisions, seed=seed, **changes)
    learnt = read_sequences(run)
    if learnt.task.unit != "session" or learnt.task.k != config.k:
        raise InputError(
            f"the sequences of run {run.name} do not decide at click {config.k} of a session, "
            "where the simulated store gives its coupons. Run chapter 04 with its defaults."
        )
    for _ in range(3):
        store = store_of(run, config, learnt, f"future-{seed}")
        if len(store.sequences) >= decisions:
            break
        config = replace(config, days=config.days + 15)
    return store


def store_of(run: Run, config: Config, learnt: Sequences, name: str) -> FutureStore:
    """The store of `config`, in a run of its own below ``cache/futures`` of `run`.

    Parameters
    ----------
    run : Run
    config : Config
        Without coupons.
    learnt : Sequences
        Whose task and channels its sequences get.
    name : str
        Of the nested run's folder.
    """
    nested = _made(run, config, name)
    sequences = _sequences(nested, learnt)
    return FutureStore(nested, sequences, _truth(nested, sequences, config))


def asked_of(run: Run) -> tuple[str, str, int]:
    """Scale, world and seed with which the store of `run` was simulated.

    Raises
    ------
    InputError
        When it was not simulated, or its truth is missing.
    """
    found = _ASKED.fullmatch(run.card["parameters"]["data"])
    if not found or not (run.truth / "decisions.parquet").exists():
        raise InputError(
            f"{run.source.title} holds no truth: what would have happened with other coupons is "
            "known of simulated stores only. Make one with `precmark run --simulate sample`."
        )
    return found[1], found[2], int(found[3])


def run_config(run: Run) -> Config:
    """The configuration of the simulated store of `run`."""
    scale, world, seed = asked_of(run)
    return Config(scale=scale, world=world, seed=seed)


def future_config(run: Run, *, decisions: int, seed: int = 0, **changes: object) -> Config:
    """The configuration of a future of `run` with about `decisions` decisions, rather more."""
    if decisions < 1:
        raise InputError(f"{decisions} decisions: ask for 1 or more.")
    past = run_config(run)
    zone = ZoneInfo(run.source.timezone)
    last = dt.datetime.fromtimestamp(run.card["span"][1] / 1e6, dt.UTC).astimezone(zone).date()
    scale, days = calendar_for(decisions)
    drawn = np.random.SeedSequence([past.seed, seed, 7]).generate_state(1, np.uint64)[0]
    changed = {"start": last + dt.timedelta(days=1), "coupon_share": 0.0, **changes}
    return replace(past, scale=scale, days=days, seed=int(drawn >> np.uint64(1)), **changed)


def calendar_for(decisions: int) -> tuple[str, int]:
    """The scale and the days with which a store comes to `decisions` decisions, or some more."""
    wanted = decisions * 1.01 + 2 * np.sqrt(decisions)  # counts vary from seed to seed
    for scale, traffic in SCALES.items():
        days = int(np.ceil(wanted / (traffic * DECISIONS_PER_DAY)))
        if days <= LONGEST * 365:
            return scale, max(days, 365)
    raise InputError(f"{decisions:,} decisions are more than the simulator makes in a future.")


def _made(run: Run, config: Config, name: str) -> Run:
    """The nested run of `config`; made where it is not there."""
    from precmark.prepare import Request, Wanted, prepare

    text = json.dumps(asdict(config), default=str, sort_keys=True)
    signature = hashlib.sha256(f"{text}{_code()}".encode()).hexdigest()[:16]
    wanted = Wanted(simulate=config.scale, world=config.world, seed=config.seed, engine="duckdb")
    fields = {name: v for name, v in asdict(config).items() if name not in ("scale", "world")}
    request = Request(
        f"{name} of {run.card['parameters']['data']}",
        signature,
        lambda: simulate(config.scale, world=config.world, **fields),
        wanted,
    )
    folder = run.path / "cache" / "futures" / f"{name}-{signature[:8]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = prepare(folder, request, wanted, {}, say=lambda line: None)
    made.table_path("contract/events").unlink(missing_ok=True)  # the sessions hold them again
    return made


def _code() -> str:
    """A digest of the code that makes a log."""
    package = Path(__file__).resolve().parents[1]
    folders = [package / name for name in ("simulate", "contract")]
    modules = [path for folder in folders for path in sorted(folder.glob("*.py"))]
    digest = hashlib.sha256()
    for path in (*modules, package / "sessions.py"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sequences(nested: Run, learnt: Sequences) -> Sequences:
    """The sequences of the future, written once, with the channels of `learnt`."""
    if not nested.has("sequences/decisions"):
        write_sequences(nested, learnt.task)
    found = read_sequences(nested)
    if found.task.to_json() != learnt.task.to_json():
        found = write_sequences(nested, learnt.task)
    return with_channels(found, learnt.channels)


def with_channels(sequences: Sequences, channels: tuple[str, ...]) -> Sequences:
    """`sequences` with these channels: a kind of event that never occurred is 0 throughout.

    Raises
    ------
    InputError
        When another channel is missing.
    """
    if sequences.channels == channels:
        return sequences
    mask = sequences.mask
    parts, missing = [], []
    for name in channels:
        if name in sequences.channels:
            parts.append(sequences.X[:, sequences.channels.index(name)])
        elif name.startswith("is_"):
            parts.append(np.where(mask, np.float32(0), np.float32(np.nan)))
        else:
            missing.append(name)
    if missing:
        raise InputError(f"the future lacks channels {', '.join(missing)}. Use a larger scale.")
    return replace(sequences, X=np.stack(parts, axis=1), channels=channels)


def _truth(nested: Run, sequences: Sequences, config: Config) -> Future:
    """The truth in the order of `sequences`; sessions and early buyers from the log."""
    truth = read_table(nested.truth / "decisions.parquet", _TRUTH)
    ids = nested.table("sessions/sessions", ["session_code", "session_id", "kind", "purchased"])
    found = truth_of_decisions(truth, ids, sequences)
    shop = ids[ids.kind == "shop"]
    return Future(
        decisions=found.drop(columns=["session_id", "y0"]),
        users=read_table(nested.truth / "users.parquet", TRUTH_OF_USERS),
        sessions=len(shop),
        # Each buyer after a decision buys in one session, that of the decision or a later one.
        early_buyers=int(shop.purchased.sum()) - int(truth.y0.sum()),
        config=config,
    )


def truth_of_decisions(
    truth: pd.DataFrame, sessions: pd.DataFrame, sequences: Sequences
) -> pd.DataFrame:
    """The rows of table `truth` in the order of the decisions of `sequences`.

    Parameters
    ----------
    truth : pandas.DataFrame
        Of a run's ``truth/decisions``, with ``session_id``.
    sessions : pandas.DataFrame
        ``session_code`` and ``session_id``.

    Raises
    ------
    InputError
        When a decision has no truth.
    """
    names = sessions.set_index("session_code").session_id
    wanted = names.reindex(sequences.decisions.session_code)
    at = pd.Index(truth.session_id).get_indexer(wanted)
    if (at < 0).any():
        raise InputError(
            f"{int((at < 0).sum()):,} decisions have no truth; the sequences and the truth are not "
            "of one store. Run chapter 04 again."
        )
    return truth.iloc[at].reset_index(drop=True)


def histories_of_decisions(
    run: Run,
    sequences: Sequences,
    rows: np.ndarray | None = None,
    *,
    days: int = HISTORY_DAYS,
) -> pd.DataFrame:
    """The user's events up to and with each decision's click, as histories for the recommender.

    Parameters
    ----------
    run : Run
        With the sessions of `sequences`.
    sequences : Sequences
        Of sessions.
    rows : array of int, shape (m,), optional
        Positions of the decisions wanted; all where left out.
    days : int
        How far back, above 0.

    Returns
    -------
    pandas.DataFrame
        :data:`HISTORY_COLUMNS`, one row an event and decision; ``user_code`` is the decision's
        position in `sequences`. Events of the kinds :data:`HISTORY_EVENTS`.
    """
    rows = np.arange(len(sequences)) if rows is None else np.asarray(rows)
    columns = [*HISTORY_COLUMNS, "row"]
    events = run.table("sessions/events", columns)
    events = events[events.event.isin(HISTORY_EVENTS)]
    wanted = sequences.decisions.iloc[rows]
    events = events[events.user_code.isin(wanted.user_code)]
    events = events.sort_values(["user_code", "timestamp", "row"], ignore_index=True)
    last = _decision_rows(events, wanted.session_code.to_numpy(), sequences.task.k)
    us = pd.DatetimeIndex(events.timestamp).as_unit("us").asi8
    user = events.user_code.to_numpy()
    # One key that sorts like (user, time), so that one search serves all users.
    since = us - us.min() if len(us) else us
    span = np.int64(since.max() + 1) if len(us) else np.int64(1)
    earliest = np.maximum(since[last] - days * 86_400_000_000, 0)
    first = np.searchsorted(user * span + since, user[last] * span + earliest)
    count = last - first + 1
    at = np.repeat(first - (np.cumsum(count) - count), count) + np.arange(count.sum())
    found = events.iloc[at][list(HISTORY_COLUMNS)].reset_index(drop=True)
    return found.assign(user_code=np.repeat(rows, count))


def _decision_rows(events: pd.DataFrame, session_code: np.ndarray, k: int) -> np.ndarray:
    """Position in `events` (sorted by user, time and row) of the k-th click of each session."""
    from precmark.contract.schema import CLICK_EVENTS

    clicks = np.flatnonzero(events.event.isin(CLICK_EVENTS).to_numpy())
    sessions = events.session_code.to_numpy()[clicks]
    number = pd.Series(sessions).groupby(sessions).cumcount().to_numpy()
    kth = clicks[number == k - 1]
    place = pd.Index(sessions[number == k - 1]).get_indexer(session_code)
    return kth[place]
