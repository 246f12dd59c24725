"""The demonstration: the shipped study, and a synthetic fieldwork day played through the real door."""
