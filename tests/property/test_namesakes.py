"""Files of one name in the fold: nobody's photo is lost silently, whatever its name and in whichever order it comes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from sync.merge import History, Op, View, fold
from sync.namesakes import file_path, naming, told

NAMES = ("a.jpg", "b.jpg")
HASHES = ("1", "2", "3")
Step = tuple[int, str | None, dict[str, str], str, int, int]


@dataclass(slots=True)
class Author:
    """Somebody with a copy of the record: answers with the name of a photo, brings photos, hears from others."""

    origin: str
    known: list[Op] = field(default_factory=list)

    def write(self, photo: str | None, files: dict[str, str], at: int) -> Op:
        view = fold(told(self.known))
        context = dict(view.vector)
        prev = context.pop(self.origin, 0)
        # Only what differs is said, as clients do.
        changes = {"foto": photo} if photo != view.values.get("foto") else {}
        number = f"{self.origin}/{prev + 1}"
        op = Op(number, self.origin, prev + 1, prev, context, f"{at:012x}-0000", set=changes, files=files)
        self.known.append(op)
        return op

    def hear(self, other: Author) -> None:
        known = {op.op_id for op in self.known}
        self.known += [op for op in other.known if op.op_id not in known]


STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from((None, *NAMES)),
        st.dictionaries(st.sampled_from(NAMES), st.sampled_from(HASHES), max_size=2),
        st.sampled_from(("write", "write", "hear")),
        st.integers(0, 2),
        st.integers(0, 2**40),
    ),
    min_size=1,
    max_size=14,
)


def history_of(steps: Sequence[Step]) -> list[Op]:
    authors = [Author(f"d{number}") for number in range(3)]
    made: list[Op] = []
    for who, photo, files, what, whom, at in steps:
        if what == "hear":
            authors[who].hear(authors[whom])
        else:
            made.append(authors[who].write(photo, files, at))
    return made


HISTORIES = STEPS.map(history_of).filter(bool)


def shown(ops: Sequence[Op]) -> View:
    """The record as it is laid: of files, only those that the answer names."""
    view = fold(told(ops))
    return naming(view, frozenset(filter(None, [view.values.get("foto")])))


def said(view: View) -> object:
    clashes = [(clash.path, [op.op_id for op in clash.siblings], clash.base) for clash in view.clashes]
    return dict(view.values), clashes, dict(view.vector)


@given(HISTORIES, st.randoms(use_true_random=False))
def test_what_is_shown_of_files_depends_on_the_set_only(ops: list[Op], rng: random.Random) -> None:
    shuffled = [*ops, *rng.choices(ops, k=rng.randrange(4))]
    rng.shuffle(shuffled)

    assert said(shown(shuffled)) == said(shown(ops))


@given(HISTORIES)
def test_a_photo_that_somebody_took_is_shown_superseded_by_one_who_saw_it_or_in_an_open_conflict(ops: list[Op]) -> None:
    view = shown(ops)
    in_conflict = {(clash.path, op.op_id) for clash in view.clashes for op in clash.siblings}

    for op in ops:
        seen = [one for one in ops if op.has_seen(one)]
        before = History(told(ops)).seen_by({**op.context, op.origin: op.prev}).values
        name = op.set.get("foto", before.get("foto"))
        known = {one.files[name] for one in seen if name in one.files}
        had = before.get(file_path(name or ""), next(iter(known), None))
        # A photo of the record that is another than the one that its author had before the eyes. The first bytes of a
        # name complete an answer, they replace nothing: they stay with the record in any case.
        if name is None or name not in op.files or had == op.files[name] or not (known or "foto" in op.set):
            continue
        later = (other for other in ops if other.has_seen(op) and ("foto" in other.set or name in other.files))
        named = {view.values["foto"], *(one.set.get(clash.path) for clash in view.clashes for one in clash.siblings)}
        is_shown = name in named and view.values.get(file_path(name), op.files[name]) == op.files[name]
        assert is_shown or any(later) or {("foto", op.op_id), (file_path(name), op.op_id)} & in_conflict


@given(HISTORIES)
def test_the_same_bytes_under_one_name_are_never_a_conflict(ops: list[Op]) -> None:
    same = [replace(op, files={name: f"of {name}" for name in op.files}) for op in ops]

    assert told(same) == same


@given(HISTORIES, st.sampled_from(NAMES), st.sampled_from(HASHES))
def test_who_has_seen_all_and_brings_one_of_them_again_closes_the_conflict(
    ops: list[Op], name: str, chosen: str
) -> None:
    resolution = Op("r", "s-office", 1, context=fold(told(ops)).vector, rank=1, files={name: chosen})

    resolved = fold(told([*ops, resolution]))

    assert file_path(name) not in {clash.path for clash in resolved.clashes}
    assert resolved.values.get(file_path(name), chosen) == chosen


def test_two_photos_of_one_name_are_a_conflict_and_two_names_are_not() -> None:
    base = Op("o", "a", 1, set={"foto": "a.jpg"}, files={"a.jpg": "0"})
    mine = Op("m", "b", 1, context={"a": 1}, at="1", files={"a.jpg": "1"})
    yours = Op("y", "c", 1, context={"a": 1}, at="2", files={"a.jpg": "2"})
    beside = replace(yours, files={"b.jpg": "2"})

    assert [(clash.path, [op.op_id for op in clash.siblings]) for clash in shown([base, mine, yours]).clashes] == [
        ("@a.jpg", ["y", "m"])
    ]
    assert shown([base, mine, beside]).clashes == ()


def test_another_photo_beside_a_new_one_of_the_old_name_is_a_conflict_of_the_answer() -> None:
    base = Op("o", "a", 1, set={"foto": "a.jpg"}, files={"a.jpg": "0"})
    mine = Op("m", "b", 1, context={"a": 1}, at="1", files={"a.jpg": "1"})
    yours = Op("y", "c", 1, context={"a": 1}, at="2", set={"foto": "b.jpg"}, files={"b.jpg": "2"})

    (clash,) = shown([base, mine, yours]).clashes

    assert (clash.path, [op.set["foto"] for op in clash.siblings]) == ("foto", ["b.jpg", "a.jpg"])


def test_who_sends_an_unchanged_photo_again_has_not_written_it() -> None:
    base = Op("o", "a", 1, set={"foto": "a.jpg"}, files={"a.jpg": "0"})
    mine = Op("m", "b", 1, context={"a": 1}, at="1", files={"a.jpg": "1"})
    again = Op("y", "c", 1, context={"a": 1}, at="2", set={"nama": "Siti"}, files={"a.jpg": "0"})

    view = shown([base, mine, again])

    assert (view.clashes, view.values["@a.jpg"]) == ((), "1")
