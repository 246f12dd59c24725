"""Somebody who reads pages and sends their forms, without a browser."""

from __future__ import annotations

import re
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import PASSWORD


class Reader:
    """Logs in, reads pages, and sends their forms with the token that the page carries."""

    def __init__(self, client: FlaskClient, language: str = "en") -> None:
        self.client = client
        self.headers = {"Accept-Language": language}

    def log_in(self, name: str) -> Reader:
        self.client.delete_cookie("lapangan")
        answer = self.client.post("/login", data={"email": f"{name}@example.org", "password": PASSWORD})
        assert answer.status_code == 303
        return self

    def get(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path, headers=self.headers)
        assert answer.status_code == status, answer.text[:2000]
        return answer.text

    def send(self, path: str, /, page: str = "/projects/1/forms", **fields: Any) -> TestResponse:
        """POST with the CSRF token of a page."""
        csrf = re.search(r'name="csrf" value="([^"]+)"', self.get(page))
        assert csrf is not None
        return self.client.post(path, data={"csrf": csrf[1], **fields}, headers=self.headers)

    def follow(self, answer: TestResponse) -> str:
        assert answer.status_code == 303, answer.text[:2000]
        return self.get(answer.headers["Location"].partition("#")[0])
