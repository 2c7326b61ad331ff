"""Drawings of the numbers, with their captions. Each file of `numbers` that is drawn has a file of its name here."""
