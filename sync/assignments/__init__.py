"""Assignments: who is to visit whom with which form by when, given, folded and counted."""
