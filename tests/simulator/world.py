"""A field with its tablets, a server and its office: one history, step by step from one seed."""

from __future__ import annotations

import atexit
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path

from sqlalchemy.orm import Session

from server.clock import now
from sync import devices, install
from sync.engine import connect, in_transaction
from sync.models import Project
from tests.conftest import NOW, Team, make_team
from tests.simulator.chance import Clock, seeded
from tests.simulator.network import Network
from tests.simulator.node import DATABASE, Node
from tests.simulator.office import Office, publish_form
from tests.simulator.stranger import Stranger
from tests.simulator.tablet import Tablet
from tests.simulator.truth import Truth

TABLETS = 4
MOST_CLONES = 2
BASE = "http://field"


@dataclass(frozen=True, slots=True)
class Step:
    """What happens next; `seed` decides all about it, so that a history can be shortened and stays the same."""

    kind: str
    seed: int


WEIGHTS: Mapping[str, int] = {
    "fill": 16,
    "correct": 16,
    "sync": 24,
    "hand": 7,
    "run_ahead": 3,
    "post": 6,
    "review": 2,
    "comment": 1,
    "resolve": 4,
    "delete": 2,
    "release": 3,
    "put_aside": 2,
    "publish": 2,
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


def steps_of(seed: int, length: int) -> list[Step]:
    """The history that this seed stands for."""
    rng = random.Random(seed)
    kinds = rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=length)
    return [Step(kind, rng.getrandbits(48)) for kind in kinds]


@dataclass(frozen=True, slots=True)
class Ground:
    """What every history starts from, made once in a process."""

    folder: Path
    node: Node
    team: Team
    stranger: tuple[str, str]
    """Its token and its device id."""

    @property
    def template(self) -> Path:
        return self.folder / "template"


@cache
def ground() -> Ground:
    """A project with one form and enrolled tablets. In memory, where there is such a place."""
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
        codes = [in_transaction(engine, lambda session: _code(session, team)) for _tablet in range(TABLETS + 1)]
        engine.dispose()
        node = Node("field", folder / "field")
        node.reset(home)
        truth = Truth(team.project_id)
        network = Network({"field": node}, truth)
        for number, code in enumerate(codes):
            tablet = Tablet(f"t{number}", folder / "template" / f"t{number}", network, truth, clock)
            tablet.device.enrol(code, BASE)
            tablet.device.pull()
            token = tablet.device.store.setting("token"), tablet.device.membership().device_id
            tablet.stop()
        node.engine.dispose()
        shutil.rmtree(home)
        shutil.copytree(node.folder, home)
    return Ground(folder, node, team, token)


def _code(session: Session, team: Team) -> str:
    project = session.get_one(Project, team.project_id)
    made = devices.create_enrolment(
        session, project, name="Tablet", account_id=team.enumerator.id, actor=team.manager, now=now()
    )
    return made.code


@dataclass(slots=True)
class World:
    """One history. `step` goes on with it, `settle` ends all faults."""

    clock: Clock
    ground: Ground
    node: Node
    network: Network
    truth: Truth
    office: Office
    stranger: Stranger
    tablets: list[Tablet] = field(default_factory=list)

    def step(self, step: Step) -> None:
        rng = random.Random(step.seed)
        if not self.node.is_up and rng.random() < 0.3:
            self.node.start()
        self.network.rng = rng if rng.random() < 0.7 else None
        act: Callable[[random.Random], None] = getattr(self, f"_{step.kind}", None) or getattr(self.office, step.kind)
        act(rng)

    def settle(self) -> None:
        """The faults have stopped: everybody comes back, and everything that is still to be sent arrives."""
        self.network.rng = None
        self.node.start()
        self.node.fuse.renew()
        while self.network.delayed:
            self.network.deliver_late(random.Random(0))
        self.stranger.push(self.stranger.lines)
        for (version,) in self.node.rows("SELECT DISTINCT version FROM operation WHERE why = 'waits_for_version'"):
            self.node.act(lambda session, version=version: publish_form(session, self.ground.team, version))
        for xml in self.stranger.posts:
            self.stranger.hand_in(xml)
        self._catch_up()
        self.clock.at += timedelta(hours=1)
        self.node.sweep()
        self._catch_up()

    def _catch_up(self) -> None:
        """Everybody synchronises who has something to send or to read."""
        for _all in range(2):
            for tablet in self.tablets:
                (head,) = self.node.rows("SELECT head FROM project")[0]
                if tablet.is_behind(head):
                    tablet.sync()

    def close(self) -> None:
        for tablet in self.tablets:
            tablet.stop()

    def _fill(self, rng: random.Random) -> None:
        rng.choice(self.tablets).fill(rng)

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
        self.office.release(rng)

    def _post(self, rng: random.Random) -> None:
        self.stranger.post(rng)

    def _kill_server(self, rng: random.Random) -> None:
        """It dies so many steps from now, in the middle of whatever it does then."""
        self.node.fuse.left = rng.randrange(120)
        rng.choice(self.tablets).sync()

    def _trouble(self, rng: random.Random) -> None:
        self.node.fuse.complaint = rng.choice(("database is locked", "database or disk is full"))
        self.node.fuse.trouble = rng.randrange(60)
        rng.choice(self.tablets).sync()

    def _start_server(self, _rng: random.Random) -> None:
        self.node.start()

    def _back_up(self, _rng: random.Random) -> None:
        if self.node.is_up:
            self.node.fuse.renew()
            self.node.back_up()

    def _restore(self, _rng: random.Random) -> None:
        """The server's disk is gone; what there is, is the latest backup."""
        if self.node.restore():
            self.truth.restored(self.node)

    def _sweep(self, _rng: random.Random) -> None:
        if self.node.is_up:
            self.node.sweep()

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
            self.office.revoke(rng.choice(self.tablets).device.membership().device_id)


@contextmanager
def world(seed: int) -> Iterator[World]:
    """A fresh one."""
    base = ground()
    with seeded(seed) as clock:
        node = base.node
        node.reset(base.template / "field")
        truth = Truth(base.team.project_id)
        network = Network({"field": node}, truth)
        token, device_id = base.stranger
        stranger = Stranger(token, device_id, BASE, node, network, truth, clock)
        made = World(clock, base, node, network, truth, Office(node, base.team, truth), stranger)
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
