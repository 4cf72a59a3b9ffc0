"""The profile as it stood on an earlier day of the same run, for judging segments by what came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import numpy as np

from precmark.engine import connect, keep, read
from precmark.profiles import build_profiles

if TYPE_CHECKING:
    import datetime as dt

    import pandas as pd

    from precmark.runs import Run


def past_profile(
    run: Run, as_of: dt.date | str, *, users: np.ndarray | None = None
) -> pd.DataFrame:
    """The profile of every user with an event before `as_of`, in the order of user_code.

    Parameters
    ----------
    run : Run
        With sessions.
    as_of : date or ISO text
        Nothing from this day (on the store's clock) or later is read.
    users : array of int, optional
        Codes of the users wanted; all where left out. A profile is made of the user's own events,
        but which ages are believed is decided among the users wanted.

    Returns
    -------
    pandas.DataFrame
        One row a user, the columns of ``profiles/profile``.

    Raises
    ------
    InputError
        When the sessions are missing or the log holds nothing before `as_of`.
    """
    con = connect()
    events = read(con, run.need("sessions/events"))
    stated = read(con, run.table_path("contract/users")) if run.has("contract/users") else None
    if users is not None:
        wanted = keep(con, ibis.memtable({"user_code": np.asarray(users, dtype=np.int64)}))
        events = keep(con, events.semi_join(wanted, "user_code"))
        stated = stated if stated is None else stated.semi_join(wanted, "user_code")
    made = build_profiles(events, stated, as_of=as_of, timezone=run.source.timezone)
    seen = made.profile.filter(made.profile.events > 0)
    return seen.order_by("user_code").to_pandas()
