"""User profiles: every row of the paper's Tables 1 to 3, and the shop's counterparts."""

from precmark.profiles.basic import AgeRule, clean_age, coverage, find_spikes
from precmark.profiles.build import Profiles, build_profiles, write_profiles
from precmark.profiles.dictionary import Entry, dictionary, features, list_entries, units

__all__ = [
    "AgeRule",
    "Entry",
    "Profiles",
    "build_profiles",
    "clean_age",
    "coverage",
    "dictionary",
    "features",
    "find_spikes",
    "list_entries",
    "units",
    "write_profiles",
]
