"""A field with its tablets, a server and its office: one history, step by step from one seed."""

from __future__ import annotations

import atexit
import gc
import random
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from unittest.mock import patch

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import now
from sync import devices, install, peers
from sync.device import upload
from sync.engine import connect, in_transaction
from sync.models import Device, Installation, Project
from tests.conftest import NOW, Team, make_team
from tests.simulator.chance import Clock, seeded
from tests.simulator.form import KEYED, PEOPLE
from tests.simulator.network import Network
from tests.simulator.node import DATABASE, SECRET, Node
from tests.simulator.office import HAMLET, Office, enlist, give, publish_form
from tests.simulator.stranger import Stranger
from tests.simulator.tablet import ABOUT, GONE, PHOTO, Tablet
from tests.simulator.truth import Broken, Truth

TABLETS = 4
AT_THE_CENTRE = 1
"""Of these tablets."""
MOST_CLONES = 2
LARGE = 4000
"""Bytes of a photo: three pieces."""
MOST_ROUNDS = 8
"""Of the servers with each other, until there is nothing left to tell."""
HAMLETS = ("Siti, Budi, P", "Rina, Agus, Q")
"""The names that live in them."""
BASE, CENTRE = "http://field", "http://centre"


@dataclass(frozen=True, slots=True)
class Step:
    """What happens next; `seed` decides all about it, so that a history can be shortened and stays the same."""

    kind: str
    seed: int


WEIGHTS: Mapping[str, int] = {
    "fill": 16,
    "correct": 16,
    "both": 6,
    "both_photo": 2,
    "register": 4,
    "visit": 5,
    "both_visit": 5,
    "approve": 2,
    "enlist": 4,
    "declare": 3,
    "assign": 4,
    "photo": 2,
    "sync": 24,
    "hand": 7,
    "run_ahead": 3,
    "post": 6,
    "branch": 3,
    "review": 2,
    "comment": 1,
    "resolve": 4,
    "delete": 2,
    "release": 3,
    "put_aside": 2,
    "publish": 2,
    "meet": 8,
    "close": 1,
    "revoke": 1,
    "kill_server": 6,
    "trouble": 3,
    "start_server": 6,
    "back_up": 4,
    "restore": 2,
    "sweep": 2,
    "late": 5,
    "kill_tablet": 4,
    "restart_tablet": 3,
    "clone": 2,
    "skew": 2,
    "pass_time": 3,
}


OFTEN = 150
"""What is added to these weights: nearly every second step is one of those that are to happen often."""


def steps_of(seed: int, length: int, often: Collection[str] = ()) -> list[Step]:
    """The history that this seed stands for; in one that is to show something, these happen `often`."""
    rng = random.Random(seed)
    weights = [weight + (OFTEN / len(often) if kind in often else 0) for kind, weight in WEIGHTS.items()]
    kinds = rng.choices(list(WEIGHTS), weights, k=length)
    return [Step(kind, rng.getrandbits(48)) for kind in kinds]


@dataclass(frozen=True, slots=True)
class Ground:
    """What every history starts from, made once in a process."""

    folder: Path
    nodes: Mapping[str, Node]
    team: Team
    stranger: tuple[str, str]
    """Its token and its device id."""
    states: Mapping[bytes, frozenset[str]]
    """What the tablets have been told of: see Truth."""

    @property
    def template(self) -> Path:
        return self.folder / "template"


