"""What nobody would write, and somebody will send, is answered within bounds.

All of it runs in one child process that may use so much CPU and memory and no more: nothing here depends on how fast
the machine is."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping

import pytest

from forms.check import compile_form
from forms.definition import DataType
from forms.errors import Problem
from forms.expression.patterns import compiled
from forms.expression.table import Table
from forms.finding import Rule
from forms.instance import open_instance, read_answers
from forms.xform import read
from tests.unit.forms.study_form import CONTEXT, ask, calculate, everything, form, group, repeat

CPU_S, MEMORY_BYTES = 240, 3_000_000_000


def _result(expression: str, **answers: str) -> str:
    return str(compile_form(everything(expression)).calculate(dict(answers), CONTEXT).get("result", ""))


def _xform(instance: str, binds: str = "") -> bytes:
    return (
        '<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"><h:head><model><instance>'
        f'<data id="x">{instance}</data></instance>{binds}</model></h:head><h:body/></h:html>'
    ).encode()


def _parentheses() -> str:
    return _result("(" * 10_000 + "1" + ")" * 10_000)


def _minus_signs() -> str:
    return _result("-" * 99_998 + "1")


def _a_million_characters() -> str:
    return _result("1 + " * 250_000 + "1")


def _ten_thousand_conditions() -> str:
    return _result("if(/data/i = 1, 'a', " * 9_000 + "'z'" + ")" * 9_000, i="0")


def _today_below_ten_thousand_terms() -> str:
    return _result("1 + " * 20_000 + "(today() * 0)")


def _patterns() -> str:
    hostile = [compiled("^(a+)+$"), compiled("^([a-z0-9]+-?)*$"), compiled("(x+x+)+y"), compiled("^(.*)*$")]
    return str([pattern.is_whole("a" * 20_000 + "!") for pattern in hostile])


def _choices_in_patterns() -> str:
    hostile = ["a?" * 60 + "a" * 60, "(a|ab|abb)" * 60 + "c", "a{0,60}" * 40 + "a{60}b"]
    return str([compiled(pattern).is_whole("a" * 60) for pattern in hostile])


def _up_and_down() -> str:
    kinds = everything("count(/data" + "/*/.." * 12 + "/r)")
    return str(compile_form(kinds).calculate({"r": [{"v": "1"}, {"v": "2"}]}, CONTEXT)["result"])


def _everything_again_and_again() -> str:
    questions = [ask(f"q{number}") for number in range(1_000)]
    return str(compile_form(form(*questions, group("g", calculate("x", " + ".join(["sum(/data/*)"] * 2_000))))))


def _the_longest_expression_in_many_questions() -> str:
    long = "+".join(["1"] * 49_000)
    return str(compile_form(form(*(calculate(f"q{number}", f"{number}+{long}") for number in range(200)))))


def _nested_lists() -> str:
    nested = "count(instance('people')/root/item[name != 'x' and " * 20 + "1 = 1" + "]) > 0" * 20
    return str([finding.rule.value for finding in compile_form(everything(nested)).check({}, CONTEXT)])


def _a_count_of_a_thousand_million() -> str:
    definition = form(ask("n", DataType.INT), repeat("r", ask("v"), count="/data/n"))
    compiled_form = compile_form(definition)
    found = compiled_form.check({"n": "999999999"}, CONTEXT)
    return f"{[finding.rule.value for finding in found]} {compiled_form.complete({'n': '999999999'}, CONTEXT)}"


def _far_rows() -> str:
    rows = [{"name": f"n{number}", "label": f"L{number}"} for number in range(100_000)]
    far = compile_form(everything("pulldata('far', 'label', 'name', /data/t)"), {"far": Table(rows)})
    return str(all(far.calculate({"t": f"n{n}"}, CONTEXT)["result"] == f"L{n}" for n in range(0, 100_000, 100)))


def _nested_groups() -> str:
    return str(read(_xform("<g>" * 100_000 + "</g>" * 100_000)).form_id)


def _a_hundred_thousand_groups() -> str:
    compile_form(read(_xform("".join(f"<g{n}><q/></g{n}>" for n in range(100_000)))))
    return "compiled"


def _two_million_elements() -> str:
    return str(read(_xform("<g/>" * 2_000_000)).form_id)


def _laughs() -> str:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 20))
    open_instance(f'<!DOCTYPE data [<!ENTITY l0 "ha">{entities}]><data id="x">&l19;</data>'.encode())
    return "opened"


def _a_record_of_a_million_occurrences() -> str:
    definition = form(repeat("r", ask("v", DataType.INT, constraint=". < 5")))
    content = f'<data id="form" version="7">{"<r><v>1</v></r>" * 40_000}</data>'.encode()
    reading = read_answers(definition, open_instance(content))
    compile_form(definition).check(reading.answers, CONTEXT)
    return f"{len(reading.answers['r'])} {[finding.rule.value for finding in reading.findings]}"


def _names() -> str:
    names = ["class", "None", "lambda", "__proto__", "__class__", "c", "f0", "k1", "日本", "ñame", "𠮷", "a.b", "_"]
    text = "concat(" + ", ".join(f"/data/g/{name}" for name in names) + ")"
    definition = form(group("g", *(ask(name) for name in names)), calculate("result", text))
    answers = {"g": {name: str(at % 10) for at, name in enumerate(names)}}
    return str(compile_form(definition).calculate(answers, CONTEXT)["result"])


CASES: Mapping[str, tuple[Callable[[], str], str]] = {
    "ten thousand parentheses": (_parentheses, "1"),
    "a hundred thousand minus signs": (_minus_signs, "1"),
    "a million characters": (
        _a_million_characters,
        "BrokenForm: the expression has 1000001 characters, more than 100000",
    ),
    "nine thousand nested conditions": (_ten_thousand_conditions, "BrokenForm: the expression has"),
    "a clock below twenty thousand terms": (_today_below_ten_thousand_terms, "20000"),
    "patterns that explode": (_patterns, "[False, False, False, True]"),
    "patterns that leave a choice at every letter": (_choices_in_patterns, "[True, False, False]"),
    "a path that goes up and down": (_up_and_down, "2"),
    "a path to everything, again and again": (_everything_again_and_again, "BrokenForm: the paths of the form lead"),
    "the longest expression in many questions": (
        _the_longest_expression_in_many_questions,
        "BrokenForm: all expressions together have",
    ),
    "lists in lists in lists": (_nested_lists, str([Rule.UNDECIDABLE.value])),
    "a count of a thousand million": (_a_count_of_a_thousand_million, "['repeat_count'] {'n': '999999999'}"),
    "a list of a hundred thousand rows": (_far_rows, "True"),
    "a hundred thousand nested groups": (_nested_groups, "MalformedXml"),
    "a hundred thousand groups": (_a_hundred_thousand_groups, "BrokenForm: the form has"),
    "two million elements": (_two_million_elements, "UnsafeXml: there are more than"),
    "a billion laughs": (_laughs, "UnsafeXml: the document declares a document type"),
    "forty thousand occurrences": (_a_record_of_a_million_occurrences, "5000 ['repeat_count']"),
    "names of Python and of every plane": (_names, "0123456789012"),
}


@pytest.fixture(scope="module")
def outcomes() -> Mapping[str, str]:
    """What came of every case, from a child that would have been killed beyond its limits."""
    command = [sys.executable, "-c", "from tests.unit.forms.test_hostile import child; child()"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_hostile_input_is_answered_within_bounds(outcomes: Mapping[str, str], name: str) -> None:
    assert outcomes[name].startswith(CASES[name][1])


def child() -> None:
    """Every case once, under limits of CPU time and memory."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    print(json.dumps({name: _outcome(case) for name, (case, _) in CASES.items()}))


def _outcome(case: Callable[[], str]) -> str:
    try:
        return case()
    except Problem as refusal:
        return f"{type(refusal).__name__}: {refusal}"
