"""Scores of generated digits, computed from a small classifier that ships with the package."""
