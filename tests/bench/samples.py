"""The forms that the bench judges, each with records that meet every rule.

Sizes are those of the budgets: 40 questions, 54 questions at 3.5 KB, the study's own, 500 questions, and 500 questions
of which 20 are repeated 100 times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from forms.check import CompiledForm, Context, compile_form
from forms.definition import DataType, FormDefinition, Group
from forms.form_file import read_form_file
from forms.instance import open_instance, read_answers, write
from forms.library import ENTITY_LIST, STUDY
from forms.library.sample import VERSION, fieldwork_day
from forms.xform import read
from tests.bench import questionnaire
from tests.unit.forms.study_form import ask, calculate, form, group, repeat

FORM_ID = "wawancara"
INSTANCE_ID = "uuid:00000000-0000-4000-8000-000000000000"
GROUPS, IN_REPEAT, OCCURRENCES = 5, 20, 100
BUSINESSES = (
    ("Tempe dan tahu", "9500000"),
    ("Warung kopi", "2400000"),
    ("Jahit", "900000"),
    ("Ternak ayam", "1750000"),
)
STARTED_AT = datetime(2026, 10, 5, 2, 0, tzinfo=UTC)
CONTEXT = Context(STARTED_AT, STARTED_AT + timedelta(hours=1), STARTED_AT + timedelta(hours=9))


@dataclass(frozen=True, slots=True)
class Sample:
    """Records of one form, each as bytes, as answers and with what is known about it."""

    name: str
    compiled: CompiledForm
    definition: Callable[[], FormDefinition]
    """Makes the definition anew."""
    records: list[tuple[bytes, dict[str, Any], Context]]

    @property
    def questions(self) -> int:
        return sum(1 for _ in self.compiled.definition.questions())


def samples() -> Iterator[Sample]:
    """All of them, the small ones first."""
    yield _questionnaire()
    yield _interview()
    yield _study()
    yield _built("500 questions", partial(_many, GROUPS * 100))
    yield _built(
        "500 questions, 20 of them 100 times", partial(_many, GROUPS * 100 - IN_REPEAT, IN_REPEAT), OCCURRENCES
    )


def _questionnaire() -> Sample:
    read_file = questionnaire.form_file()
    compiled = compile_form(read_file.definition)
    records = []
    for number in range(8):
        xml = questionnaire.instance(number).encode()
        records.append((xml, read_answers(compiled.definition, open_instance(xml)).answers, CONTEXT))
    return Sample("40 questions", compiled, partial(read, read_file.xform), records)


def _interview() -> Sample:
    name = "interview.md"
    read_file = read_form_file(Path(__file__).with_name(name).read_bytes(), name)
    compiled = compile_form(read_file.definition)
    attached = Context(CONTEXT.started_at, CONTEXT.ended_at, CONTEXT.received_at, frozenset({"1.jpg", "1.m4a"}))
    record = _record(compiled, _told(), attached)
    return Sample("54 questions, an interview", compiled, partial(read, read_file.xform), [record])


def _study() -> Sample:
    """The interviews of the sample's fieldwork day."""
    day = fieldwork_day()
    study_form = next(one for one in STUDY if one.form_id == FORM_ID)
    name = study_form.files[-1]
    read_file = read_form_file(study_form.read(name), name)
    rows = {ENTITY_LIST: [informant.row() for informant in day.informants]}
    records = []
    for visit in day.visits:
        if visit.form_id == FORM_ID and visit.version == VERSION:
            photos = frozenset(photo.name for photo in visit.photos)
            context = Context(visit.started_at, visit.ended_at, visit.ended_at, photos)
            xml = write(read_file.definition, visit.answers, instance_id=visit.instance_id).encode()
            records.append((xml, visit.answers, context))
    return Sample(
        "The study's interview", compile_form(read_file.definition, rows), partial(read, read_file.xform), records
    )


def _built(name: str, make: Callable[[], FormDefinition], occurrences: int = 0) -> Sample:
    definition = make()
    answers: dict[str, Any] = {
        node.name: {question.name: "7" for question in node.children}
        for node in definition.root.children
        if isinstance(node, Group)
    }
    if occurrences:
        answers["r"] = [{f"v{number}": "5" for number in range(IN_REPEAT - 1)} for _ in range(occurrences)]
    compiled = compile_form(definition)
    return Sample(name, compiled, make, [_record(compiled, answers, CONTEXT)])


