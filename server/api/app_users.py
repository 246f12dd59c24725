"""App users: the devices that run ODK Collect."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from schemas.account import AppUserSchema, NewAppUserSchema
from server.api.blueprint import body, bp, done, shown
from server.auth import actor
from server.clock import now
from server.db import session
from server.projects import project
from sync import access, devices
