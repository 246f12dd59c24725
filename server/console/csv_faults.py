"""What is wrong with a row of any CSV that people send, in words."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext

from sync.form_table import MORE_CELLS

OF_ROWS: Mapping[str, str] = {
    MORE_CELLS: lazy_gettext("More cells than columns. Put a text that has a comma in it into quotation marks."),
}
