"""The form engine under inputs that nobody would write: see `tests.fuzz.__main__`."""
