"""Why the field client cannot go on."""

from __future__ import annotations

from forms.errors import Kind, Problem
from forms.finding import Finding


class NotEnrolled(Problem):
    """This device is not connected to a project yet. Ask the supervisor for a code, then run: lapangan device enrol"""

    kind = Kind.UNAUTHENTICATED
    slug = "device/not-enrolled"


class AlreadyEnrolled(Problem):
    """This device folder already belongs to a project. Use another folder for another project (--folder)."""

    kind = Kind.CONFLICT
    slug = "device/already-enrolled"


class OtherProject(Problem):
    """That code is for another project, where what waits here does not belong. Ask the supervisor for one of this
    project, or use another folder for the other (--folder)."""

    kind = Kind.CONFLICT
    slug = "device/other-project"


class OtherServer(Problem):
    """That is not the server that this device belongs to. Look at the address again; if the server was set up anew, ask
    the supervisor for a code, then run: lapangan device enrol --again CODE"""

    kind = Kind.CONFLICT
    slug = "device/other-server"


class NotAnEnrolment(Problem):
    """This is neither an address nor a code with a server. Copy the whole address that the supervisor shows."""

    slug = "device/not-an-enrolment"


class ServerUnreachable(Problem):
    """The server cannot be reached. Nothing is lost: what it has not got waits here. Try again later."""

    kind = Kind.UNAVAILABLE
    slug = "device/server-unreachable"


class UntrustedServer(ServerUnreachable):
    """The server cannot prove that it is the right one, so nothing was sent; all of it waits here. See whether day and
    time are right here; if they are, its certificate is at fault: tell whoever runs that server."""

    slug = "device/untrusted-server"


class ServerRefused(Problem):
    """The server did not accept this. Nothing is lost: what it has not got waits here."""

    slug = "device/server-refused"


class DeviceFull(Problem):
    """There is no room left on this device. What was kept before is safe: make room, then do this once more."""

    kind = Kind.FULL
    slug = "device/full"


class NewerServer(Problem):
    """The server is newer than this program. Nothing is lost; update this program, then send again."""

    kind = Kind.UNSUPPORTED
    slug = "device/newer-server"


class ShutOut(ServerRefused):
    """This device's access was taken back. What it has sent is safe with the supervisor; ask there for a new code,
    then run: lapangan device enrol --again CODE"""

    kind = Kind.FORBIDDEN
    slug = "device/shut-out"


class AccessEnded(Problem):
    """The server no longer knows this device. Keep this folder as it is and ask the supervisor for a new code, then
    run: lapangan device enrol --again CODE"""

    kind = Kind.UNAUTHENTICATED
    slug = "device/access-ended"


class FormNotHere(Problem):
    """This form, or this version of it, is not on this device. While there is network, run: lapangan device pull"""

    kind = Kind.NOT_FOUND
    slug = "device/form-not-here"


class FormEnded(FormNotHere):
    """Nothing new is collected with this form: the supervisor has closed it. If that is a mistake, ask the supervisor
    to open it again, then run: lapangan device pull"""

    kind = Kind.CONFLICT
    slug = "device/form-ended"


class RecordNotHere(Problem):
    """There is no such record on this device. See what came back with: lapangan device inbox"""

    kind = Kind.NOT_FOUND
    slug = "device/record-not-here"


class FileNotHere(Problem):
    """An answer names a photo or another file that is not there. Put it into the media folder (--media)."""

    kind = Kind.NOT_FOUND
    slug = "device/file-not-here"


class AssignmentNotHere(Problem):
    """There is no such assignment on this device, or more than one begins so. See: lapangan device assignments"""

    kind = Kind.NOT_FOUND
    slug = "device/assignment-not-here"


class OtherForm(Problem):
    """That assignment is done with another form. Use the one that is named."""

    slug = "device/other-form"


class SealedForm(Problem):
    """The answers to this form must be sealed with its public key, which this device cannot do. Use ODK Collect."""

    kind = Kind.UNSUPPORTED
    slug = "device/sealed-form"


class SyncRunning(Problem):
    """This device is already sending in another window. Wait until that has finished."""

    kind = Kind.BUSY
    slug = "device/sync-running"


class UnreadableAnswers(Problem):
    """This file of answers cannot be read. Correct what is named and try again."""

    slug = "device/unreadable-answers"


class NotAnswers(Problem):
    """The form has no such questions, or what is given is not text. Name each answer as the form names its question."""

    slug = "device/not-answers"


class BreaksRules(Problem):
    """These answers break rules of the form. Correct them, or keep them as they are with --as-is."""

    slug = "device/breaks-rules"

    def __init__(self, detail: str, findings: tuple[Finding, ...]) -> None:
        super().__init__(detail)
        self.findings = findings
