"""The XML that ODK Collect reads: form list, manifest, integrity and the answer to a submission.

Shapes: OpenRosa Form List and Form Submission API; the integrity list is that of ODK Central, without a namespace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lxml import etree

FORM_LIST = "http://openrosa.org/xforms/xformsList"
MANIFEST = "http://openrosa.org/xforms/xformsManifest"
RESPONSE = "http://openrosa.org/http/response"

SUCCESS = "full submission upload was successful!"
"""The one message that ODK Collect shows in the reader's language (its InstanceUploadResult)."""


@dataclass(frozen=True, slots=True)
class ListedForm:
    """One form of the list; `manifest_url` is "" for a form without media."""

    form_id: str
    name: str
    version: str
    md5: str
    download_url: str
    manifest_url: str = ""


@dataclass(frozen=True, slots=True)
class MediaFile:
    """One file of a manifest; `integrity_url` only for entity lists, whose `hash` may be anything that changes."""

    name: str
    hash: str
    download_url: str
    integrity_url: str = ""
    needs_approval: bool = False


def form_list(forms: Iterable[ListedForm]) -> bytes:
    root = _root(FORM_LIST, "xforms")
    for form in forms:
        entry = _child(root, "xform")
        _child(entry, "formID", form.form_id)
        # Collect drops the whole list for one entry without a name.
        _child(entry, "name", form.name or form.form_id)
        _child(entry, "version", form.version)
        _child(entry, "hash", f"md5:{form.md5}")
        _child(entry, "downloadUrl", form.download_url)
        if form.manifest_url:
            _child(entry, "manifestUrl", form.manifest_url)
    return _written(root)


def manifest(files: Iterable[MediaFile]) -> bytes:
    root = _root(MANIFEST, "manifest")
    for file in files:
        entry = _child(root, "mediaFile")
        if file.integrity_url:
            # Of the second kind Collect adds nothing by itself: what it registers waits for an approval.
            entry.set("type", "approvalEntityList" if file.needs_approval else "entityList")
        _child(entry, "filename", file.name)
        _child(entry, "hash", f"md5:{file.hash}")
        _child(entry, "downloadUrl", file.download_url)
        if file.integrity_url:
            _child(entry, "integrityUrl", file.integrity_url)
    return _written(root)


def integrity(is_deleted: Mapping[str, bool]) -> bytes:
    """Whether each of the entities is gone. Collect accepts exactly "true" and "false", without blanks."""
    root = etree.Element("data")
    entities = etree.SubElement(root, "entities")
    for entity_id, gone in is_deleted.items():
        entity = etree.SubElement(entities, "entity", {"id": entity_id})
        etree.SubElement(entity, "deleted").text = "true" if gone else "false"
    return _written(root)


def response(message: str, *, nature: str) -> bytes:
    """`nature` is "submit_success" or "error"."""
    root = _root(RESPONSE, "OpenRosaResponse")
    root.set("items", "0")
    _child(root, "message", message).set("nature", nature)
    return _written(root)


def _root(namespace: str, name: str) -> etree._Element:
    names: dict[str | None, str] = {None: namespace}
    return etree.Element(f"{{{namespace}}}{name}", nsmap=names)  # type: ignore[arg-type]  # None: the default one


def _child(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    child = etree.SubElement(parent, f"{{{etree.QName(parent).namespace}}}{name}")
    child.text = text
    return child


def _written(root: etree._Element) -> bytes:
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))
