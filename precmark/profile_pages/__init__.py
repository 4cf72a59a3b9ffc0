"""What chapter 02 tabulates and says: the paper's printed figures, and a run's profile."""
