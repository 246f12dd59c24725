"""The shipped study: P2KP in Kelurahan Pakis, as XLSForm workbooks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from forms.definition import Text

TITLE: Text = {"id": "P2KP di Kelurahan Pakis", "en": "P2KP in Kelurahan Pakis"}
ABOUT: Text = {
    "id": "Wawancara, observasi, dan dokumentasi tentang bantuan langsung, kredit bergulir, dan bantuan infrastruktur"
    " bagi warga dengan usaha kecil.",
    "en": "Interviews, observation and documentation of direct aid, revolving credit and infrastructure"
    " for residents with a small business.",
}
ENTITY_LIST = "informan"
"""The list of informants: registration creates its entities, the other forms look them up and correct them."""


@dataclass(frozen=True, slots=True)
class StudyForm:
    """One form of the study and the workbooks of its versions."""

    form_id: str
    files: tuple[str, ...]
    """File names, the newest version last."""
    title: Text

    def read(self, file_name: str = "") -> bytes:
        """The bytes of one workbook, of the newest version unless named."""
        wanted = file_name or self.files[-1]
        if wanted not in self.files:
            raise ValueError(f"{self.form_id} has no workbook {wanted!r}")
        return files("forms.library").joinpath(wanted).read_bytes()

    def workbooks(self) -> Iterator[tuple[str, bytes]]:
        """File name and bytes of every version, the newest last: the order in which to publish them."""
        return ((name, self.read(name)) for name in self.files)


STUDY: tuple[StudyForm, ...] = (
    StudyForm(
        "pendaftaran",
        ("pendaftaran.xlsx",),
        {"id": "Pendaftaran informan", "en": "Informant registration"},
    ),
    StudyForm(
        "wawancara",
        ("wawancara.2026100101.xlsx", "wawancara.xlsx"),
        {"id": "Wawancara informan inti", "en": "Interview with a core informant"},
    ),
    StudyForm(
        "wawancara_kelurahan",
        ("wawancara_kelurahan.xlsx",),
        {"id": "Wawancara kelurahan", "en": "Interview at the kelurahan"},
    ),
    StudyForm(
        "observasi",
        ("observasi.xlsx",),
        {"id": "Observasi", "en": "Observation"},
    ),
    StudyForm(
        "dokumentasi",
        ("dokumentasi.xlsx",),
        {"id": "Dokumentasi", "en": "Documentation"},
    ),
)
"""Registration first: the other forms need its entity list."""
