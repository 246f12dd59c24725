"""The history of the tables. `python -m sync.migrations "Say what changes"` drafts the next step."""
