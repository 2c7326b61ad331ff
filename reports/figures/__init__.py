"""How numbers are drawn and what their captions say; a file for each file of `numbers` that is drawn."""
