"""Figures of chapter 02: coverage, ages with their default values, hours, one user's card.

Written together with ``notebooks/02_profile_tables.ipynb``.
"""
