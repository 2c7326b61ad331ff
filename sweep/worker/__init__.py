"""Trains and evaluates one cohort, with PyTorch."""
