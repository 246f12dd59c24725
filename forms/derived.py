"""What is worked out once for each form version and then only read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from forms.definition import FormDefinition

T = TypeVar("T")

KEPT = 256
"""Form versions in use at once; beyond it the one made first is made again when needed."""


class Derived(Generic[T]):
    """A function of a definition that is called once for each: same definition object, same result object."""

    def __init__(self, make: Callable[[FormDefinition], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        # By identity: hashing a definition means walking all of it. The definition is kept beside what was made
        # of it, so that its id cannot be given to another.
        self._made: dict[int, tuple[FormDefinition, T]] = {}

    def __call__(self, definition: FormDefinition) -> T:
        found = self._made.get(id(definition))
        if found is not None:
            return found[1]
        with self._lock:
            return self._remember(definition)

    def _remember(self, definition: FormDefinition) -> T:
        found = self._made.get(id(definition))
        if found is None:
            while len(self._made) >= KEPT:
                del self._made[next(iter(self._made))]
            found = self._made[id(definition)] = definition, self._make(definition)
        return found[1]
