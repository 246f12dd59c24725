"""Numbers as XPath 1.0 and ODK count: every operation has a result, NaN at the worst."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from decimal import ROUND_FLOOR, Decimal, localcontext

NAN = math.nan
_NUMBER = re.compile(r"[ \t\r\n]*(-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))[ \t\r\n]*").fullmatch
_LENIENT = re.compile(
    r"-?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)|[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
).fullmatch
_WRITTEN = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?").fullmatch


def number(text: str) -> float:
    """XPath 1.0, 4.4: no plus sign, no exponent, no comma. JavaRosa reads 1,5 and Web Forms 1e3; neither is taken."""
    found = _NUMBER(text)
    return float(found[1]) if found else NAN


def lenient(text: str) -> float:
    """The number that one engine of the two takes a text for, although `number` does not; NaN when neither does."""
    text = text.strip()
    return float(text.replace(",", ".")) if len(text) < 400 and _LENIENT(text) else NAN


def stored_number(text: str) -> float:
    """The number in a node that holds one: as `number`, and as JavaRosa prints it (3.0E9)."""
    return float(text) if _WRITTEN(text) else NAN


def number_text(value: float) -> str:
    """The shortest decimal that reads back, never an exponent (XPath 1.0, 4.2)."""
    if value != value:
        return "NaN"
    if value in (math.inf, -math.inf):
        return "Infinity" if value > 0 else "-Infinity"
    if value == int(value) and abs(value) < 1e16:
        return str(int(value))
    shortest = repr(value)
    return format(Decimal(shortest), "f").removesuffix(".0") if "e" in shortest else shortest


def stored_text(value: float) -> str:
    """As `number_text`, but no number is blank: what both engines store."""
    return "" if value != value else number_text(value)


def is_true(value: float) -> bool:
    """XPath 1.0, 4.3: neither zero nor NaN."""
    return value == value and value != 0


def divide(left: float, right: float) -> float:
    if right:
        return left / right
    if left == 0 or left != left or right != right:
        return NAN
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def modulo(left: float, right: float) -> float:
    """The sign is that of the left side (XPath 1.0, 3.5)."""
    return NAN if right == 0 or math.isinf(left) else math.fmod(left, right)


def whole(value: float) -> float:
    """int(): the part before the point."""
    return float(math.trunc(value)) if math.isfinite(value) else value


def floor(value: float) -> float:
    return float(math.floor(value)) if math.isfinite(value) else value


def ceiling(value: float) -> float:
    return float(math.ceil(value)) if math.isfinite(value) else value


def rounded(value: float, places: float = 0.0) -> float:
    """Halves go towards positive infinity (XPath 1.0, 4.4; JavaRosa), counted on the decimal text: 1.005 is 1.01."""
    if not (math.isfinite(value) and math.isfinite(places)):
        return value if math.isfinite(places) else NAN
    return _rounded(value, int(places))


def rounded_from_zero(value: float, places: float = 0.0) -> float:
    """The other reading, of Web Forms: -2.5 becomes -3, and halves are counted on the binary product: 1.005 is 1."""
    scale = power(10.0, places)
    shifted = abs(value) * scale
    if not math.isfinite(shifted) or scale == 0:
        return NAN if value != value or places != places else value
    lower = math.floor(shifted)
    return math.copysign((lower + (shifted - lower >= 0.5)) / scale, value)


def _rounded(value: float, places: int) -> float:
    if abs(places) > 300:
        return value if places > 0 else 0.0
    if 0 <= places <= 15 and abs(value) < 1e15 and repr(value).partition(".")[2][places:] not in ("5", ""):
        return round(value, places) + 0.0  # no half: every way to round agrees
    with localcontext() as context:
        context.prec = 700
        scaled = Decimal(repr(value)).scaleb(places) + Decimal("0.5")
        return float(scaled.to_integral_value(ROUND_FLOOR).scaleb(-places))


def power(base: float, exponent: float) -> float:
    try:
        result = base**exponent
    except OverflowError:
        return math.inf
    except ZeroDivisionError:
        return math.inf
    return result if isinstance(result, float) else NAN


def logarithm(value: float) -> float:
    return math.log(value) if value > 0 else (-math.inf if value == 0 else NAN)


def logarithm10(value: float) -> float:
    return math.log10(value) if value > 0 else (-math.inf if value == 0 else NAN)


def exponential(value: float) -> float:
    return power(math.e, value)


def exponential10(value: float) -> float:
    return power(10.0, value)


def root(value: float) -> float:
    return math.sqrt(value) if value >= 0 else NAN


def sine(value: float) -> float:
    return math.sin(value) if math.isfinite(value) else NAN


def cosine(value: float) -> float:
    return math.cos(value) if math.isfinite(value) else NAN


def tangent(value: float) -> float:
    return math.tan(value) if math.isfinite(value) else NAN


def arc_sine(value: float) -> float:
    return math.asin(value) if -1 <= value <= 1 else NAN


def arc_cosine(value: float) -> float:
    return math.acos(value) if -1 <= value <= 1 else NAN


def total(values: Iterable[float]) -> float:
    """sum(): blanks are skipped, as JavaRosa does."""
    return float(sum(value for value in values if value == value))


def added(values: Iterable[float]) -> float:
    """One after the other, as + does; sum() may compensate."""
    result = 0.0
    for value in values:
        result += value
    return result


def greatest(values: Iterable[float]) -> float:
    """max(): blanks are skipped; NaN of nothing."""
    return max((value for value in values if value == value), default=NAN)


def greatest_or_zero(values: Iterable[float]) -> float:
    """The other reading of max(): NaN with a blank (Web Forms); 0 of negatives (JavaRosa)."""
    known = list(values)
    return NAN if not known or any(value != value for value in known) else max(0.0, *known)


def least(values: Iterable[float]) -> float:
    """min(): blanks are skipped; NaN of nothing."""
    return min((value for value in values if value == value), default=NAN)


def total_of_all(values: Iterable[float]) -> float:
    """The other reading of sum(), of Web Forms: NaN with a blank, and of nothing."""
    known = list(values)
    return float(sum(known)) if known else NAN


def least_of_all(values: Iterable[float]) -> float:
    """The other reading of min(), of Web Forms: NaN with a blank."""
    known = list(values)
    return NAN if not known or any(value != value for value in known) else min(known)


def is_equal(left: float | str | bool, right: float | str | bool) -> bool:
    """XPath 1.0, 3.4, for two values whose types are known only now."""
    if isinstance(left, bool) or isinstance(right, bool):
        return truth(left) == truth(right)
    if isinstance(left, float) or isinstance(right, float):
        return as_number(left) == as_number(right)
    return left == right


def truth(value: float | str | bool) -> bool:
    if isinstance(value, bool):
        return value
    return value != "" if isinstance(value, str) else is_true(value)


def as_number(value: float | str | bool) -> float:
    return number(value) if isinstance(value, str) else float(value)
