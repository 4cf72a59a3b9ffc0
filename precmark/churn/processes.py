"""Work done in several processes at once, kept alive from one piece to the next."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any


def in_processes(
    work: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], n_jobs: int
) -> list[Any]:
    """``work(*task)`` of each of `tasks`, in their order, at most `n_jobs` at a time."""
    from joblib import Parallel, delayed

    # Workers that wait for a long fit elsewhere must not be stopped and started again.
    pool = Parallel(n_jobs=n_jobs, batch_size=1, pre_dispatch=n_jobs, idle_worker_timeout=3600)
    with warnings.catch_warnings():
        # joblib replaces a worker whose memory has grown; the work goes on in the new one.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
        return pool(delayed(work)(*task) for task in tasks)
