"""What ``make bench`` runs: one module a topic, each with ``run() -> list of figures``."""


def figure(
    name: str,
    value: float,
    unit: str = "x",
    better: str = "higher",
    *,
    target: float | None = None,
) -> dict[str, object]:
    """One figure of a record; as it stands a ratio of which more is better, else ``"lower"``."""
    return {"name": name, "value": float(value), "unit": unit, "target": target, "better": better}
