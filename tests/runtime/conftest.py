"""Makes the hand-written spiking nets importable from the tests of ``ir`` and ``runtime``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "ir"))
