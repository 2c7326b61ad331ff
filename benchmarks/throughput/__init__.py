"""How many trials a machine trains an hour, beside baselines and the measured limits of the machine."""
