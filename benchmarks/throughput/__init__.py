"""How many trials a machine trains an hour, compared with baselines and the machine's roofline."""
