"""Mutates expressions, forms and records until the time is up; whatever leaves the engine must be a Problem.

python -m tests.fuzz --minutes 60
python -m tests.fuzz --replay form:1234
"""

from __future__ import annotations

import argparse
import faulthandler
import resource
import sys
import time
import traceback
from collections import Counter
from random import SystemRandom

from tests.fuzz.cases import KINDS, run

SLOW_S = 5
LONGEST_S = 300
"""A case that takes longer ends the process with all stacks printed: nothing may hang."""
MOST_MEMORY = 4_000_000_000


def main() -> int:
    options = _options()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    if options.replay:
        kind, _, seed = options.replay.partition(":")
        run(kind, int(seed))
        return 0
    for kind in KINDS:
        run(kind, 0)  # what is read once is read now
    start = options.seed if options.seed is not None else SystemRandom().randrange(10**9)
    print(f"from seed {start}, for {options.minutes} minutes", flush=True)
    return _fuzz(start, time.monotonic() + options.minutes * 60)


def _fuzz(seed: int, until: float) -> int:
    done: Counter[str] = Counter()
    faults: dict[str, str] = {}
    while time.monotonic() < until:
        for kind in KINDS:
            fault, place = _fault(kind, seed)
            done[kind] += 1
            if fault and place not in faults:
                faults[place] = f"{kind}:{seed}"
                print(f"\npython -m tests.fuzz --replay {kind}:{seed}\n{fault}", flush=True)
        seed += 1
    print(f"\nup to seed {seed}: " + ", ".join(f"{count:,} {kind}s" for kind, count in done.items()))
    print(f"{len(faults)} kinds of fault: {', '.join(faults.values()) or 'none'}")
    return 1 if faults else 0


def _fault(kind: str, seed: int) -> tuple[str, str]:
    """What went wrong and in which line, "" when nothing did."""
    faulthandler.dump_traceback_later(LONGEST_S, exit=True)
    begun = time.process_time()
    try:
        run(kind, seed)
    except Exception as fault:  # noqa: BLE001 - any of them is what is looked for
        last = traceback.extract_tb(fault.__traceback__)[-1]
        return traceback.format_exc(), f"{type(fault).__name__} {last.filename}:{last.lineno}"
    finally:
        faulthandler.cancel_dump_traceback_later()
        took = time.process_time() - begun
        if took > SLOW_S:
            print(f"slow: python -m tests.fuzz --replay {kind}:{seed} took {took:.0f} s of CPU", flush=True)
    return "", ""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, help="where to begin; seeds count up from here")
    parser.add_argument("--replay", metavar="KIND:SEED", help=f"one case again; kinds are {', '.join(KINDS)}")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
