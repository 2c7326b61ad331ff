"""Runs a sweep: the process that hands out cohorts, and Ray, which trains them."""
