"""Sneakernet: what servers exchange, in one signed file that somebody carries."""
