"""What the types of a registry's columns are called, and what a value of each looks like."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext

TYPES: Mapping[str, str] = {
    "text": lazy_gettext("Text"),
    "integer": lazy_gettext("Whole number"),
    "decimal": lazy_gettext("Number with decimals"),
    "date": lazy_gettext("Date"),
    "time": lazy_gettext("Time"),
    "datetime": lazy_gettext("Date and time"),
    "select_one": lazy_gettext("One choice"),
    "select_multiple": lazy_gettext("Several choices"),
    "geopoint": lazy_gettext("Place"),
    "geotrace": lazy_gettext("Line on the map"),
    "geoshape": lazy_gettext("Area on the map"),
    "choice": lazy_gettext("One of the choices"),
}

MERGES: Mapping[str, str] = {
    "flag": lazy_gettext("A person decides"),
    "latest": lazy_gettext("The latest stands"),
    "max": lazy_gettext("The largest stands"),
    "min": lazy_gettext("The smallest stands"),
    "union": lazy_gettext("All choices stand"),
    "append": lazy_gettext("All lines stand"),
}
"""What becomes of different values by people who had not seen each other."""

MISFITS: Mapping[str, str] = {
    "integer": lazy_gettext("Write a whole number, such as 42."),
    "decimal": lazy_gettext("Write a number with a point, such as 3.5."),
    "date": lazy_gettext("Write a date as year-month-day, such as 2026-11-23."),
    "time": lazy_gettext("Write a time, such as 14:30."),
    "datetime": lazy_gettext("Write a date and a time, such as 2026-11-23T14:30+07:00."),
    "select_one": lazy_gettext("Write the name of one choice, without spaces."),
    "select_multiple": lazy_gettext("Write the names of the choices with spaces between them."),
    "geopoint": lazy_gettext("Write latitude and longitude, such as -8.21 114.37."),
    "geotrace": lazy_gettext("Write places with a semicolon between them, such as -8.21 114.37; -8.22 114.38."),
    "geoshape": lazy_gettext("Write places with a semicolon between them, the last one the same as the first."),
    "choice": lazy_gettext("This is not one of the choices. Take one of them, or add it in the settings."),
}
