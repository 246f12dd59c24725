"""A field client of the simulation: the real one, in a folder in memory, over the simulated network."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import requests

from forms.errors import Problem
from sync.device import FieldDevice, Work
from sync.device.link import Link
from tests.simulator.chance import Clock
from tests.simulator.death import Died, FragileConnection, Fuse
from tests.simulator.form import ANSWERS, ATOMIC, CHANGE, FORM, KEY, KEYED, KEYS, PEOPLE, REGISTER, entry, flat
from tests.simulator.network import Network
from tests.simulator.node import Node
from tests.simulator.truth import Broken, Made, Said, Truth

NAMES = ("Siti", "Budi", "Rina", "Agus")
PHOTO = "foto"
GONE = f"{KEYED} gone"
ABOUT = ("umur", "umur", "nama", "after", "policies", "policies", KEYED, KEYED, GONE, ATOMIC, PHOTO, PHOTO)
"""What people change: one of them takes an entry away."""
AGES = ("8", "42", "63", "71")
TRADES = ("warung", "jahit", "tambak")
COMPILED: dict[tuple[str, str], Any] = {}
"""The forms, read once in this process instead of at every start of a client."""


@dataclass(slots=True)
class Tablet:
    """One folder. `skew` is what its clock is wrong by."""

    name: str
    folder: Path
    network: Network
    truth: Truth
    clock: Clock
    skew: timedelta = timedelta(0)
    fuse: Fuse = field(default_factory=Fuse)
    dies_after: int | None = None
    """So many steps within what it does next."""
    device: FieldDevice = field(init=False)
    _session: requests.Session = field(init=False)

    def __post_init__(self) -> None:
        self._session = self.network.session()
        self.start()

    def start(self) -> None:
        """The program begins: with an origin of its own."""
        self.fuse.renew()
        self.device = FieldDevice(self.folder, clock=self._now, user=self.name, connect=self._connect)
        store = self.device.store
        store._connection = FragileConnection(store._connection, self.fuse)
        self.device.library._compiled = COMPILED

    def stop(self) -> None:
        self.device.close()

    def clone(self, name: str) -> Tablet:
        """Somebody copies the image of the tablet: same token, same records, same work that waits."""
        self.stop()
        folder = self.folder.with_name(name)
        shutil.copytree(self.folder, folder)
        self.start()
        return Tablet(name, folder, self.network, self.truth, self.clock, self.skew)

    def fill(self, rng: random.Random, photo: int = 0) -> None:
        """A new record, perhaps with a photo (of so many bytes), perhaps one that breaks a rule."""
        answers: dict[str, Any] = {"nama": rng.choice(NAMES), "umur": str(rng.choice((7, 41, 62, 410)))}
        if rng.random() < 0.3:
            answers |= {"before": "100", "after": str(rng.choice((100, 250)))}
        if rng.random() < 0.3:
            answers |= {ATOMIC: [{"jenis": rng.choice(TRADES)}], KEYED: [entry(KEYS[0], "30"), entry(KEYS[1], "40")]}
        media = {}
        if photo or rng.random() < 0.15:
            answers["foto"], media = "foto.jpg", {"foto.jpg": rng.randbytes(photo or rng.choice((200, 5000)))}
        with self._living():
            self.device.add(FORM, answers, media, Work(as_is=True))
        self._tell(frozenset(), {})

    def correct(self, rng: random.Random, record_id: str = "", about: str = "") -> None:
        """Some record that it has from the server is changed: this one, if it has it; `about` is one of ABOUT."""
        bodies = self.holds()
        if not bodies:
            return
        body = next((one for one in bodies if one["record"] == record_id), None) or rng.choice(bodies)
        own = [row[0] for row in self._rows("SELECT op_id FROM operation WHERE record_id = ?", body["record"])]
        with self._living():
            wanted = _changed(rng, about or rng.choice(ABOUT), self.device.received(body["record"]).answers)
            media = {wanted[PHOTO]: rng.randbytes(200)} if PHOTO in wanted else None
            self.device.correct(body["record"], wanted, media, Work(as_is=True))
            self._check_intent(body["record"], wanted)
        self._tell(self.truth.seen_in(body) | frozenset(own), {})

    def register(self, rng: random.Random) -> None:
        """A record that registers somebody, and in half of them an entry that registers one more."""
        answers: dict[str, Any] = {"tujuan": REGISTER, "nama": rng.choice(NAMES), "umur": rng.choice(AGES)}
        if rng.random() < 0.5:
            answers[KEYED] = [entry(KEYS[0], rng.choice(AGES))]
        self._visit(answers, {})

    def visit(self, rng: random.Random, entity_id: str = "") -> None:
        """A record that changes somebody who was registered: this one, if he or she is here."""
        people = {row["name"]: row for row in self.device.inbox.entities(PEOPLE)}
        if not people:
            return
        who = entity_id if entity_id in people else rng.choice(sorted(people))
        name = people[who].get("nama", "") if rng.random() < 0.6 else rng.choice(NAMES)
        answers = {"tujuan": CHANGE, "siapa": who, "nama": name, "umur": rng.choice(AGES)}
        bodies = {body["record"]: body for body in self.device.inbox.bodies("entity")}
        seen = self.truth.seen_in(bodies[who]) if who in bodies else frozenset()
        changes = self._rows("SELECT op_id FROM entity_change WHERE entity_id = ?", who)
        own = {
            self.truth.operation_of(row[0], said)
            for row in changes
            for said in self.truth.said[row[0]]
            if said.entity_id == who
        }
        self._visit(answers, {who: seen | own})

    def _visit(self, answers: Mapping[str, Any], seen: Mapping[str, frozenset[str]]) -> None:
        with self._living():
            self.device.add(FORM, answers, {}, Work(as_is=True))
        self._tell(frozenset(), seen)

    def sync(self) -> None:
        with self._living():
            self.device.sync()

    def pull(self) -> None:
        with self._living():
            self.device.pull()

    def is_behind(self) -> bool:
        """Whether a sync would do anything."""
        head, epoch = self.node.rows("SELECT head, (SELECT epoch FROM installation) FROM project")[0]
        status, cursor = self.device.outbox.status(), self.device.store.setting("cursor")
        has_read = cursor.startswith(f"e{epoch}.") and cursor.endswith(f".{head}")
        return bool(status.waiting or status.files_waiting) or not has_read

    def holds(self) -> list[dict[str, Any]]:
        """The records that the server has shown to it."""
        return [body for body, _seen in self.device.inbox._bodies("submission") if not body["deleted"]]

    def files(self) -> set[str]:
        """The hashes of the files that are still on it."""
        return {file.name for file in self.device.media.folder.glob("*")}

    @contextmanager
    def _living(self) -> Iterator[None]:
        """It may die within; then it is started again."""
        self.fuse.left, self.dies_after = self.dies_after, None
        try:
            yield
        except Died:
            self.stop()
            self.start()
        except Problem:
            return
        finally:
            self.fuse.renew()

    def _tell(self, seen: frozenset[str], of_entities: Mapping[str, frozenset[str]]) -> None:
        """What it has made since the last time, with what its author had seen."""
        for op_id, body, record_id in self._rows("SELECT op_id, body, record_id FROM operation"):
            if op_id not in self.truth.made:
                self.truth.note(Made(op_id, bytes(body), record_id, seen, self.name))
                for list_name, entity_id, label, properties in self._rows(
                    "SELECT list, entity_id, label, properties FROM entity_change WHERE op_id = ?", op_id
                ):
                    values = orjson.loads(properties) | ({"label": label} if label else {})
                    said = Said(list_name, entity_id, values, of_entities.get(entity_id, frozenset()))
                    self.truth.note_said(op_id, said)

    def _check_intent(self, record_id: str, wanted: Mapping[str, Any]) -> None:
        """What was typed last is what its author would find there, with nobody else's changes."""
        shown, typed = flat(self.device.received(record_id).answers), flat(wanted)
        wrong = {path: shown.get(path) for path, value in typed.items() if shown.get(path) != value}
        back = [path for path in shown if KEYED in wanted and path.startswith(f"{KEYED}/") and path not in typed]
        if wrong or back:
            raise Broken(f"{self.name} typed {wanted} and would find {wrong} {back}")

    def _rows(self, query: str, *values: object) -> list[Any]:
        return list(self.device.store._connection._connection.execute(query, values).fetchall())

    def _now(self) -> datetime:
        return self.clock.now() + self.skew

    def _connect(self, base: str, *, token: str = "", watch: Callable[..., None]) -> Link:
        return Link(base, token=token, watch=watch, attempts=2, sleep=lambda _pause: None, session=self._session)

    @property
    def node(self) -> Node:
        """The server that it belongs to."""
        return self.network.at(self.device.membership().base)


