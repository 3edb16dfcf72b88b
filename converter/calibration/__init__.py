"""Samples and what is measured on them: statistics, the input's grid, the number of timesteps."""
