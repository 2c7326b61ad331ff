"""Puts this folder on the path, where tests in its sub-folders find `made_trials` and `processes`."""
