"""The body of a push is bounded in every direction."""

from __future__ import annotations

import gzip
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

from server.tablet.batch import BatchTooLarge, BrokenBatch, SentBatch, UnknownEncoding, decoded

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
TEXT = b"".join(b'{"op": "%d"}\n' % number for number in range(5000))


def test_a_batch_may_come_as_it_is() -> None:
    assert decoded(TEXT, "identity") == TEXT


def test_a_compressed_batch_is_what_it_was() -> None:
    assert decoded(gzip.compress(TEXT), "gzip") == TEXT


def test_gzip_in_several_members_is_one_text() -> None:
    assert decoded(gzip.compress(TEXT) + gzip.compress(b"the end"), "GZIP") == TEXT + b"the end"


@pytest.mark.parametrize("cut", [1, 8, 9, 100])
def test_a_cut_is_noticed(cut: int) -> None:
    with pytest.raises(BrokenBatch):
        decoded(gzip.compress(TEXT)[:-cut], "gzip")


def test_a_flipped_bit_is_noticed() -> None:
    sent = bytearray(gzip.compress(TEXT))
    sent[len(sent) // 2] ^= 4

    with pytest.raises(BrokenBatch):
        decoded(bytes(sent), "gzip")


def test_a_bomb_is_refused_before_it_explodes() -> None:
    bomb = gzip.compress(bytes(300 * 2**20), 9)
    tracemalloc.start()

    with pytest.raises(BatchTooLarge):
        decoded(bomb, "gzip")

    assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
    tracemalloc.stop()


def test_a_small_bomb_is_known_by_its_ratio() -> None:
    with pytest.raises(BatchTooLarge):
        decoded(gzip.compress(bytes(2 * 2**20), 9), "gzip")


def test_one_record_that_says_the_same_a_thousand_times_is_no_bomb() -> None:
    table = b"<row><amount>0</amount></row>" * 30_000

    assert decoded(gzip.compress(table, 9), "gzip") == table


def test_a_thousand_empty_members_are_refused() -> None:
    """Each that ends costs a copy of all that follows."""
    with pytest.raises(BrokenBatch):
        decoded(gzip.compress(b"") * 1000, "gzip")


def test_another_encoding_is_refused_by_name() -> None:
    with pytest.raises(UnknownEncoding):
        decoded(TEXT, "br")


@pytest.mark.parametrize(("years", "bounded"), [(0, 0), (20, 2**31 - 1), (-20, -(2**31 - 1))])
def test_a_clock_that_is_decades_off_still_fits_its_column(years: int, bounded: int) -> None:
    batch = SentBatch([], 0, NOW + timedelta(days=365 * years), None)

    assert batch.skew_ms(NOW) == bounded
