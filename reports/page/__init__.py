"""The page, its folder, and its summary for a terminal."""
