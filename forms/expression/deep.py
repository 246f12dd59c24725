"""Recursion without Python's stack: an author may nest as deep as the text is long."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeAlias, TypeVar

Result = TypeVar("Result")

Deep: TypeAlias = Generator[Any, Any, Result]
"""A recursive step: it yields the steps that it waits for and returns its own result."""


def run(step: Deep[Result]) -> Result:
    """The result of a step and of every step below it."""
    waiting: list[Deep[Any]] = [step]
    result: Any = None
    while waiting:
        try:
            waiting.append(waiting[-1].send(result))
            result = None
        except StopIteration as finished:
            waiting.pop()
            result = finished.value
    return result  # type: ignore[no-any-return]  # the last to finish is the first step
