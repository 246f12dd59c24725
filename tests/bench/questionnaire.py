"""A form of 40 questions as fieldwork has them, and instances of about 3.5 KB."""

from __future__ import annotations

from random import Random

from forms.form_file import FormFile, read_form_file

HEADER = ["type", "name", "label", "required", "relevant", "constraint", "constraint_message", "calculation"]
QUESTIONS = 40


def form_file() -> FormFile:
    """The form: integers, amounts, choices, dates, texts, calculations; relevance and constraints throughout."""
    return read_form_file(_workbook().encode(), "questionnaire.md")


def instance(number: int) -> str:
    """A valid instance; the same number gives the same bytes."""
    rng = Random(number)
    leaves = "".join(f"\n    <{name}>{_answer(name, number, rng)}</{name}>" for name in _names())
    total = sum(_amount(name, number) for name in _names() if name.startswith("amount"))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<data xmlns:orx="http://openrosa.org/xforms" xmlns:jr="http://openrosa.org/javarosa" '
        'id="questionnaire" version="1">'
        f"{leaves}\n    <total>{total}</total>"
        f"\n    <orx:meta>\n      <orx:instanceID>{instance_id(number)}</orx:instanceID>\n    </orx:meta>\n</data>"
    )


def instance_id(number: int) -> str:
    """The instance ID of that instance."""
    return f"uuid:00000000-0000-4000-8000-{number:012x}"


def _names() -> list[str]:
    kinds = ("count", "amount", "answer", "when", "story")
    return [f"{kinds[index % 5]}_{index:02d}" for index in range(QUESTIONS - 1)]


def _amount(name: str, number: int) -> int:
    return (int(name[-2:]) + 1) * 1000 + number % 1000


def _answer(name: str, number: int, rng: Random) -> str:
    return {
        "amount": lambda: str(_amount(name, number)),
        "count": lambda: str(rng.randint(1, 20)),
        "answer": lambda: rng.choice(["yes", "no"]),
        "when": lambda: f"2026-{rng.randint(1, 10):02d}-{rng.randint(1, 28):02d}",
        "story": lambda: "Bahan baku dibeli lebih banyak sekaligus, " * 5 + str(rng.randint(1, 9)),
    }[name.partition("_")[0]]()


def _workbook() -> str:
    rows = [_row(name) for name in _names()]
    amounts = " + ".join(f"coalesce(${{{name}}}, 0)" for name in _names() if name.startswith("amount"))
    rows.append(["calculate", "total", "", "", "", "", "", amounts])
    survey = _sheet("survey", [HEADER, *rows])
    choices = _sheet("choices", [["list_name", "name", "label"], ["yes_no", "yes", "Yes"], ["yes_no", "no", "No"]])
    settings = _sheet("settings", [["form_title", "form_id", "version"], ["Questionnaire", "questionnaire", "1"]])
    return survey + choices + settings


def _row(name: str) -> list[str]:
    label = f"Question {name}"
    return {
        "count": ["integer", name, label, "yes", "", ". >= 0 and . <= 200", "Between 0 and 200.", ""],
        "amount": ["integer", name, label, "yes", "", ". > 0 and . <= 999999999", "Whole rupiah.", ""],
        "answer": ["select_one yes_no", name, label, "yes", "", "", "", ""],
        "when": ["date", name, label, "yes", "", ". >= date('2026-01-01')", "Since January.", ""],
        "story": ["text", name, label, "", "${count_00} > 0", "string-length(.) >= 10", "Too short.", ""],
    }[name.partition("_")[0]]


def _sheet(name: str, rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(["", *row]) + " |" for row in rows]
    return f"| {name} |\n" + "\n".join(lines) + "\n"
