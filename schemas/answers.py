"""The answers of one form version as a marshmallow Schema, and the one verdict on them that every door asks for.

`load()` runs code generated for the form and turns to marshmallow's own as soon as anything is odd: ten times as fast,
and every error message is marshmallow's. A property test holds both to the same results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar, cast

from marshmallow import RAISE, Schema, ValidationError, fields, missing

from forms import lexical
from forms.check import CompiledForm, Context
from forms.definition import Answers, FormDefinition, Group, Question, Repeat
from forms.derived import Derived
from forms.finding import Finding, Rule, Severity
from schemas.fields import FIELDS, Answer
from schemas.loader import Step, generate

LONGEST_VALUE = 1_000
SHAPE = "_schema"
"""Where marshmallow reports that a whole group is not a group."""
_DOT = "\u2024"
"""Stands for a dot in a question's name, which marshmallow would read as a path; XML names cannot contain it."""


class AnswersSchema(Schema):
    """Loads nested answers of lexical strings as typed values, under the same names; `dump` is the way back."""

    class Meta:
        unknown = RAISE
        register = False

    generated: ClassVar[Callable[[Any], dict[str, Any]]]
    dotted: ClassVar[Mapping[str, str]] = {}
    """Field name -> question name, where they differ."""

    def load(
        self,
        data: Any,
        *,
        many: bool | None = None,
        partial: bool | Sequence[str] | AbstractSet[str] | None = None,
        unknown: Any = None,
    ) -> Any:
        if not many and not partial and unknown is None:
            try:
                return type(self).generated(data)
            except (AttributeError, KeyError, TypeError, ValueError):
                pass
        return self.load_stock(data, many=many, partial=partial, unknown=unknown)

    def load_stock(self, data: Any, **options: Any) -> Any:
        """marshmallow's own way, which collects every error."""
        loaded = super().load(data, **options)
        if self.dotted and isinstance(loaded, dict):
            return {self.dotted.get(name, name): value for name, value in loaded.items()}
        return loaded

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        return obj.get(self.dotted.get(attr, attr), missing)


def judge(compiled: CompiledForm, answers: Answers, context: Context) -> tuple[Finding, ...]:
    """What the server concludes about one submission's answers. Never refuses.

    The compiled form takes answers in which nothing is odd as they are. Otherwise the schema says what is, and the
    form's own logic sees a blank in its place."""
    whole = compiled.check_whole(answers, context)
    if whole is not None:
        return whole
    schema = answers_schema(compiled.definition)
    try:
        schema.load(answers)
    except ValidationError as error:
        faults = tuple(_faults(schema, error.messages_dict, answers, ""))
        wrong = frozenset(fault.path for fault in faults if fault.rule is Rule.TYPE)
        return (*faults, *compiled.check(_shaped(schema, answers), context, wrong=wrong))
    return compiled.check(answers, context)


def _build(definition: FormDefinition) -> AnswersSchema:
    return _schema_of(definition.root, f"Answers_{definition.form_id}_{definition.version}")()


def _schema_of(branch: Group | Repeat, name: str) -> type[AnswersSchema]:
    attributes: dict[str, Any] = {}
    steps: list[Step] = []
    for child in branch.children:
        field, step = _member(child, name)
        attributes[child.name.replace(".", _DOT)] = field
        steps.append(step)
    dotted = {field: field.replace(_DOT, ".") for field in attributes if _DOT in field}
    # marshmallow takes the fields out of the dict that it is given.
    made = cast(type[AnswersSchema], type(name, (AnswersSchema,), attributes))
    made.dotted = dotted
    made.generated = staticmethod(generate(steps))
    return made


def _member(child: Question | Group | Repeat, name: str) -> tuple[fields.Field[Any], Step]:
    if isinstance(child, Question):
        return FIELDS[child.type](data_key=child.name), Step(child.name, child.type)
    made = _schema_of(child, f"{name}_{child.name}")
    if isinstance(child, Group):
        return fields.Nested(made(), data_key=child.name, allow_none=True), Step(child.name, made.generated)
    instances = fields.List(fields.Nested(made()), data_key=child.name, allow_none=True)
    return instances, Step(child.name, made.generated, is_repeat=True)


answers_schema: Derived[AnswersSchema] = Derived(_build)
"""The schema of a form version: one class and one instance, made once."""


def _members(schema: Schema) -> dict[str, fields.Field[Any]]:
    return {str(field.data_key): field for field in schema.fields.values()}


def _faults(schema: Schema, messages: Mapping[Any, Any], answers: Any, where: str) -> Iterator[Finding]:
    """marshmallow's messages as findings, along the schema."""
    members = _members(schema)
    for name, found in messages.items():
        field = members.get(name)
        path = f"{where}{name}"
        value = answers.get(name) if isinstance(answers, Mapping) else answers
        if field is None and name == SHAPE:
            yield _mistyped(where.removesuffix("/"), answers, "group", found)
        elif field is None:
            yield Finding(Severity.ERROR, Rule.UNKNOWN_NODE, path, _quoted(value))
        elif isinstance(field, Answer):
            yield _mistyped(path, value, field.type.value, found)
        elif isinstance(field, fields.Nested):
            yield from _group_faults(field.schema, found, value, path)
        else:
            yield from _repeat_faults(field, found, value, path)


def _group_faults(schema: Schema, found: Any, value: Any, path: str) -> Iterator[Finding]:
    if isinstance(found, Mapping):
        yield from _faults(schema, found, value, f"{path}/")
    else:
        yield _mistyped(path, value, "group", found)


def _repeat_faults(field: Any, found: Any, value: Any, path: str) -> Iterator[Finding]:
    if not isinstance(found, Mapping):
        yield _mistyped(path, value, "repeat", found)
        return
    instances = list(value)
    for index, inner in found.items():
        yield from _group_faults(field.inner.schema, inner, instances[index], f"{path}[{index + 1}]")


def _mistyped(path: str, value: Any, type_name: str, found: Any) -> Finding:
    reason = found[0] if isinstance(found, list) and found else "invalid"
    is_doubtful = isinstance(value, str) and _is_doubtful(type_name, value)
    return Finding(
        Severity.WARNING if is_doubtful else Severity.ERROR,
        Rule.TYPE,
        path,
        _quoted(value),
        certain=not is_doubtful,
        params={"type": type_name, "reason": str(reason)},
    )


def _is_doubtful(type_name: str, value: str) -> bool:
    types = (type for type in FIELDS if type.value == type_name)
    return any(lexical.is_taken_by_one_engine(type, value) for type in types)


def _quoted(value: Any) -> str:
    return "" if value is None else str(value)[:LONGEST_VALUE]


def _shaped(schema: Schema, answers: Any) -> Answers:
    """The answers without what does not belong in the form, and groups where groups must be."""
    shaped: Answers = {}
    for name, field in _members(schema).items():
        value = answers.get(name) if isinstance(answers, Mapping) else None
        if value is None:
            continue
        if isinstance(field, Answer):
            shaped[name] = value if isinstance(value, str) else None
        elif isinstance(field, fields.Nested):
            shaped[name] = _shaped(field.schema, value)
        elif isinstance(field, fields.List):
            inner = field.inner
            instances = value if isinstance(value, list) else []
            shaped[name] = [_shaped(inner.schema, one) for one in instances] if isinstance(inner, fields.Nested) else []
    return shaped
