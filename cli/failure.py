"""What a failed command says and which exit code it leaves.

0 all went well     1 some models of a batch failed     2 bad usage or bad input
70 a bug of ours    130 interrupted
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from onnx2snn.ir.errors import InvariantError, Onnx2SnnError
from onnx2snn.ir.findings import Finding

SOME_FAILED = 1
BAD_INPUT = 2
BUG = 70
INTERRUPTED = 130


class Failure(BaseModel):
    """An error as a value, for JSON and reports.

    Attributes:
        code: stable identifier of the kind of error.
        message: what is wrong.
        remedy: what the caller can do.
        findings: the individual problems.
    """

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    remedy: str = ""
    findings: tuple[Finding, ...] = ()

    def __str__(self) -> str:
        lines = [f"[{self.code}] {self.message}"]
        lines += [f"  - {finding}" for finding in self.findings]
        if self.remedy:
            lines.append(f"  What to do: {self.remedy}")
        return "\n".join(lines)


def describe_failure(error: BaseException) -> Failure:
    """Return what an error says."""
    if isinstance(error, Onnx2SnnError):
        return Failure(
            code=error.code, message=error.message, remedy=error.remedy, findings=error.findings
        )
    if isinstance(error, OSError):
        where = f" {error.filename}" if error.filename else ""
        return Failure(
            code="file-error",
            message=f"cannot use the file{where}: {error.strerror or error}",
            remedy="check the path, the permissions and the space on the disk",
        )
    if isinstance(error, MemoryError):
        return Failure(
            code="out-of-memory",
            message="there is not enough memory",
            remedy="hand in fewer samples, or set a lower --memory where there is that option",
        )
    return Failure(
        code="internal-error",
        message=f"{type(error).__name__}: {error}",
        remedy="this is a bug of onnx2snn: please report it, with the output of onnx2snn --debug",
    )


def exit_code(error: BaseException) -> int:
    """Return the exit code of a command that ends with this error."""
    if isinstance(error, InvariantError):
        return BUG
    return BAD_INPUT if isinstance(error, Onnx2SnnError | OSError | MemoryError) else BUG
