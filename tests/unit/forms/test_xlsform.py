"""Workbooks become XForms, or the place of the mistake is named, or they are refused before they do harm."""

from __future__ import annotations

import io
import subprocess
import sys
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from openpyxl import Workbook

from forms import xlsform
from forms.errors import BrokenForm, Problem, ProtectedWorkbook, TextNotUtf8, UnreadableWorkbook, WorkbookTooLarge
from forms.library import STUDY
from forms.xform import read
from forms.xlsform import convert, convert_all

TABLE = b"""
| survey |
| | type | name | label |
| | begin_group | income | Income |
| | integer | after | After |
| | end_group | | |
"""


def workbook(*rows: tuple[str, ...], choices: tuple[tuple[str, ...], ...] = ()) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "survey"
    for row in rows:
        sheet.append(row)
    if choices:
        second = book.create_sheet("choices")
        for row in choices:
            second.append(row)
    saved = io.BytesIO()
    book.save(saved)
    return saved.getvalue()


def zipped(*parts: tuple[str, bytes]) -> bytes:
    saved = io.BytesIO()
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return saved.getvalue()


def test_several_kinds_of_workbook_are_converted_in_one_go() -> None:
    xlsx = workbook(("type", "name", "label"), ("text", "who", "Who?"))
    table = b'"survey"\n,"type","name","label"\n,"integer","age","Age"\n'

    one, two, three = convert_all([(xlsx, "people.xlsx"), (table, "age.csv"), (TABLE, "income.md")])

    assert [node.name for node in read(one.xform).walk()] == ["who"]
    assert [node.name for node in read(two.xform).walk()] == ["age"]
    assert three.rows == {"income": 2, "income/after": 3}


OLD = Path(__file__).with_name("old.xls")


def test_a_workbook_in_the_format_of_excel_97_is_read() -> None:
    definition = read(convert(OLD.read_bytes(), "lama.xls").xform)

    assert (definition.form_id, definition.version) == ("lama", "1997010101")
    assert [(one.name, one.label["Bahasa Indonesia (id)"]) for one in definition.questions()] == [
        ("listrik", "Ada listrik?"),
        ("umur", "Umur (tahun)"),
        ("catatan", 'Catatan — "bebas"'),
    ]
    assert [choice.name for choice in definition.instances["yn"].choices] == ["1", "2"]


@pytest.mark.parametrize("at", [512, 1_500, 3_000, 5_000])
def test_a_damaged_workbook_of_excel_97_is_refused_or_read_never_worse(at: int) -> None:
    content = OLD.read_bytes()

    for damaged in (content[:at], content[:at] + b"\xff" * 40 + content[at + 40 :]):
        with suppress(Problem):
            convert(damaged, "lama.xls")


def test_the_study_converts_in_one_process() -> None:
    files = [(content, name) for form in STUDY for name, content in form.workbooks()]

    conversions = convert_all(files)

    assert len(conversions) == 6
    assert all(b"<h:html" in conversion.xform for conversion in conversions)


@pytest.mark.parametrize(
    ("rows", "sheet", "row", "column", "question"),
    [
        ([("integr", "age", "Age", "")], "survey", 2, "type", "age"),
        ([("text", "a", "A", ""), ("text", "b", "B", "${zz} = 1")], "survey", 3, "relevant", "b"),
        ([("text", "a b", "A", "")], "survey", 2, "name", "a b"),
        ([("text", "a", "A", ""), ("begin_group", "g", "G", "")], "survey", 3, "type", "g"),
        ([("text", "a", "A", ""), ("text", "a", "A", "")], "survey", 3, "name", "a"),
    ],
)
def test_a_mistake_is_named_by_sheet_row_and_column(
    rows: list[tuple[str, ...]], sheet: str, row: int, column: str, question: str
) -> None:
    with pytest.raises(BrokenForm) as refusal:
        convert(workbook(("type", "name", "label", "relevant"), *rows), "form.xlsx")

    members = refusal.value.members
    assert (members["sheet"], members["row"], members["column"], members["question"]) == (sheet, row, column, question)
    assert members["faults"][0]["message"] == refusal.value.detail
    assert "[row" not in refusal.value.detail


