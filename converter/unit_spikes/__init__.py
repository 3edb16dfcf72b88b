"""Unit spikes and unit thresholds: the weights take the quanta in."""
