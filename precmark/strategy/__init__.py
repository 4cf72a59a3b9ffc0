"""From sources to strategy: match, clean, cluster, predict, recommend; spend and judge (You)."""
