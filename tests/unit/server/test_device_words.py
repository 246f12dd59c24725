"""What the field client tells is words, never a code."""

from __future__ import annotations

from server.commands.device_words import REASONS
from sync.verdict import Why


def test_every_reason_of_a_verdict_has_words() -> None:
    assert REASONS.keys() == {why.value for why in Why if why is not Why.NONE}