def test_a_mistake_in_the_choices_is_named_there() -> None:
    content = workbook(
        ("type", "name", "label"),
        ("select_one yn", "ok", "OK?"),
        choices=(("list_name", "name", "label"), ("yn", "yes", "Yes"), ("yn", "yes", "Again")),
    )

    with pytest.raises(BrokenForm) as refusal:
        convert(content, "form.xlsx")

    assert (refusal.value.members["sheet"], refusal.value.members["row"]) == ("choices", 3)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"hello", "form.xlsx"),
        (b"", "form.xlsx"),
        (b"\x89PNG\r\n", "photo.png"),
        (workbook(("type",))[:3000], "cut.xlsx"),
        (zipped(("readme.txt", b"not a workbook")), "form.xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2000, "old.xls"),
        (b"\xff\xfe,,,,,,,", "form.csv"),
        (b"just words", "form.md"),
    ],
    ids=["text", "empty", "picture", "cut", "zip", "ole", "bytes", "words"],
)
def test_what_is_not_a_workbook_is_unreadable(content: bytes, name: str) -> None:
    with pytest.raises(UnreadableWorkbook):
        convert(content, name)


def test_a_workbook_without_a_survey_is_a_broken_form_or_unreadable() -> None:
    with pytest.raises((BrokenForm, UnreadableWorkbook)):
        convert(workbook(("colour",), ("red",)), "colours.xlsx")


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = zipped(("xl/worksheets/sheet1.xml", bytes(206_000_000)))
    tracemalloc.start()

    with pytest.raises(WorkbookTooLarge):
        convert(bomb, "form.xlsx")

    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5_000_000


def test_a_zip_of_very_many_parts_is_refused() -> None:
    with pytest.raises(WorkbookTooLarge):
        convert(zipped(*((f"{number}.xml", b"") for number in range(2_001))), "form.xlsx")


def test_a_file_beyond_the_limit_is_refused() -> None:
    with pytest.raises(WorkbookTooLarge):
        convert(b"PK\x03\x04" + bytes(xlsform.MAX_BYTES), "form.xlsx")


def test_a_workbook_whose_xml_declares_entities_does_no_harm() -> None:
    laughs = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">%s]><workbook>&a9;</workbook>' % b"".join(
        b'<!ENTITY a%d "%s">' % (number, b"&a%s;" % (str(number - 1).encode() if number else b"") * 30)
        for number in range(10)
    )
    good = zipfile.ZipFile(io.BytesIO(workbook(("type", "name"), ("text", "a"))))
    parts = [(part, laughs if part == "xl/workbook.xml" else good.read(part)) for part in good.namelist()]

    with pytest.raises((UnreadableWorkbook, WorkbookTooLarge, BrokenForm)):
        convert(zipped(*parts), "form.xlsx")


def test_a_part_that_is_larger_than_it_says_is_not_unpacked() -> None:
    part = "xl/worksheets/sheet1.xml"
    content = bytearray(zipped((part, bytes(50_000_000))))
    small = (1_000).to_bytes(4, "little")
    directory = content.rindex(b"PK\x01\x02")
    content[22:26] = small
    content[directory + 24 : directory + 28] = small

    with pytest.raises(UnreadableWorkbook):
        convert(bytes(content), "form.xlsx")


def test_the_process_of_a_conversion_cannot_eat_the_machine() -> None:
    greedy = "from forms.workbook_child import limit; limit(); bytes(2_000_000_000)"

    ended = subprocess.run([sys.executable, "-c", greedy], capture_output=True, check=False)

    assert ended.returncode == 1
    assert b"MemoryError" in ended.stderr


def test_one_bad_workbook_is_found_among_good_ones() -> None:
    good = workbook(("type", "name", "label"), ("text", "who", "Who?"))

    with pytest.raises(UnreadableWorkbook):
        convert_all([(good, "a.xlsx"), (zipped(("x", b"")), "b.xlsx"), (good, "c.xlsx")])


def test_a_conversion_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsform, "WALL_S", 0.01)

    with pytest.raises(WorkbookTooLarge):
        convert(TABLE, "form.md")