@cache
def ground() -> Ground:
    """A project with one form and enrolled tablets, at a field office and its centre. In memory, where there is such
    a place."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="lapangan-simulator-", dir=memory if memory.is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with seeded(0) as clock:
        home = folder / "template" / "field"
        home.mkdir(parents=True)
        engine = connect(f"sqlite:///{home / DATABASE}")
        install.upgrade(engine)
        install.ensure_installation(engine, NOW)
        team: Team = in_transaction(engine, make_team)
        in_transaction(engine, lambda session: publish_form(session, team, "1"))
        in_transaction(engine, lambda session: enlist(session, team, "Kader", {"nama": "Siti", "umur": "41"}))
        in_transaction(engine, lambda session: give(session, team, "2026-12-01"))
        engine.dispose()
        nodes = {name: Node(name, folder / name) for name in ("field", "centre")}
        truth = Truth(team.project_id)
        network = Network(nodes, truth)

        def enrol(number: int, base: str) -> tuple[str, str]:
            tablet = Tablet(f"t{number}", folder / "template" / f"t{number}", network, truth, clock)
            tablet.device.enrol(network.at(base).act(lambda session: _code(session, team)), base)
            device_id = tablet.device.membership().device_id
            network.at(base).act(lambda session: _place(session, team, device_id, HAMLETS[number % len(HAMLETS)]))
            tablet.device.pull()
            told = tablet.device.store.setting("token"), tablet.device.membership().device_id
            tablet.stop()
            return told

        nodes["field"].reset(home)
        stranger = [enrol(number, BASE) for number in (*range(TABLETS - AT_THE_CENTRE), TABLETS)][-1]
        _copy(nodes["field"], nodes["centre"])
        for number in range(TABLETS - AT_THE_CENTRE, TABLETS):
            enrol(number, CENTRE)
        code = nodes["centre"].act(lambda session: _code(session, team, is_server=True))
        told = {"secret_key": SECRET, "connect": network.link, "actor": team.administrator, "now": now()}
        peers.add(nodes["field"].engine, code, CENTRE, **told)
        nodes["field"].meet(network.link)
        for name, node in nodes.items():
            node.engine.dispose()
            shutil.rmtree(folder / "template" / name, ignore_errors=True)
            shutil.copytree(node.folder, folder / "template" / name)
    gc.collect()
    gc.freeze()  # as `lapangan serve` does it
    return Ground(folder, nodes, team, stranger, truth.states)


def _copy(node: Node, other: Node) -> None:
    """The other server has all that this one has, and is another one."""
    node.engine.dispose()
    other.reset(node.folder)
    other.act(lambda session: setattr(session.scalars(select(Installation)).one(), "server_id", f"s-{other.name}"))


def _place(session: Session, team: Team, device_id: str, hamlet: str) -> None:
    """What the lists that are filtered leave it."""
    device = session.get_one(Device, (team.project_id, device_id))
    devices.give_properties(session, device, {HAMLET: hamlet}, actor=team.manager, now=now())


def _code(session: Session, team: Team, *, is_server: bool = False) -> str:
    project = session.get_one(Project, team.project_id)
    account_id = None if is_server else team.enumerator.id
    told = {"account_id": account_id, "is_server": is_server, "actor": team.manager, "now": now()}
    return devices.create_enrolment(session, project, name="Tablet", **told).code


@dataclass(slots=True)
class World:
    """One history. `step` goes on with it, `settle` ends all faults."""

    clock: Clock
    ground: Ground
    node: Node
    """The field office."""
    centre: Node
    network: Network
    truth: Truth
    offices: list[Office]
    stranger: Stranger
    tablets: list[Tablet] = field(default_factory=list)

    def step(self, step: Step) -> None:
        rng = random.Random(step.seed)
        for node in self.nodes:
            if not node.is_up and rng.random() < 0.3:
                node.start()
        self.network.rng = rng if rng.random() < 0.7 else None
        office = rng.choice(self.offices)
        act: Callable[[random.Random], None] = getattr(self, f"_{step.kind}", None) or getattr(office, step.kind)
        act(rng)

    @property
    def nodes(self) -> tuple[Node, Node]:
        return self.node, self.centre

    def settle(self) -> None:
        """The faults have stopped: everybody comes back, and everything that is still to be sent arrives."""
        self.network.rng = None
        for node in self.nodes:
            node.start()
            node.fuse.renew()
        while self.network.delayed:
            self.network.deliver_late(random.Random(0))
        self._send_again()
        self._synchronise()
        self.node.meet(self.network.link)
        self.clock.at += timedelta(hours=1)
        for node in self.nodes:
            node.sweep()
        self._catch_up()
        for _round in range(MOST_ROUNDS):
            if not self.node.meet(self.network.link):
                return
            self._catch_up()
        raise Broken("I3: the servers never come to an end with each other")

    def _send_again(self) -> None:
        """What the stranger has made, and the form versions that somebody waits for."""
        self.stranger.push(self.stranger.lines)
        if self.stranger.passed:
            self.stranger.push(list(self.stranger.passed), CENTRE)
        waiting = "SELECT DISTINCT version FROM operation WHERE why = 'waits_for_version'"
        for version in sorted({version for node in self.nodes for (version,) in node.rows(waiting)}):
            self.offices[0].publish(random.Random(0), version)
        for base, xml in self.stranger.posts:
            self.stranger.hand_in(base, xml)

    def _catch_up(self) -> None:
        """Everybody has what the others have sent."""
        for _all in range(2):
            self._synchronise()

    def _synchronise(self) -> None:
        """Every tablet that has something to send or to read."""
        for tablet in self.tablets:
            if tablet.is_behind():
                tablet.sync()

    def close(self) -> None:
        for tablet in self.tablets:
            tablet.stop()

    def _fill(self, rng: random.Random) -> None:
        rng.choice(self.tablets).fill(rng)

    def _both(self, rng: random.Random) -> None:
        """Two people change the same in one record, without seeing each other."""
        same = rng.choice(ABOUT)
        self._at_once(rng, rng.choice(((same, same), (GONE, KEYED))))

    def _both_photo(self, rng: random.Random) -> None:
        """Two people take a photo of the same name for one record."""
        self._at_once(rng, (PHOTO, PHOTO))

    def _at_once(self, rng: random.Random, about: tuple[str, str]) -> None:
        two = rng.sample(self.tablets, 2)
        for tablet in two:
            tablet.sync()
        held, others = ({body["record"]: body for body in tablet.holds()} for tablet in two)
        both = sorted(held.keys() & others.keys())
        if GONE in about:
            both = [record_id for record_id in both if held[record_id]["answers"].get(KEYED)] or both
        if both:
            record_id = rng.choice(both)
            for tablet, one in zip(two, about, strict=True):
                tablet.correct(rng, record_id, one)
            for tablet in two:
                tablet.sync()

    def _register(self, rng: random.Random) -> None:
        rng.choice(self.tablets).register(rng)

    def _visit(self, rng: random.Random) -> None:
        rng.choice(self.tablets).visit(rng)

    def _both_visit(self, rng: random.Random) -> None:
        """Two people change somebody who was registered, each more than once, without seeing each other."""
        two = rng.sample(self.tablets, 2)
        for tablet in two:
            tablet.sync()
        held, others = ({row["name"] for row in tablet.device.inbox.entities(PEOPLE)} for tablet in two)
        for tablet in two if held & others else ():
            for _visit in range(rng.choice((1, 1, 2))):
                tablet.visit(rng, min(held & others))
            tablet.sync()

    def _approve(self, rng: random.Random) -> None:
        """Who is registered waits until somebody has looked at the record: at this server, or at the other one."""
        tablet = rng.choice(self.tablets)
        office = next(office for office in self.offices if office.node is tablet.node)
        office.ask_for_approval()
        tablet.register(rng)
        tablet.sync()
        if rng.random() < 0.3:
            self._meet(rng)
            office = rng.choice(self.offices)
        office.approve_all()

    def _declare(self, rng: random.Random) -> None:
        """At one server, or at both while they do not hear of each other."""
        for office in rng.sample(self.offices, rng.choice((1, 2))):
            office.declare(rng)

    def _assign(self, rng: random.Random) -> None:
        """So is work given and changed."""
        for office in rng.sample(self.offices, rng.choice((1, 2))):
            office.assign(rng)

    def _photo(self, rng: random.Random) -> None:
        """A large one, while the power at the office comes and goes."""
        tablet = rng.choice(self.tablets)
        tablet.fill(rng, LARGE)
        self.network.rng, self.network.struck = None, rng
        for _outage in range(2):
            tablet.node.start()
            tablet.sync()
        self.network.struck = None
        tablet.node.fuse.left = None

    def _correct(self, rng: random.Random) -> None:
        rng.choice(self.tablets).correct(rng)

    def _sync(self, rng: random.Random) -> None:
        rng.choice(self.tablets).sync()

    def _hand(self, rng: random.Random) -> None:
        self.stranger.act(rng)

    def _run_ahead(self, rng: random.Random) -> None:
        """Somebody works on whatever is shown of a record whose beginning has not arrived."""
        self.stranger.run_ahead(rng)
        tablet = rng.choice(self.tablets)
        tablet.sync()
        tablet.correct(rng, self.stranger.records[-1])
        tablet.sync()

    def _put_aside(self, rng: random.Random) -> None:
        """What was put aside is released when others have gone on with its record."""
        record = self.stranger.put_aside(rng)
        tablet = rng.choice(self.tablets)
        tablet.sync()
        tablet.correct(rng, record)
        tablet.sync()
        self.offices[0].release(rng)

    def _post(self, rng: random.Random) -> None:
        self.stranger.post(rng)

    def _branch(self, rng: random.Random) -> None:
        self.stranger.branch(rng)

    def _kill_server(self, rng: random.Random) -> None:
        """It dies so many steps from now, in the middle of whatever it does then."""
        rng.choice(self.nodes).fuse.left = rng.randrange(120)
        self._talk(rng)

    def _trouble(self, rng: random.Random) -> None:
        node = rng.choice(self.nodes)
        node.fuse.complaint = rng.choice(("database is locked", "database or disk is full"))
        node.fuse.trouble = rng.randrange(60)
        self._talk(rng)

    def _talk(self, rng: random.Random) -> None:
        """A tablet with its server, or the servers with each other."""
        rng.choice([lambda: self._meet(rng), *(tablet.sync for tablet in self.tablets)])()

    def _meet(self, _rng: random.Random) -> None:
        self.node.meet(self.network.link)

    def _start_server(self, rng: random.Random) -> None:
        rng.choice(self.nodes).start()

    def _back_up(self, rng: random.Random) -> None:
        node = rng.choice(self.nodes)
        if node.is_up:
            node.fuse.renew()
            node.back_up()

    def _restore(self, rng: random.Random) -> None:
        """The server's disk is gone; what there is, is the latest backup."""
        node = rng.choice([node for node in self.nodes if node.backed_up] or self.nodes)
        self.clock.at += timedelta(minutes=1)  # nobody does that twice within a second
        if node.restore():
            self.truth.restored(node)

    def _sweep(self, rng: random.Random) -> None:
        node = rng.choice(self.nodes)
        if node.is_up:
            node.sweep()

    def _late(self, rng: random.Random) -> None:
        self.network.deliver_late(rng)

    def _kill_tablet(self, rng: random.Random) -> None:
        tablet = rng.choice(self.tablets)
        tablet.dies_after = rng.randrange(40)
        rng.choice((tablet.fill, tablet.correct, lambda _rng: tablet.sync()))(rng)

    def _restart_tablet(self, rng: random.Random) -> None:
        tablet = rng.choice(self.tablets)
        tablet.stop()
        tablet.start()

    def _clone(self, rng: random.Random) -> None:
        if len(self.tablets) == TABLETS + MOST_CLONES:
            return
        original = rng.choice(self.tablets)
        self.tablets.append(original.clone(f"clone{len(self.tablets)}"))
        for tablet in (original, self.tablets[-1]):
            tablet.fill(rng)

    def _skew(self, rng: random.Random) -> None:
        rng.choice(self.tablets).skew = timedelta(days=rng.choice((-7300, -1, 0, 1, 7300)))

    def _pass_time(self, rng: random.Random) -> None:
        self.clock.at += timedelta(minutes=rng.choice((1, 10, 600)))

    def _revoke(self, rng: random.Random) -> None:
        """One device at most, and not in every history: what it sends from then on is put aside."""
        if not self.truth.revoked and rng.random() < 0.5:
            tablet = rng.choice(self.tablets)
            office = next(office for office in self.offices if office.node is tablet.node)
            office.revoke(tablet.device.membership().device_id)


@contextmanager
def world(seed: int) -> Iterator[World]:
    """A fresh one. What is more than a thumbnail goes in pieces."""
    base = ground()
    with seeded(seed) as clock, patch.object(upload, "SMALL", 1000), patch.object(upload, "PIECE", 1500):
        clock.at += timedelta(days=1)  # the ground was made before
        for name, node in base.nodes.items():
            node.reset(base.template / name)
        truth = Truth(base.team.project_id, states=dict(base.states))
        truth.begin(base.nodes["field"])
        network = Network(base.nodes, truth)
        token, device_id = base.stranger
        field_, centre = base.nodes.values()
        stranger = Stranger(token, device_id, BASE, CENTRE, field_, network, truth, clock)
        offices = [Office(node, base.team, truth) for node in base.nodes.values()]
        made = World(clock, base, field_, centre, network, truth, offices, stranger)
        home = base.folder / "tablets"
        shutil.rmtree(home, ignore_errors=True)
        try:
            for number in range(TABLETS):
                folder = home / f"t{number}"
                shutil.copytree(base.template / f"t{number}", folder)
                made.tablets.append(Tablet(f"t{number}", folder, network, truth, clock))
            yield made
        finally:
            made.close()
