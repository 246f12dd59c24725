"""The application object for any WSGI server; the only module whose import does something."""

from config import from_env
from server.app import create_app

app = create_app(from_env())
