"""The tables. Importing this package registers them all on `Base.metadata`."""

from sync.models.account import Account, Login, LoginFailure
from sync.models.assignment import Assignment
from sync.models.backup import Backup, Epoch, Fork
from sync.models.base import SITE, Base
from sync.models.blob import Blob, RemovedBlob, Upload
from sync.models.device import Device, Enrolment
from sync.models.entity import Entity, EntityList, EntityVersion
from sync.models.event import Event
from sync.models.form import Form, FormAttachment, FormVersion
from sync.models.job import Indicator, JobLease, JobRun
from sync.models.operation import Batch, FeedRow, InboxItem, Operation
from sync.models.peer import Peer, RemoteName
from sync.models.project import Installation, Membership, Project
from sync.models.submission import (
    Comment,
    Conflict,
    Submission,
    SubmissionAlias,
    SubmissionAttachment,
    SubmissionFinding,
)

__all__ = [
    "SITE",
    "Account",
    "Assignment",
    "Backup",
    "Base",
    "Batch",
    "Blob",
    "Comment",
    "Conflict",
    "Device",
    "Enrolment",
    "Entity",
    "EntityList",
    "EntityVersion",
    "Epoch",
    "Event",
    "FeedRow",
    "Fork",
    "Form",
    "FormAttachment",
    "FormVersion",
    "InboxItem",
    "Indicator",
    "Installation",
    "JobLease",
    "JobRun",
    "Login",
    "LoginFailure",
    "Membership",
    "Operation",
    "Peer",
    "Project",
    "RemoteName",
    "RemovedBlob",
    "Submission",
    "SubmissionAlias",
    "SubmissionAttachment",
    "SubmissionFinding",
    "Upload",
]
