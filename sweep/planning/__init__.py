"""What is missing, what runs together, and who gets what. No torch, no Ray, no SQL."""
