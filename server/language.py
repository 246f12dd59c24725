"""Which language a reader gets."""

from __future__ import annotations

from flask import Flask, request
from flask_babel import Babel, get_locale

from server.auth import account

LANGUAGES = ("id", "en")


def install(app: Flask) -> None:
    """Every page in the reader's language; `get_locale` and `_` in templates."""
    app.config.update(BABEL_DEFAULT_LOCALE="en", BABEL_TRANSLATION_DIRECTORIES="translations")
    Babel(app, locale_selector=chosen)
    app.jinja_env.globals["get_locale"] = get_locale


def chosen() -> str:
    """The account's language, else the cookie's, else what the browser asks for.

    ODK Collect asks for none; whoever holds it is an enumerator in the field, and gets Indonesian."""
    person = account()
    for wanted in (person.language if person else "", request.cookies.get("language", "")):
        if wanted in LANGUAGES:
            return wanted
    if request.blueprint == "openrosa" and "Accept-Language" not in request.headers:
        return "id"
    return request.accept_languages.best_match(LANGUAGES) or "en"
