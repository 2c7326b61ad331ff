"""Fully connected generators and discriminators of a whole cohort, with hand-written gradients."""
