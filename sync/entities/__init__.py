"""Entities and their lists: what submissions and people say about them, folded, declared and served."""
