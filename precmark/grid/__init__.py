"""Customers as pictures: features on a grid, a network that reads it, tags, months (Liu 2022)."""
