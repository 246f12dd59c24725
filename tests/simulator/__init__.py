"""The deterministic simulator: the real server and the real field client in one process, over a network that loses,
doubles, delays, cuts and falsifies, with processes that die anywhere. Same seed, same history.

    python -m tests.simulator --schedules 10000 --seed 1
"""
