"""The words of pages, messages and refusals, by language. `python -m server.translations` brings them up to date."""
