"""The files of a form, coming in and going out: XLSForm workbooks and XForms."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

from flask import Response, request
from flask_babel import gettext

from forms.errors import Kind, Problem
from forms.fault import Fault, told
from forms.form_file import FormFile, read_form_file
from sync.models import FormVersion

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLS = "application/vnd.ms-excel"

XLSX_SIGNATURE, XLS_SIGNATURE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


class FormWarnings(Problem):
    """The form can be used, but there are warnings. Read them, then correct it or send it with ignoreWarnings=true."""

    slug = "form/warnings"


class NoFile(Problem):
    """There was no file in this request. Send the workbook or the XForm as its body."""

    slug = "form/no-file"


class NoWorkbook(Problem):
    """This version was made without such an Excel file. Ask for its XML instead."""

    kind = Kind.NOT_FOUND
    slug = "form/no-workbook"


def received_form(*, ignores_warnings: bool) -> FormFile:
    """The body of this request as a form. Call it while no transaction is open: a conversion takes seconds.

    Refuses what read_form_file refuses, NoFile, and FormWarnings unless they are to be ignored."""
    data = request.get_data()
    if not data:
        raise NoFile
    file = read_form_file(data, _file_name(_kind(data)))
    if file.warnings and not ignores_warnings:
        raise warned(file.warnings)
    return file


def warned(warnings: Sequence[Fault]) -> FormWarnings:
    """`warnings` of the refusal is shaped as ODK Central's clients show it, `notices` says more."""
    sentences = [told(one, gettext) for one in warnings]
    return FormWarnings(" ".join(sentences), warnings={"xlsFormWarnings": sentences}, notices=list(warnings))


def _kind(data: bytes) -> str:
    return "xlsx" if data.startswith(XLSX_SIGNATURE) else "xls" if data.startswith(XLS_SIGNATURE) else "xml"


def xform(row: FormVersion) -> Response:
    """The XForm exactly as it was published."""
    response = Response(row.xform, content_type="application/xml; charset=utf-8")
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(row.md5)
    response.make_conditional(request)
    return response


def workbook(row: FormVersion, extension: str) -> Response:
    """The workbook that the version was made from. Refuses NoWorkbook."""
    is_xlsx = row.workbook is not None and row.workbook.startswith(XLSX_SIGNATURE)
    if row.workbook is None or is_xlsx != (extension == "xlsx"):
        raise NoWorkbook
    response = Response(row.workbook, content_type=XLSX if is_xlsx else XLS)
    response.headers.set("Content-Disposition", "attachment", filename=f"{row.form_id}.{extension}")
    return response


def _file_name(extension: str) -> str:
    # pyxform names a form after its file when the settings sheet does not: the header carries that name.
    fallback = unquote(request.headers.get("X-XlsForm-FormId-Fallback", "")).strip() or "form"
    return fallback if fallback.lower().endswith(f".{extension}") else f"{fallback}.{extension}"
