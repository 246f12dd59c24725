"""The Python field client: an offline outbox and inbox in one folder, over requests."""

from sync.device.answer_file import read_answers_file
from sync.device.assignments import Assigned
from sync.device.enrolment import Membership
from sync.device.field_device import Added, FieldDevice, Synced
from sync.device.fill_in import Filled, Work
from sync.device.inbox import Received, Remark
from sync.device.library import FormHere
from sync.device.outbox import OwnRecord, Status
from sync.device.progress import Progress, Stage, Watch
from sync.device.pull import Pulled
from sync.device.push import Pushed

__all__ = [
    "Added",
    "Assigned",
    "FieldDevice",
    "Filled",
    "FormHere",
    "Membership",
    "OwnRecord",
    "Progress",
    "Pulled",
    "Pushed",
    "Received",
    "Remark",
    "Stage",
    "Status",
    "Synced",
    "Watch",
    "Work",
    "read_answers_file",
]
