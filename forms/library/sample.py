"""A synthetic fieldwork day in Kelurahan Pakis: the same seed gives the same day.

Nothing in it was said or measured by anyone. Its figures are drawn so that what the study's indicators compute from
the records has the shape of the published finding; no result is written down here."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, timezone
from random import Random

from forms.definition import Answers
from forms.library import record
from forms.library.profile import Cast, Enumerator, Official, Person, Resident, cast
from forms.library.record import Money, Setting

VERSION = "2026112601"
OLD_VERSION = "2026100101"
WIB = timezone(timedelta(hours=7), "WIB")

CONFLICTING = "INF-05"
BREAKING = "INF-08"
OUTDATED = "INF-07"
"""Whose interview was made on the old form version."""


class Kind(enum.Enum):
    """What is remarkable about a visit."""

    ORDINARY = "ordinary"
    BREAKS_A_CONSTRAINT = "breaks_a_constraint"
    OLD_VERSION = "old_version"
    CONFLICTING = "conflicting"


class Scene(enum.Enum):
    """What a synthetic photo shows."""

    WORKPLACE = "workplace"
    STALL = "stall"
    ROAD = "road"
    OFFICE = "office"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Photo:
    """A file that an answer names; `forms.library.picture` draws it."""

    name: str
    caption: str
    scene: Scene


@dataclass(frozen=True, slots=True)
class Informant:
    """An informant as registered. `entity_id` is the id of the entity that registration creates."""

    code: str
    name: str
    role: str
    lingkungan: str
    rt: str
    rw: str
    phone: str
    business: str
    entity_id: str

    @property
    def label(self) -> str:
        return f"{self.code} {self.name}"

    def row(self) -> dict[str, str]:
        """The entity as a row of informan.csv, right after registration."""
        return {
            "name": self.entity_id,
            "label": self.label,
            "__version": "1",
            "code": self.code,
            "full_name": self.name,
            "role": self.role,
            "business": self.business,
            "lingkungan": self.lingkungan,
            "rt": self.rt,
            "rw": self.rw,
            "phone": self.phone,
            "status": "registered",
        }


@dataclass(frozen=True, slots=True)
class Visit:
    """One filled-in form, as its device would send it."""

    device: int
    """0, 1 or 2."""
    enumerator: str
    form_id: str
    version: str
    informant: str
    """The informant's code; "" when the record concerns the programme."""
    instance_id: str
    answers: Answers
    started_at: datetime
    ended_at: datetime
    photos: tuple[Photo, ...] = ()
    kind: Kind = Kind.ORDINARY
    creates_entity: str = ""
    """The id of the entity that it creates, or ""."""
    updates_entity: str = ""
    """The id of the entity that it updates, or ""."""


@dataclass(frozen=True, slots=True)
class FieldworkDay:
    """Registration in the morning, then interviews, observations and documents, in the order of their start."""

    informants: tuple[Informant, ...]
    visits: tuple[Visit, ...]


def fieldwork_day(seed: int = 2026, day: date = date(2026, 11, 23)) -> FieldworkDay:
    """Eleven informants and some forty records of three enumerators, all on one day."""
    work = _Work(Random(seed), day, cast())
    informants = tuple(work.informants.values())
    visits = [*_registrations(work), *_at_residents(work), *_at_the_office(work)]
    return FieldworkDay(informants, tuple(sorted(visits, key=lambda visit: (visit.started_at, visit.device))))


