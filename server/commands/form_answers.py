"""`lapangan form answers`: a form tried out with made-up answers."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random, SystemRandom

import click

from forms.check import CompiledForm, Context
from forms.definition import Answers, FormDefinition
from forms.errors import Kind, Problem
from forms.expression.table import Table
from forms.finding import Rule
from forms.instance import attachment_names, write
from forms.trial.fill import fill
from forms.trial.probe import Probe
from forms.trial.spoil import RULES, Broken, spoil
from server.clock import now
from server.commands import answer_file
from server.commands.finding import SENTENCES, question
from server.commands.named_form import named_form
from server.commands.screen import done, err, table
from server.commands.screen import gettext as _
from sync.device.fill_in import Author, Work, fill_in

FORMATS = ("json", "csv", "xlsx", "xml")
LARGEST_SEED = 10**6
BROKEN = "broken.json"
"""Beside invalid answers: the rule that each breaks."""


class NeedsFolder(Problem):
    """A workbook cannot be shown on the screen. Say where to keep it: -o FOLDER"""

    kind = Kind.INVALID
    slug = "form/needs-folder"


@dataclass(frozen=True, slots=True)
class Made:
    """One record; `broken` says which rule it breaks, if any."""

    answers: Answers
    broken: Broken | None = None


@click.command()
@click.argument("form")
@click.option("-n", "--number", type=click.IntRange(1, 10_000), default=10, show_default=True, help="How many records.")
@click.option("--seed", type=int, help="The same seed on the same day gives the same answers.")
@click.option("--invalid", is_flag=True, help="Each record breaks exactly one rule; which one is told.")
@click.option("--rule", type=click.Choice([rule.value for rule in RULES]), help="The rule to break. Implies --invalid.")
@click.option("--as", "format_", type=click.Choice(FORMATS), default="json", show_default=True)
@click.option("-o", "--output", "folder", type=click.Path(file_okay=False, path_type=Path), help="Folder to write to.")
@click.option("--project", "number_of_project", type=int, default=1, show_default=True, help="Of a published form.")
def answers(
    form: str,
    number: int,
    seed: int | None,
    invalid: bool,
    rule: str | None,
    format_: str,
    folder: Path | None,
    number_of_project: int,
) -> None:
    """Make up answers that a form takes, or that break one of its rules.

    FORM is a workbook, an XForm, or the form ID of a published form. Lists that a file looks things up in are read
    from the folder in which it lies."""
    if format_ == "xlsx" and folder is None:
        raise NeedsFolder
    seed = SystemRandom().randrange(LARGEST_SEED) if seed is None else seed
    with named_form(form, number_of_project) as (compiled, lists):
        _warn_of_lists(compiled, lists)
        records = _records(compiled, lists, Random(seed), number, invalid=invalid or rule is not None, rule=rule)
        files = dict(_files(compiled, lists, records, format_, Random(seed)))
    if folder is None:
        for content in files.values():
            click.echo(content.decode().removesuffix("\n"))
    else:
        broken = {BROKEN: _told(records)} if _broken(records) else {}
        _keep(folder, files | broken)
        _keep(folder / "media", _media(compiled.definition, records))
        done(_("Records written to %(folder)s: %(count)d. Seed: %(seed)d", folder=folder, count=number, seed=seed))
    _tell_broken(compiled.definition, _broken(records))


def _warn_of_lists(compiled: CompiledForm, lists: Mapping[str, Table]) -> None:
    for instance in compiled.definition.instances.values():
        if instance.src and instance.id not in lists and not compiled.has_list(instance.id):
            words = _("%(file)s is not here: what is chosen from it is made up.", file=instance.src.rpartition("/")[2])
            err.print(f"[yellow]![/] {words}", soft_wrap=True)


def _records(
    compiled: CompiledForm, lists: Mapping[str, Table], rng: Random, number: int, *, invalid: bool, rule: str | None
) -> list[Made]:
    probe = Probe(compiled)
    moment = now().astimezone()
    context = Context(moment, moment, moment, lists=lists)
    if not invalid:
        return [Made(fill(probe, rng, context)) for _number in range(number)]
    broken = [spoil(probe, rng, context, Rule(rule) if rule else None) for _number in range(number)]
    return [Made(one.answers, one) for one in broken]


def _files(
    compiled: CompiledForm, lists: Mapping[str, Table], records: Sequence[Made], format_: str, rng: Random
) -> Iterator[tuple[str, bytes]]:
    """File name and bytes of each file that holds answers."""
    answers = [made.answers for made in records]
    if format_ == "xml":
        for index, one in enumerate(answers, 1):
            yield f"{index:0{len(str(len(answers)))}d}.xml", _xml(compiled, lists, one, rng).encode()
    else:
        yield f"answers.{format_}", answer_file.WRITERS[format_](compiled.definition, answers)


def _broken(records: Sequence[Made]) -> list[Broken]:
    return [made.broken for made in records if made.broken is not None]


def _xml(compiled: CompiledForm, lists: Mapping[str, Table], answers: Answers, rng: Random) -> str:
    """As a client would send it, with its name and its entities; the answers as they are."""
    definition = compiled.definition
    names = frozenset(attachment_names(definition, answers))
    id_ = f"uuid:{uuid.UUID(int=rng.getrandbits(128), version=4)}"
    filled = fill_in(compiled, answers, names, lists, Author("", ""), Work(instance_id=id_), now=now().astimezone())
    return write(definition, answers, instance_id=id_, instance_name=filled.instance_name, entities=filled.entities)


def _keep(folder: Path, records: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in records.items():
        (folder / name).write_bytes(content)


def _media(definition: FormDefinition, records: Sequence[Made]) -> dict[str, bytes]:
    """A small file for each that an answer names; nothing in them was ever photographed or said."""
    named = {name for made in records for name in attachment_names(definition, made.answers)}
    return {name: answer_file.medium(name) for name in sorted(named) if "/" not in name}


def _told(records: Sequence[Made]) -> bytes:
    promised = [{"rule": one.rule.value, "path": one.path, "value": one.value} for one in _broken(records)]
    return f"{json.dumps(promised, ensure_ascii=False, indent=2)}\n".encode()


def _tell_broken(definition: FormDefinition, broken: Sequence[Broken]) -> None:
    """What each record breaks, beside the records themselves."""
    shown = table("#", _("Question"), _("Answer"), _("What to look at"), numbers=frozenset({0}))
    for index, one in enumerate(broken, 1):
        shown.add_row(str(index), question(definition, one.path), one.value or "", _(SENTENCES[one.rule.value]))
    if broken:
        err.print(shown)
