"""Rewrites that prepare the canonical ANN for spiking without changing what it computes."""
