"""Settings, read once from the environment. Imports nothing of ours."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class BadSetting(Exception):
    """A setting cannot be used as it is."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name


@dataclass(frozen=True, slots=True)
class Settings:
    """All that may differ between two installations."""

    data_dir: Path
    """Database, attachments, exports and the secret key live here."""
    secret_key: str = field(repr=False)
    database_url: str = ""
    """SQLAlchemy URL; "" means SQLite in `data_dir`."""
    blob_url: str = ""
    """A bucket for attachments, such as s3://bucket/prefix; "" means the folder `blobs` in `data_dir`."""
    host: str = "127.0.0.1"
    port: int = 8080
    base_url: str = ""
    """The address that devices use (QR codes, form lists); "" means as the request came in."""
    threads: int = 8
    workers: int = 1
    run_jobs: bool = True
    """Run the scheduler inside the server process."""
    consolidate_at: str = "0 21 * * *"
    """Cron line, in `timezone`, of the daily consolidation."""
    backup_at: str = "30 1 * * *"
    """Cron line of the daily backup."""
    backup_folder: Path | None = None
    """Where the daily backups go; None is a folder in `data_dir`."""
    backups_kept: int = 14
    durable_by: str = "backup"
    """What makes received data safe for ever: a "backup", or the "database" itself, which is replicated."""
    tombstone_days: int = 180
    """How long devices are told that a record was deleted; who comes later reads everything again."""
    retention: Mapping[tuple[int, str, str], int] = field(default_factory=dict)
    """(number of a project, form ID, rule) -> after how many days attachments are deleted; a project 0 and a form ""
    stand for all, 0 days for ever. What is not named is kept for ever."""
    timezone: str = "Asia/Jakarta"
    trusted_proxies: int = 0
    max_submission_bytes: int = 100 * 2**20
    max_blob_bytes: int = 2 * 2**30
    session_ttl_s: int = 12 * 3600
    log_level: str = "INFO"
    log_format: str = "text"

    @property
    def backups(self) -> Path:
        return self.backup_folder or self.data_dir / "backups"

    @property
    def url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / 'lapangan.sqlite3'}"


