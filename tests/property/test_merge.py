"""The fold, over random histories: causal, permuted, duplicated, split, with clocks that are wrong by years."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from forms.policy import Policy
from sync.merge import UNSEEN, History, Op, View, closure, fold

PATHS = ("nama", "umur", "income/after")
ENTRIES = ("loan/A/", "loan/B/", "loan/A/sum", "loan/A/note", "loan/B/sum")
"""Of a repeat with a key: marks, and answers of its entries."""
VALUES = (None, "1", "2", "3")


@dataclass(slots=True)
class Author:
    """Somebody with a copy of the record: writes upon what arrived there, whenever it did."""

    origin: str
    rank: int
    known: list[Op] = field(default_factory=list)
    n: int = 0

    def write(self, changes: dict[str, str | None], at: str, *, is_delete: bool, skip: int) -> Op:
        vector = dict(fold(self.known).vector)
        prev = vector.pop(self.origin, 0)
        self.n = max(self.n, prev) + skip
        op = Op(
            op_id=f"{self.origin}/{self.n}",
            origin=self.origin,
            n=self.n,
            prev=prev,
            context=vector,
            at=at,
            rank=self.rank,
            set={} if is_delete else changes,
            is_delete=is_delete,
        )
        self.known.append(op)
        return op

    def hear(self, other: Author) -> None:
        known = {op.op_id for op in self.known}
        self.known += [op for op in other.known if op.op_id not in known]


def steps_of(paths: Sequence[str]) -> st.SearchStrategy[list[tuple[int, dict[str, str | None], int, int, str, int]]]:
    return st.lists(
        st.tuples(
            st.integers(0, 3),
            st.dictionaries(st.sampled_from(paths), st.sampled_from(VALUES), min_size=1, max_size=3),
            st.integers(0, 2**40),
            st.integers(1, 3),
            st.sampled_from(["write", "write", "write", "hear", "hear", "delete"]),
            st.integers(0, 3),
        ),
        min_size=1,
        max_size=24,
    )


STEPS, STEPS_WITH_ENTRIES = steps_of(PATHS), steps_of([*PATHS[:1], *ENTRIES])


def history_of(steps: Sequence[tuple[int, dict[str, str | None], int, int, str, int]]) -> list[Op]:
    """A causal history: each context is what its author had really heard of."""
    authors = [Author(f"d{number}", rank=number // 3) for number in range(4)]
    made: list[Op] = []
    for who, changes, clock, skip, what, whom in steps:
        if what == "hear":
            authors[who].hear(authors[whom])
            continue
        made.append(authors[who].write(changes, f"{clock:012x}-0000", is_delete=what == "delete", skip=skip))
    return made


HISTORIES = STEPS.map(history_of).filter(bool)


def told(view: View) -> object:
    """All that is shown, in comparable form."""
    clashes = [
        (clash.path, [op.op_id for op in clash.siblings], clash.base if clash.path else None) for clash in view.clashes
    ]
    writers = {path: op.op_id for path, op in view.writers.items()}
    held = sorted(op.op_id for op in view.held)
    mergers = {path: [op.op_id for op in merger.siblings] for path, merger in view.mergers.items()}
    return dict(view.values), writers, clashes, mergers, dict(view.vector), held, view.is_deleted, view.shown


@given(HISTORIES, st.randoms(use_true_random=False))
def test_the_view_depends_on_the_set_and_not_on_order_or_repetition(ops: list[Op], rng: random.Random) -> None:
    shuffled = [*ops, *rng.choices(ops, k=rng.randrange(4))]
    rng.shuffle(shuffled)

    assert told(fold(shuffled)) == told(fold(ops))


@given(STEPS_WITH_ENTRIES.map(history_of).filter(bool), st.randoms(use_true_random=False), st.sampled_from(Policy))
def test_what_comes_one_by_one_is_shown_as_if_it_had_come_at_once(
    ops: list[Op], rng: random.Random, policy: Policy
) -> None:
    told_how = {"derived": frozenset({"loan/A/note"}), "policies": dict.fromkeys(PATHS, policy)}
    shuffled, history = rng.sample(ops, len(ops)), History()

    for number, op in enumerate(shuffled, 1):
        history.take(op)

        assert rng.random() < 0.5 or told(history.view(**told_how)) == told(fold(shuffled[:number], **told_how))


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"), st.integers(1, 4), st.dictionaries(st.sampled_from("abc"), st.integers(0, 4))
        ),
        min_size=1,
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
def test_numbers_that_were_given_out_of_turn_change_nothing_about_that(
    numbers: list[tuple[str, int, dict[str, int]]], rng: random.Random
) -> None:
    """Such operations may even have seen each other."""
    ops = [
        Op(f"{at}", origin, n, context=context, set={rng.choice(PATHS): str(at)})
        for at, (origin, n, context) in enumerate(numbers)
    ]
    history = History()

    for op in rng.sample(ops, len(ops)):
        history.take(op)
        history.view()

    assert told(history.view()) == told(fold(ops))


@given(HISTORIES, st.randoms(use_true_random=False), st.sampled_from(Policy))
def test_by_any_policy_the_view_depends_on_the_set_only(ops: list[Op], rng: random.Random, policy: Policy) -> None:
    policies = dict.fromkeys(PATHS, policy)
    shuffled = [*ops, *rng.choices(ops, k=rng.randrange(4))]
    rng.shuffle(shuffled)

    assert told(fold(shuffled, policies=policies)) == told(fold(ops, policies=policies))


WITH_ENTRIES = STEPS_WITH_ENTRIES.map(history_of).filter(bool)


@given(WITH_ENTRIES, st.randoms(use_true_random=False))
def test_what_is_shown_of_entries_depends_on_the_set_only(ops: list[Op], rng: random.Random) -> None:
    shuffled = [*ops, *rng.choices(ops, k=rng.randrange(4))]
    rng.shuffle(shuffled)

    assert told(fold(shuffled)) == told(fold(ops))


@given(WITH_ENTRIES)
def test_no_write_to_an_entry_is_lost(ops: list[Op]) -> None:
    """It is displayed, superseded or removed by one who saw it, or in an open conflict about it or about its entry."""
    view = fold(ops)
    in_conflict = {(clash.path, op.op_id) for clash in view.clashes for op in clash.siblings}

    for op in view.ready:
        for path, value in op.set.items():
            mark = path[: path.rfind("/") + 1]
            later = [other for other in view.ready if other is not op and {path, mark} & other.set.keys()]
            assert (
                any(other.has_seen(op) for other in later)
                or op.set.get(mark, "") is None
                or (view.values[path] == value and view.values.get(mark, "1") is not None)
                or {(path, op.op_id), (mark, op.op_id)} & in_conflict
                or (path == mark and (value is None) is (view.values[mark] is None))
            )


@given(WITH_ENTRIES)
def test_an_entry_is_gone_only_when_who_removed_it_had_seen_all_that_was_written_in_it(ops: list[Op]) -> None:
    view = fold(ops)

    for mark in ("loan/A/", "loan/B/"):
        if view.values.get(mark, "1") is None:
            edits = [op for op in view.ready if op.set.get(mark, "") is not None and any(mark in at for at in op.set)]
            removals = [op for op in view.ready if op.set.get(mark, "") is None]
            assert all(any(removal.has_seen(op) for removal in removals) for op in edits)
            assert not [clash for clash in view.clashes if clash.path.startswith(mark)]


@given(HISTORIES, st.sampled_from(Policy))
def test_a_policy_decides_only_where_people_had_not_seen_each_other(ops: list[Op], policy: Policy) -> None:
    plain, decided = fold(ops), fold(ops, policies=dict.fromkeys(PATHS, policy))

    flagged = {clash.path: {op.op_id for op in clash.siblings} for clash in plain.clashes if clash.path}
    merged = {path: {op.op_id for op in merger.siblings} for path, merger in decided.mergers.items()}
    left = {clash.path: {op.op_id for op in clash.siblings} for clash in decided.clashes if clash.path}

    assert merged | left == flagged
    assert not left or policy is Policy.FLAG
    untouched = plain.values.keys() - flagged.keys()
    assert {path: decided.values[path] for path in untouched} == {path: plain.values[path] for path in untouched}


@given(
    HISTORIES, st.randoms(use_true_random=False), st.sampled_from([Policy.MAX, Policy.MIN, Policy.UNION, Policy.APPEND])
)
def test_what_a_policy_decides_is_blind_to_clocks(ops: list[Op], rng: random.Random, policy: Policy) -> None:
    policies = dict.fromkeys(PATHS, policy)
    wrong = [replace(op, at=f"{rng.randrange(2**47):012x}-0000") for op in ops]

    right_view, wrong_view = fold(ops, policies=policies), fold(wrong, policies=policies)

    assert dict(wrong_view.values) == dict(right_view.values)


@given(HISTORIES)
def test_every_write_is_displayed_superseded_by_one_who_saw_it_or_in_an_open_conflict(ops: list[Op]) -> None:
    view = fold(ops)
    in_conflict = {(clash.path, op.op_id) for clash in view.clashes for op in clash.siblings}

    for op in view.ready:
        for path, value in op.set.items():
            later = [other for other in view.ready if other is not op and path in other.set]
            is_superseded = any(other.has_seen(op) for other in later)
            assert is_superseded or view.values[path] == value or (path, op.op_id) in in_conflict


@given(HISTORIES)
def test_a_whole_causal_history_holds_nothing(ops: list[Op]) -> None:
    assert fold(ops).held == ()


@given(HISTORIES, st.data())
def test_what_waits_applies_as_soon_as_what_it_waits_for_is_here(ops: list[Op], data: st.DataObject) -> None:
    missing = data.draw(st.sampled_from(ops))
    partial = [op for op in ops if op is not missing]

    before = fold(partial)

    for op in before.held:
        assert op.n > 0
        assert op.prev >= missing.n or any(n for n in op.context.values())
    assert not any(op.has_seen(missing) for op in before.ready)
    assert told(fold([*partial, missing])) == told(fold(ops))


@given(HISTORIES, st.randoms(use_true_random=False))
def test_two_servers_that_exchange_what_they_have_show_the_same(ops: list[Op], rng: random.Random) -> None:
    here = [op for op in ops if rng.random() < 0.6]
    there = [op for op in ops if op not in here or rng.random() < 0.3]

    assert told(fold([*here, *there])) == told(fold([*there, *here])) == told(fold(ops))


@given(HISTORIES, st.randoms(use_true_random=False))
def test_a_clock_decides_only_which_sibling_is_displayed(ops: list[Op], rng: random.Random) -> None:
    wrong = [replace(op, at=f"{rng.randrange(2**47):012x}-0000") for op in ops]

    right_view, wrong_view = fold(ops), fold(wrong)

    def siblings(view: View) -> dict[str, set[str]]:
        return {clash.path: {op.op_id for op in clash.siblings} for clash in view.clashes}

    assert siblings(wrong_view) == siblings(right_view)
    assert wrong_view.is_deleted == right_view.is_deleted
    assert wrong_view.vector == right_view.vector
    settled = right_view.values.keys() - siblings(right_view).keys()
    assert {path: wrong_view.values[path] for path in settled} == {path: right_view.values[path] for path in settled}


@given(HISTORIES, st.sampled_from(PATHS), st.sampled_from(VALUES))
def test_a_resolution_that_saw_all_siblings_closes_the_conflict(ops: list[Op], path: str, value: str | None) -> None:
    view = fold(ops)
    resolution = Op("r", "s-office", 1, context=view.vector, rank=1, set={path: value})

    resolved = fold([*ops, resolution])

    assert resolved.values[path] == value
    assert path not in {clash.path for clash in resolved.clashes}
    assert resolved.shown == resolution


@given(HISTORIES, st.sampled_from(PATHS))
def test_a_late_edit_that_had_not_seen_the_resolution_opens_the_conflict_again(ops: list[Op], path: str) -> None:
    seen = fold(ops).vector
    resolution = Op("r", "s-office", 1, context=seen, rank=1, set={path: "resolved"})
    late = Op("late", "d-late", 1, context=seen, at="ffffffffffff-0000", set={path: "late"})

    view = fold([*ops, resolution, late])

    clash = next(clash for clash in view.clashes if clash.path == path)
    assert [op.op_id for op in clash.siblings] == ["r", "late"]
    assert view.values[path] == "resolved"


@given(HISTORIES)
def test_a_delete_that_had_seen_everything_deletes_and_an_edit_that_saw_it_undoes_it(ops: list[Op]) -> None:
    delete = Op("x", "s-office", 1, context=fold(ops).vector, is_delete=True)
    deleted = fold([*ops, delete])
    again = Op("y", "s-office", 2, prev=1, context=fold(ops).vector, set={"nama": "1"})

    assert deleted.is_deleted
    assert not fold([*ops, delete, again]).is_deleted


@given(HISTORIES)
def test_an_edit_beside_a_delete_keeps_the_record_visible_and_flagged(ops: list[Op]) -> None:
    seen = fold(ops).vector
    delete = Op("x", "s-office", 1, context=seen, is_delete=True)
    edit = Op("y", "d-late", 1, context=seen, set={"nama": "1"})

    view = fold([*ops, delete, edit])

    assert not view.is_deleted
    assert view.clashes[0].path == ""
    assert {op.op_id for op in view.clashes[0].siblings} >= {"x", "y"}


@given(HISTORIES)
def test_who_deletes_without_having_seen_that_it_was_kept_is_asked_again(ops: list[Op]) -> None:
    seen = fold(ops).vector
    delete = Op("x", "s-office", 1, context=seen, is_delete=True)
    keep = Op("y", "s-office", 2, prev=1, context=seen)
    late = Op("z", "d-late", 1, context=seen, is_delete=True)

    kept = fold([*ops, delete, keep])
    again = fold([*ops, delete, keep, late])

    assert not kept.is_deleted
    assert not kept.clashes or kept.clashes[0].path
    assert not again.is_deleted
    assert [op.op_id for op in again.clashes[0].siblings] == ["y", "z"]


@given(HISTORIES, st.data())
def test_what_is_void_takes_its_number_and_nothing_else(ops: list[Op], data: st.DataObject) -> None:
    chosen = data.draw(st.sampled_from(ops))

    view = fold(put_aside(ops, chosen))

    assert not view.held
    assert view.vector == {**fold(ops).vector, f"{UNSEEN}{chosen.op_id}": 1}
    assert all(op.op_id != chosen.op_id for op in view.writers.values())


@given(HISTORIES, st.data())
def test_who_saw_a_marker_has_not_seen_what_takes_its_place(ops: list[Op], data: st.DataObject) -> None:
    chosen = data.draw(st.sampled_from(ops))
    late = Op("late", "s-office", 1, context=fold(put_aside(ops, chosen)).vector, set=dict.fromkeys(chosen.set, "late"))

    view = fold([*ops, late])

    clashing = {clash.path: {op.op_id for op in clash.siblings} for clash in view.clashes}
    lives = {path for path in chosen.set if not any(op.has_seen(chosen) and path in op.set for op in ops)}
    assert all(chosen.op_id in clashing.get(path, set()) for path in lives)


def put_aside(ops: list[Op], chosen: Op) -> list[Op]:
    """The history on a server that keeps one of them in quarantine."""
    return [replace(op, is_void=True, set={}, context={}, is_delete=False) if op is chosen else op for op in ops]


@given(HISTORIES, st.data())
def test_what_an_author_saw_can_be_found_again(ops: list[Op], data: st.DataObject) -> None:
    op = data.draw(st.sampled_from(ops))
    seen = closure(op)

    then = History(ops).seen_by(seen)

    assert then.held == ()
    assert {one.op_id for one in then.ready} == {one.op_id for one in ops if one.n <= seen.get(one.origin, 0)}
    assert then.shown == op


@given(HISTORIES)
def test_derived_paths_never_clash_and_are_displayed_all_the_same(ops: list[Op]) -> None:
    view = fold(ops, derived=frozenset(PATHS))

    assert all(clash.path == "" for clash in view.clashes)
    assert dict(view.values) == dict(fold(ops).values)
