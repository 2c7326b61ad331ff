"""What is missing, what runs together, and what each worker gets, without torch, Ray or SQL."""
