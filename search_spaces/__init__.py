"""What to try: grids declared in YAML, their validation and their expansion into trials. No torch, no Ray."""
