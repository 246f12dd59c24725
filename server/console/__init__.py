"""The pages for supervisors and researchers. Importing this package registers all of them on `bp`."""

from server.console import home, login, words
from server.console.blueprint import bp

__all__ = ["bp", "home", "login", "words"]
