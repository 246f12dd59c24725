"""Three enumerators, each with a device folder, work through the synthetic day and come back to the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from forms.library.picture import picture
from forms.library.profile import cast
from forms.library.sample import FieldworkDay, Kind, Visit
from sync.device import FieldDevice, OwnRecord, Progress, Stage, Work

REGISTRATION = "pendaftaran"

Tell: TypeAlias = Callable[[str, int], None]
"""What is being done, and how many steps of work it was."""


class LineDropped(Exception):
    """The network went away after the server had taken a batch and before the device had its receipt."""


@dataclass(slots=True)
class Tablet:
    """One enumerator's device, and what the server said to it over the day."""

    index: int
    folder: Path
    sent: int = 0
    duplicates: int = 0
    photo_bytes: int = 0

    @property
    def enumerator(self) -> str:
        return cast().enumerators[self.index].name

    def opened(self, watch: Callable[[Progress], None]) -> FieldDevice:
        return FieldDevice(self.folder, watch=watch, user=cast().enumerators[self.index].username)

    def sync(self, *, drops_line: bool = False) -> None:
        """Everything is sent. With `drops_line` the first answer gets lost on its way, and the batch is sent again."""
        line = _Line(drops_line)
        with self.opened(line.watch) as device:
            try:
                synced = device.sync()
            except LineDropped:
                synced = device.sync()
            self.sent += len(synced.pushed.items)
            self.duplicates += synced.pushed.count("duplicate")
            self.photo_bytes += synced.uploaded.size

    def move(self, url: str) -> None:
        """The same server as before, perhaps on another port."""
        with self.opened(_quiet) as device:
            device.store.keep_setting("base", url)

    def receipts(self) -> list[OwnRecord]:
        """What the server said about each record."""
        with self.opened(_quiet) as device:
            return device.receipts()

    def device_id(self) -> str:
        with self.opened(_quiet) as device:
            return device.membership().device_id


@dataclass(slots=True)
class _Line:
    drops: bool

    def watch(self, progress: Progress) -> None:
        if self.drops and progress.stage is Stage.PUSH_ANSWERED:
            self.drops = False
            raise LineDropped


@dataclass(frozen=True, slots=True)
class Play:
    """The day, the devices, and where the server is."""

    day: FieldworkDay
    tablets: Sequence[Tablet]
    url: str
    tell: Tell

    @property
    def steps(self) -> int:
        """Units of work, for a progress bar: a record made and a record sent."""
        return 2 * len(self.day.visits)

    def enrol(self, codes: Mapping[int, str]) -> None:
        """The devices belong to the project and have its forms. Those without a code do already."""
        for tablet in self.tablets:
            with tablet.opened(_quiet) as device:
                if tablet.index in codes:
                    device.enrol(codes[tablet.index], self.url)
                else:
                    device.store.keep_setting("base", self.url)
                device.pull()

    def morning(self) -> None:
        """The informants are registered, and every device learns of those that the others have met."""
        self._collect(visit for visit in self.day.visits if visit.form_id == REGISTRATION)
        self._send(self.tablets)
        self._pull()

    def afternoon(self) -> None:
        """Everything else, without network; some of it on the form version that was current in the morning."""
        self._pull()
        self._collect(visit for visit in self.day.visits if visit.form_id != REGISTRATION)

    def evening(self) -> None:
        """Back at the network: one device after the other sends; the second one's line drops in the middle."""
        self._send(self.tablets, dropping=1)

    def night(self) -> None:
        """What the supervisor sent back reaches the devices."""
        for tablet in self.tablets:
            tablet.sync()

    def _collect(self, visits: Iterable[Visit]) -> None:
        made = list(visits)
        for tablet in self.tablets:
            with tablet.opened(_quiet) as device:
                known = {record.instance_id for record in device.receipts()}
                for visit in (visit for visit in made if visit.device == tablet.index):
                    if visit.instance_id not in known:
                        _fill_in(device, visit)
                    self.tell(f"{tablet.enumerator}: {visit.form_id} {visit.informant}", 1)

    def _send(self, tablets: Sequence[Tablet], *, dropping: int = -1) -> None:
        for tablet in tablets:
            before = tablet.sent
            tablet.sync(drops_line=tablet.index == dropping)
            self.tell(f"{tablet.enumerator}: sync", tablet.sent - before)

    def _pull(self) -> None:
        for tablet in self.tablets:
            with tablet.opened(_quiet) as device:
                device.pull()


def tablets(folder: Path) -> list[Tablet]:
    """One for each enumerator, in folders of their own."""
    return [Tablet(index, folder / f"device-{index + 1}") for index in range(len(cast().enumerators))]


def unenrolled(found: Iterable[Tablet]) -> Iterator[Tablet]:
    """Those that still need a code."""
    for tablet in found:
        with tablet.opened(_quiet) as device:
            if not device.store.setting("token"):
                yield tablet


def _fill_in(device: FieldDevice, visit: Visit) -> None:
    photos: dict[str, bytes | Path] = {photo.name: picture(photo) for photo in visit.photos}
    work = Work(
        version=visit.version,
        instance_id=visit.instance_id,
        entity_id=visit.creates_entity,
        started_at=visit.started_at,
        ended_at=visit.ended_at,
        as_is=visit.kind is Kind.BREAKS_A_CONSTRAINT,
    )
    device.add(visit.form_id, visit.answers, photos, work)


def _quiet(_progress: Progress) -> None:
    """The demonstration shows its own progress."""
