"""The Python field client: collect without network, send when there is some, and know what arrived."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from forms.definition import Answers
from forms.finding import Finding
from forms.flat import flatten, unflatten
from sync.device import assignments, enrolment, fill_in
from sync.device.assignments import Assigned
from sync.device.enrolment import Membership
from sync.device.errors import AlreadyEnrolled, NotEnrolled, RecordNotHere
from sync.device.fill_in import Author, Filled, Work
from sync.device.inbox import Inbox, Received
from sync.device.library import FormHere, Library
from sync.device.link import Link
from sync.device.media import MediaFolder
from sync.device.outbox import Draft, Outbox, OwnRecord, Status
from sync.device.progress import Progress, Stage, Watch, unwatched
from sync.device.pull import Pulled, Puller
from sync.device.push import Pushed, push
from sync.device.store import Store
from sync.device.upload import Uploaded, Uploader
from sync.identity import origin


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Added:
    """A record that is safe on this device."""

    op_id: str
    instance_id: str
    instance_name: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Synced:
    """What one sync did."""

    pushed: Pushed
    uploaded: Uploaded
    pulled: Pulled
    status: Status


@dataclass(slots=True)
class FieldDevice:
    """One device folder: its forms, its outbox, its inbox. Use it in one thread, and close it."""

    folder: Path
    watch: Watch = unwatched
    clock: Callable[[], datetime] = _now
    user: str = ""
    connect: Callable[..., Link] = Link
    store: Store = field(init=False)
    outbox: Outbox = field(init=False)
    inbox: Inbox = field(init=False)
    library: Library = field(init=False)
    media: MediaFolder = field(init=False)
    _origin: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.store = Store(self.folder)
        self.outbox, self.inbox = Outbox(self.store), Inbox(self.store)
        self.library = Library(self.inbox)
        self.media = MediaFolder(self.folder / "media")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self.store.close()

    def membership(self) -> Membership:
        """Where this device belongs. Refuses NotEnrolled."""
        found = enrolment.membership(self.store)
        if found is None:
            raise NotEnrolled
        return found

    def enrol(self, url_or_code: str, server: str = "", *, again: bool = False) -> Membership:
        """The folder belongs to the code's project from now on. Refuses AlreadyEnrolled, NotAnEnrolment, OtherProject,
        and what the server refuses. `again` renews the token of a folder whose device the server no longer knows."""
        known = enrolment.membership(self.store)
        if known is not None and not again:
            raise AlreadyEnrolled(known.project_name)
        wanted = enrolment.enrolment(url_or_code, server or (known.base if known else ""))
        link = self.connect(wanted.base, watch=self.watch)
        try:
            return enrolment.enrol(self.store, wanted, link)
        finally:
            link.close()

    def move(self, address: str) -> Membership:
        """The server has another address now, and is still the one that knows this device.

        Refuses NotEnrolled, NotAnEnrolment, OtherServer, ServerUnreachable; then nothing has changed."""
        with self.store.only_one():
            return enrolment.move(self.store, address, partial(self.connect, watch=self.watch))

    def forms(self) -> list[FormHere]:
        return self.library.forms()

    def fill(self, form_id: str, answers: Answers, media: Mapping[str, bytes | Path], work: Work) -> Filled:
        """The record as it would be sent, with what the server would say about it. Nothing is kept."""
        compiled = self.library.compiled(form_id, work.version)
        author = Author(self.membership().device_id, self.user)
        lists = self.library.lists(compiled.definition)
        seen, now = self.inbox.seen_of, self.clock()
        return fill_in.fill_in(compiled, answers, frozenset(media), lists, author, work, seen=seen, now=now)

    def add(
        self, form_id: str, answers: Answers, media: Mapping[str, bytes | Path] | None = None, work: Work | None = None
    ) -> Added:
        """The record is complete, checked and safe in the outbox, with its files. Needs no network.

        Refuses FormNotHere, NotAnswers, FileNotHere, and BreaksRules unless `work.as_is`."""
        work = work or Work()
        files = dict(media or {})
        fill_in.require_answers(self.library.compiled(form_id, work.version).definition, answers)
        filled = self.fill(form_id, answers, files, work)
        fill_in.require_kept_rules(filled, as_is=work.as_is)
        return self._keep(filled, filled.draft(), {name: files[name] for name in filled.file_names})

    def correct(
        self,
        instance_id: str,
        answers: Answers,
        media: Mapping[str, bytes | Path] | None = None,
        work: Work | None = None,
    ) -> Added:
        """A record that came back is changed: `answers` replace those of the same questions; it waits in the outbox.

        Refuses RecordNotHere and all that `add` refuses."""
        received = self.received(instance_id)
        work = replace(work or Work(), version=received.version, deprecated_id=received.latest_id, is_edited=True)
        files = dict(media or {})
        fill_in.require_answers(self.library.compiled(received.form_id, received.version).definition, answers)
        whole = fill_in.overlay(dict(received.answers), answers)
        known = dict.fromkeys(received.file_names, b"")
        filled = self.fill(received.form_id, whole, {**known, **files}, work)
        fill_in.require_kept_rules(filled, as_is=work.as_is)
        seen = {**received.vector, **self.outbox.vector(instance_id)}
        draft = filled.correction(received.instance_id, received.answers, seen)
        return self._keep(filled, draft, {name: files[name] for name in filled.file_names if name in files})

    def sync(self) -> Synced:
        """Everything here is on the server, and everything new there is here. Refuses ServerUnreachable, SyncRunning.

        Text goes first, then files, then the feed is read. Wherever it stops, the next run goes on from there."""
        with self.store.only_one():
            link = self._link()
            try:
                return self._sync(link)
            finally:
                link.close()

    def pull(self) -> Pulled:
        """The forms, lists and returned records are those of the server; nothing is sent."""
        with self.store.only_one():
            link = self._link()
            try:
                return self._puller(link).run()
            finally:
                link.close()

    def status(self) -> Status:
        to_do = [one for one in self.assignments() if not one.is_done]
        return replace(
            self.outbox.status(),
            returned=sum(1 for one in self.inbox.received() if one.is_returned),
            to_do=len(to_do),
            overdue=sum(1 for one in to_do if one.is_overdue(self._today())),
        )

    def assignments(self) -> list[Assigned]:
        """What the person with this device is to do, overdue ones first; records on their way count."""
        return assignments.assigned(self.library, self._today())

    def answers_for(self, assignment_id: str, form_id: str, answers: Answers, version: str = "") -> Answers:
        """The answers, with whom the assignment is about filled in where the form asks for it.

        Refuses AssignmentNotHere, OtherForm, FormNotHere."""
        one = assignments.named(self.assignments(), assignment_id)
        return assignments.answers_for(self.library, one, form_id, answers, version)

    def receipts(self) -> list[OwnRecord]:
        """What this device made and what the server said about each, the newest first."""
        return self.outbox.records()

    def returned(self) -> list[Received]:
        """The records that wait for a correction, with the supervisor's remarks."""
        return [one for one in self.inbox.received() if one.is_returned]

    def received(self, instance_id: str) -> Received:
        """A record as the server showed it last, with own work laid over it that the server had not seen.

        Refuses RecordNotHere."""
        found = self.inbox.one(instance_id)
        if found is None:
            raise RecordNotHere(instance_id)
        own = self.outbox.unseen_changes(instance_id, found.vector)
        if not own:
            return found
        definition = self.library.compiled(found.form_id, found.version).definition
        return replace(found, answers=unflatten(definition, flatten(definition, dict(found.answers)) | own))

    def _keep(self, filled: Filled, draft: Draft, files: Mapping[str, bytes | Path]) -> Added:
        kept = []
        for index, (name, content) in enumerate(files.items()):
            self.watch(Progress(Stage.KEEP_MEDIA, index, len(files), name))
            kept.append(self.media.keep(name, content))
        self.watch(Progress(Stage.KEEP_RECORD, about=filled.instance_name))
        op_id = self.outbox.add(
            replace(draft, attachments=kept), origin=self._own_origin(), user=self.user, now=self.clock()
        )
        self.watch(Progress(Stage.RECORD_KEPT, about=filled.instance_name))
        return Added(op_id, draft.record_id, filled.instance_name, filled.findings)

    def _release(self, pulled: Pulled) -> None:
        """What the server can never lose again need not stay here."""
        self.outbox.files_held(pulled.head)
        for sha256 in self.outbox.release(pulled.durable_seq, pulled.durable_by):
            if self.media.path(sha256).exists():
                self.watch(Progress(Stage.FORGET_FILE, about=sha256))
                self.media.forget(sha256)

    def _own_origin(self) -> str:
        """New at every start of the program: a copy of this folder elsewhere can never reuse a number."""
        if not self._origin:
            self._origin = origin(self.membership().device_id)
        return self._origin

    def _today(self) -> date:
        return self.clock().astimezone().date()

    def _link(self) -> Link:
        member = self.membership()
        return self.connect(member.base, token=self.store.setting("token"), watch=self.watch)

    def _project_path(self) -> str:
        return f"/v1/projects/{self.membership().project_number}"

    def _puller(self, link: Link) -> Puller:
        return Puller(self.inbox, self.outbox, link, self._project_path(), self.watch, self.clock)

    def _sync(self, link: Link) -> Synced:
        sync_path = f"{self._project_path()}/sync"
        send = partial(push, self.outbox, link, f"{sync_path}/push", watch=self.watch, clock=self.clock)
        self.outbox.offer_again()
        pushed = send()
        uploader = Uploader(self.outbox, self.media, link, sync_path, self.watch)
        uploaded = uploader.run()
        pulled = self._puller(link).run()
        is_restored = self.outbox.waiting() > 0
        if is_restored:
            # The server came back from a backup, and lacks what it had acknowledged.
            pushed.add(send())
        if is_restored or pulled.needed:
            uploaded.add(uploader.run())
        self._release(pulled)
        self.watch(Progress(Stage.FINISHED))
        return Synced(pushed, uploaded, pulled, self.status())
