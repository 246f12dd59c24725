"""Answers of the sample's records, one function per form, exactly along the forms' paths.

Calculated questions are filled as the forms calculate them; blank and irrelevant answers are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random

from forms.definition import Answers
from forms.library.profile import CreditUse, Enumerator, Fact, Official, Person, ProgrammePaper, Resident, Site

SYNTHETIC = "Data sintetis / synthetic data."


@dataclass(frozen=True, slots=True)
class Setting:
    """Who collects, when, where (latitude, longitude), about whose entity, with which photo ("" for none)."""

    enumerator: Enumerator
    started_at: datetime
    ended_at: datetime
    where: tuple[float, float]
    entity_id: str
    photo: str = ""


@dataclass(frozen=True, slots=True)
class Money:
    """One household's figures, Rp: income a month before and now, and the revolving credit."""

    income_before: int
    income_after: int
    credit: int
    grant: int


def registration(setting: Setting, person: Person, rng: Random, *, business: str, office: str, phone: str) -> Answers:
    """A resident (with a business) or an official (with an office) enters the entity list."""
    role = "core" if business else "additional"
    about = {"business": business} if business else {"position": office}
    return {
        **_device(setting),
        "visit": {"visited_on": _day(setting), "interviewer": setting.enumerator.name},
        "opening": {"consent": "yes", "consent_extra": "gps"},
        "informant": {"code": person.code, "name": person.name, "role": role, "sex": person.sex, **about},
        "address": {"lingkungan": person.lingkungan, "rt": person.rt, "rw": person.rw, "phone": phone},
        "closing": _closing(setting, rng),
        "status": "registered",
    }


def interview(
    setting: Setting, resident: Resident, money: Money, rng: Random, *, changes: Answers, overspent: int = 0, old: bool
) -> Answers:
    """An interview with a resident. `overspent` (Rp) exceeds the credit and so breaks the form's constraint;
    `old` leaves out what the version 2026100101 did not ask."""
    credit = {} if not money.credit else {"credit": _credit(resident, money, rng, overspent, old)}
    turnover = _rounded(money.income_after * rng.uniform(2.8, 3.6))
    return {
        **_device(setting),
        "visit": _visit(setting, resident.person),
        "opening": {"consent": "yes", "consent_extra": "photo gps"},
        "identity": {"sex": resident.person.sex, "age": str(resident.age), "education": resident.education},
        "changes": changes,
        "household": _household(rng),
        "business": _business(resident, setting, turnover, rng),
        "aid": _aid(resident, money, rng),
        **credit,
        "income": {**({} if old else {"income_told": "yes"}), **_income(resident, money, turnover, rng)},
        "open_questions": _open_questions(resident),
        "closing": _closing(setting, rng),
        "status": "interviewed",
    }


def office_interview(setting: Setting, official: Official, sites: Sequence[Site], rng: Random) -> Answers:
    """An interview at the kelurahan's office."""
    grants, credits = rng.randint(60, 90), rng.randint(110, 160)
    built = [_built(site) for site in sites]
    return {
        **_device(setting),
        "visit": _visit(setting, official.person),
        "opening": {"consent": "yes", "consent_extra": "photo gps"},
        "position": {
            "office": official.office,
            "part_in_programme": official.task,
            "since_year": str(official.since_year),
            "phone_changed": "no",
        },
        "programme": {
            "first_year": "2004",
            "last_year": "2009",
            "years_of_programme": "6",
            "components": "grant credit infrastructure",
            "fund_total": str(rng.randrange(600, 900) * 1_000_000),
        },
        "beneficiaries": {
            "grant_receivers": str(grants),
            "credit_receivers": str(credits),
            "receivers_total": str(grants + credits),
            "selection": " ".join(official.selection),
            "evenness": official.evenness,
        },
        "infrastructure": {"built": built, "built_count": str(len(built))},
        "difficulties": {"problems": " ".join(official.problems)},
        "open_questions": {
            "q_conduct": official.words["conduct"],
            "q_beneficiaries": official.words["beneficiaries"],
            "q_problems": official.words["problem_story"],
            "q_change": official.words["change"],
        },
        "closing": _closing(setting, rng),
        "status": "interviewed",
    }


def business_observation(setting: Setting, resident: Resident, rng: Random, *, changes: Answers) -> Answers:
    """Half an hour at a resident's business."""
    minutes, customers = rng.choice((20, 30, 30, 45)), rng.randint(2, 14)
    return {
        **_device(setting),
        "visit": {"subject": "business", **_visit(setting, resident.person), "observed_from": _clock(setting)},
        "opening": {"consent": "yes", "consent_extra": "photo gps"},
        "business": {
            "open_now": "yes",
            "place_kind": resident.place_kind,
            "workers_seen": str(rng.randint(1, 3)),
            "minutes": str(minutes),
            "customers": str(customers),
            "customers_per_hour": tenths(Decimal(customers * 60) / minutes),
            "stock": resident.stock,
            "equipment": " ".join(resident.equipment),
            "equipment_count": str(len(resident.equipment) + rng.randint(0, 3)),
            "checklist": " ".join(resident.checklist),
            "checklist_count": str(len(resident.checklist)),
        },
        "changes": changes,
        **_field_notes(resident.facts),
        "closing": _closing(setting, rng),
    }


