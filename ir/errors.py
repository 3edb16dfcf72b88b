"""Every error the package raises on purpose, in one tree.

    Onnx2SnnError
    ├── ModelError              the caller's model cannot be read or converted
    │   ├── InvalidModelError       not ONNX, truncated, contradictory, NaN weights ...
    │   ├── UnsupportedOpError      one or more nodes have no conversion
    │   ├── UnsupportedOpsetError   an opset or IR version outside the supported range
    │   └── ModelTooLargeError      a limit on bytes, nodes or tensor elements is exceeded
    ├── DataError               the caller's samples do not fit the model
    ├── ExportError             the target format cannot express this model
    ├── SimulationError         a simulation cannot run as asked
    └── InvariantError          a bug of ours: a pass broke a promise

Each class has a stable ``code``. A :class:`ModelError` carries *all* problems found, as findings,
never only the first.
"""

from __future__ import annotations

from collections.abc import Sequence

from onnx2snn.ir.findings import Finding


class Onnx2SnnError(Exception):
    """Base of all deliberate errors.

    Args:
        message: what is wrong, in one sentence.
        remedy: what the caller can do about it.
        findings: the individual problems, if there are several.
    """

    code = "error"

    def __init__(self, message: str, *, remedy: str = "", findings: Sequence[Finding] = ()) -> None:
        self.message = message
        self.remedy = remedy
        self.findings = tuple(findings)
        super().__init__(self._text())

    def _text(self) -> str:
        lines = [f"[{self.code}] {self.message}"]
        lines += [f"  - {finding}" for finding in self.findings]
        if self.remedy:
            lines.append(f"  What to do: {self.remedy}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by constructor arguments, so that worker processes can return errors."""
        return (_rebuild, (type(self), self.message, self.remedy, self.findings))


def _rebuild(
    kind: type[Onnx2SnnError], message: str, remedy: str, findings: tuple[Finding, ...]
) -> Onnx2SnnError:
    return kind(message, remedy=remedy, findings=findings)


class ModelError(Onnx2SnnError):
    """The model handed in cannot be used."""

    code = "model-error"


class InvalidModelError(ModelError):
    """The file is no valid ONNX model, or contradicts itself."""

    code = "invalid-model"


class UnsupportedOpError(ModelError):
    """At least one node has no conversion; the findings name every such node."""

    code = "unsupported-op"


class UnsupportedOpsetError(ModelError):
    """The model's opset or IR version is outside the supported range."""

    code = "unsupported-opset"


class ModelTooLargeError(ModelError):
    """A size limit (bytes, nodes, elements, nesting) is exceeded."""

    code = "model-too-large"


class DataError(Onnx2SnnError):
    """Samples are missing, misnamed, misshaped or not finite."""

    code = "bad-data"


class ExportError(Onnx2SnnError):
    """A target format cannot express the model without loss."""

    code = "export-error"


class SimulationError(Onnx2SnnError):
    """A simulation cannot run as asked (backend missing, memory budget too small ...)."""

    code = "simulation-error"


class InvariantError(Onnx2SnnError):
    """A bug of ours: a pass or a file broke the grammar of spiking models."""

    code = "internal-invariant"
