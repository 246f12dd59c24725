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


def _type_of(name: str) -> str:
    """ODK Central's word for the kind of file."""
    guessed = (mimetypes.guess_type(name)[0] or "").partition("/")[0]
    return guessed if guessed in ("image", "audio", "video") else "file"