@dataclass(slots=True)
class _Work:
    """What the day's visits share: the dice, the cast, the informants and each device's clock."""

    rng: Random
    day: date
    cast: Cast
    informants: Mapping[str, Informant] = field(init=False)
    money: Mapping[str, Money] = field(init=False)
    places: dict[str, tuple[float, float]] = field(default_factory=dict)
    clocks: list[datetime] = field(init=False)

    def __post_init__(self) -> None:
        self.informants = {informant.code: informant for informant in _informants(self)}
        self.money = _money(self.rng, self.cast.residents)
        self.clocks = [self._at(time(7, minute)) for minute in (2, 6, 4)]

    def _at(self, clock: time) -> datetime:
        return datetime.combine(self.day, clock, WIB)

    def leave_at(self, clock: time) -> None:
        """Nobody starts again before this."""
        self.clocks = [max(now, self._at(clock)) for now in self.clocks]

    def setting(self, device: int, minutes: tuple[int, int], code: str, photo: str = "") -> Setting:
        """The device's next piece of work, with some minutes' walk after it."""
        started_at = self.clocks[device] + timedelta(seconds=self.rng.randrange(60))
        ended_at = started_at + timedelta(minutes=self.rng.randint(*minutes), seconds=self.rng.randrange(60))
        self.clocks[device] = ended_at + timedelta(minutes=self.rng.randint(2, 5))
        entity_id = self.informants[code].entity_id if code else ""
        where = self.places.setdefault(code or photo, _somewhere(self.rng))
        return Setting(self.enumerator(device), started_at, ended_at, where, entity_id, photo)

    def enumerator(self, device: int) -> Enumerator:
        return self.cast.enumerators[device]

    def visit(self, device: int, setting: Setting, form_id: str, code: str, answers: Answers) -> Visit:
        return Visit(
            device=device,
            enumerator=setting.enumerator.name,
            form_id=form_id,
            version=VERSION,
            informant=code,
            instance_id=f"uuid:{_uuid(self.rng)}",
            answers=answers,
            started_at=setting.started_at,
            ended_at=setting.ended_at,
        )

    def phone(self) -> str:
        return _phone(self.rng)


