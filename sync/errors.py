"""The refusals of what is kept: things that are not there, and changes that cannot be made."""

from __future__ import annotations

from forms.errors import Kind, Problem


class NoSuchForm(Problem):
    """There is no such form in this project. Check its form ID, or publish it first."""

    kind = Kind.NOT_FOUND
    slug = "form/not-found"


class NoSuchVersion(Problem):
    """There is no such version of this form. Look at the list of its versions."""

    kind = Kind.NOT_FOUND
    slug = "form/no-such-version"


class NothingToPublish(Problem):
    """This form has no draft. Upload its new version first, then publish it."""

    kind = Kind.CONFLICT
    slug = "form/nothing-to-publish"


class VersionTaken(Problem):
    """This version of the form is already published with other content. Write a new version in the settings sheet."""

    kind = Kind.CONFLICT
    slug = "form/version-taken"


class FormClosed(Problem):
    """This form is closed and takes no more submissions. Ask the project's manager to open it again."""

    kind = Kind.CONFLICT
    slug = "form/closed"


class NameTooLong(Problem):
    """A form ID, version or file name is longer than 255 characters. Shorten it in the settings sheet."""

    slug = "form/name-too-long"


class NoSuchSubmission(Problem):
    """There is no such submission in this project. It may have been deleted, or not have arrived yet."""

    kind = Kind.NOT_FOUND
    slug = "submission/not-found"


class NoSuchAttachment(Problem):
    """There is no such file here, or it has not arrived yet. Synchronise the device that took it."""

    kind = Kind.NOT_FOUND
    slug = "attachment/not-found"


class FileRemoved(Problem):
    """This file was deleted because its time was over, as the administrator has set it. The record itself is kept."""

    kind = Kind.GONE
    slug = "attachment/removed"


class NoSuchDevice(Problem):
    """There is no such device in this project. Load the list of devices again."""

    kind = Kind.NOT_FOUND
    slug = "device/not-found"


class NoSuchList(Problem):
    """There is no such entity list in this project. Publish the form that declares it first."""

    kind = Kind.NOT_FOUND
    slug = "entity/no-such-list"


class NoSuchEntity(Problem):
    """There is no such entity in this list. It may have been deleted, or not have arrived yet."""

    kind = Kind.NOT_FOUND
    slug = "entity/not-found"


class NoSuchProperty(Problem):
    """This list has no such property. Correct the name, or add the property to the list first."""

    slug = "entity/no-such-property"


class NoSuchFinding(Problem):
    """This finding no longer stands: the record has been checked again since. Load the record again."""

    kind = Kind.NOT_FOUND
    slug = "finding/not-found"


class NoSuchConflict(Problem):
    """This conflict is no longer open. Somebody has settled it; load the record again."""

    kind = Kind.NOT_FOUND
    slug = "conflict/not-found"


class StaleEdit(Problem):
    """Somebody changed this after you had loaded it. Load it again and repeat what you did."""

    kind = Kind.CONFLICT
    slug = "record/stale-edit"


class NoSuchMove(Problem):
    """A review cannot go from its present state to that one. Load the record again and look at its state."""

    kind = Kind.CONFLICT
    slug = "submission/no-such-move"


class NoReason(Problem):
    """A reason is needed here. Write in a few words why, for those who will ask later."""

    slug = "review/no-reason"


class BadDeviceProperty(Problem):
    """A property of a device has a name of letters, digits, - and _, and a value of at most 1,000 characters."""

    slug = "device/bad-property"


class BadCode(Problem):
    """This code is wrong, has been used, or is too old. Ask the project's manager for a new one."""

    kind = Kind.FORBIDDEN
    slug = "device/bad-code"


class HashMismatch(Problem):
    """The file that arrived is not the one that was announced. Send it again from the start."""

    slug = "attachment/hash-mismatch"


class WrongOffset(Problem):
    """The upload has got to another point than that. Ask for its offset and go on from there."""

    kind = Kind.CONFLICT
    slug = "attachment/wrong-offset"


class BlobTooLarge(Problem):
    """This file is larger than the server accepts. Take the picture or recording again in a smaller size."""

    kind = Kind.TOO_LARGE
    slug = "attachment/too-large"


class StorageFull(Problem):
    """The server's disk is full. Nothing was changed; keep your data and tell the administrator."""

    kind = Kind.FULL
    slug = "attachment/storage-full"


class BucketUnreachable(Problem):
    """The place where attachments are kept cannot be reached. Nothing is lost: the device sends them again later."""

    kind = Kind.UNAVAILABLE
    slug = "attachment/bucket-unreachable"


class BadName(Problem):
    """This is not the SHA-256 of a file: it needs 64 digits from 0 to 9 and a to f."""

    slug = "attachment/bad-name"


class Overloaded(Problem):
    """The server is busy. Nothing was changed; try again in a minute."""

    kind = Kind.UNAVAILABLE
    slug = "server/overloaded"


class TakesNoChanges(Problem):
    """The server's database takes no changes now. Nothing was changed; keep your data and tell the administrator."""

    kind = Kind.UNAVAILABLE
    slug = "server/takes-no-changes"


class AccessTakenBack(Problem):
    """This device's access was taken back. What it has sent is safe with the supervisor; ask there for a new code."""

    kind = Kind.FORBIDDEN
    slug = "device/revoked"


class NotNamed(Problem):
    """This device's access was taken back, and none of its work here names this file. Keep it; ask the supervisor."""

    kind = Kind.FORBIDDEN
    slug = "device/file-not-named"


class NoMoreFiles(Problem):
    """This device's access was taken back, and its files fill their room here. Keep them; ask the supervisor."""

    kind = Kind.FORBIDDEN
    slug = "device/no-more-files"
