"""``onnx2snn ops``: which ONNX operators convert, and into what; read from the converter itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from onnx2snn.cli.options import AsJson

_REST = (
    "any other",
    "read-out",
    "runs on decoded values, if no trained weights follow; else the conversion is refused",
)


def ops(as_json: AsJson = False) -> None:
    """List the operators that convert and what becomes of each."""
    from onnx2snn.cli.output import print_json, results, table

    rows = supported_operators()
    if as_json:
        names = ("operators", "fate", "treatment")
        print_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    results(as_json).print(table(("operators", "fate", "treatment"), rows))


def supported_operators() -> list[tuple[str, str, str]]:
    """Return operators, fate and treatment, in the order in which the converter tries them."""
    from onnx2snn.converter.activations import ACTIVATIONS
    from onnx2snn.converter.canonicalise import PASSES
    from onnx2snn.ir.grammar import SHAPE_OPS
    from onnx2snn.ir.linear import LINEAR_OPS

    rows = [
        (step.__name__.replace("_", " "), "folded", _sentence(step))
        for step in dict.fromkeys(PASSES)
    ]
    for rule in ACTIVATIONS:
        told = _sentence(rule)
        rows.append(
            (", ".join(re.findall(r"``(\w+)``", told)), "neuron", told.removeprefix("Match "))
        )
    rows.append(("MaxPool", "spiking-pool", "on membrane potentials or spike counts, exact"))
    for weighted, told in ((True, "synapses, bias-free"), (False, "act on the stream as they are")):
        names = [name for name, op in LINEAR_OPS.items() if op.synapse == weighted]
        rows.append((", ".join(names), "linear", told))
    rows.append((", ".join(sorted(SHAPE_OPS)), "prologue", "computes shapes, not values"))
    return [(name, fate, told.replace("``", "")) for name, fate, told in (*rows, _REST)]


def _sentence(function: Callable[..., Any]) -> str:
    """Return the first sentence of a docstring."""
    lines: Iterable[str] = (function.__doc__ or "").strip().split("\n\n")[0].splitlines()
    return " ".join(line.strip() for line in lines).rstrip(".")
