"""Corrections of a spiking model's constants, made on calibration data."""
