"""Interests, tags and fair offers: what the intelligent marketing system gathers (Li, section 3).

Trees of interests and tags, features of pictures, collaborative lists on one protocol and new
words; then whom to select, what to show again, and what a list and a table give away.
"""
