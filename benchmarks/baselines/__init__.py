"""Other ways to train the same trials, as users write them themselves."""
