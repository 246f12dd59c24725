"""A client that behaves as ODK Collect does (its OpenRosaHttpInterface, FormSource and InstanceUploader)."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests
from lxml import etree

LIST = "{http://openrosa.org/xforms/xformsList}"
MANIFEST = "{http://openrosa.org/xforms/xformsManifest}"
RESPONSE = "{http://openrosa.org/http/response}"

MOST_FILES = 101
ACCEPTED_BY_DEFAULT = 10_000_000
DEVICE_ID = "collect:8ZcqGmDHUn5hRB2p"


class NotOpenRosa(Exception):
    """Collect would say so, and show this."""


@dataclass(frozen=True, slots=True)
class Form:
    form_id: str
    name: str
    version: str
    hash: str
    download_url: str
    manifest_url: str | None


@dataclass(frozen=True, slots=True)
class Media:
    name: str
    hash: str
    download_url: str
    is_entity_list: bool
    needs_approval: bool
    integrity_url: str | None


@dataclass(slots=True)
class Collect:
    """One project in the app."""

    server_url: str
    session: requests.Session = field(default_factory=requests.Session)
    posts: list[requests.Response] = field(default_factory=list)

    @classmethod
    def scan(cls, code: str) -> Collect:
        """Set up by the text of a QR code."""
        told = json.loads(zlib.decompress(base64.b64decode(code)))
        assert {"general", "admin"} <= set(told)
        return cls(told["general"]["server_url"])

    def forms(self) -> list[Form]:
        root = self._document(f"{self.server_url}/formList", f"{LIST}xforms")
        return [self._form(entry) for entry in root.iterchildren(f"{LIST}xform")]

    def blank(self, form: Form) -> bytes:
        content = self._get(form.download_url).content
        assert form.hash == f"md5:{hashlib.md5(content).hexdigest()}", "Collect would load it again each time"
        return content

    def media(self, form: Form) -> list[Media]:
        if form.manifest_url is None:
            return []
        root = self._document(form.manifest_url, f"{MANIFEST}manifest")
        return [self._media(entry) for entry in root.iterchildren(f"{MANIFEST}mediaFile")]

    def download(self, media: Media) -> bytes:
        content = self._get(media.download_url).content
        if not media.is_entity_list:
            assert media.hash == f"md5:{hashlib.md5(content).hexdigest()}", "Collect would load it again each time"
        return content

    def deleted(self, media: Media, ids: list[str]) -> dict[str, bool]:
        answer = self._get(f"{media.integrity_url}?id={','.join(ids)}")
        assert answer.headers["X-OpenRosa-Version"] == "1.0"
        root = etree.fromstring(answer.content)
        assert root.tag == "data"
        strict = {"true": True, "false": False}
        return {one.get("id"): strict[one.findtext("deleted")] for one in root.iterfind("entities/entity")}

    def send(self, xml: bytes, files: Mapping[str, bytes] | None = None) -> str:
        """Send one finished form with its files; what the app then shows. Raises NotOpenRosa when it is not sent."""
        url = f"{self.server_url}/submission?deviceID={DEVICE_ID}"
        accepted = self._ask_leave(url)
        shown = ""
        for batch, is_last in _batches(len(xml), dict(files or {}), accepted):
            shown = self._post(url, xml, batch, is_last=is_last)
        return shown

    def _ask_leave(self, url: str) -> int:
        answer = self.session.head(url, headers=self._headers(), timeout=30)
        if answer.status_code == 401:
            raise NotOpenRosa("credentials")
        if answer.status_code == 204:
            return int(answer.headers.get("X-OpenRosa-Accept-Content-Length", ACCEPTED_BY_DEFAULT))
        if 200 <= answer.status_code < 300:
            raise NotOpenRosa("Is this an OpenRosa submission endpoint?")
        return ACCEPTED_BY_DEFAULT

    def _post(self, url: str, xml: bytes, files: Mapping[str, bytes], *, is_last: bool) -> str:
        parts: list[tuple[str, tuple[str | None, bytes, str]]] = [
            ("xml_submission_file", ("instance.xml", xml, "text/xml"))
        ]
        parts += [(name, (name, content, "image/jpeg")) for name, content in files.items()]
        if not is_last:
            parts.append(("*isIncomplete*", (None, b"yes", "text/plain")))
        answer = self.session.post(url, files=parts, headers=self._headers(), timeout=60)
        self.posts.append(answer)
        message = _message(answer)
        if answer.status_code not in (201, 202):
            raise NotOpenRosa(message or answer.reason)
        return "Success" if message == "full submission upload was successful!" else message

    def _document(self, url: str, root_tag: str) -> etree._Element:
        answer = self._get(url)
        if "text/xml" not in answer.headers.get("Content-Type", ""):
            raise NotOpenRosa(f"{url}: {answer.headers.get('Content-Type')}")
        if "X-OpenRosa-Version" not in answer.headers:
            raise NotOpenRosa(f"{url}: no version")
        root = etree.fromstring(answer.content)
        assert root.tag == root_tag
        return root

    def _get(self, url: str) -> requests.Response:
        joint = "&" if urlsplit(url).query else "?"
        answer = self.session.get(f"{url}{joint}deviceID={DEVICE_ID}", headers=self._headers(), timeout=30)
        if answer.status_code != 200:
            raise NotOpenRosa(f"{url}: {answer.status_code} {_message(answer)}")
        return answer

    def _headers(self) -> dict[str, str]:
        return {
            "X-OpenRosa-Version": "1.0",
            # Twelve hours and no AM or PM: so it does.
            "Date": time.strftime("%a, %d %b %Y %I:%M:%S GMT", time.gmtime()),
            "User-Agent": "org.odk.collect.android/v2025.3.3 Dalvik/2.1.0 (Linux; U; Android 11)",
            "Accept-Encoding": "gzip",
        }

    def _form(self, entry: etree._Element) -> Form:
        told = {etree.QName(child).localname: child.text for child in entry}
        if not (told.get("formID") and told.get("name") and told.get("downloadUrl")):
            raise NotOpenRosa("one bad entry spoils the list")
        assert str(told["hash"]).startswith("md5:")
        return Form(
            str(told["formID"]),
            str(told["name"]),
            told.get("version") or "",
            str(told["hash"]),
            str(told["downloadUrl"]),
            told.get("manifestUrl"),
        )

    def _media(self, entry: etree._Element) -> Media:
        told = {etree.QName(child).localname: child.text for child in entry}
        if not (told.get("filename") and told.get("hash") and told.get("downloadUrl")):
            raise NotOpenRosa("one bad entry spoils the manifest")
        return Media(
            str(told["filename"]),
            str(told["hash"]),
            str(told["downloadUrl"]),
            entry.get("type") in ("entityList", "approvalEntityList"),
            entry.get("type") == "approvalEntityList",
            told.get("integrityUrl"),
        )


def _batches(size: int, files: dict[str, bytes], accepted: int) -> Iterator[tuple[dict[str, bytes], bool]]:
    """Files in requests up to the advertised length; a file that is larger goes alone (OkHttpConnection)."""
    waiting = list(files.items())
    batch: dict[str, bytes] = {}
    total = size
    while waiting:
        name, content = waiting.pop(0)
        batch[name] = content
        total += len(content)
        if waiting and (total + len(waiting[0][1]) > accepted or len(batch) + 1 >= MOST_FILES):
            yield batch, False
            batch, total = {}, size
    yield batch, True


def _message(answer: requests.Response) -> str:
    if b"OpenRosaResponse" not in answer.content:
        return ""
    return etree.fromstring(answer.content).findtext(f"{RESPONSE}message") or ""
