"""Plans, runs and records sweeps; the only package that meets Ray and the database."""
