"""The addresses under which this server is reached."""

from __future__ import annotations

from urllib.parse import quote

from flask import request

from server.services import services


def base_url() -> str:
    """The configured address, else the one that this request was sent to; without a slash at the end."""
    return services().settings.base_url or request.url_root.rstrip("/")


def project_url(number: int, token: str = "") -> str:
    """Of the project's resources, for the holder of this app-user token ("" for everybody else)."""
    key = f"/key/{quote(token, safe='')}" if token else ""
    return f"{base_url()}/v1{key}/projects/{number}"
