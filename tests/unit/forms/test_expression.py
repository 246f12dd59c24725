"""The compiler takes whatever an author writes, or says what is wrong with it; it never runs it as Python."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from forms.check import compile_form
from forms.definition import DataType, Instance, Itemset
from forms.errors import BrokenForm
from forms.expression.lexer import tokens
from forms.expression.patterns import BadPattern, compiled
from forms.expression.syntax import BadExpression
from forms.expression.table import Row, Table
from forms.finding import Rule
from tests.unit.forms.study_form import CONTEXT, ask, calculate, everything, form, group, repeat


def worked_out(expression: str, **answers: str) -> str:
    return str(compile_form(everything(expression)).calculate(dict(answers), CONTEXT).get("result", ""))


def message(expression: str) -> str:
    with pytest.raises(BrokenForm) as refusal:
        compile_form(everything(expression))
    return str(refusal.value.members["faults"][0]["message"])


def test_nine_hundred_nested_conditions_compile() -> None:
    nested = "".join(f"if(/data/i = {number}, 'is {number}', " for number in range(900)) + "'none'" + ")" * 900

    assert worked_out(nested, i="899") == "is 899"
    assert worked_out(nested, i="1000") == "none"


def test_conditions_nested_in_conditions_compile() -> None:
    nested = "true()"
    for _ in range(900):
        nested = f"if({nested}, true(), false())"

    assert worked_out(nested) == "true"


def test_ten_thousand_terms_add_up() -> None:
    assert worked_out(" + ".join(["1"] * 10_000)) == "10000"


def test_a_thousand_alternatives_compile() -> None:
    assert worked_out(" or ".join(f"/data/i = {number}" for number in range(1_000)), i="999") == "true"


def test_nested_functions_compile_or_are_refused() -> None:
    assert worked_out("concat(" * 1_000 + "'a'" + ", 'b')" * 1_000) == "a" + "b" * 1_000
    assert message("concat(" * 7_000 + "'a'" + ", 'b')" * 7_000) == "the expression is nested too deeply"


def predicates(depth: int) -> str:
    return "instance('people')/root/item[name = " * depth + "'a'" + "]/name" * depth


def test_fifty_nested_predicates_compile_and_a_thousand_are_refused() -> None:
    assert worked_out(predicates(50)) == "a"
    assert message(predicates(1_000)) == "the expression is nested too deeply"


def test_names_of_python_are_ordinary_names() -> None:
    definition = form(
        group("__class__", ask("__import__"), ask("lambda"), ask("c"), ask("f0")),
        calculate("result", "concat(/data/__class__/__import__, /data/__class__/lambda, /data/__class__/c)"),
    )
    answers = {"__class__": {"__import__": "a", "lambda": "b", "c": "c", "f0": "d"}}

    assert compile_form(definition).calculate(answers, CONTEXT)["result"] == "abc"


def test_an_answer_that_looks_like_code_stays_text() -> None:
    text = "__import__('os').system('exit 1')"

    assert worked_out("concat(/data/t, \"__import__('os')\")", t=text) == text + "__import__('os')"


def test_names_and_texts_of_every_plane_are_taken() -> None:
    definition = form(ask("日本"), ask("ñame"), calculate("result", "concat(/data/日本, /data/ñame, '😀\U00020000')"))

    assert compile_form(definition).calculate({"日本": "x", "ñame": "y"}, CONTEXT)["result"] == "xy😀\U00020000"


def test_a_missing_argument_names_what_is_needed() -> None:
    assert message("if(1, 2)") == "if() takes 3 arguments, not 2"
    assert message("round()") == "round() takes 1 to 2 arguments, not 0"


def test_the_place_of_a_surprise_is_named() -> None:
    assert message("1 +") == "the expression ends where a value is expected"
    assert message("1 + )") == "')' at character 5 stands where a value is expected"
    assert message("'abc") == "the quotation mark at character 1 is never closed"


def test_all_faults_of_a_form_are_reported_at_once() -> None:
    definition = form(ask("a", constraint=". >"), ask("b", relevant="nosuch()"), calculate("c", "/data/d"))

    with pytest.raises(BrokenForm) as refusal:
        compile_form(definition)

    faults = {(fault["path"], fault["column"]) for fault in refusal.value.members["faults"]}
    assert faults == {("a", "constraint"), ("b", "relevant"), ("c", "calculation")}


@pytest.mark.parametrize(
    "nodes",
    [
        [calculate("a", "/data/b + 1"), calculate("b", "/data/a + 1")],
        [ask("a", relevant="/data/a = 'x'")],
        [group("g", ask("a"), relevant="/data/g/a = 'x'")],
        [calculate("a", "/data/b", relevant="/data/b = 1"), ask("b", relevant="/data/a = 1")],
    ],
    ids=["calculations", "own relevance", "group by its child", "relevance by calculation"],
)
def test_what_waits_for_itself_is_refused(nodes: list) -> None:  # type: ignore[type-arg]
    with pytest.raises(BrokenForm, match="waits for itself"):
        compile_form(form(*nodes))


def test_a_running_total_over_a_repeat_is_no_circle() -> None:
    before = "../../r[position() = position(current()/..) - 1]/total"
    total = calculate("total", f"../v + if(position(..) > 1, {before}, 0)")
    definition = form(repeat("r", ask("v", DataType.INT), total))

    completed = compile_form(definition).calculate({"r": [{"v": "1"}, {"v": "2"}, {"v": "3"}]}, CONTEXT)

    assert [one["total"] for one in completed["r"]] == ["1", "3", "6"]


def test_repeats_inside_repeats_sum_up() -> None:
    inner = repeat("i", ask("v", DataType.INT))
    definition = form(repeat("o", inner, calculate("subtotal", "sum(../i/v)")), calculate("total", "sum(/data/o/i/v)"))
    answers = {"o": [{"i": [{"v": "1"}, {"v": "2"}]}, {"i": [{"v": "4"}]}, {}]}

    completed = compile_form(definition).calculate(answers, CONTEXT)

    assert [one["subtotal"] for one in completed["o"]] == ["3", "4", "0"]
    assert completed["total"] == "7"


def test_repeats_nested_too_deeply_are_refused() -> None:
    nested = repeat("r", ask("v"))
    for _ in range(20):
        nested = repeat("r", nested)

    with pytest.raises(BrokenForm, match="nested more than 15 deep"):
        compile_form(form(nested))


def test_an_expression_is_limited_in_words_not_in_time() -> None:
    assert len(tokens("1+" * 40_000 + "1")) == 80_002
    with pytest.raises(BadExpression):
        tokens("1" * 100_001)


def test_a_pattern_with_a_look_ahead_is_refused() -> None:
    with pytest.raises(BadPattern):
        compiled("(?=a)b")


@pytest.mark.parametrize(("pattern", "is_inside"), [("^a$", False), ("^(a+)+$", False), ("^.$", True), ("(.)+", True)])
def test_half_a_character_is_looked_at_like_any_other(pattern: str, is_inside: bool) -> None:
    assert compiled(pattern).is_inside("\ud800") is is_inside
    assert compiled(pattern).is_whole("\ud800") is is_inside
    assert compile_form(form(ask("t", constraint=f"regex(., '{pattern}')"))).check({"t": "\udfff"}, CONTEXT) is not None


def test_a_plain_pattern_reads_ascii_digits_only() -> None:
    assert compiled(r"^\d{3}$").is_whole("123")
    assert not compiled(r"^\d{3}$").is_whole("١٢٣")


def test_a_table_finds_rows_by_any_column_in_their_order() -> None:
    table = Table([{"name": "a", "group": "x"}, {"name": "b", "group": "y"}, {"name": "c", "group": "x"}])

    assert [row["name"] for row in table.where("group", "x")] == ["a", "c"]
    assert table.where("group", "z") == ()
    assert len(table.where("nothing", "")) == 3


class Walked(list[Row]):
    """Rows that count how often they are gone through."""

    times = 0

    def __iter__(self) -> Iterator[Row]:
        self.times += 1
        return super().__iter__()


def test_a_list_of_a_hundred_thousand_rows_is_gone_through_once_for_each_column() -> None:
    rows = Walked({"name": f"n{number}", "label": f"L{number}", "rt": str(number % 9)} for number in range(100_000))
    choice = ask("who", DataType.SELECT1, control="select1", itemset=Itemset("far", "rt = /data/rt"))
    look_up = calculate("label", "instance('far')/root/item[name = /data/who]/label")
    definition = form(ask("rt"), choice, look_up, instances=[Instance("far", src="jr://file-csv/far.csv")])
    compiled_form = compile_form(definition, {"far": Table(rows)})

    for number in range(0, 100_000, 1_000):
        answers = {"rt": str(number % 9), "who": f"n{number}", "label": f"L{number}"}
        assert compiled_form.check(answers, CONTEXT) == ()
    assert [one.rule for one in compiled_form.check({"rt": "1", "who": "n0", "label": "L0"}, CONTEXT)] == [Rule.CHOICE]

    assert rows.times == 1
