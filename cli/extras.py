"""Optional parts of the package: what a command says when its own is not installed."""

from __future__ import annotations

from importlib.util import find_spec


def need(extra: str, modules: tuple[str, ...], task: str) -> None:
    """Make sure that an extra is installed.

    Args:
        extra: its name, as in ``onnx2snn[server]``.
        modules: top-level modules that it brings.
        task: what needs them, the start of the message.

    Raises:
        Onnx2SnnError: one of the modules is missing; the remedy says what to install.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        from onnx2snn.ir.errors import Onnx2SnnError  # help must not wait for it

        raise Onnx2SnnError(
            f"{task} needs {', '.join(missing)}: not installed",
            remedy=f"pip install 'onnx2snn[{extra}]'",
        )
