"""Look for differences for as long as there is time: `python -m tests.differential --seconds 600 --seed 1`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from itertools import count
from random import Random

from tests.differential.compare import Difference, Trial, differences
from tests.differential.explained import unexplained
from tests.differential.node import NotHere, engine
from tests.differential.samples import samples

ROUND = 20
"""Seeds after which the engine starts anew: it keeps every record that it has seen."""


def main() -> int:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--seconds", type=float, default=60)
    reader.add_argument("--seed", type=int, default=1000, help="The first one; each further seed gives other records.")
    asked = reader.parse_args()
    try:
        found, tried = look(asked.seconds, asked.seed)
    except NotHere as error:
        print(error)
        return 2
    for place, times in Counter((one.form, one.path, one.aspect, one.rule) for one in found).most_common():
        example = next(one.example for one in found if (one.form, one.path, one.aspect, one.rule) == place)
        print(f"{times:5} x {' '.join(place)}: {example}")
    print(f"{tried} records, {len(found)} differences without a reason")
    return 1 if found else 0


def look(seconds: float, first: int) -> tuple[list[Difference], int]:
    """Unexplained differences, and how many records were tried."""
    trials = [Trial.of(sample) for sample in samples()]
    found: list[Difference] = []
    tried, end = 0, time.monotonic() + seconds
    for start in count(first, ROUND):
        with engine("web_forms.mjs") as web_forms:
            for trial in trials:
                for seed in range(start, start + ROUND):
                    for record in trial.records(Random(seed)):
                        found += unexplained(differences(web_forms, trial, record))
                        tried += 1
                        if time.monotonic() > end:
                            return found, tried
    raise AssertionError("seeds do not end")


sys.exit(main())