def _many(single: int, repeated: int = 0) -> FormDefinition:
    """So many questions in groups, and so many in a repeat; each has a rule, the groups have relevance."""
    each = single // GROUPS
    nodes: list[Any] = [
        group(
            f"g{at}",
            *(ask(f"q{at}_{n}", DataType.INT, required="true()", constraint=". > 0") for n in range(each)),
            relevant=f"/data/g{at - 1}/q{at - 1}_0 > 0" if at else "",
        )
        for at in range(GROUPS)
    ]
    if repeated:
        asked = [ask(f"v{number}", DataType.INT, constraint=". < 100") for number in range(repeated - 2)]
        nodes.append(repeat("r", *asked, calculate("total", " + ".join(f"../v{number}" for number in range(5)))))
        nodes.append(calculate("sum", "sum(/data/r/total)"))
    return form(*nodes)


def _record(compiled: CompiledForm, answers: dict[str, Any], context: Context) -> tuple[bytes, dict[str, Any], Context]:
    completed = compiled.complete(answers, context)
    return write(compiled.definition, completed, instance_id=INSTANCE_ID).encode(), completed, context


def _told() -> dict[str, Any]:
    """What a core informant with three businesses tells."""
    return {
        "deviceid": "collect:a1b2c3d4e5f6a7b8",
        "username": "enumerator03",
        "intro": {
            "interview_date": "2026-10-05",
            "interviewer": "Enumerator 03",
            "kecamatan": "utara",
            "kelurahan": "sidomulyo",
            "consent": "yes",
            "consent_scope": "audio photo gps",
        },
        "identity": {
            "informant_name": "Ibu S. (nama samaran)",
            "role": "core",
            "position": "beneficiary",
            "sex": "female",
            "age": "43",
            "education": "smp",
            "dependents": "3",
            "phone": "081234567890",
        },
        "aid": {
            "aid_types": "grant loan infra",
            "first_year": "2009",
            "grant_amount": "1500000",
            "infra_kind": "Jalan paving di depan rumah dan saluran air",
            "loan": {
                "loan_total": "3000000",
                "loan_uses": "raw_material equipment working_capital",
                "use_material": "1200000",
                "use_equipment": "1300000",
                "use_capital": "500000",
                "repay_status": "smooth",
            },
        },
        "income": {
            "income_before": "900000",
            "income_after": "750000",
            "change_reason": "Harga bahan baku naik dan pasar pindah.",
        },
        "n_business": str(len(BUSINESSES)),
        "business": [_business(*one) for one in BUSINESSES],
        "qualitative": {
            "q_process": "Saya tahu dari pengumuman RT, lalu ikut rapat di balai kelurahan bersama kelompok."
            " Proposal ditulis bersama, dibahas tiga kali, dan dicairkan bertahap"
            " setelah rumah usaha dilihat oleh pengurus BKM.",
            "q_impact": "Usaha tempe bisa menambah dua cetakan, anak tetap sekolah, dan utang ke rentenir lunas."
            " Tetangga ikut bekerja bila ada pesanan besar, misalnya menjelang hari raya.",
            "q_obstacle": "Rapat sering mendadak dan pencairan pernah terlambat dua bulan.",
            "q_hope": "Pendampingan pembukuan diteruskan, dan ada bantuan untuk pemasaran.",
            "recording": "1.m4a",
        },
        "photo": "1.jpg",
        "location": "-8.2192 114.3691 12.0 4.5",
        "remarks": "Informan ramah; wawancara di teras, sempat terhenti sebentar oleh pembeli. Buku"
        " kas kelompok ditunjukkan dan difoto; angsuran bulan terakhir belum dicatat. Perlu kunjungan ulang untuk"
        " melihat cetakan tempe yang baru dan menanyakan pesanan menjelang hari raya.",
    }  # fmt: skip


def _business(name: str, revenue: str) -> dict[str, str]:
    return {
        "b_name": name,
        "b_sector": "food",
        "b_start": "2011",
        "b_workers": "2",
        "b_revenue": revenue,
        "b_cost": "1000000",
        "b_loss_note": "Pembeli berkurang sejak pasar pindah." if int(revenue) < 1_000_000 else "",
    }
