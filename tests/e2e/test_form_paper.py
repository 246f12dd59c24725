"""A form on paper: from the command line, over REST and in the console."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
import requests
from docx import Document
from flask.testing import FlaskClient
from pypdf import PdfReader

from forms.library import STUDY
from server.paper import MEDIA_TYPES
from tests.conftest import Team
from tests.e2e.reader import Reader
from tests.e2e.test_cli import Run, run  # noqa: F401  # the fixture

REGISTRATION = STUDY[0]
LogIn = Callable[[str], requests.Session]


def words_of(content: bytes) -> str:
    if content.startswith(b"%PDF"):
        text = " ".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages)
    else:
        text = " ".join(paragraph.text for paragraph in Document(BytesIO(content)).paragraphs)
    return re.sub(r"\s+", " ", text)


@pytest.fixture
def registration(tmp_path: Path, run: Run) -> Path:  # noqa: F811
    file = tmp_path / "registration.xlsx"
    file.write_bytes(REGISTRATION.read())
    return file


@pytest.mark.parametrize("kind", ["pdf", "docx"])
def test_a_workbook_is_printed_in_each_of_its_languages(
    run: Run,  # noqa: F811
    registration: Path,
    tmp_path: Path,
    kind: str,
) -> None:
    made = run("form", kind, registration.name, "-o", "paper")

    assert made.exit_code == 0, made.output
    files = sorted((tmp_path / "paper").iterdir())
    version = STUDY_VERSION.search(files[0].name)
    assert version
    assert [file.name for file in files] == [f"pendaftaran.{version[1]}.{code}.{kind}" for code in ("en", "id")]
    english, indonesian = (words_of(file.read_bytes()) for file in files)
    assert "Only if question 3 is “Yes”. Otherwise the form ends here." in english
    assert "Hanya jika pertanyaan 3 adalah “Ya”. Jika tidak, formulir selesai di sini." in indonesian


STUDY_VERSION = re.compile(r"\.(\d{10})\.")


def test_one_language_goes_into_one_file(run: Run, registration: Path, tmp_path: Path) -> None:  # noqa: F811
    made = run("form", "pdf", registration.name, "--language", "id", "-o", "out/form.pdf")

    assert made.exit_code == 0, made.output
    assert "Persetujuan" in words_of((tmp_path / "out/form.pdf").read_bytes())


def test_two_languages_do_not_fit_one_file(run: Run, registration: Path, tmp_path: Path) -> None:  # noqa: F811
    refused = run("form", "pdf", registration.name, "-o", "form.pdf")

    assert refused.exit_code == 1
    assert "one file holds one" in refused.output
    assert not (tmp_path / "form.pdf").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["registration.xlsx", "--language", "fr"], "The form does not speak this language"),
        (["nothing.xlsx"], "There is neither a file nor a published form"),
    ],
)
def test_what_cannot_be_printed_is_said(run: Run, registration: Path, arguments: list[str], said: str) -> None:  # noqa: F811
    refused = run("form", "pdf", *arguments)

    assert refused.exit_code == 1
    assert said in refused.output


def test_a_published_form_is_downloaded_to_print(study: Team, address: str, log_in: LogIn) -> None:
    person = log_in("viewer")
    url = f"{address}/v1/projects/1/forms/pendaftaran"
    version = person.get(url, timeout=10).json()["version"]

    for kind in ("pdf", "docx"):
        english = person.get(f"{url}.{kind}", params={"language": "en"}, timeout=30)
        named = person.get(f"{url}/versions/{version}.{kind}", timeout=30, headers={"Accept-Language": "id"})

        assert (english.status_code, english.headers["Content-Type"]) == (200, MEDIA_TYPES[kind])
        assert f"pendaftaran.{version}.en.{kind}" in english.headers["Content-Disposition"]
        assert "Does the informant agree to take part?" in words_of(english.content)
        assert "P2KP Pakis" in words_of(english.content)
        assert f"pendaftaran.{version}.id.{kind}" in named.headers["Content-Disposition"]
        tag = {"If-None-Match": english.headers["ETag"]}
        again = person.get(f"{url}.{kind}", params={"language": "en"}, timeout=30, headers=tag)
        assert (again.status_code, again.content) == (304, b"")


def test_what_is_not_there_to_print_is_refused(study: Team, address: str, log_in: LogIn) -> None:
    url = f"{address}/v1/projects/1/forms"

    assert requests.get(f"{url}/wawancara.pdf", timeout=10).status_code == 401
    person = log_in("viewer")
    unspoken = person.get(f"{url}/wawancara.pdf", params={"language": "fr"}, timeout=10)
    assert (unspoken.status_code, unspoken.json()["type"].rpartition("problems/")[2]) == (
        404,
        "form/language-not-spoken",
    )
    assert person.get(f"{url}/nothing.pdf", timeout=10).status_code == 404
    assert person.get(f"{url}/wawancara/versions/1.docx", timeout=10).status_code == 404
    assert person.get(f"{url}/wawancara/draft.pdf", timeout=10).status_code == 404


def test_the_form_s_page_offers_the_paper_in_each_language(study: Team, client: FlaskClient) -> None:
    reader = Reader(client, "en").log_in("supervisor")

    page = reader.get("/projects/1/forms/pendaftaran")

    links = re.findall(r'href="(/projects/1/forms/pendaftaran/paper\.[^"]+)"', page)
    assert len(links) == 4
    kinds = [client.get(link.replace("&amp;", "&")).headers["Content-Type"] for link in links]
    assert kinds == [MEDIA_TYPES["pdf"], MEDIA_TYPES["docx"]] * 2


def test_a_server_that_prints_nothing_does_not_load_the_printer() -> None:
    loaded = "import sys, server.app; print([name for name in ('reportlab', 'docx') if name in sys.modules])"

    said = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, timeout=60, check=True)

    assert said.stdout.strip() == "[]"
