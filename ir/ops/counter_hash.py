"""Counter-based random numbers in integers that every ONNX runtime computes alike.

A hash of (seed, timestep, position) takes the place of a generator with a state, so any timestep
of any layer can be computed by itself, in any order, again and again:

    r[t, k] = mix(mix(mix(seed) + t) XOR mix(k))        k: position in the sample, counted from 0

``mix`` is a bijection of 32-bit integers (xor-shift, multiply, twice) from the hash-prospector
search (Wellons 2018, constants of "lowbias32" as improved by its 2022 search: 0x21f0aaad,
0xd35a2d97, shifts 16, 15, 15). The numbers are held in int64 and masked to 32 bits after every
multiplication. The second multiplier is written as its negative residue, so that no product
leaves the 63 bits that int64 has.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MASK = 2**32 - 1
FACTORS = (0x21F0AAAD, 0xD35A2D97 - 2**32)
SHIFTS = (16, 15, 15)
RANDOM_BITS = 24
"""Bits that are used of a number: as many as float32 holds exactly."""

Integers = NDArray[np.int64]


def mix(x: Integers) -> Integers:
    """Return the hash of integers in 0 .. 2^32 - 1."""
    x = x ^ (x >> SHIFTS[0])
    x = (x * FACTORS[0]) & MASK
    x = x ^ (x >> SHIFTS[1])
    x = (x * FACTORS[1]) & MASK
    return np.asarray(x ^ (x >> SHIFTS[2]), np.int64)


def random_field(seed: int, t: int, positions: int) -> NDArray[np.float32]:
    """Return whole numbers in 0 .. 2^24 - 1 as float32 [positions], one per position, at time t."""
    start = mix(np.asarray(seed & MASK, np.int64))
    at_time = mix((start + t) & MASK)
    mixed = mix(at_time ^ mix(np.arange(positions, dtype=np.int64)))
    return np.asarray(mixed >> (32 - RANDOM_BITS), np.float32)


def _mix_nodes(source: str, target: str) -> str:
    """Return ONNX text for ``target = mix(source)``; needs the constants of :data:`FIELD`."""
    return f"""
  {target}_a = Div ({source}, shift_16)
  {target}_b = BitwiseXor ({source}, {target}_a)
  {target}_c = Mul ({target}_b, factor_0)
  {target}_d = BitwiseAnd ({target}_c, mask)
  {target}_e = Div ({target}_d, shift_15)
  {target}_f = BitwiseXor ({target}_d, {target}_e)
  {target}_g = Mul ({target}_f, factor_1)
  {target}_h = BitwiseAnd ({target}_g, mask)
  {target}_i = Div ({target}_h, shift_15)
  {target} = BitwiseXor ({target}_h, {target}_i)
"""


FIELD = f"""
  mask = Constant <value_int = {MASK}> ()
  factor_0 = Constant <value_int = {FACTORS[0]}> ()
  factor_1 = Constant <value_int = {FACTORS[1]}> ()
  shift_16 = Constant <value_int = {2**16}> ()
  shift_15 = Constant <value_int = {2**15}> ()
  seed_bits = BitwiseAnd (seed, mask)
{_mix_nodes("seed_bits", "start")}
  ticks = Add (start, time)
  tick_bits = BitwiseAnd (ticks, mask)
{_mix_nodes("tick_bits", "at_time")}
  zeroth = Constant <value_int = 0> ()
  next = Constant <value_int = 1> ()
  places = Range (zeroth, positions, next)
{_mix_nodes("places", "at_place")}
  together = BitwiseXor (at_time, at_place)
{_mix_nodes("together", "mixed")}
  low_bits = Constant <value_int = {2 ** (32 - RANDOM_BITS)}> ()
  high = Div (mixed, low_bits)
  numbers = Cast <to = 1> (high)
"""
"""ONNX text of :func:`random_field`: from int64 ``seed`` [], ``time`` (broadcast against places)
and ``positions`` [] to float32 ``numbers``. A division of a whole number that is not negative is a
shift to the right."""
