"""Bad luck in the field."""
