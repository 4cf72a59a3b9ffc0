"""Make ``clicks.csv``: what a web shop's own export looks like, from the simulated store.

Run as ``python data/example/make.py``. The names, the local time and the missing session ids are
on purpose: they are what ``--map``, ``--event-names`` and ``--timezone`` are for.
"""

from pathlib import Path

from precmark.simulate import simulate

USERS = 600
THEIRS = {"cart": "addtocart", "purchase": "transaction"}
KEPT = ("view", "search", "cart", "uncart", "purchase", "cancel")


def main() -> None:
    """Write the shop events of the users with the most of them, under an export's own names."""
    events = simulate("classroom", seed=1).tables["events"].to_pandas()
    events = events[events["event"].isin(KEPT)]
    busiest = events["user_id"].value_counts().sort_index().nlargest(USERS, keep="first").index
    events = events[events["user_id"].isin(busiest)].sort_values(["timestamp", "user_id"])
    local = events["timestamp"].dt.tz_convert("Asia/Shanghai")
    export = events.assign(
        time=local.dt.strftime("%Y-%m-%d %H:%M:%S"),
        action=events["event"].replace(THEIRS),
        visitorid=events["user_id"].str.removeprefix("u").astype(int),
        value=events["value"].round(2),
        quantity=events["quantity"].astype("Int64"),
    )
    columns = ["time", "visitorid", "action", "item_id", "category", "value", "quantity"]
    path = Path(__file__).with_name("clicks.csv")
    export[[*columns, "platform"]].to_csv(path, index=False)


if __name__ == "__main__":
    main()
