"""Models derived from a sealed spiking model: pure functions, one file each."""
