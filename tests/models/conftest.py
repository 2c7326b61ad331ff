"""Puts this folder on the path, where tests in its sub-folders find `plain_training`."""
