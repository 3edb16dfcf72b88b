"""The table of the conformance run, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import onnx
import onnxruntime
from conformance_judge import Result

HOWS = ("linear", "neuron", "spiking-pool", "lift", "read-out", "other")
KINDS: dict[str, str] = {
    "linear": "linear",
    "neuron": "neuron",
    "spiking-pool": "spiking-pool",
    "lift": "lift",
    "bilinear": "lift",
    "read-out": "read-out",
}
HEAD = """# Conformance

Every operator test of the onnx package {onnx} becomes a small network, is converted (preset
`graded`), runs until it is silent, and is compared with onnxruntime {ort} on the ANN.
Written by `python benchmarks/conformance.py`; do not edit.

How a case becomes a network: its first floating-point input with a batch axis is the activation,
other inputs become constants; where several inputs have the same shape the case runs once more
with all of them as activations (`+`). Each floating-point output feeds a LeakyRelu, so that neurons
follow; an operator without such an output has it in front. Activations are rounded to multiples of
1/32, so that the input encoder is lossless.

Pass: outputs have the ANN's names, types and shapes, and differ by at most half a quantum of every
layer behind the input; or, where weights stand between layers, by an error that shrinks with the
quantum on a grid 16 times finer. Labels must be equal, except where the ANN's own label changes if
its input moves by a quantum. The columns tell what the operator became: linear, a neuron, a
spiking pool, a lift (works on estimates), read-out (works on decoded values), other (folded into
its neighbours, or runs once before the encoder).
"""
LIGHT = """## Light models

The architectures that the onnx package carries, with seeded random weights in place of the
constants they come with, on one random image, calibrated on it.
"""


def summary(results: Sequence[Result]) -> str:
    """Return the counts in one line."""
    counts = Counter(result.verdict for result in results)
    order = ("pass", "refused", "failed", "not applicable")
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in order)


def render(results: Sequence[Result]) -> str:
    """Return the document."""
    nodes = [result for result in results if not result.op.startswith("light model")]
    light = [result for result in results if result.op.startswith("light model")]
    parts = [
        HEAD.format(onnx=onnx.__version__, ort=onnxruntime.__version__),
        f"**{summary(nodes)}** of {len(nodes)} networks.\n",
        "## By operator\n",
        _by_operator(nodes),
        "## Refused\n",
        _listed(result for result in nodes if result.verdict == "refused"),
        "## Failed\n",
        _listed(result for result in nodes if result.verdict == "failed"),
        "## Not applicable\n",
        _reasons(result for result in nodes if result.verdict == "not applicable"),
    ]
    if light:
        parts += [LIGHT, _light(light)]
    return "\n".join(parts)


def _by_operator(results: Sequence[Result]) -> str:
    rows = [
        "| operator | cases | " + " | ".join(HOWS) + " | refused | not applicable | failed |",
        "|---|" + "---:|" * (len(HOWS) + 4),
    ]
    for op in sorted({result.op for result in results}, key=str.lower):
        own = [result for result in results if result.op == op]
        hows = Counter(KINDS.get(r.how, "other") for r in own if r.verdict == "pass")
        verdicts = Counter(result.verdict for result in own)
        cells = [str(len(own)), *(str(hows[how] or "") for how in HOWS)]
        cells += [str(verdicts[v] or "") for v in ("refused", "not applicable", "failed")]
        rows.append(f"| {op} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _listed(results: Iterable[Result]) -> str:
    rows = [f"| {r.name} | {r.op} | {_cell(r.reason)} |" for r in results]
    if not rows:
        return "None.\n"
    return "\n".join(["| case | operator | reason |", "|---|---|---|", *rows]) + "\n"


def _reasons(results: Iterable[Result]) -> str:
    counts = Counter(result.reason for result in results)
    rows = [f"| {_cell(reason)} | {count} |" for reason, count in counts.most_common()]
    return "\n".join(["| reason | networks |", "|---|---:|", *rows]) + "\n"


def _light(results: Sequence[Result]) -> str:
    rows = [f"| {r.name} | {r.verdict} | {_cell(r.how or r.reason)} |" for r in results]
    return "\n".join(["| model | verdict | |", "|---|---|---|", *rows]) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())
