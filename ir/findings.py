"""What the tool has to say about one node or one decision.

A finding is a value: readers, passes and exporters return them, reports list them, errors carry
them. Nothing is ever dropped or approximated without one.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Severity = Literal["info", "warning", "error"]


class Finding(BaseModel):
    """One statement about a model.

    Attributes:
        code: stable kebab-case identifier, e.g. ``"unsupported-op"``.
        message: the statement, in one sentence.
        severity: ``info`` (for the record), ``warning`` (accuracy or honesty is touched) or
            ``error`` (conversion is refused).
        node: name of the node concerned, as in the source model; empty for the whole model.
        op: its operator, with domain unless standard.
        opset: the opset version the operator is read at; 0 if not applicable.
        remedy: what the user can do.
    """

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    severity: Severity = "info"
    node: str = ""
    op: str = ""
    opset: int = 0
    remedy: str = ""

    def __str__(self) -> str:
        where = ""
        if self.node or self.op:
            opset = f", opset {self.opset}" if self.opset else ""
            where = f"node '{self.node}' ({self.op}{opset}): "
        remedy = f" What to do: {self.remedy}" if self.remedy else ""
        return f"{where}{self.message}{remedy}"


class Change(BaseModel):
    """What became of one node of the source model.

    A pass returns the changes it made; an empty list means the graph is as it was.

    Attributes:
        node: name of the source node.
        op: its operator.
        became: what stands in its place, in words, e.g. ``"folded into Conv 'conv1'"``.
    """

    model_config = ConfigDict(frozen=True)

    node: str
    op: str
    became: str
