"""The made-up people, businesses and documents from which the sample is drawn. No one in it is real."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Enumerator:
    name: str
    username: str
    device: str


@dataclass(frozen=True, slots=True)
class Product:
    """Something sold; `share` is its part of the turnover."""

    name: str
    unit: str
    price: int
    share: float


@dataclass(frozen=True, slots=True)
class CreditUse:
    """What revolving credit was spent on; `share` is its part of the credit."""

    purpose: str
    item: str
    share: float
    other: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """A field note: what was seen, and what the observer made of it ("" for nothing)."""

    aspect: str
    seen: str
    reflection: str


@dataclass(frozen=True, slots=True)
class Paper:
    """A document: its kind, its title, what it says and which statements that supports."""

    kind: str
    title: str
    statement: str
    supports: str


@dataclass(frozen=True, slots=True)
class Person:
    """Who an informant is, whatever the role."""

    code: str
    name: str
    sex: str
    lingkungan: str
    rt: str
    rw: str

    @property
    def label(self) -> str:
        """As the entity list labels the informant."""
        return f"{self.code} {self.name}"


@dataclass(frozen=True, slots=True)
class Resident:
    """A core informant with a small business. `income` is Rp a month before the programme, roughly."""

    person: Person
    age: int
    education: str
    business: str
    business_name: str
    sector: str
    started_year: int
    income: int
    place_kind: str
    products: tuple[Product, ...]
    aid: tuple[str, ...]
    uses: tuple[CreditUse, ...]
    equipment: tuple[str, ...]
    checklist: tuple[str, ...]
    stock: str
    words: Mapping[str, str]
    """Answers to the open questions by subject: reason, process, use, change, obstacle, suggestion."""
    facts: tuple[Fact, ...]
    document: Paper | None
    is_late: bool
    """The instalments of the credit were late."""

    @property
    def was_aided(self) -> bool:
        return self.aid != ("none",)


@dataclass(frozen=True, slots=True)
class Official:
    """An additional informant from the kelurahan's office."""

    person: Person
    office: str
    task: str
    since_year: int
    selection: tuple[str, ...]
    evenness: str
    problems: tuple[str, ...]
    words: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Site:
    """Infrastructure that the programme built."""

    place: str
    kind: str
    lingkungan: str
    condition: str
    length_m: str
    year: int
    damage: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class ProgrammePaper:
    """A document about the programme; each fact is its wording, what it supports and an amount in Rp (0 for none)."""

    kind: str
    title: str
    source: str
    year: int
    number: str
    facts: tuple[tuple[str, str, int], ...]
    summary: str


@dataclass(frozen=True, slots=True)
class Cast:
    """Everyone and everything that a fieldwork day meets."""

    enumerators: tuple[Enumerator, ...]
    residents: tuple[Resident, ...]
    officials: tuple[Official, ...]
    sites: tuple[Site, ...]
    papers: tuple[ProgrammePaper, ...]


@cache
def cast() -> Cast:
    """The cast as shipped, read once."""
    raw = json.loads(files("forms.library").joinpath("sample.json").read_text(encoding="utf-8"))
    return Cast(
        enumerators=tuple(Enumerator(**row) for row in raw["enumerators"]),
        residents=tuple(_resident(row) for row in raw["core"]),
        officials=tuple(_official(row) for row in raw["additional"]),
        sites=tuple(_site(row) for row in raw["infrastructure"]),
        papers=tuple(_programme_paper(row) for row in raw["programme"]),
    )


def _person(row: Mapping[str, Any]) -> Person:
    return Person(*(row[name] for name in ("code", "name", "sex", "lingkungan", "rt", "rw")))


def _facts(rows: Sequence[Sequence[str]]) -> tuple[Fact, ...]:
    return tuple(Fact(*row) for row in rows)


def _words(row: Mapping[str, Any], *subjects: str) -> dict[str, str]:
    return {subject: row[subject] for subject in subjects}


def _resident(row: Mapping[str, Any]) -> Resident:
    return Resident(
        person=_person(row),
        age=row["age"],
        education=row["education"],
        business=row["business"],
        business_name=row["business_name"],
        sector=row["sector"],
        started_year=row["started_year"],
        income=row["income"],
        place_kind=row["place_kind"],
        products=tuple(Product(*product) for product in row["products"]),
        aid=tuple(row["aid"]),
        uses=tuple(CreditUse(*use) for use in row["uses"]),
        equipment=tuple(row["equipment"]),
        checklist=tuple(row["checklist"]),
        stock=row["stock"],
        words=_words(row, "reason", "process", "use", "change", "obstacle", "suggestion"),
        facts=_facts(row["facts"]),
        document=_paper(row["document"]),
        is_late=row.get("is_late", False),
    )


def _paper(row: Sequence[Any] | None) -> Paper | None:
    if row is None:
        return None
    kind, title, statement, supports = row
    return Paper(kind, title, statement, " ".join(supports))


def _official(row: Mapping[str, Any]) -> Official:
    return Official(
        person=_person(row),
        office=row["office"],
        task=row["task"],
        since_year=row["since_year"],
        selection=tuple(row["selection"]),
        evenness=row["evenness"],
        problems=tuple(row["problems"]),
        words=_words(row, "conduct", "beneficiaries", "problem_story", "change"),
    )


def _site(row: Mapping[str, Any]) -> Site:
    return Site(
        place=row["place"],
        kind=row["infra_kind"],
        lingkungan=row["lingkungan"],
        condition=row["condition"],
        length_m=row["length_m"],
        year=row["year"],
        damage=row["damage"],
        facts=_facts(row["facts"]),
    )


def _programme_paper(row: Mapping[str, Any]) -> ProgrammePaper:
    return ProgrammePaper(
        kind=row["doc_kind"],
        title=row["title"],
        source=row["source"],
        year=row["year"],
        number=row["number"],
        facts=tuple((wording, supports, amount) for wording, supports, amount in row["facts"]),
        summary=row["summary"],
    )
