"""Lists in pages: the newest first, the next page by a token."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from sqlalchemy import Select, tuple_
from sqlalchemy.orm import Session

from onnx2snn.server.problems import Problem

PageSize = Annotated[int, Query(ge=1, le=200, description="Entries of one page.")]
PageToken = Annotated[str, Query(max_length=300, description="next_page_token of the page before.")]


def read_page(
    session: Session, query: Select[Any], table: Any, size: int, token: str
) -> tuple[list[Any], str]:
    """Return one page and the token of the next; the token is empty after the last page.

    Args:
        session: of the database.
        query: selects rows of ``table``.
        table: has ``created_at`` and ``id``.
        size: entries of the page.
        token: of the page, or empty for the first.

    Raises:
        Problem: the token is none of ours.
    """
    if token:
        query = query.where(tuple_(table.created_at, table.id) < _parse(token))
    rows = list(
        session.scalars(query.order_by(table.created_at.desc(), table.id.desc()).limit(size + 1))
    )
    if len(rows) <= size:
        return rows, ""
    return rows[:size], _token(rows[size - 1])


def _token(row: Any) -> str:
    text = f"{row.created_at.isoformat()} {row.id}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def _parse(token: str) -> tuple[datetime, str]:
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode()
        moment, _, row_id = text.rpartition(" ")
        return datetime.fromisoformat(moment), row_id
    except (ValueError, binascii.Error, UnicodeError) as error:
        raise Problem(
            "bad-request", "page_token is not one of ours", remedy="start from the first page"
        ) from error
