"""What all commands share: parsing of arguments, output streams, passwords."""
