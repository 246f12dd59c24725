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

LONGEST_S = 60
"""A case that takes longer ends the process with all stacks printed: nothing may hang."""
MOST_MEMORY = 4_000_000_000


def main() -> int:
    options = _options()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    if options.replay:
        kind, _, seed = options.replay.partition(":")
        run(kind, int(seed))
        return 0
    start = options.seed if options.seed is not None else SystemRandom().randrange(10**9)
    print(f"from seed {start}, for {options.minutes} minutes", flush=True)
    return _fuzz(start, time.monotonic() + options.minutes * 60)


def _fuzz(seed: int, until: float) -> int:
    done: Counter[str] = Counter()
    faults: dict[str, str] = {}
    while time.monotonic() < until:
        for kind in KINDS:
            fault = _fault(kind, seed)
            done[kind] += 1
            if fault and fault.splitlines()[-1] + fault.splitlines()[-3] not in faults:
                faults[fault.splitlines()[-1] + fault.splitlines()[-3]] = f"{kind}:{seed}"
                print(f"\npython -m tests.fuzz --replay {kind}:{seed}\n{fault}", flush=True)
        seed += 1
    print(f"\nup to seed {seed}: " + ", ".join(f"{count:,} {kind}s" for kind, count in done.items()))
    print(f"{len(faults)} kinds of fault: {', '.join(faults.values()) or 'none'}")
    return 1 if faults else 0


def _fault(kind: str, seed: int) -> str:
    """What went wrong, "" when nothing did."""
    faulthandler.dump_traceback_later(LONGEST_S, exit=True)
    begun = time.monotonic()
    try:
        run(kind, seed)
    except Exception:  # noqa: BLE001 - any of them is what is looked for
        return traceback.format_exc()
    finally:
        faulthandler.cancel_dump_traceback_later()
        if time.monotonic() - begun > LONGEST_S / 6:
            print(
                f"slow: python -m tests.fuzz --replay {kind}:{seed} took {time.monotonic() - begun:.0f} s", flush=True
            )
    return ""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, help="where to begin; seeds count up from here")
    parser.add_argument("--replay", metavar="KIND:SEED", help=f"one case again; kinds are {', '.join(KINDS)}")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
