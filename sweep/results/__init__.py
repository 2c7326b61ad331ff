"""What looks at a results database, or trains once more what is in it."""
