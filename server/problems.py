"""Problems: what the API answers when it does not do what it was asked (RFC 9457)."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from onnx2snn.ir.findings import Finding

STATUS = {
    "bad-request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not-found": 404,
    "method-not-allowed": 405,
    "not-acceptable": 406,
    "conflict": 409,
    "idempotency-in-progress": 409,
    "length-mismatch": 409,
    "upload-too-large": 413,
    "model-too-large": 413,
    "unsupported-media-type": 415,
    "range-not-satisfiable": 416,
    "idempotency-mismatch": 422,
    "invalid-request": 422,
    "rate-limited": 429,
    "quota-exceeded": 429,
    "internal-error": 500,
    "internal-invariant": 500,
    "not-ready": 503,
    "overloaded": 503,
    "storage-full": 507,
}
"""HTTP status of a code; what is wrong with a caller's model or data is 422."""

UNPROCESSABLE = 422


class ProblemDocument(BaseModel):
    """Body of every answer that reports a failure, and ``error`` of a failed job.

    Attributes:
        type: URI of the kind of problem.
        title: the code in words.
        status: HTTP status.
        detail: what is wrong, in one sentence.
        instance: path of the request.
        code: stable identifier.
        node: name of the ONNX node concerned, or empty.
        op: its operator, or empty.
        remedy: what the caller can do.
        findings: the individual problems.
        request_id: find the request in the logs by it.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:onnx2snn:problem:unsupported-op",
                    "title": "Unsupported op",
                    "status": 422,
                    "detail": "1 node has no conversion",
                    "code": "unsupported-op",
                    "node": "loop_3",
                    "op": "Loop",
                    "remedy": "export the model with the loop unrolled",
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    instance: str = ""
    code: str
    node: str = ""
    op: str = ""
    remedy: str = ""
    findings: list[Finding] = Field(default_factory=list)
    request_id: str = ""


def _rebuild(
    code: str, detail: str, remedy: str, findings: tuple[Finding, ...], headers: dict[str, str]
) -> Problem:
    return Problem(code, detail, remedy=remedy, findings=findings, headers=headers)


class Problem(Exception):  # noqa: N818
    """A failure with a stable code.

    Args:
        code: kebab-case identifier.
        detail: what is wrong, in one sentence.
        remedy: what the caller can do.
        findings: the individual problems.
        retry_after: seconds after which another try makes sense.
        headers: further headers of the answer.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        remedy: str = "",
        findings: tuple[Finding, ...] = (),
        retry_after: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"[{code}] {detail}")
        self.code = code
        self.detail = detail
        self.remedy = remedy
        self.findings = findings
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by arguments, so that processes of a cluster can return problems."""
        return (_rebuild, (self.code, self.detail, self.remedy, self.findings, self.headers))

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        return STATUS.get(self.code, UNPROCESSABLE)

    def document(self, instance: str = "", request_id: str = "") -> ProblemDocument:
        """Return the body of the answer."""
        named = next((f for f in self.findings if f.severity == "error" and f.node), None)
        return ProblemDocument(
            type=f"urn:onnx2snn:problem:{self.code}",
            title=self.code.replace("-", " ").capitalize(),
            status=self.status,
            detail=self.detail,
            instance=instance,
            code=self.code,
            node=named.node if named else "",
            op=named.op if named else "",
            remedy=self.remedy or (named.remedy if named else ""),
            findings=list(self.findings),
            request_id=request_id,
        )

    @classmethod
    def from_error(cls, error: dict[str, Any]) -> Problem:
        """Return the problem that a sandboxed child has written down."""
        return cls(
            str(error["code"]),
            str(error["message"]),
            remedy=str(error.get("remedy", "")),
            findings=tuple(Finding.model_validate(f) for f in error.get("findings", ())),
        )

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Problem:
        """Return the problem that a failed job has stored."""
        told = ProblemDocument.model_validate(document)
        return cls(told.code, told.detail, remedy=told.remedy, findings=tuple(told.findings))
