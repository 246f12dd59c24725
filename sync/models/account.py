"""People who log in, their sessions, and failed attempts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base, Id, Name


class Account(Base):
    """A person. `email` is kept in lower case. An account without a password cannot log in."""

    __tablename__ = "account"
    __table_args__ = (UniqueConstraint("email"), UniqueConstraint("number"))

    account_id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[int] = mapped_column(Integer)
    """The small integer of the REST API."""
    email: Mapped[str] = mapped_column(Name)
    name: Mapped[str] = mapped_column(Name)
    password_hash: Mapped[str] = mapped_column(Name, default="")
    is_administrator: Mapped[bool] = mapped_column(default=False)
    is_active: Mapped[bool] = mapped_column(default=True)
    language: Mapped[str] = mapped_column(String(8), default="")
    created_at: Mapped[datetime]


class Login(Base):
    """One open session, in a browser (cookie) or a script (bearer token). Only the token's SHA-256 is kept."""

    __tablename__ = "login"
    __table_args__ = (Index(None, "account_id"),)

    token_sha256: Mapped[str] = mapped_column(Id, primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.account_id"))
    csrf: Mapped[str] = mapped_column(Id)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class LoginFailure(Base):
    """Failed attempts by e-mail or by address; too many close the door for a while."""

    __tablename__ = "login_failure"

    key: Mapped[str] = mapped_column(Name, primary_key=True)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    last_at: Mapped[datetime]
