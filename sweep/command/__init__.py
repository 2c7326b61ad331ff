"""What all commands share: their arguments, their streams, their secrets."""