def site_observation(setting: Setting, site: Site, rng: Random) -> Answers:
    """Half an hour at a road or a drain."""
    visit = {"visited_on": _day(setting), "observed_from": _clock(setting), "interviewer": setting.enumerator.name}
    damage = {"damage": site.damage} if site.damage else {}
    return {
        **_device(setting),
        "visit": {"subject": "infrastructure", "place": site.place, **visit},
        "opening": {"consent": "yes", "consent_extra": "photo gps"},
        "infrastructure": {
            "infra_kind": site.kind,
            "lingkungan": site.lingkungan,
            "condition": site.condition,
            "length_m": site.length_m,
            **damage,
            "people_passing": str(rng.randint(8, 60)),
        },
        **_field_notes(site.facts),
        "closing": _closing(setting, rng),
    }


def resident_document(setting: Setting, resident: Resident, money: Money, rng: Random) -> Answers:
    """A paper that a resident keeps."""
    paper = resident.document
    if paper is None:
        raise ValueError(f"{resident.person.code} keeps no document")
    amount = money.credit or money.grant
    year = str(rng.randint(2005, 2009))
    return {
        **_device(setting),
        "visit": {"subject": "informant", **_visit(setting, resident.person)},
        "opening": {"consent": "yes", "consent_extra": "copy"},
        "document": {"doc_kind": paper.kind, "title": paper.title, "source": "informant", "doc_year": year},
        "fact": [{"statement": paper.statement, "amount": str(amount), "supports": paper.supports}],
        "amount_total": str(amount),
        **_pages(setting, f"{paper.title}, {year}. [...]"),
        "closing": {"summary": paper.statement, "interviewer_notes": SYNTHETIC},
    }


def programme_document(setting: Setting, paper: ProgrammePaper) -> Answers:
    """A paper about the programme, from the office or the programme's bodies."""
    number = {"doc_number": paper.number} if paper.number else {}
    return {
        **_device(setting),
        "visit": {"subject": "programme", "visited_on": _day(setting), "interviewer": setting.enumerator.name},
        "opening": {"consent": "yes", "consent_extra": "copy"},
        "document": {
            "doc_kind": paper.kind,
            "title": paper.title,
            "source": paper.source,
            "doc_year": str(paper.year),
            **number,
        },
        "fact": [
            {"statement": wording, **({"amount": str(amount)} if amount else {}), "supports": supports}
            for wording, supports, amount in paper.facts
        ],
        "amount_total": str(sum(amount for _, _, amount in paper.facts)),
        **_pages(setting, f"{paper.title} {paper.year}. [...]"),
        "closing": {"summary": paper.summary, "interviewer_notes": SYNTHETIC},
    }


def location(where: tuple[float, float], rng: Random) -> str:
    """A fix some metres off: latitude, longitude, altitude and accuracy in metres."""
    latitude, longitude = (degrees + rng.uniform(-0.00004, 0.00004) for degrees in where)
    return f"{latitude:.6f} {longitude:.6f} {rng.uniform(18, 40):.1f} {rng.uniform(3.5, 9.5):.1f}"


def tenths(value: Decimal) -> str:
    """Rounded to one decimal as the forms' round() does, without a trailing zero."""
    text = str(value.quantize(Decimal("0.1"), rounding=ROUND_HALF_UP))
    return text.removesuffix(".0")


def _rounded(rupiah: float) -> int:
    """As people say it: to ten thousand rupiah."""
    return round(rupiah / 10_000) * 10_000


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def _day(setting: Setting) -> str:
    return setting.started_at.date().isoformat()


def _clock(setting: Setting) -> str:
    return (setting.started_at + timedelta(minutes=2)).strftime("%H:%M:00.000+07:00")


def _device(setting: Setting) -> Answers:
    return {
        "start": _stamp(setting.started_at),
        "end": _stamp(setting.ended_at),
        "today": _day(setting),
        "deviceid": setting.enumerator.device,
        "username": setting.enumerator.username,
    }


def _visit(setting: Setting, person: Person) -> Answers:
    return {
        "informant": setting.entity_id,
        "informant_code": person.code,
        "informant_name": person.label,
        "visited_on": _day(setting),
        "interviewer": setting.enumerator.name,
    }


def _household(rng: Random) -> Answers:
    members = rng.randint(3, 6)
    dependents = rng.randint(1, members - 2)
    return {
        "members": str(members),
        "dependents": str(dependents),
        "school_children": str(rng.randint(0, dependents)),
        "house": rng.choice(("own", "own", "own", "family", "rented")),
        "other_earner": "yes" if rng.random() < 0.6 else "no",
    }


