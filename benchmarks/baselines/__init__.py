"""Baselines: other implementations that train the same trials, as users would write them."""
