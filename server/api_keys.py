"""API keys: random, shown once, known by their digest only."""

from __future__ import annotations

import hashlib
import secrets
from uuid import uuid4

from fastapi import Request
from sqlalchemy import select, update

from onnx2snn.server.context import Context
from onnx2snn.server.database.tables import ApiKey, now
from onnx2snn.server.problems import Problem

LOCAL_OWNER = "local"
_PREFIX = "o2s_"


def create_key(context: Context, name: str) -> str:
    """Make a key; what is returned is the only copy."""
    key = _PREFIX + secrets.token_urlsafe(32)
    with context.sessions() as session, session.begin():
        session.add(ApiKey(id=uuid4().hex, name=name[:200], digest=digest_of(key)))
    return key


def revoke_key(context: Context, name: str) -> int:
    """Revoke all keys of that name; return their number."""
    with context.sessions() as session, session.begin():
        revoked = session.execute(
            update(ApiKey)
            .where(ApiKey.name == name, ApiKey.revoked_at.is_(None))
            .values(revoked_at=now())
            .returning(ApiKey.id)
        )
        return len(revoked.all())


def owner_of(request: Request) -> str:
    """Return whose request this is.

    Raises:
        Problem: it carries no valid key and needs one.
    """
    context: Context = request.app.state.service.context
    if not context.settings.keys_required:
        return LOCAL_OWNER
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise _unauthorized("the request has no API key")
    with context.sessions() as session:
        found = session.scalar(
            select(ApiKey.id).where(
                ApiKey.digest == digest_of(key.strip()), ApiKey.revoked_at.is_(None)
            )
        )
    if found is None:
        raise _unauthorized("the API key is not valid")
    return found


def digest_of(key: str) -> str:
    """Return the SHA-256 of a key; keys have 256 random bits, so no salt is needed."""
    return hashlib.sha256(key.encode()).hexdigest()


def _unauthorized(detail: str) -> Problem:
    return Problem(
        "unauthorized",
        detail,
        remedy="send 'Authorization: Bearer KEY'; the operator makes keys with "
        "'onnx2snn serve --new-key NAME'",
        headers={"WWW-Authenticate": "Bearer"},
    )
