"""Forms and their versions on the wire, as ODK Central's clients know them."""

from __future__ import annotations

import mimetypes

from marshmallow import EXCLUDE, Schema, fields, validate

from schemas.moment import Moment


class FormSchema(Schema):
    """One form, or one version of it: `hash` is the MD5 of the XForm."""

    project_number = fields.Integer(data_key="projectId")
    form_id = fields.String(data_key="xmlFormId")
    title = fields.String(data_key="name")
    version = fields.String(allow_none=True)
    md5 = fields.String(data_key="hash", allow_none=True)
    state = fields.String()
    key_id = fields.Constant(None, data_key="keyId")
    enketo_id = fields.Constant(None, data_key="enketoId")
    notices = fields.List(fields.Dict())
    """What its author should know: severity, sheet, row, column, question, message ..."""
    excel_content_type = fields.String(data_key="excelContentType", allow_none=True)
    published_at = Moment(data_key="publishedAt")
    created_at = Moment(data_key="createdAt")
    updated_at = Moment(data_key="updatedAt")


class FormChangeSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    state = fields.String(required=True, validate=validate.OneOf(("open", "closing", "closed")))


class FormUploadSchema(Schema):
    """The query of `POST .../forms`."""

    class Meta:
        unknown = EXCLUDE

    publish = fields.Boolean(load_default=False)
    ignore_warnings = fields.Boolean(load_default=False, data_key="ignoreWarnings")


class FormAttachmentSchema(Schema):
    """A file that a form names. `exists` once it was uploaded, or while an entity list stands in for it."""

    name = fields.String()
    type = fields.Function(lambda file: _type_of(file.name))
    md5 = fields.Function(lambda file: file.md5 or None, data_key="hash")
    is_filled = fields.Boolean(data_key="exists")
    has_blob = fields.Function(lambda file: file.sha256 is not None, data_key="blobExists")
    has_list = fields.Function(lambda file: bool(file.entity_list), data_key="datasetExists")


class FormChangesSchema(Schema):
    """What a draft changes; each change as the notices of a form, with the question's label."""

    old = fields.String()
    new = fields.String()
    changes = fields.List(fields.Dict())


class FormOutlookQuerySchema(Schema):
    """The query of `GET .../draft/outlook`."""

    class Meta:
        unknown = EXCLUDE

    after = fields.String(load_default="")
    limit = fields.Integer(load_default=200, validate=validate.Range(1, 1000))


class FoundAnewSchema(Schema):
    rule = fields.Function(lambda found: found.rule.value)
    severity = fields.Function(lambda found: found.severity.value)
    path = fields.String()
    value = fields.String()
    message = fields.Dict()
    is_certain = fields.Boolean(attribute="certain", data_key="certain")


class FailingSchema(Schema):
    instance_id = fields.String(data_key="instanceId")
    instance_name = fields.String(data_key="instanceName")
    version = fields.String()
    findings = fields.List(fields.Nested(FoundAnewSchema))


class FormOutlookSchema(Schema):
    """One page of records, judged by a draft; `after` continues, "" at the end."""

    total = fields.Integer()
    checked = fields.Integer()
    failing = fields.List(fields.Nested(FailingSchema))
    after = fields.String()


def _type_of(name: str) -> str:
    """ODK Central's word for the kind of file."""
    guessed = (mimetypes.guess_type(name)[0] or "").partition("/")[0]
    return guessed if guessed in ("image", "audio", "video") else "file"
