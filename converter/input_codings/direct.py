"""Direct current: the values themselves at every stimulus step; the first layer stays analog.

Source: Rueckauer et al. 2017, sec. 2.2 (analog input current).
"""

from __future__ import annotations

from onnx2snn.converter.input_codings.base import InputCoder

TITLE = "direct current"

DIRECT = InputCoder(
    name="direct",
    title=TITLE,
    encoder=None,
    describe=lambda _grids, _preset, _seed: f"{TITLE} (analog first layer)",
)
