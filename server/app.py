"""The application, assembled."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from config import Settings
from server import api, auth, console, headers, health, language, log, openrosa, overload, problems, tablet
from server.db import db, wrap_views
from server.services import Services, blob_store
from sync.engine import options, tune


def create_app(settings: Settings) -> Flask:
    """The WSGI application for these settings. Opens no connection and starts nothing."""
    app = Flask("server", static_folder=None)
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.url,
        SQLALCHEMY_ENGINE_OPTIONS=options(settings.url),
        MAX_CONTENT_LENGTH=settings.max_submission_bytes,
    )
    log.configure(settings)
    db.init_app(app)
    with app.app_context():
        engine = db.engine
    tune(engine)
    app.extensions["lapangan"] = Services(settings, engine, blob_store(settings))
    for part in (log, overload, auth, language, headers, problems):
        part.install(app)
    for door in (health, api, tablet, openrosa, console):
        app.register_blueprint(door.bp)
    wrap_views(app)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app
