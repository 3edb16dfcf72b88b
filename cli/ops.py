"""``onnx2snn ops``: what a conversion makes of every ONNX operator, and whether it spikes."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from onnx2snn.cli.options import AsJson

if TYPE_CHECKING:
    from rich.console import Console

    from onnx2snn.converter.support import OperatorSupport

_TITLES = {
    "": "ONNX operators in the middle of a network",
    "ai.onnx.ml": "Classical machine learning (ai.onnx.ml)",
    "com.microsoft": "Fused and quantised by ONNX Runtime (com.microsoft)",
    "onnx2snn.ann": "Recognised where exporters write it with several operators",
}
_SPIKES = {True: "yes", False: "analog", None: "-"}

_MEANING = {
    "neuron": "fires; what it computes is a bound on its count or a function in its membrane",
    "linear": "spikes in, currents out, one timestep like the next; constants go into the neurons",
    "spiking-pool": "max-pooling of membrane potentials or of spike counts",
    "lift": "analog: f of the running estimates at every timestep, its change passed on; a neuron "
    "follows before the next weights. Where no weights follow it is a read-out",
    "read-out": "runs once, on decoded values. Where weights follow it is a lift",
    "folded": "taken apart or into its neighbours before anything is decided",
    "prologue": "computed once, before the first encoder",
    "refused": "in the middle of a network; behind the read-out it runs on decoded values unless "
    "the reason says otherwise",
}
"""What the fates mean. Before the first encoder every operator runs as it is."""


def ops(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Part of the name of the operators to list.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List what becomes of every ONNX operator, and whether it spikes."""
    from onnx2snn.cli.output import print_json, results
    from onnx2snn.converter.support import operator_support, rewritings

    lines = [line for line in operator_support() if name.lower() in line.operator.lower()]
    if as_json:
        passes = [] if name else [step.model_dump() for step in rewritings()]
        print_json({"operators": [line.model_dump() for line in lines], "rewritings": passes})
        return
    console = results(as_json)
    _print(console, lines)
    _print_legend(console, {line.fate for line in lines})
    if not name:
        _print_rewritings(console)


def _print(console: Console, lines: list[OperatorSupport]) -> None:
    from onnx2snn.cli.output import cell, table, tell

    if not lines:
        tell(console, "no operator has a name like this", "yellow")
    for domain, members in groupby(lines, key=lambda line: line.domain):
        rows = [(m.operator, m.fate, _SPIKES[m.spiking], m.treatment) for m in members]
        console.print(cell(_TITLES[domain], "bold"))
        console.print(table(("operator", "becomes", "spikes", "how"), rows))
        console.print()


def _print_legend(console: Console, fates: set[str]) -> None:
    from onnx2snn.cli.output import facts

    told = [(fate, meaning) for fate, meaning in _MEANING.items() if fate in fates]
    if told:
        console.print(facts(told))
        console.print()


def _print_rewritings(console: Console) -> None:
    from onnx2snn.cli.output import cell, table
    from onnx2snn.converter.support import rewritings

    console.print(cell("Rewritten first, in this order", "bold"))
    rows = [(step.name, step.effect.replace("``", "")) for step in rewritings()]
    console.print(table(("pass", "what it does"), rows))
