"""The event-driven engine: spiking graphs lowered to fused layers over lists of events."""
