"""What is worked out once for a form version is the same for every thread, and never leaves its process."""

from __future__ import annotations

import pickle
import threading
from collections import Counter

import pytest

from forms.check import compile_form
from forms.definition import FormDefinition
from forms.derived import KEPT, Derived
from tests.unit.forms.study_form import ask, form


def test_many_threads_at_once_make_it_once() -> None:
    made: Counter[int] = Counter()
    barrier = threading.Barrier(8)
    definitions = [form(ask(f"q{number}")) for number in range(5)]

    def make(definition: FormDefinition) -> object:
        made[id(definition)] += 1
        return object()

    derived = Derived(make)
    found: list[tuple[object, ...]] = []

    def work() -> None:
        barrier.wait()
        found.append(tuple(derived(definition) for definition in definitions))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(found)) == 1
    assert set(made.values()) == {1}


def test_only_so_many_are_kept_and_the_first_goes_first() -> None:
    made: list[FormDefinition] = []
    derived = Derived(lambda definition: made.append(definition) or len(made))
    definitions = [form(ask("q")) for _ in range(KEPT + 1)]

    results = [derived(definition) for definition in definitions]

    assert derived(definitions[-1]) == results[-1]
    assert derived(definitions[0]) == len(made) == KEPT + 2


def test_two_equal_definitions_are_two() -> None:
    derived = Derived(lambda definition: object())

    assert derived(form(ask("q"))) is not derived(form(ask("q")))


def test_a_compiled_form_cannot_be_pickled() -> None:
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        pickle.dumps(compile_form(form(ask("q"))))
