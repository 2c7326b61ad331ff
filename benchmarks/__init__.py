"""Measurements: throughput next to baselines and the machine's roofline, planning at scale, and lower precision."""
