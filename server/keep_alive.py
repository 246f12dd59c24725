"""Connections that stay open after an answer without a body.

waitress closes a connection after every answer that says no Content-Length, also after a 204, which must not say one
and ends with its headers (RFC 9112, section 6.3). tus answers every piece of a file with a 204: each would need a new
connection, which on a slow line takes longer than a piece."""

from __future__ import annotations

from waitress.channel import HTTPChannel
from waitress.task import WSGITask


class Task(WSGITask):  # type: ignore[misc]  # waitress comes without types
    """One request and its answer."""

    def set_close_on_finish(self) -> None:
        """The connection ends after this answer, unless that was only for want of a length that it cannot have."""
        if not self._ends_by_itself():
            super().set_close_on_finish()

    def _ends_by_itself(self) -> bool:
        asks_to_close = self.request.headers.get("CONNECTION", "").lower() == "close"
        return self.version == "1.1" and not (asks_to_close or self.has_body or self.wrote_header)


class Channel(HTTPChannel):  # type: ignore[misc]  # likewise
    """One connection."""

    task_class = Task
