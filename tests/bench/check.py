"""How fast a form is judged: checks a second, beside bare lxml parsing of the same bytes in the same run.

python -m tests.bench.check
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

from lxml import etree

from forms.check import Context, compile_form
from forms.definition import FormDefinition
from forms.instance import open_instance, read_answers
from forms.outline import outline
from schemas.answers import answers_schema, judge
from tests.bench.samples import Sample, samples

ROUNDS, AT_LEAST_S = 150, 0.01
COMPILED = 10


def main() -> None:
    """Print the figures, in CPU time of one core."""
    for sample in samples():
        size = sum(len(xml) for xml, _, _ in sample.records) / len(sample.records)
        print(f"\n{sample.name}: {sample.questions} questions, {size / 1000:.1f} KB of XML a record")
        _print_judging(sample)
        _print_compiling(sample.compiled.definition)
        _print_memory(sample)


def _print_judging(sample: Sample) -> None:
    compiled, definition = sample.compiled, sample.compiled.definition

    def parse(xml: bytes, answers: dict[str, object], context: Context) -> object:
        return etree.fromstring(xml)

    def check(xml: bytes, answers: dict[str, object], context: Context) -> object:
        return judge(compiled, answers, context)

    def whole(xml: bytes, answers: dict[str, object], context: Context) -> object:
        return judge(compiled, read_answers(definition, open_instance(xml)).answers, context)

    floor = _seconds(sample, parse)
    print(f"  {'bare lxml parsing':<40}{1 / floor:>9,.0f}/s {floor * 1e6:>8.1f} us")
    for name, work in (("answers to verdict", check), ("XML to verdict", whole)):
        took = _seconds(sample, work)
        print(f"  {name:<40}{1 / took:>9,.0f}/s {took * 1e6:>8.1f} us {took / floor:>6.1f} times parsing")


def _print_compiling(definition: FormDefinition) -> None:
    best = float("inf")
    for _ in range(COMPILED):
        begun = time.process_time()
        compile_form(definition)
        best = min(best, time.process_time() - begun)
    print(f"  {'compiling':<40}{best * 1000:>9.1f} ms")


def _print_memory(sample: Sample) -> None:
    """What one more version of a form keeps: definition, outline, compiled form and marshmallow's schema."""
    tracemalloc.start()
    definition = sample.definition()
    kept: list[object] = [definition]
    alone_mb = tracemalloc.get_traced_memory()[0] / 1e6
    kept += [outline(definition), compile_form(definition), answers_schema(definition)]
    all_mb = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    print(f"  {'kept for one version':<40}{all_mb:>9.2f} MB, {alone_mb:.2f} MB of it the definition")


def _seconds(sample: Sample, work: Callable[[bytes, dict[str, object], Context], object]) -> float:
    """CPU seconds a record: the best of many short rounds, since others share the machine."""
    best = float("inf")
    for _ in range(ROUNDS):
        done, begun = 0, time.process_time()
        while time.process_time() - begun < AT_LEAST_S:
            for record in sample.records:
                work(*record)
            done += len(sample.records)
        best = min(best, (time.process_time() - begun) / done)
    return best


if __name__ == "__main__":
    main()
