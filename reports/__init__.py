"""Turns results into a page that people read: numbers first, then pictures of the numbers."""
