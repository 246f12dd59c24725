"""The tables as tables, for statements that write many rows at once without an object for each."""

from __future__ import annotations

from typing import cast

from sqlalchemy import Table

from sync import models


def table_of(model: type[models.Base]) -> Table:
    """The table that a declarative class describes."""
    return cast(Table, model.__table__)


ASSIGNMENT = table_of(models.Assignment)
BATCH = table_of(models.Batch)
COMMENT = table_of(models.Comment)
CONFLICT = table_of(models.Conflict)
DEVICE = table_of(models.Device)
ENTITY = table_of(models.Entity)
ENTITY_LIST = table_of(models.EntityList)
ENTITY_VERSION = table_of(models.EntityVersion)
FEED = table_of(models.FeedRow)
FORK = table_of(models.Fork)
FORM = table_of(models.Form)
FORM_ATTACHMENT = table_of(models.FormAttachment)
FORM_VERSION = table_of(models.FormVersion)
INBOX = table_of(models.InboxItem)
INSTALLATION = table_of(models.Installation)
OPERATION = table_of(models.Operation)
PROJECT = table_of(models.Project)
SUBMISSION = table_of(models.Submission)
SUBMISSION_ALIAS = table_of(models.SubmissionAlias)
SUBMISSION_ATTACHMENT = table_of(models.SubmissionAttachment)
SUBMISSION_FINDING = table_of(models.SubmissionFinding)
