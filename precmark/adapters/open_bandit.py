"""Open Bandit, small sample (ZOZOTOWN): randomised recommendations as ``assignments``."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pandas as pd

from precmark.adapters.base import Adapter, Card, Fingerprint, check_columns, read_card, table
from precmark.errors import InputError
from precmark.source import Dataset

POLICIES = ("bts", "random")
CAMPAIGNS = ("men", "women")
_COLUMNS = ["timestamp", "item_id", "position", "click", "propensity_score"]


def read(path: Path) -> pd.DataFrame:
    """The impressions of both policies and campaigns, from the publisher's layout or a copy.

    Parameters
    ----------
    path : Path
        A folder or zip that holds ``POLICY/CAMPAIGN/CAMPAIGN.csv`` for the policies ``bts`` and
        ``random`` and the campaigns ``men`` and ``women``, at any depth; or a Parquet file with
        all rows and columns ``policy`` and ``campaign``.
    """
    card = read_card("open-bandit")
    if path.suffix == ".parquet":
        frame = pd.read_parquet(path)
        check_columns(frame.columns, card, path)
        return frame[list(card.columns)]
    if not path.is_dir() and path.suffix.lower() != ".zip":
        raise InputError(
            f"{path.name}: open-bandit is read from the publisher's folder `obd`, a .zip of it, or "
            ".parquet."
        )
    files = _find(path)
    missing = [f"{p}/{c}/{c}.csv" for p, c in _PAIRS if (p, c) not in files]
    if missing:
        raise InputError(
            f"{path} lacks {', '.join(missing)}. Copy the publisher's folder `obd` whole."
        )
    parts = []
    for policy, campaign in _PAIRS:
        part = _read_csv(path, files[policy, campaign])
        part.insert(0, "policy", policy)
        part.insert(1, "campaign", campaign)
        check_columns(part.columns, card, Path(files[policy, campaign]))
        parts.append(part[["policy", "campaign", *_COLUMNS]])
    return pd.concat(parts, ignore_index=True)


def fingerprint(impressions: pd.DataFrame) -> Fingerprint:
    """What `impressions` counts to, for comparison with the card."""
    sizes = impressions.groupby(["policy", "campaign"]).size()
    stamps = impressions["timestamp"].astype(str)
    return {
        "rows": len(impressions),
        "clicks": int(impressions["click"].sum()),
        "campaigns": ", ".join(f"{p}/{c} {n}" for (p, c), n in sizes.items()),
        "products": len(impressions[["campaign", "item_id"]].drop_duplicates()),
        "first": stamps.min(),
        "last": stamps.max(),
    }


def convert(impressions: pd.DataFrame, card: Card) -> Dataset:
    """Impressions as ``assignments``: the arm is the product shown, the outcome a click.

    Returns
    -------
    Dataset
        ``assignments`` (the decision's id, which is also its user's, reads
        policy/campaign/position/number; the arm and item ids read campaign:product) and
        ``items``. Nothing is set aside.
    """
    group = impressions.groupby(["policy", "campaign"])
    number = (group.cumcount() + 1).astype(str).str.zfill(6)
    parts = [impressions["policy"], impressions["campaign"], impressions["position"].astype(str)]
    decision = parts[0].str.cat([*parts[1:], number], sep="/")
    arm = impressions["campaign"] + ":" + impressions["item_id"].astype(str)
    assignments = {
        "decision_id": decision,
        "user_id": decision,
        "timestamp": pd.to_datetime(impressions["timestamp"], utc=True, format="ISO8601"),
        "arm": arm,
        "category": impressions["campaign"],
        "propensity": impressions["propensity_score"],
        "outcome": impressions["click"],
    }
    campaign = impressions["campaign"].groupby(arm).first()
    items = {
        "item_id": campaign.index,
        "kind": ["product"] * len(campaign),
        "category": campaign,
    }
    return Dataset(
        source=card.source,
        tables={"assignments": table("assignments", assignments), "items": table("items", items)},
    )


_PAIRS = tuple((policy, campaign) for policy in POLICIES for campaign in CAMPAIGNS)


def _find(path: Path) -> dict[tuple[str, str], str]:
    """Name of each policy's and campaign's CSV inside `path`."""
    if path.is_dir():
        names = [f.relative_to(path).as_posix() for f in path.rglob("*.csv")]
    else:
        try:
            names = zipfile.ZipFile(path).namelist()
        except (zipfile.BadZipFile, OSError) as error:
            raise InputError(
                f"{path} is not a readable zip archive ({error}). Fetch it again."
            ) from error
    return {
        (policy, campaign): name
        for policy, campaign in _PAIRS
        for name in sorted(names)
        if f"/{name}".endswith(f"/{policy}/{campaign}/{campaign}.csv") and "__MACOSX" not in name
    }


def _read_csv(path: Path, name: str) -> pd.DataFrame:
    if path.is_dir():
        return pd.read_csv(path / name, index_col=0)
    with zipfile.ZipFile(path) as archive, archive.open(name) as stream:
        return pd.read_csv(stream, index_col=0)


ADAPTER = Adapter("open-bandit", read, fingerprint, convert)
