"""Run many histories, or one again.

python -m tests.simulator --schedules 10000 --seed 1
python -m tests.simulator --only 4711
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulator.schedule import LENGTH, Failure, run, shortened


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--schedules", type=int, default=500, help="how many histories")
    parser.add_argument("--seed", type=int, default=0, help="the first one's seed; the others follow")
    parser.add_argument("--only", type=int, help="run this one seed, and show where it breaks")
    parser.add_argument("--length", type=int, default=LENGTH, help="steps in each")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first failure")
    asked = parser.parse_args()
    seeds = [asked.only] if asked.only is not None else range(asked.seed, asked.seed + asked.schedules)
    began, cpu, failures = time.monotonic(), time.process_time(), 0
    for seed in seeds:
        failure = run(seed, length=asked.length)
        if failure is not None:
            failures += 1
            print(told(failure), flush=True)
            if not asked.keep_going:
                break
    count = len(seeds)
    print(
        f"{count} schedules, {failures} broken; {time.process_time() - cpu:.1f} s CPU, {time.monotonic() - began:.1f} s"
    )
    return 1 if failures else 0


def told(failure: Failure) -> str:
    """The failure, by as few steps as it takes."""
    return str(shortened(failure, lambda steps: run(failure.seed, steps)))


if __name__ == "__main__":
    sys.exit(main())