def _uuid(rng: Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _phone(rng: Random) -> str:
    return f"08120000{rng.randrange(10_000):04d}"


def _somewhere(rng: Random) -> tuple[float, float]:
    """Latitude and longitude of a made-up spot about where the kelurahan lies."""
    return -8.233 + rng.uniform(-0.006, 0.006), 114.360 + rng.uniform(-0.006, 0.006)


def _informants(work: _Work) -> Iterator[Informant]:
    for resident in work.cast.residents:
        yield _informant(work.rng, resident.person, "core", resident.business)
    for official in work.cast.officials:
        yield _informant(work.rng, official.person, "additional", "")


def _informant(rng: Random, person: Person, role: str, business: str) -> Informant:
    return Informant(
        code=person.code,
        name=person.name,
        role=role,
        lingkungan=person.lingkungan,
        rt=person.rt,
        rw=person.rw,
        phone=_phone(rng),
        business=business,
        entity_id=_uuid(rng),
    )


def _money(rng: Random, residents: tuple[Resident, ...]) -> dict[str, Money]:
    aided = [resident for resident in residents if resident.was_aided]
    rises = [0.345 + 0.13 * step / (len(aided) - 1) for step in range(len(aided))]
    rng.shuffle(rises)
    by_code = {resident.person.code: rise for resident, rise in zip(aided, rises, strict=True)}
    return {
        resident.person.code: _household_money(rng, resident, by_code.get(resident.person.code, 0.055))
        for resident in residents
    }


def _household_money(rng: Random, resident: Resident, rise: float) -> Money:
    before = round(resident.income * rng.uniform(0.94, 1.06) / 25_000) * 25_000
    return Money(
        income_before=before,
        income_after=round(before * (1 + rise) / 10_000) * 10_000,
        credit=rng.randrange(1_500_000, 4_000_001, 500_000) if "credit" in resident.aid else 0,
        grant=rng.randrange(500_000, 1_000_001, 50_000) if "grant" in resident.aid else 0,
    )


def _registrations(work: _Work) -> Iterator[Visit]:
    for index, resident in enumerate(work.cast.residents):
        yield _registration(work, index // 3, resident.person, resident.business, "")
    for device, official in enumerate(work.cast.officials):
        yield _registration(work, device, official.person, "", official.office)


def _registration(work: _Work, device: int, person: Person, business: str, office: str) -> Visit:
    setting = work.setting(device, (5, 9), person.code)
    phone = work.informants[person.code].phone
    answers = record.registration(setting, person, work.rng, business=business, office=office, phone=phone)
    visit = work.visit(device, setting, "pendaftaran", person.code, answers)
    return replace(visit, creates_entity=setting.entity_id)


def _at_residents(work: _Work) -> Iterator[Visit]:
    work.leave_at(time(8, 30))
    for index, resident in enumerate(work.cast.residents):
        device = index // 3
        yield _interview(work, device, resident)
        yield _observation(work, (device + 1) % 3 if resident.person.code == CONFLICTING else device, resident)
        if resident.document:
            yield _document(work, device, resident)


def _interview(work: _Work, device: int, resident: Resident) -> Visit:
    code = resident.person.code
    photo = Photo(f"{code.lower()}-wawancara.jpg", resident.business_name, Scene.WORKPLACE)
    setting = work.setting(device, (48, 66), code, photo.name)
    money = work.money[code]
    changes = _new_address(work, resident) if code == CONFLICTING else {"changed": "none"}
    overspent = money.credit // 5 // 50_000 * 50_000 if code == BREAKING else 0
    is_old = code == OUTDATED
    answers = record.interview(setting, resident, money, work.rng, changes=changes, overspent=overspent, old=is_old)
    visit = work.visit(device, setting, "wawancara", code, answers)
    visit = replace(visit, photos=(photo,), kind=_interview_kind(code), updates_entity=setting.entity_id)
    return replace(visit, version=OLD_VERSION) if is_old else visit


def _interview_kind(code: str) -> Kind:
    kinds = {CONFLICTING: Kind.CONFLICTING, BREAKING: Kind.BREAKS_A_CONSTRAINT, OUTDATED: Kind.OLD_VERSION}
    return kinds.get(code, Kind.ORDINARY)


def _new_address(work: _Work, resident: Resident) -> Answers:
    return {
        "changed": "phone address",
        "new_phone": work.phone(),
        "new_lingkungan": resident.person.lingkungan,
        "new_rt": "004",
        "new_rw": resident.person.rw,
    }


def _observation(work: _Work, device: int, resident: Resident) -> Visit:
    code = resident.person.code
    scene = Scene.STALL if resident.place_kind in ("stall", "mobile") else Scene.WORKPLACE
    photo = Photo(f"{code.lower()}-observasi.jpg", f"{resident.business}, {resident.business_name}", scene)
    setting = work.setting(device, (28, 40), code, photo.name)
    is_conflicting = code == CONFLICTING
    changes: Answers = {"changed": "none"}
    if is_conflicting:
        changes = {"changed": "phone business", "new_phone": work.phone(), "new_business": "Jahit dan obras pakaian"}
    answers = record.business_observation(setting, resident, work.rng, changes=changes)
    visit = replace(work.visit(device, setting, "observasi", code, answers), photos=(photo,))
    return replace(visit, kind=Kind.CONFLICTING, updates_entity=setting.entity_id) if is_conflicting else visit


def _document(work: _Work, device: int, resident: Resident) -> Visit:
    code = resident.person.code
    title = resident.document.title if resident.document else ""
    photo = Photo(f"{code.lower()}-dokumen.jpg", title, Scene.DOCUMENT)
    setting = work.setting(device, (8, 14), code, photo.name)
    answers = record.resident_document(setting, resident, work.money[code], work.rng)
    return replace(work.visit(device, setting, "dokumentasi", code, answers), photos=(photo,))


def _at_the_office(work: _Work) -> Iterator[Visit]:
    for device, official in enumerate(work.cast.officials):
        yield _office_interview(work, device, official)
        yield _programme_document(work, device)
        yield _site_observation(work, device)


def _office_interview(work: _Work, device: int, official: Official) -> Visit:
    code = official.person.code
    photo = Photo(f"{code.lower()}-kelurahan.jpg", official.office, Scene.OFFICE)
    setting = work.setting(device, (45, 60), code, photo.name)
    answers = record.office_interview(setting, official, work.cast.sites, work.rng)
    visit = work.visit(device, setting, "wawancara_kelurahan", code, answers)
    return replace(visit, photos=(photo,), updates_entity=setting.entity_id)


def _programme_document(work: _Work, index: int) -> Visit:
    paper = work.cast.papers[index]
    photo = Photo(f"program-dokumen-{index + 1}.jpg", f"{paper.title} {paper.year}", Scene.DOCUMENT)
    setting = work.setting(index, (10, 18), "", photo.name)
    answers = record.programme_document(setting, paper)
    return replace(work.visit(index, setting, "dokumentasi", "", answers), photos=(photo,))


def _site_observation(work: _Work, index: int) -> Visit:
    site = work.cast.sites[index]
    photo = Photo(f"program-prasarana-{index + 1}.jpg", site.place, Scene.ROAD)
    setting = work.setting(index, (25, 35), "", photo.name)
    answers = record.site_observation(setting, site, work.rng)
    return replace(work.visit(index, setting, "observasi", "", answers), photos=(photo,))
