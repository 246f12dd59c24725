"""People: their accounts, passwords and sessions, and the door that closes after too many wrong passwords."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import bindparam, case, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from forms.errors import Kind, Problem
from sync.access import Actor, Role
from sync.identity import digest, token, uuid7
from sync.models import Account, Login, LoginFailure, Membership
from sync.record import record

# OWASP's minimum for Argon2id (Password Storage Cheat Sheet): 38 ms on our reference machine; the library's own
# defaults cost 197 ms and more memory than twenty tablets at once leave room for.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)

SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 1000

FREE_BY_EMAIL, FREE_BY_ADDRESS = 5, 30
"""Wrong passwords before the door closes. A whole field office may share one address."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=15), timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(hours=1)

# Made once: every request asks them.
_OPEN_LOGIN = (
    select(Login, Account)
    .join(Account, Account.account_id == Login.account_id)
    .where(Login.token_sha256 == bindparam("sha256"), Login.expires_at > bindparam("now"), Account.is_active)
)
_ROLES = select(Membership.project_id, Membership.role).where(Membership.account_id == bindparam("account_id"))


class EmailTaken(Problem):
    """There is already an account with this e-mail address. Use that one, or choose another address."""

    kind = Kind.CONFLICT
    slug = "account/email-taken"


class BadEmail(Problem):
    """This is not an e-mail address. Write it as name@example.org."""

    slug = "account/bad-email"


class WeakPassword(Problem):
    """A password needs 10 to 1,000 characters. Choose a longer one; a sentence is easy to remember."""

    slug = "account/weak-password"


class NoSuchAccount(Problem):
    """There is no such account. Check the address, or ask an administrator to create it."""

    kind = Kind.NOT_FOUND
    slug = "account/not-found"


class NumbersTaken(Problem):
    """Too many people are doing this at the same moment. Wait a little, then try again."""

    kind = Kind.BUSY
    slug = "number/busy"


class TooManyAttempts(Problem):
    """Too many wrong passwords. Wait until the time that is shown, then try again."""

    kind = Kind.BUSY
    slug = "login/too-many-attempts"


@dataclass(frozen=True, slots=True)
class OpenLogin:
    """A session that has just been opened; the token is shown here once and never again."""

    token: str
    csrf: str
    account_id: str
    created_at: datetime
    expires_at: datetime


def create_account(
    session: Session,
    *,
    email: str,
    name: str = "",
    password: str = "",
    password_hash: str = "",
    is_administrator: bool = False,
    language: str = "",
    actor: Actor,
    now: datetime,
) -> Account:
    """A new account; without a password nobody can log in to it. Refuses BadEmail, WeakPassword, EmailTaken.

    `password_hash` is for those who hashed it before they opened the transaction."""
    account = Account(
        account_id=uuid7(),
        email=_email(email),
        name=name.strip() or email.strip().partition("@")[0],
        password_hash=hashed(password) if password else password_hash,
        is_administrator=is_administrator,
        is_active=True,
        language=language,
        created_at=now,
    )
    _number(session, account)
    record(session, "account.create", actor=actor, at=now, target=("account", account.account_id))
    return account


def set_password(session: Session, account: Account, password: str, *, actor: Actor, now: datetime) -> None:
    """The old password no longer works, and every open session of the account is closed."""
    account.password_hash = hashed(password)
    session.execute(delete(Login).where(Login.account_id == account.account_id))
    record(session, "account.password", actor=actor, at=now, target=("account", account.account_id))


def hashed(password: str) -> str:
    """What is kept of a password. Refuses WeakPassword."""
    password = _composed(password)
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise WeakPassword(field="password")
    return HASHER.hash(password)


def matching(session: Session, words: str = "") -> list[Account]:
    """The accounts whose name or e-mail contains the words, by e-mail."""
    found = select(Account).order_by(Account.email)
    if words:
        has = [column.icontains(words.strip(), autoescape=True) for column in (Account.email, Account.name)]
        found = found.where(or_(*has))
    return list(session.scalars(found))


def by_email(session: Session, email: str) -> Account | None:
    return session.scalar(select(Account).where(Account.email == email.strip().lower()))


def by_number(session: Session, number: int) -> Account:
    """Refuses NoSuchAccount."""
    account = session.scalar(select(Account).where(Account.number == number))
    if account is None:
        raise NoSuchAccount
    return account


def authenticate(session: Session, email: str, password: str) -> Account | None:
    """The account, if the password is right and it is active. An unknown address takes as long as a wrong password."""
    account = by_email(session, email)
    if account is None or not account.is_active or not account.password_hash:
        _is_password(_dummy(), password)
        return None
    return account if _is_password(account.password_hash, password) else None


