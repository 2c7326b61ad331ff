"""MNIST: found in a folder or fetched, and verified."""
