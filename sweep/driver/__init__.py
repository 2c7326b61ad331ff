"""Where a sweep runs: the process that hands out cohorts, and Ray, which it starts and outlives."""
