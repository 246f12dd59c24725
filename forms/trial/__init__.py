"""Answers made up from a form: what somebody could have filled in, and what breaks one rule of it."""