def _changed(rng: random.Random, about: str, shown: Mapping[str, Any]) -> dict[str, Any]:
    """What somebody writes who has these answers before the eyes."""
    wanted: dict[str, Any] = {}
    if about == "policies":
        wanted = {name: rng.choice(said) for name, said in ANSWERS.items() if rng.random() < 0.6}
    elif about in (KEYED, GONE):
        here = [dict(one) for one in shown.get(KEYED) or ()]
        wanted[KEYED] = here[1:] if about == GONE else _entries(rng, here)
    elif about == ATOMIC:
        wanted[ATOMIC] = [{"jenis": rng.choice(TRADES)} for _one in range(rng.randrange(3))]
    elif about == PHOTO:
        wanted[PHOTO] = "foto.jpg"
    elif about == "after":
        wanted["after"] = str(rng.choice((300, 500)))
    return wanted or {"umur": str(rng.choice((8, 42, 63)))} | ({"nama": rng.choice(NAMES)} if about == "nama" else {})


def _entries(rng: random.Random, here: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry more, or one of another age; sometimes in another order."""
    key = rng.choice((here[0][KEY], *KEYS)) if here else KEYS[0]
    found = list(({one[KEY]: one for one in here} | {key: entry(key, rng.choice(("5", "6", "7")))}).values())
    return found[::-1] if rng.random() < 0.3 else found
