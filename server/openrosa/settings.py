"""The settings that ODK Collect takes from a QR code (its client-settings.schema.json)."""

from __future__ import annotations

import base64
import io
import json
import zlib

import segno

ICON, COLOR = "P", "#3e9fcc"


def collect_settings(*, server_url: str, project_name: str, username: str = "", language: str = "id") -> str:
    """The text of the QR code: base64 of the deflated JSON.

    Batch fieldwork: forms follow the server exactly, and the enumerator sends after work, never by itself."""
    general = {
        "server_url": server_url,
        "form_update_mode": "match_exactly",
        "autosend": "off",
        # Collect's list of languages still has Java's old code for Indonesian (its LocaleHelper).
        "app_language": "in" if language == "id" else language,
        "image_size": "medium",
        "constraint_behavior": "on_swipe",
        "delete_send": False,
    }
    if username:
        general["metadata_username"] = username
    project = {"name": project_name, "icon": project_name[:1].upper() or ICON, "color": COLOR}
    told = {"general": general, "project": project, "admin": {}}
    return base64.b64encode(zlib.compress(json.dumps(told, separators=(",", ":")).encode())).decode()


def qr_svg(text: str, *, is_fluid: bool = False) -> str:
    """The text as an SVG picture to put into a page: black on white, error correction L as for all app users.

    A fluid one has no size of its own and fills what it stands in."""
    out = io.BytesIO()
    segno.make(text, error="l", micro=False).save(
        out, kind="svg", scale=3, border=4, light="#fff", xmldecl=False, omitsize=is_fluid
    )
    return out.getvalue().decode()
