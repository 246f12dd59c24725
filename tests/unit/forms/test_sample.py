"""The synthetic fieldwork day keeps the forms' rules, except where it is meant to break one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from io import BytesIO
from itertools import pairwise
from statistics import fmean
from typing import Any

import pytest
from PIL import Image

from forms.check import CompiledForm, Context, compile_form
from forms.definition import Answers
from forms.finding import Finding, Rule, Severity
from forms.library import ENTITY_LIST, STUDY
from forms.library.picture import picture
from forms.library.sample import OLD_VERSION, VERSION, Kind, Photo, Scene, Visit, fieldwork_day
from forms.xform import read
from forms.xlsform import convert

DAY = fieldwork_day()
ROWS = {ENTITY_LIST: [informant.row() for informant in DAY.informants]}


@cache
def compiled(form_id: str, version: str) -> CompiledForm:
    form = next(form for form in STUDY if form.form_id == form_id)
    name = form.files[-1] if version == VERSION else f"{form_id}.{version}.xlsx"
    definition = read(convert(form.read(name), name).xform)
    assert (definition.form_id, definition.version) == (form_id, version)
    return compile_form(definition, ROWS)


def findings(visit: Visit) -> tuple[Finding, ...]:
    context = Context(
        started_at=visit.started_at,
        ended_at=visit.ended_at,
        received_at=visit.ended_at + timedelta(hours=3),
        attachments=frozenset(photo.name for photo in visit.photos),
    )
    return compiled(visit.form_id, visit.version).check(visit.answers, context)


def leaves(answers: Answers) -> Iterator[Any]:
    for value in answers.values():
        if isinstance(value, dict):
            yield from leaves(value)
        elif isinstance(value, list):
            for one in value:
                yield from leaves(one)
        else:
            yield value


def interviews(seed: int) -> list[Answers]:
    return [visit.answers for visit in fieldwork_day(seed).visits if visit.form_id == "wawancara"]


def only(kind: Kind) -> Visit:
    (visit,) = (visit for visit in DAY.visits if visit.kind is kind)
    return visit


@pytest.mark.parametrize(
    "visit",
    [visit for visit in DAY.visits if visit.kind is not Kind.BREAKS_A_CONSTRAINT],
    ids=lambda visit: f"{visit.form_id}-{visit.informant or visit.photos[0].name}",
)
def test_a_visit_keeps_the_rules_of_its_form(visit: Visit) -> None:
    assert findings(visit) == ()


def test_one_interview_uses_more_than_the_credit_and_breaks_nothing_else() -> None:
    wrong = findings(only(Kind.BREAKS_A_CONSTRAINT))

    assert [(finding.severity, finding.rule, finding.path) for finding in wrong] == [
        (Severity.ERROR, Rule.CONSTRAINT, "credit/unspent")
    ]
    assert "melebihi jumlah kredit" in wrong[0].message["Bahasa Indonesia (id)"]


def test_calculating_again_changes_no_calculated_answer() -> None:
    for visit in DAY.visits:
        context = Context(started_at=visit.started_at, ended_at=visit.ended_at, received_at=visit.ended_at)
        again = compiled(visit.form_id, visit.version).calculate(visit.answers, context)
        assert sorted(filter(None, leaves(again))) == sorted(leaves(visit.answers))


def test_the_same_seed_gives_the_same_day_and_another_seed_another() -> None:
    assert fieldwork_day(7) == fieldwork_day(7)
    assert fieldwork_day(7).visits[0].instance_id != fieldwork_day(8).visits[0].instance_id


def test_eleven_informants_are_met_nine_of_them_residents() -> None:
    assert [informant.code for informant in DAY.informants] == [f"INF-{number:02}" for number in range(1, 12)]
    assert Counter(informant.role for informant in DAY.informants) == {"core": 9, "additional": 2}
    assert len({informant.entity_id for informant in DAY.informants}) == 11


def test_three_devices_share_some_forty_records_of_all_forms() -> None:
    assert 38 <= len(DAY.visits) <= 45
    assert {visit.device for visit in DAY.visits} == {0, 1, 2}
    assert len({visit.enumerator for visit in DAY.visits}) == 3
    assert {visit.form_id for visit in DAY.visits} == {form.form_id for form in STUDY}
    assert len({visit.instance_id for visit in DAY.visits}) == len(DAY.visits)


def test_a_device_does_one_thing_at_a_time() -> None:
    for device in range(3):
        times = [(visit.started_at, visit.ended_at) for visit in DAY.visits if visit.device == device]
        assert all(start < end for start, end in times)
        assert all(earlier[1] < later[0] for earlier, later in pairwise(times))


def test_everyone_is_registered_before_anyone_is_interviewed() -> None:
    created = [visit for visit in DAY.visits if visit.creates_entity]
    others = [visit for visit in DAY.visits if not visit.creates_entity]

    assert [visit.form_id for visit in created] == ["pendaftaran"] * 11
    assert {visit.creates_entity for visit in created} == {informant.entity_id for informant in DAY.informants}
    assert max(visit.ended_at for visit in created) < min(visit.started_at for visit in others)


def test_one_interview_was_made_on_the_earlier_version() -> None:
    outdated = [visit for visit in DAY.visits if visit.version != VERSION]

    assert outdated == [only(Kind.OLD_VERSION)]
    assert (outdated[0].form_id, outdated[0].version) == ("wawancara", OLD_VERSION)


def test_two_devices_correct_the_same_informant_differently() -> None:
    one, other = (visit for visit in DAY.visits if visit.kind is Kind.CONFLICTING)
    changes = [visit.answers["changes"] for visit in (one, other)]
    shared = set(changes[0]) & set(changes[1]) - {"changed"}

    assert one.device != other.device
    assert one.updates_entity == other.updates_entity != ""
    assert shared == {"new_phone"}
    assert changes[0]["new_phone"] != changes[1]["new_phone"]
    assert set(changes[0]) ^ set(changes[1]) == {"new_business", "new_lingkungan", "new_rt", "new_rw"}


@pytest.mark.parametrize("seed", [2026, *range(12)])
def test_incomes_rise_as_in_the_published_study(seed: int) -> None:
    aided = [answers["income"] for answers in interviews(seed) if answers["aid"]["aid_types"] != "none"]

    assert 35 <= fmean(float(income["income_change_pct"]) for income in aided) <= 45
    assert 300_000 <= fmean(int(income["income_change"]) for income in aided) <= 500_000


def test_the_credit_goes_to_raw_material_and_equipment_for_the_most_part() -> None:
    spent: Counter[str] = Counter()
    for answers in interviews(2026):
        for use in answers.get("credit", {}).get("use", []):
            spent[use["purpose"]] += int(use["use_amount"])

    assert spent["raw_material"] + spent["equipment"] > 3 * spent["other"] > 0


def test_no_two_informants_say_the_same() -> None:
    said = [text for answers in interviews(2026) for text in answers["open_questions"].values()]

    assert len(said) >= 4 * 9
    assert len(set(said)) == len(said)


def test_every_record_says_that_it_is_synthetic() -> None:
    for visit in DAY.visits:
        assert "synthetic" in visit.answers["closing"]["interviewer_notes"]


def test_every_photo_is_named_by_its_record_and_by_no_other() -> None:
    names = [photo.name for visit in DAY.visits for photo in visit.photos]

    assert len(set(names)) == len(names)
    for visit in DAY.visits:
        named = {leaf for leaf in leaves(visit.answers) if leaf.endswith(".jpg")}
        assert named == {photo.name for photo in visit.photos}


@pytest.mark.parametrize("scene", list(Scene))
def test_a_photo_is_a_small_jpeg_and_always_the_same(scene: Scene) -> None:
    photo = Photo("inf-01-contoh.jpg", "Warung di Lingkungan Krajan", scene)

    drawn = picture(photo)

    with Image.open(BytesIO(drawn)) as image:
        assert (image.format, image.size) == ("JPEG", (640, 480))
    assert 30_000 <= len(drawn) <= 60_000
    assert drawn == picture(photo)
    assert drawn != picture(Photo("inf-02-contoh.jpg", photo.caption, scene))


def test_the_day_can_be_any_day() -> None:
    day = fieldwork_day(day=date(2026, 12, 1))

    assert {visit.started_at.date() for visit in day.visits} == {date(2026, 12, 1)}
    assert {visit.answers["visit"]["visited_on"] for visit in day.visits} == {"2026-12-01"}
