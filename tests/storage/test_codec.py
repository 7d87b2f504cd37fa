"""What goes into the log comes out of it, whatever it is and whichever version wrote it."""

import struct
import tracemalloc

import msgpack
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from storage import codec
from storage.errors import StorageBroken, StorageError
from storage.events import Declared, Layout, Metrics, Notification, Series, canonical
from tests.storage.conftest import facts


@given(facts)
def test_every_fact_comes_back_equal(fact):
    """Decoding is the inverse of encoding, for every kind of fact and for the types inside."""
    told = codec.decode(fact.type, fact.version, codec.encode(fact))
    assert repr(told) == repr(fact)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_every_finite_double_comes_back_bit_for_bit(doubles):
    """-0.0, subnormals, 1e308 and the integers beyond 2**53 included."""
    fact = Metrics(list(range(1, len(doubles) + 1)), [canonical(value) for value in doubles])
    told = codec.decode("metrics", 1, codec.encode(fact))
    assert isinstance(told, Metrics)
    assert [struct.pack("d", float(v)) for v in told.values] == [
        struct.pack("d", v) for v in doubles
    ]
    assert [type(v) for v in told.values] == [type(v) for v in fact.values]
    assert codec.samples(codec.encode(fact)) == (list(fact.ids), list(fact.values))


def test_tuples_are_written_like_lists():
    """The hot road may hand over either sequence; the bytes are the same."""
    assert codec.encode(Metrics((1, 2), (0.5, 3))) == codec.encode(Metrics([1, 2], [0.5, 3]))


@pytest.mark.parametrize("option", [1 << 64, -(1 << 63) - 1, "\udcff"])
def test_what_has_no_bytes_is_an_error_with_a_name(option):
    """And none that ends the writer."""
    panel = {"kind": "text", "options": {"a": option}}
    with pytest.raises(StorageError, match="type layout cannot be written") as caught:
        codec.encode(Layout("a", "saved", "A", [panel]))
    assert not isinstance(caught.value, StorageBroken)


MANY = Declared([Series(place, f"system_disk_{place}_bytes", {}) for place in range(1, 200)])


def test_a_long_fact_that_repeats_itself_is_short():
    """Declarations of many series take a fifth, and come back the same."""
    body = codec.encode(MANY)
    plain = zstandard.decompress(body)
    assert len(body) < len(plain) / 5
    assert codec.decode("series", 1, body) == MANY
    # As all were written before.
    assert codec.decode("series", 1, plain) == MANY
    assert codec.encode(Layout("a", "saved", "A", []))[0] & 0xF0 == 0x90


@pytest.mark.parametrize(
    "frame",
    [
        zstandard.compress(b"\x91" * 999)[:-3],
        zstandard.compress(b"\x91" * 999) + b"\0",
        zstandard.compress(b""),
        zstandard.ZstdCompressor(write_content_size=False).compress(b"\x90" * 999),
        b"\x28\xb5\x2f\xfd",
        b"\x28\xb5\x2f\xfd\xa0\x01\x00\x00\x10",
    ],
)
def test_a_frame_that_cannot_be_unfolded_is_a_broken_log(frame):
    """Cut, with more behind it, of no length, of none that it tells, or of more than any has."""
    with pytest.raises(StorageBroken, match="cannot be read"):
        codec.decode("series", 1, frame)


def test_a_few_bytes_do_not_fill_the_memory():
    """A frame of a kilobyte that would be more than 16 MiB is not unfolded; a fact so long is written plain."""
    text = "a" * 2**24
    frame = zstandard.compress(msgpack.packb(["id", "info", text, "", "dashboard"]))
    assert len(frame) < 2000
    tracemalloc.start()
    try:
        with pytest.raises(StorageBroken, match="longer than any"):
            codec.decode("notification", 1, frame)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    long = Notification("id", "info", text, "", "dashboard")
    assert codec.decode("notification", 1, codec.encode(long)) == long


@given(st.lists(facts))
def test_together_they_are_written_as_alone(some):
    """Ticks that share a list of ids, and facts between them."""
    run = [told for fact in some for told in (fact, fact, Metrics((1, 2), (0.5, 3)))]
    assert list(codec.encoded(run)) == [codec.encode(fact) for fact in run]


@pytest.mark.parametrize(
    ("type_", "version", "body"),
    [
        ("metrics", 1, b""),
        ("metrics", 1, b"\xc1"),
        ("metrics", 1, msgpack.packb(7)),
        ("metrics", 1, msgpack.packb([[1]])),
        ("metrics", 1, msgpack.packb([[1], [2]])[:-1]),
        ("notification", 1, msgpack.packb(["id", "loud", "text", "", "dashboard"])),
        ("notification", 1, msgpack.packb(["id"])),
        ("notification", 1, msgpack.packb({"id": 1})),
        ("alert", 1, msgpack.packb(None)),
        ("notification", 0, msgpack.packb(["id", "info", "text", "", "dashboard"])),
    ],
)
def test_a_payload_that_cannot_be_read_is_a_broken_log(type_, version, body):
    """Damage is named as such; no driver's or decoder's error gets out."""
    with pytest.raises(StorageBroken, match=type_):
        codec.decode(type_, version, body)


def test_what_a_newer_version_wrote_is_refused_by_name():
    """An unknown type or version says that a newer program is needed, instead of guessing."""
    with pytest.raises(StorageBroken, match="unknown type 'dream'") as unknown:
        codec.decode("dream", 1, b"")
    assert "newer" in unknown.value.hint
    with pytest.raises(StorageBroken, match="version 2") as newer:
        codec.decode("system", 2, msgpack.packb(["started", {}]))
    assert "newer" in newer.value.hint


def test_old_versions_are_upcast_step_by_step(monkeypatch):
    """Law history-is-frozen: an upcaster a version turns what was written then into what is told now."""

    class Newest(Notification, frozen=True, tag="notification", tag_field="fact"):
        version = 3

    monkeypatch.setitem(codec._BY_TYPE, "notification", Newest)
    upcasters = {
        ("notification", 1): lambda payload: [payload[0], "info", *payload[1:]],
        ("notification", 2): lambda payload: [*payload, "title", "room"],
    }
    monkeypatch.setattr(codec, "UPCASTERS", upcasters)
    told = codec.decode("notification", 1, msgpack.packb(["id", "text"]))
    assert told == Newest("id", "info", "text", "title", "room")


@pytest.mark.parametrize("count", [0, 1, 15, 16, 70_000])
def test_the_first_bytes_tell_how_many(count):
    """As msgpack writes the length of a list."""
    body = codec.encode(Metrics(tuple(range(count)), (0,) * count))
    assert codec.named(body[:6]) == count
    assert codec.named(b"") == codec.named(b"\xc1") == 0
