"""What an <output> in a label shows."""

from __future__ import annotations

import pytest

from forms.definition import Answers, FormDefinition
from forms.output import MISSING, filled, unfilled
from tests.unit.forms.sheet import form

TABLE = """
| survey |
| | type | name | label |
| | text | who | Who? |
| | begin_repeat | child | Child of ${who} |
| | text | name | Name |
| | begin_repeat | toy | Toy of ${name} |
| | text | what | What does ${name} play? |
| | end_repeat | toy | |
| | end_repeat | child | |
| | note | last | ${name} and ${who} |
"""
ANSWERS: Answers = {
    "who": "Ani",
    "child": [{"name": "Budi", "toy": [{"what": "ball"}]}, {"name": "Citra", "toy": [{"what": None}, {}]}],
}


@pytest.fixture(scope="module")
def family() -> FormDefinition:
    return form(TABLE)


def label(definition: FormDefinition, at: str, answers: Answers = ANSWERS) -> str:
    path = tuple(part.partition("[")[0] for part in at.split("/"))
    node = definition.at(path)
    assert node is not None
    return filled(node.label[""], definition, answers, at, lambda _path, raw: raw.upper())


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("child[2]", "Child of ANI"),
        ("child[1]/toy[1]", "Toy of BUDI"),
        ("child[2]/toy[2]/what", "What does CITRA play?"),
        ("last", "… and ANI"),
    ],
)
def test_a_label_shows_the_answer_of_its_own_turn(family: FormDefinition, at: str, said: str) -> None:
    assert label(family, at) == said


def test_an_only_turn_needs_no_position(family: FormDefinition) -> None:
    assert label(family, "last", {"who": "Ani", "child": [{"name": "Budi"}]}) == "BUDI and ANI"


@pytest.mark.parametrize("answers", [{}, {"who": None}, {"who": ""}, {"child": {}}])
def test_what_is_not_there_is_missing(family: FormDefinition, answers: Answers) -> None:
    assert label(family, "child[1]", answers) == f"Child of {MISSING}"


@pytest.mark.parametrize(
    "source", ["", "1 +", "/data/who[1]", "//who", "concat(/data/who, 'x')", "(" * 5000, "../../.."]
)
def test_what_is_no_bare_path_is_missing(family: FormDefinition, source: str) -> None:
    assert filled(f"Hello ${{{source}}}", family, ANSWERS, "last", lambda _path, raw: raw) == "Hello …"


def test_words_without_a_record_name_no_paths() -> None:
    assert unfilled("Rp ${/data/total} of ${ ../sum }") == "Rp … of …"
    assert unfilled("Nothing { } $ here") == "Nothing { } $ here"
