"""What the field client is doing, for whoever watches."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


class Stage(enum.Enum):
    """The steps of the field client's work. Between any two of them it may be killed without a loss."""

    KEEP_MEDIA = "keep_media"
    KEEP_RECORD = "keep_record"
    RECORD_KEPT = "record_kept"
    PUSH = "push"
    PUSH_ANSWERED = "push_answered"
    RECEIPTS_KEPT = "receipts_kept"
    ASK_FILES = "ask_files"
    UPLOAD = "upload"
    UPLOAD_ANSWERED = "upload_answered"
    UPLOADED = "uploaded"
    PULL = "pull"
    PULLED = "pulled"
    FETCH_FORM = "fetch_form"
    FORGET_FILE = "forget_file"
    WAIT = "wait"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` things of this stage: records, bytes, forms; seconds for WAIT."""

    stage: Stage
    done: int = 0
    total: int = 0
    about: str = ""


Watch: TypeAlias = Callable[[Progress], None]


def unwatched(progress: Progress) -> None:
    """Nobody looks."""