def _business(resident: Resident, setting: Setting, turnover: int, rng: Random) -> Answers:
    products = []
    for product in resident.products:
        quantity = max(1, round(turnover * product.share / product.price))
        products.append(
            {
                "product_name": product.name,
                "unit": product.unit,
                "quantity": str(quantity),
                "price": str(product.price),
                "sales": str(quantity * product.price),
            }
        )
    return {
        "business_name": resident.business_name,
        "sector": resident.sector,
        "started_year": str(resident.started_year),
        "years_running": str(setting.started_at.year - resident.started_year),
        "workers_family": str(rng.randint(1, 3)),
        "workers_paid": str(rng.choice((0, 0, 0, 1, 2))),
        "product": products,
        "sales_total": str(sum(int(product["sales"]) for product in products)),
    }


def _aid(resident: Resident, money: Money, rng: Random) -> Answers:
    amounts: Mapping[str, int] = {"grant": money.grant, "credit": money.credit}
    received = [_received(kind, amounts.get(kind, 0), rng) for kind in resident.aid if kind != "none"]
    return {
        "aid_types": " ".join(resident.aid),
        **({"received": received} if received else {}),
        "grant_amount": str(money.grant),
        "credit_amount": str(money.credit),
    }


def _received(kind: str, amount: int, rng: Random) -> Answers:
    year = str(rng.randint(2004, 2008))
    what = {"amount": str(amount)} if amount else {"infra_kind": rng.choice(("road", "drain"))}
    parts = {f"{name}_part": str(amount if kind == name else 0) for name in ("grant", "credit")}
    return {"kind": kind, "year": year, **what, **parts}


def _credit(resident: Resident, money: Money, rng: Random, overspent: int, old: bool) -> Answers:
    uses = [_use(use, money.credit) for use in resident.uses]
    if overspent:
        uses[-1]["use_amount"] = str(int(uses[-1]["use_amount"]) + overspent)
    used = sum(int(use["use_amount"]) for use in uses)
    unspent = max(0, money.credit - used) if rng.random() < 0.7 else 0
    repayment = {
        "repay_status": "late" if resident.is_late else rng.choice(("paid_off", "paid_off", "on_time")),
        "installment": str(round(money.credit * 1.15 / 12 / 1000) * 1000),
        **({} if old else {"service_pct": rng.choice(("1", "1.5", "1.5"))}),
        **({"late_reason": resident.words["obstacle"]} if resident.is_late else {}),
    }
    return {
        "use": uses,
        "used_total": str(used),
        "unspent": str(unspent),
        "unaccounted": str(money.credit - used - unspent),
        "repayment": repayment,
    }


def _use(use: CreditUse, credit: int) -> Answers:
    other = {"purpose_other": use.other} if use.other else {}
    amount = int(credit * use.share) // 50_000 * 50_000
    return {"purpose": use.purpose, **other, "item": use.item, "use_amount": str(amount)}


def _income(resident: Resident, money: Money, turnover: int, rng: Random) -> Answers:
    before, after = money.income_before, money.income_after
    turnover_before = _rounded(before * rng.uniform(2.8, 3.4))
    cost_before = turnover_before - before - rng.choice((0, 0, 20_000, 50_000))
    cost_after = turnover - after - rng.choice((0, 0, 30_000, 60_000))
    return {
        "turnover_before": str(turnover_before),
        "cost_before": str(cost_before),
        "income_before": str(before),
        "turnover_after": str(turnover),
        "cost_after": str(cost_after),
        "income_after": str(after),
        "income_change": str(after - before),
        "income_change_pct": tenths(Decimal(after - before) / before * 100),
        "turnover_change": str(turnover - turnover_before),
        "cost_change": str(cost_after - cost_before),
        "profit_before": str(turnover_before - cost_before),
        "profit_after": str(turnover - cost_after),
        "change_reason": resident.words["reason"],
    }


def _open_questions(resident: Resident) -> Answers:
    use = {"q_use": resident.words["use"]} if resident.was_aided else {}
    return {
        "q_process": resident.words["process"],
        **use,
        "q_change": resident.words["change"],
        "q_obstacle": resident.words["obstacle"],
        "q_suggestion": resident.words["suggestion"],
    }


def _built(site: Site) -> Answers:
    return {
        "infra_kind": site.kind,
        "lingkungan": site.lingkungan,
        "built_year": str(site.year),
        "length_m": site.length_m,
        "condition": site.condition,
    }


def _field_notes(facts: Sequence[Fact]) -> Answers:
    notes = [
        {"aspect": fact.aspect, "fact": fact.seen, **({"reflection": fact.reflection} if fact.reflection else {})}
        for fact in facts
    ]
    return {"field_note": notes, "note_count": str(len(notes))}


def _pages(setting: Setting, transcription: str) -> Answers:
    return {
        "privacy": {"has_names": "yes", "masked": "yes"},
        "page": [{"page_photo": setting.photo, "transcription": transcription}],
        "page_count": "1",
    }


def _closing(setting: Setting, rng: Random) -> Answers:
    photo = {"photo": setting.photo} if setting.photo else {}
    return {**photo, "location": location(setting.where, rng), "interviewer_notes": SYNTHETIC}
