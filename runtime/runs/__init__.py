"""Running networks over samples: in chunks of samples and timesteps, streamed, with early exit.

``simulate`` and ``simulator`` are the entries. ``spiking_run`` picks the way: ``folded_run`` (all
timesteps in one call), ``chunked_run`` (some of them) or ``stepped_run`` (one, in the scan layout).
"""
