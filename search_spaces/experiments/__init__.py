"""The experiments of this project: a file each, which declares its settings and its scores."""