def actor_for(session: Session, account: Account) -> Actor:
    """The person as one who acts, with a role for each project."""
    rows = session.execute(_ROLES, {"account_id": account.account_id})
    return Actor(
        "account",
        id=account.account_id,
        name=account.name,
        account_id=account.account_id,
        is_administrator=account.is_administrator,
        roles={project_id: Role(role) for project_id, role in rows},
    )


def open_login(session: Session, account: Account, *, ttl_s: int, now: datetime) -> OpenLogin:
    """A session for a browser or a script. Sessions of this account that have ended are swept away."""
    opened = OpenLogin(token(), token(), account.account_id, now, now + timedelta(seconds=ttl_s))
    session.execute(delete(Login).where(Login.account_id == account.account_id, Login.expires_at <= now))
    session.add(
        Login(
            token_sha256=digest(opened.token),
            account_id=account.account_id,
            csrf=opened.csrf,
            created_at=now,
            expires_at=opened.expires_at,
        )
    )
    return opened


def find_login(session: Session, token_: str, *, now: datetime) -> tuple[Login, Account] | None:
    """The open session of a token and its active account."""
    row = session.execute(_OPEN_LOGIN, {"sha256": digest(token_), "now": now}).first()
    return None if row is None else (row[0], row[1])


def close_login(session: Session, token_: str) -> None:
    session.execute(delete(Login).where(Login.token_sha256 == digest(token_)))


def check_throttle(session: Session, email: str, address: str, *, now: datetime) -> None:
    """Refuse with TooManyAttempts while the door of this e-mail or this address is closed."""
    opens_at = max((_opens_at(row, now) for row in _failures(session, email, address)), default=now)
    if opens_at > now:
        raise TooManyAttempts(
            f"Try again at {opens_at:%H:%M:%S} UTC.",
            opens_at=opens_at.isoformat(timespec="seconds"),
            retry_after_s=int((opens_at - now).total_seconds()) + 1,
        )


def note_failure(session: Session, email: str, address: str, *, now: datetime) -> None:
    """One more wrong password by this e-mail and by this address."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    earlier = case((LoginFailure.last_at > now - FORGOTTEN_AFTER, LoginFailure.failures), else_=0)
    for key in _keys(email, address):
        session.execute(
            insert(LoginFailure)
            .values(key=key, failures=1, last_at=now)
            .on_conflict_do_update(index_elements=[LoginFailure.key], set_={"failures": earlier + 1, "last_at": now})
        )


def forget_failures(session: Session, email: str) -> None:
    """After a right password. The address keeps its count: else one known password would cover a search for others."""
    session.execute(delete(LoginFailure).where(LoginFailure.key == _keys(email, "")[0]))


def _failures(session: Session, email: str, address: str) -> list[LoginFailure]:
    return list(session.scalars(select(LoginFailure).where(LoginFailure.key.in_(_keys(email, address)))))


def _keys(email: str, address: str) -> tuple[str, str]:
    # The e-mail as a digest: people type passwords into the wrong field, and the table is no place for those.
    return f"email:{digest(email.strip().lower())}", f"address:{address}"


def _opens_at(row: LoginFailure, now: datetime) -> datetime:
    free = FREE_BY_EMAIL if row.key.startswith("email:") else FREE_BY_ADDRESS
    if row.failures < free or row.last_at <= now - FORGOTTEN_AFTER:
        return now
    pause: timedelta = min(FIRST_PAUSE * 2 ** min(row.failures - free, 10), LONGEST_PAUSE)
    return row.last_at + pause


def _email(text: str) -> str:
    email = text.strip().lower()
    if len(email) > 255 or not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise BadEmail(email[:255], field="email")
    return email


def _is_password(password_hash: str, password: str) -> bool:
    if len(password) > LONGEST_PASSWORD:
        return False
    try:
        return HASHER.verify(password_hash, _composed(password))
    except (VerificationError, InvalidHashError):
        return False


def _composed(password: str) -> str:
    # The same password typed on two keyboards may reach us as different code points (NIST SP 800-63B, 5.1.1.2).
    return unicodedata.normalize("NFKC", password)


@cache
def _dummy() -> str:
    return HASHER.hash(token())


def _number(session: Session, account: Account) -> None:
    """Insert with the next number; two at once are told apart by the UNIQUE constraints."""
    for _attempt in range(5):
        account.number = (session.scalar(select(func.max(Account.number))) or 0) + 1
        try:
            with session.begin_nested():
                session.add(account)
                session.flush()
        except IntegrityError:
            if by_email(session, account.email) is not None:
                raise EmailTaken(account.email, field="email") from None
        else:
            return
    raise NumbersTaken
