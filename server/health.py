"""Whether this process is alive and reaches its database: for load balancers and the first look of a person."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import text

from server.db import own_transactions, reading

bp = Blueprint("health", __name__)


@bp.get("/health")
@own_transactions
def health() -> ResponseReturnValue:
    """200 when the database answers; its failure is answered as any other (503)."""
    with reading() as session:
        session.execute(text("SELECT 1"))
    return {"status": "ok", "database": "ok"}