def from_env(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from LAPANGAN_ variables. Creates the data folder and the secret key on first use.

    Raises BadSetting, which names the variable."""
    known = {f"LAPANGAN_{name.upper()}" for name in Settings.__dataclass_fields__} | {"LAPANGAN_TEST_DATABASE_URL"}
    unknown = sorted(name for name in environ if name.startswith("LAPANGAN_") and name not in known)
    if unknown:
        raise BadSetting(unknown[0], "there is no such setting; see the table in README.md")
    data_dir = Path(environ.get("LAPANGAN_DATA_DIR") or "lapangan-data").resolve()
    return Settings(
        data_dir=_writable(data_dir),
        secret_key=environ.get("LAPANGAN_SECRET_KEY") or _kept_secret(data_dir / "secret-key"),
        database_url=_database_url(environ.get("LAPANGAN_DATABASE_URL", "")),
        blob_url=_blob_url(environ.get("LAPANGAN_BLOB_URL", "")),
        host=environ.get("LAPANGAN_HOST") or "127.0.0.1",
        port=_integer(environ, "LAPANGAN_PORT", 8080, 0, 65535),
        base_url=_base_url(environ.get("LAPANGAN_BASE_URL", "")),
        threads=_integer(environ, "LAPANGAN_THREADS", 8, 1, 256),
        workers=_integer(environ, "LAPANGAN_WORKERS", 1, 1, 64),
        run_jobs=_flag(environ, "LAPANGAN_RUN_JOBS", default=True),
        consolidate_at=_cron(environ, "LAPANGAN_CONSOLIDATE_AT", "0 21 * * *"),
        backup_at=_cron(environ, "LAPANGAN_BACKUP_AT", "30 1 * * *"),
        backup_folder=_folder(environ.get("LAPANGAN_BACKUP_FOLDER", "")),
        backups_kept=_integer(environ, "LAPANGAN_BACKUPS_KEPT", 14, 1, 10_000),
        durable_by=_one_of(environ, "LAPANGAN_DURABLE_BY", "backup", ("backup", "database")),
        tombstone_days=_integer(environ, "LAPANGAN_TOMBSTONE_DAYS", 180, 1, 36_500),
        retention=_retention(environ.get("LAPANGAN_RETENTION", "")),
        timezone=_timezone(environ.get("LAPANGAN_TIMEZONE") or "Asia/Jakarta"),
        trusted_proxies=_integer(environ, "LAPANGAN_TRUSTED_PROXIES", 0, 0, 10),
        max_submission_bytes=_integer(environ, "LAPANGAN_MAX_SUBMISSION_BYTES", 100 * 2**20, 2**20, 2**40),
        max_blob_bytes=_integer(environ, "LAPANGAN_MAX_BLOB_BYTES", 2 * 2**30, 2**20, 2**42),
        session_ttl_s=_integer(environ, "LAPANGAN_SESSION_TTL_S", 12 * 3600, 300, 90 * 86400),
        log_level=_one_of(environ, "LAPANGAN_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
        log_format=_one_of(environ, "LAPANGAN_LOG_FORMAT", "text", ("text", "json")),
    )


def _writable(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadSetting("LAPANGAN_DATA_DIR", f"cannot create {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise BadSetting("LAPANGAN_DATA_DIR", f"no permission to write in {folder}")
    return folder


def _kept_secret(file: Path) -> str:
    """The secret in `file`, made on first use, readable by its owner only. Two processes that start together agree."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _readable_secret(file)
    with os.fdopen(handle, "w") as out:
        out.write(secret := secrets.token_hex(32))
        out.flush()
        os.fsync(out.fileno())
    return secret


def _readable_secret(file: Path) -> str:
    secret = file.read_text().strip()
    if len(secret) < 32:
        raise BadSetting(
            "LAPANGAN_SECRET_KEY", f"{file} is cut short; delete it to make a new one (people log in again)"
        )
    return secret


def _database_url(url: str) -> str:
    if url.startswith("postgres://"):
        url = "postgresql://" + url.removeprefix("postgres://")
    if url.startswith("postgresql://"):
        url = "postgresql+psycopg://" + url.removeprefix("postgresql://")
    if url and not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise BadSetting("LAPANGAN_DATABASE_URL", "must begin with sqlite:/// or postgresql://")
    return url


def _blob_url(url: str) -> str:
    if url and not url.startswith(("s3://", "gs://", "az://")):
        raise BadSetting("LAPANGAN_BLOB_URL", "must begin with s3://, gs:// or az://, such as s3://bucket/prefix")
    return url.rstrip("/")


def _base_url(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise BadSetting("LAPANGAN_BASE_URL", "must begin with http:// or https://")
    return url.rstrip("/")


def _integer(environ: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise BadSetting(name, f"must be a whole number from {least} to {most}, not {text!r}")
    return int(text)


def _flag(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = (environ.get(name) or ("yes" if default else "no")).lower()
    if text not in ("yes", "no", "true", "false", "1", "0"):
        raise BadSetting(name, f"must be yes or no, not {text!r}")
    return text in ("yes", "true", "1")


def _one_of(environ: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    text = environ.get(name) or default
    if text not in allowed:
        raise BadSetting(name, f"must be one of {', '.join(allowed)}, not {text!r}")
    return text


def _cron(environ: Mapping[str, str], name: str, default: str) -> str:
    line = environ.get(name) or default
    if len(line.split()) != 5:
        raise BadSetting(name, f"must be a cron line of five fields, such as {default!r}")
    return line


RULES = ("orphan", "superseded", "rejected", "deleted", "approved")


def _retention(text: str) -> dict[tuple[int, str, str], int]:
    terms = dict(map(_term, text.split()))
    if len(terms) < len(text.split()):
        raise BadSetting("LAPANGAN_RETENTION", "names one rule twice for the same forms")
    return terms


def _term(text: str) -> tuple[tuple[int, str, str], int]:
    """Such as deleted=90, 2:approved=365 or 2/interview:approved=30."""
    found = re.fullmatch(r"(?:([1-9]\d{0,8})(?:/(\S+))?:)?([a-z]+)=(\d{1,5})", text)
    if found is None or found[3] not in RULES or int(found[4]) > 36_500:
        rules = ", ".join(RULES)
        told = f"must be terms such as deleted=90 2:approved=365 2/interview:approved=30 of {rules}, not {text!r}"
        raise BadSetting("LAPANGAN_RETENTION", told)
    if found[2] and found[3] == "orphan":
        raise BadSetting("LAPANGAN_RETENTION", f"what nothing names belongs to no form: {text!r}")
    return (int(found[1] or 0), found[2] or "", found[3]), int(found[4])


def _folder(path: str) -> Path | None:
    return Path(path).resolve() if path else None


def _timezone(name: str) -> str:
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise BadSetting("LAPANGAN_TIMEZONE", f"there is no time zone {name!r}; try Asia/Jakarta") from error
    return name
