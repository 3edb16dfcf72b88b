"""The account of a spiking network against its ANN: accuracy, events, operations, energy.

``evaluate`` is the entry, ``cluster`` the same on a Dask cluster, ``results`` what both return.
"""
