"""Where the compiled library is, if it was built."""

from __future__ import annotations

import ctypes
import os
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

_STEM = "_operators"


def custom_ops_path() -> str | None:
    """Return the path of the custom-op library; None where it was not built.

    Register it in a session of your own and the neurons of a ``.snn.onnx`` file run compiled::

        options = onnxruntime.SessionOptions()
        options.register_custom_ops_library(custom_ops_path())

    The environment variable ``ONNX2SNN_OPERATORS`` names another build of it (with sanitizers).
    """
    told = os.environ.get("ONNX2SNN_OPERATORS", "")
    if told:
        return told
    folder = Path(__file__).resolve().parent
    candidates = (folder / f"{_STEM}{suffix}" for suffix in EXTENSION_SUFFIXES)
    return next((str(path) for path in candidates if path.is_file()), None)


def why_not_built() -> str:
    """Say why the library is missing; empty if it is there."""
    if custom_ops_path() is not None:
        return ""
    return "the compiled library is missing: reinstall where a C++17 compiler is there"


def instruction_set() -> str | None:
    """Return the instruction set the library has chosen; None where it was not built."""
    path = custom_ops_path()
    if path is None:
        return None
    name = ctypes.CDLL(path).onnx2snn_isa
    name.restype = ctypes.c_char_p
    return str(name().decode())


def use_instruction_set(name: str | None) -> bool:
    """Let sessions loaded from now on use ``portable``, ``avx2``, ``avx512`` or (None) the best.

    Returns whether this machine and this library have it.
    """
    path = custom_ops_path()
    if path is None:
        return False
    return bool(ctypes.CDLL(path).onnx2snn_use_isa(None if name is None else name.encode()))