def test_the_server_s_secrets_are_not_given_to_the_conversion(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAPANGAN_SECRET_KEY", "hush")
    (tmp_path / "forms").mkdir()
    (tmp_path / "forms" / "__init__.py").write_text("")
    (tmp_path / "forms" / "workbook_child.py").write_text("import os, sys; sys.exit(str(sorted(os.environ)))")
    monkeypatch.setattr(xlsform, "_ROOT", tmp_path)

    with pytest.raises(UnreadableWorkbook) as refusal:
        convert(TABLE, "form.md")

    assert "PATH" in refusal.value.detail
    assert "SECRET" not in refusal.value.detail


def test_the_list_of_select_one_external_comes_with_the_form() -> None:
    conversion = convert(
        b"""
| survey |
| | type | name | label | choice_filter |
| | text | state | State | |
| | select_one_external city | city | City | state=${state} |
| external_choices |
| | list_name | name | label | state |
| | city | a | A | east |
""",
        "form.md",
    )

    assert conversion.itemsets is not None
    assert b'"city","a","A","east"' in conversion.itemsets
    assert read(conversion.xform).media == ("itemsets.csv",)


def test_the_column_merge_says_how_answers_are_merged() -> None:
    book = workbook(
        ("type", "name", "label", "Merge"),
        ("integer", "age", "Age", "max"),
        ("text", "who", "Who?", ""),
        ("begin_repeat", "loan", "Loan", ""),
        ("text", "code", "Code", "KEY"),
        ("end_repeat", "", "", ""),
    )

    xform = convert(book, "people.xlsx").xform
    merged = {node.name: node.merge for node in read(xform).walk()}

    assert merged == {"age": "max", "who": "", "loan": "", "code": "key"}
    assert b'lapangan:merge="max"' in xform


def test_the_column_merge_leaves_the_settings_as_they_are() -> None:
    table = b"""
| survey |
| | type | name | label | merge |
| | integer | age | Age | min |
| settings |
| | form_id | version | namespaces |
| | ages | 3 | esri="http://esri.com/xforms" |
"""

    xform = convert(table, "ages.md").xform
    definition = read(xform)

    assert (definition.form_id, definition.version) == ("ages", "3")
    assert b'xmlns:esri="http://esri.com/xforms"' in xform
    assert [node.merge for node in definition.walk()] == ["min"]


PROTECTED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504 + "EncryptedPackage".encode("utf-16-le") + b"\0" * 2000


@pytest.mark.parametrize(
    ("content", "name", "refusal", "says"),
    [
        (PROTECTED, "form.xlsx", ProtectedWorkbook, "form.xlsx"),
        (zipped(("mimetype", b"x"), ("content.xml", b"<a/>")), "form.ods", UnreadableWorkbook, "OpenDocument"),
        (zipped(("../../etc/passwd", b"x")), "form.xlsx", UnreadableWorkbook, "a zip file"),
        (
            "| survey |\n| | type | name | label |\n| | text | a | D\u00e9sa |".encode("latin-1"),
            "form.md",
            TextNotUtf8,
            "line 3",
        ),
    ],
    ids=["password", "ods", "other zip", "latin-1"],
)
def test_what_keeps_a_file_from_being_read_is_named(
    content: bytes, name: str, refusal: type[UnreadableWorkbook], says: str
) -> None:
    with pytest.raises(refusal, match=says):
        convert(content, name)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\xef\xbb\xbf" + TABLE.replace(b"\n", b"\r\n").replace(b"|\r\n| | end", b"|\r| | end"), "income.md"),
        (TABLE.decode().encode("utf-16"), "income.md"),
        (
            '\ufeff"survey"\r\n,"type","name","label"\r,"begin_group","income","I"\n,"integer","after","A"\n,"end_group",,'.encode(),
            "a.csv",
        ),
    ],
    ids=["bom and mixed lines", "utf-16", "csv"],
)
def test_marks_and_line_ends_of_a_text_do_not_matter(content: bytes, name: str) -> None:
    assert [node.name for node in read(convert(content, name).xform).walk()] == ["income", "after"]


@pytest.mark.parametrize(
    ("rows", "row", "says"),
    [
        ([f"| | text | a{number} | A |" for number in range(20_001)], 20_002, "20,001 rows"),
        ([f"| | begin_group | g{number} | G |" for number in range(100)], 52, "50 deep"),
    ],
    ids=["long", "deep"],
)
def test_a_survey_beyond_all_measure_is_refused_at_its_row(rows: list[str], row: int, says: str) -> None:
    table = "\n".join(["| survey |", "| | type | name | label |", *rows])

    with pytest.raises(BrokenForm, match=says) as refusal:
        convert(table.encode(), "form.md")

    assert (refusal.value.members["sheet"], refusal.value.members["row"]) == ("survey", row)
