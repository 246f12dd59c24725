"""Security headers on every response; a view that needs another value sets it itself."""

from __future__ import annotations

from flask import Flask, Response, request

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

ALWAYS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Answers about people stay out of shared caches and off the disk of a borrowed laptop.
    "Cache-Control": "no-store",
}
SECURE = ALWAYS | {"Strict-Transport-Security": "max-age=31536000"}


def install(app: Flask) -> None:
    app.after_request(_add)


def _add(response: Response) -> Response:
    own = {name.lower() for name, _value in response.headers}
    for name, value in (SECURE if request.is_secure else ALWAYS).items():
        if name.lower() not in own:
            response.headers.add(name, value)
    return response
