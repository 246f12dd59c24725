"""One rule of the form about one node: what a finding about it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from forms.definition import Path, Text
from forms.finding import Rule
from forms.program.layout import Place


@dataclass(frozen=True, slots=True, eq=False)
class Spec:
    """`certain` is what the form's own text allows; the check lowers it for edited records and living lists."""

    rule: Rule
    place: Place
    suffix: str
    """The path within the frame."""
    certain: bool = True
    message: Text = field(default_factory=dict)
    readings: int = 1
    """How many readings of the rule there are; only when all fail is a finding certain."""
    lists: frozenset[str] = frozenset()
    """External lists that the verdict depends on."""
    reads: frozenset[Path] = frozenset()
    """Every node that the verdict depends on, through calculations and relevance as well."""
    around: frozenset[tuple[Path, int]] = frozenset()
    """Those of `reads` that are read in other occurrences of their repeats, too: as `forms.program.order.Doubt`."""
    is_timed: bool = False
    """Computed at both ends of the interview."""
    tolerance: float = 1e-9
    """How far a number may lie from what is computed."""
    is_bare: bool = False
    """It concerns the answer alone: editing the record later does not make it doubtful."""
    params: Mapping[str, str] = field(default_factory=dict)


def suffix(path: Path, frame: Path) -> str:
    return "/".join(path[len(frame) :])
