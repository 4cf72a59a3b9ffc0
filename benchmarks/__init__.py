"""What ``make bench`` runs: one module a topic, each with ``run() -> list of figures``."""
