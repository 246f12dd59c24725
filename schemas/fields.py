"""Fields for the data types of ODK XForms: the text of an answer in, a Python value out, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from marshmallow import ValidationError, fields

from forms import lexical
from forms.definition import DataType


class Answer(fields.Field[Any]):
    """An answer of one type; "" and None are blank. Required is not its business: that depends on relevance."""

    type: ClassVar[DataType]
    parse: ClassVar[Callable[[str], object]]

    default_error_messages = {"invalid": "not text"}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_none=True, **kwargs)

    def __init_subclass__(cls) -> None:
        cls.parse = staticmethod(lexical.PARSERS[cls.type])

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        if not value:
            return None
        try:
            return type(self).parse(value)
        except ValueError as error:
            raise ValidationError(str(error)) from error

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else lexical.written(value)


class Text(Answer):
    type = DataType.STRING


class Barcode(Answer):
    type = DataType.BARCODE


class Intent(Answer):
    type = DataType.INTENT


class WholeNumber(Answer):
    """A 32-bit integer."""

    type = DataType.INT


class DecimalNumber(Answer):
    type = DataType.DECIMAL


class TrueOrFalse(Answer):
    type = DataType.BOOLEAN


class Day(Answer):
    """A date without a zone."""

    type = DataType.DATE


class TimeOfDay(Answer):
    type = DataType.TIME


class Instant(Answer):
    """A date and time; its offset is kept."""

    type = DataType.DATETIME


class Place(Answer):
    """A `forms.lexical.Geopoint`."""

    type = DataType.GEOPOINT


class Line(Answer):
    type = DataType.GEOTRACE


class Area(Answer):
    type = DataType.GEOSHAPE


class FileName(Answer):
    """The name of an attachment: never a path."""

    type = DataType.BINARY


class ChosenNames(Answer):
    """The names of the chosen options. Whether they are on offer is for the form's logic to say."""

    type = DataType.SELECT


class ChosenName(Answer):
    type = DataType.SELECT1


class RankedNames(Answer):
    type = DataType.RANK


FIELDS: Mapping[DataType, type[Answer]] = {field.type: field for field in Answer.__subclasses__()}
"""The field class of every data type."""
