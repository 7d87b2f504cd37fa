"""A segment gives back the very ticks it was made of, or says that it is damaged."""

import hashlib
import json
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pcodec import wrapped  # type: ignore[import-untyped,unused-ignore]

from storage import segments
from storage.errors import Damaged
from storage.events import canonical
from storage.packing import guard, pack
from storage.segments import Head, Tick, column, digest, seal, unseal
from tests.bench.recording import names, ticks

ROOT = Path(__file__).resolve().parents[2]
FROZEN = [
    frozen
    for number in (1, 2)
    for frozen in json.loads(
        (ROOT / "tests" / "data" / f"segment-format-{number}.json").read_text()
    )["segments"]
]
NOW = 1_795_403_506_000_000

doubles = st.one_of(
    st.integers(-(2**53), 2**53),
    st.integers(0, 300),
    st.integers(-(10**9), 10**9).map(lambda value: value / 100),
    st.floats(),
    st.integers(0, 2**64 - 1).map(lambda word: struct.unpack("<d", struct.pack("<Q", word))[0]),
    st.sampled_from([0, -0.0, 1.7e308, 5e-324, 2**53 + 2.0]),
).map(canonical)
sources = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)


@st.composite
def spans(draw):
    """Ticks of several sources whose series come, go and change places; times jump, seqs have holes. Some tell
    what another tells, or what a number less it is."""
    of = draw(st.lists(sources, min_size=1, max_size=3))
    pool = draw(
        st.lists(
            st.integers(0, 12) | st.integers(0, 2**32 - 1), min_size=1, max_size=12, unique=True
        )
    )
    shapes = draw(
        st.lists(
            st.tuples(st.sampled_from(of), st.permutations(pool), st.integers(0, len(pool))),
            min_size=1,
            max_size=4,
        )
    )
    seq, at = draw(st.integers(1, 2**40)), draw(st.integers(-(2**50), 2**52))
    pair = st.tuples(st.sampled_from(pool), st.sampled_from(pool), st.none() | doubles)
    twins = draw(st.lists(pair, max_size=3))
    told = []
    for _ in range(draw(st.integers(1, 25))):
        source, ids, count = draw(st.sampled_from(shapes))
        seq += draw(st.sampled_from([1, 1, 1, 2, 90]))
        at += draw(st.sampled_from([1_000_000, 1_000_000, 999_613, 0, -3, -3_600_000_000, 10**15]))
        values = draw(st.lists(doubles, min_size=count, max_size=count))
        for one, other, both in twins:
            if one in ids[:count] and other in ids[:count]:
                value = values[ids.index(one)]
                values[ids.index(other)] = value if both is None else canonical(both - float(value))
        told.append(Tick(seq, at, source, list(ids[:count]), values))
    return told


def spelled(told):
    """A tick to the bit: 1 is not 1.0, and a NaN is the NaN it was."""
    return [
        (
            tick.seq,
            tick.at,
            tick.source,
            list(tick.ids),
            [v if isinstance(v, int) else struct.pack("<d", v) for v in tick.values],
        )
        for tick in told
    ]


def recorded(first=0, last=600):
    ids = list(range(1, len(names()) + 1))
    return [
        Tick(
            first + place + 1,
            NOW + place * 1_000_000 + place * 7919 % 1009,
            "recorded",
            ids,
            [canonical(value) for value in tick.values()],
        )
        for place, tick in enumerate(ticks()[first:last])
    ]


@given(spans())
@example([Tick(7, NOW, "a", [], [])])
@example([Tick(7, NOW, "a", [], []), Tick(8, NOW, "a", [3], [0.5])])
@example([Tick(1, -(2**63), "a", [5], [1]), Tick(2**63 - 1, 2**63 - 1, "b", [5], [-0.0])])
@example([Tick(1, NOW, "", [2**32 - 1, 0], [1, 2])])
def test_the_very_ticks_come_back(told):
    """Values bit for bit and in their canonical spelling, ids in their order, seqs with their holes."""
    sealed = seal(told)
    head = Head.read(sealed.head)
    assert spelled(unseal(head, sealed.columns)) == spelled(told)
    assert spelled(stranger(sealed.head, sealed.columns)) == spelled(told)
    assert (sealed.first_seq, sealed.last_seq) == (told[0].seq, told[-1].seq)
    assert (sealed.start_at, sealed.end_at) == (
        min(tick.at for tick in told),
        max(tick.at for tick in told),
    )
    assert sealed.ticks == len(told)
    assert sealed.samples == head.samples == sum(len(tick.ids) for tick in told)
    assert head.sources == list(dict.fromkeys(tick.source for tick in told))


@given(spans(), st.data())
def test_any_part_can_be_asked_for(told, data):
    """After any seq, at most any number: what a reader of pages gets is what slicing gives."""
    sealed = seal(told)
    after = data.draw(
        st.sampled_from([0, *(t.seq for t in told), told[-1].seq + 5]) | st.integers(0, 2**41)
    )
    most = data.draw(st.none() | st.integers(0, 30))
    part = [tick for tick in told if tick.seq > after][:most]
    assert spelled(unseal(Head.read(sealed.head), sealed.columns, after, most)) == spelled(part)


@given(spans())
def test_a_column_is_one_series_by_time(told):
    """The samples of a series by time, those of the same time in the order of seq; others stay packed."""
    sealed = seal(told)
    head = Head.read(sealed.head)
    named = {id_ for tick in told for id_ in tick.ids}
    assert set(head.series()) == named
    assert set(sealed.columns) == named - set(head.constants)
    for id_ in named:
        rows = [place for place, tick in enumerate(told) if id_ in tick.ids]
        samples = sorted(
            ((told[row].at, told[row].values[told[row].ids.index(id_)]) for row in rows),
            key=lambda sample: sample[0],
        )
        ats, values = column(head, id_, sealed.columns.get(id_))
        assert head.rows(id_).tolist() == rows
        assert ats.tolist() == [at for at, _ in samples]
        assert values.tobytes() == b"".join(struct.pack("<d", value) for _, value in samples)
    absent = next(id_ for id_ in range(20) if id_ not in named)
    assert not head.has(absent)
    assert len(head.rows(absent)) == 0


@settings(max_examples=20)
@given(st.lists(st.integers(1, 599), max_size=4, unique=True).map(sorted))
def test_where_a_span_is_cut_changes_nothing(cuts):
    """The ticks of neighbouring segments, one behind the other, are those of one long one."""
    told = recorded()
    again = []
    for first, last in zip([0, *cuts], [*cuts, 600], strict=True):
        sealed = seal(told[first:last])
        again += unseal(Head.read(sealed.head), sealed.columns)
    assert spelled(again) == spelled(told)


def test_half_an_hour_of_a_real_host_takes_a_quarter_of_a_byte_a_sample():
    """Heads, columns and checksums together, in segments of ten minutes."""
    told = [seal(recorded(first, first + 600)) for first in (0, 600, 1200)]
    size = sum(len(s.head) + sum(map(len, set(s.columns.values()))) for s in told)
    samples = sum(s.samples for s in told)
    assert samples == 1800 * 191
    assert size / samples <= 0.25


def test_processes_that_come_and_go_do_not_bloat_the_head():
    """Hundreds of shapes that differ a little cost little."""
    random = np.random.default_rng(3)
    told = []
    for place in range(600):
        ids = [
            *range(1, 150),
            *sorted(random.choice(np.arange(200, 260), 15, replace=False).tolist()),
        ]
        told.append(Tick(place + 1, NOW + place, "a", ids, [0] * len(ids)))
    sealed = seal(told)
    assert len(Head.read(sealed.head).shapes) == 600
    assert len(sealed.head) < 600 * 25
    assert spelled(unseal(Head.read(sealed.head), {})) == spelled(told)


SMALL = seal(
    [
        Tick(1, NOW, "a", [1, 2, 3], [0.5, 7, 1e300]),
        Tick(2, NOW + 5, "b", [9], [1]),
        Tick(4, NOW - 5, "a", [3, 1], [-0.0, 0.75]),
    ]
)


def test_each_flipped_bit_of_a_head_and_each_lost_byte_is_noticed():
    """Every one of them."""
    for bit in range(8 * len(SMALL.head)):
        hurt = bytearray(SMALL.head)
        hurt[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Damaged):
            Head.read(bytes(hurt))
    for length in range(len(SMALL.head)):
        with pytest.raises(Damaged):
            Head.read(SMALL.head[:length])


def test_each_flipped_bit_of_a_column_is_noticed_from_both_sides():
    """By who asks for one series and by who asks for ticks."""
    head = Head.read(SMALL.head)
    for id_, body in SMALL.columns.items():
        for bit in range(8 * len(body)):
            hurt = bytearray(body)
            hurt[bit // 8] ^= 1 << bit % 8
            with pytest.raises(Damaged):
                column(head, id_, bytes(hurt))
            with pytest.raises(Damaged):
                unseal(head, {**SMALL.columns, id_: bytes(hurt)})


def test_columns_that_are_not_those_of_the_head_are_noticed():
    """One is missing, one too many, one of a series that does not move, one of another length."""
    head = Head.read(SMALL.head)
    assert set(SMALL.columns) == {1, 3}
    for columns, told in [
        ({1: SMALL.columns[1]}, "series 3 is missing"),
        ({**SMALL.columns, 8: SMALL.columns[1]}, "series 8"),
        ({**SMALL.columns, 2: SMALL.columns[1]}, "never moved"),
        ({**SMALL.columns, 1: pack(np.arange(3.0))}, "3 values for 2 ticks"),
    ]:
        with pytest.raises(Damaged, match=told):
            unseal(head, columns)
    with pytest.raises(Damaged, match="missing"):
        column(head, 1, None)
    with pytest.raises(Damaged, match="never moved"):
        column(head, 2, SMALL.columns[1])


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, 300),
)
def test_a_head_with_right_checksums_and_wrong_content_is_damaged_or_a_head(edits, length):
    """Content that somebody made up fails in the same way, and never claims much room."""
    content = bytearray(zstandard.decompress(SMALL.head[1:-4]))
    for place, byte in edits:
        content[place % len(content)] = byte
    for made_up in (content, content[:length], content + b"\0"):
        try:
            head = Head.read(guard(b"\x01" + zstandard.compress(bytes(made_up))))
            unseal(head, SMALL.columns)
        except Damaged:
            continue
        assert head.samples < 100


def test_a_frame_that_would_unfold_to_much_is_not_unfolded():
    """The size it claims is looked at first, and one without a claim is refused."""
    bomb = zstandard.compress(bytes(segments.HEAD_MOST + 1))
    silent = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(500))
    small = zstandard.compress(bytes(500))
    for frame in (bomb, silent, small, small + b"\0", small[:-1], b"", b"\x28\xb5\x2f\xfd"):
        with pytest.raises(Damaged):
            Head.read(guard(b"\x01" + frame))


def test_a_format_of_the_future_is_called_unknown():
    """A segment of another format is not guessed at."""
    with pytest.raises(Damaged, match="unknown format 3"):
        Head.read(guard(b"\x03" + SMALL.head[1:-4]))


TWINS = seal(
    [
        Tick(place, NOW + place, "a", [1, 2, 3, 4, 5], [value, 100 - value, value, 2 * value, 0])
        for place, value in enumerate([20, 20.5, 31, 4, 99.25], 1)
    ]
)


def test_who_tells_the_same_shares_a_column():
    """What is sent and what is received over a loop, what is used and what is free: packed once."""
    assert TWINS.columns[1] == TWINS.columns[2] == TWINS.columns[3] != TWINS.columns[4]
    head = Head.read(TWINS.head)
    assert (head.format, head.mirrors) == (2, {2: 100.0})
    assert Head.read(SMALL.head).format == 1
    for id_, told in ((1, [20, 20.5, 31]), (2, [80, 79.5, 69]), (3, [20, 20.5, 31])):
        assert column(head, id_, TWINS.columns[id_])[1][:3].tolist() == told


@pytest.mark.parametrize(
    "values",
    [
        [[0.1, 0.2, 0.7], [0.9, 0.8, 0.30000000000000004]],
        [[5.0, 0.0, 1.0], [0.0, -0.0, 4.0]],
        [[float("inf"), 1.0, 2.0], [float("-inf"), 3.0, 2.0]],
        [[float("nan"), 1.0, 2.0], [1.0, 3.0, 2.0]],
        [[1.7e308, -1.7e308, 0.0], [1.7e308, 1.7e308, 0.0]],
    ],
)
def test_almost_a_mirror_is_none(values):
    """What does not come back to the bit keeps a column of its own."""
    told = [
        Tick(place, NOW, "a", [1, 2], [canonical(value) for value in pair])
        for place, pair in enumerate(zip(*values, strict=True), 1)
    ]
    sealed = seal(told)
    assert spelled(unseal(Head.read(sealed.head), sealed.columns)) == spelled(told)


@pytest.mark.parametrize(
    ("ids", "what"), [([7], "no tick names"), ([5], "twice"), ([2, 2], "twice"), ([3, 2], "twice")]
)
def test_mirrors_of_a_head_that_somebody_made_up(ids, what):
    """Of a series it does not name or that never moved, or told twice."""
    content = zstandard.decompress(TWINS.head[1:-4])[: -4 - 12]
    steps = np.diff(np.array(ids, "<u4"), prepend=np.uint32(0)).astype("<u4").tobytes()
    content += struct.pack("<I", len(ids)) + steps + bytes(8 * len(ids))
    with pytest.raises(Damaged, match=what):
        Head.read(guard(b"\x02" + zstandard.compress(content)))


A: Any = Tick(1, NOW, "a", [1], [1])


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ([], "one tick"),
        ([A, A], "order of their seqs"),
        ([A._replace(ids=[1, 1], values=[1, 2])], "names a series twice"),
        ([A._replace(values=[1, 2])], "one value a series"),
        ([A._replace(ids=[1, 2])], "one value a series"),
        ([A._replace(ids=[-1])], "no id"),
        ([A._replace(ids=[2**32])], "no id"),
        ([A._replace(ids=[1.0])], "no id"),
        ([A._replace(ids=[True])], "no id"),
        ([A._replace(values=["1"])], "no number"),
        ([A._replace(values=[None])], "no number"),
        ([A._replace(values=[True])], "no number"),
        ([A._replace(values=[2**53 + 1])], "no double holds"),
        ([A._replace(values=[10**400])], "double"),
        ([A._replace(at=2**63)], "64 bits"),
        ([A._replace(source="\ud800")], "surrogates"),
    ],
)
def test_what_is_no_span_of_ticks_is_refused(told, what):
    """Nothing is sealed that would not come back as it was."""
    with pytest.raises(ValueError, match=what):
        seal(told)


def test_values_come_back_in_their_one_spelling():
    """As `storage.events.canonical` has it, whatever spelling they came in."""
    sealed = seal([A._replace(ids=(1, 2, 3), values=(5.0, 2**60, -0.0))])
    (again,) = unseal(Head.read(sealed.head), sealed.columns)
    assert repr(again.values) == repr([5, float(2**60), -0.0])


def test_a_digest_vouches_for_all_before_it():
    """Another byte, another series, another order or another past: another digest."""
    told = {
        digest(b"", b"head", {1: b"a", 2: b"b"}),
        digest(b"", b"head", {1: b"b", 2: b"a"}),
        digest(b"", b"head", {1: b"ab"}),
        digest(b"", b"heada", {2: b"b"}),
        digest(b"x", b"head", {1: b"a", 2: b"b"}),
        digest(b"h", b"ead", {1: b"a", 2: b"b"}),
    }
    assert len(told) == 6
    assert digest(b"", b"head", {2: b"b", 1: b"a"}) in told


@pytest.mark.parametrize("frozen", FROZEN, ids=lambda frozen: frozen["what"])
def test_what_the_first_release_sealed_can_be_read_for_ever(frozen):
    """Law history-is-frozen: these bytes are never made anew."""
    head = bytes.fromhex(frozen["head"])
    columns = {int(id_): bytes.fromhex(body) for id_, body in frozen["columns"].items()}
    told = [Tick(*tick) for tick in frozen["ticks"]]
    assert spelled(unseal(Head.read(head), columns)) == spelled(told)
    assert spelled(stranger(head, columns)) == spelled(told)
    assert digest(b"", head, columns).hex() == frozen["digest"]


def test_the_example_of_the_page_is_true():
    """docs/storage.md: the bytes there are the ticks there, and its words are enough to read them."""
    page = (ROOT / "docs" / "storage.md").read_text()

    def hexadecimal(block):
        (text,) = re.findall(rf"^```{block}\n(.*?)```", page, re.DOTALL | re.MULTILINE)
        told = (re.match("(?:[0-9a-f]{2}(?: |$))+", line) for line in text.splitlines())
        return bytes.fromhex("".join(found[0] for found in told if found))

    told = [
        Tick(
            int(seq),
            int(at),
            source,
            [int(id_) for id_ in ids.split(", ")],
            [json.loads(value) for value in values.split(", ")],
        )
        for seq, at, source, ids, values in re.findall(
            r"^\| (\d+) \| (\d+) \| (\w) \| (.+?) \| (.+?) \|$", page, re.MULTILINE
        )
    ]
    assert len(told) == 3
    head, columns = hexadecimal("head"), {1: hexadecimal("column")}
    assert spelled(unseal(Head.read(head), columns)) == spelled(told)
    assert spelled(stranger(head, columns)) == spelled(told)
    assert zstandard.decompress(head[1:-4]) == hexadecimal("content")
    assert digest(b"", head, columns) == hexadecimal("digest")
    parts = [struct.pack("<I", 0), struct.pack("<I", len(head)), head]
    parts += [struct.pack("<II", 1, len(columns[1])), columns[1]]
    assert hashlib.sha256(b"".join(parts)).digest() == hexadecimal("digest")


# What follows reads a segment from the words of docs/storage.md alone, with none of our code.


def stranger(head, columns):
    assert zlib.crc32(head[:-4]) == struct.unpack("<I", head[-4:])[0]
    assert head[0] in (1, 2)
    content = zstandard.decompress(head[1:-4])
    t, s, h, e, c, *packed = struct.unpack_from("<8I", content)
    place = 32

    def take(length):
        nonlocal place
        place += length
        return content[place - length : place]

    def u32(count):
        return list(struct.unpack(f"<{count}I", take(4 * count)))

    def ids(count):
        told, last = [], 0
        for step in u32(count):
            last = (last + step) % 2**32
            told.append(last)
        return told

    seqs, ats, shape_of = (stranger_column(take(length)) for length in packed)
    named = [take(length).decode() for length in u32(s)]
    owners, lengths = u32(h), u32(h)
    entries = ids(e)
    constants = dict(zip(ids(c), struct.unpack(f"<{c}d", take(8 * c)), strict=True))
    mirrors = {}
    if head[0] == 2:
        (m,) = u32(1)
        mirrors = dict(zip(ids(m), struct.unpack(f"<{m}d", take(8 * m)), strict=True))
    assert place == len(content)
    assert len(seqs) == len(ats) == len(shape_of) == t
    left = {}
    for id_, body in columns.items():
        told = stranger_column(body)
        left[id_] = iter([mirrors[id_] - value for value in told] if id_ in mirrors else told)
    told = []
    for seq, at, shape in zip(seqs, ats, shape_of, strict=True):
        begin = sum(lengths[:shape])
        mine = entries[begin : begin + lengths[shape]]
        values = [constants[id_] if id_ in constants else next(left[id_]) for id_ in mine]
        told.append(Tick(seq, at, named[owners[shape]], mine, [integral(v) for v in values]))
    assert all(next(rest, None) is None for rest in left.values())
    return told


def integral(value):
    whole = value == value and abs(value) <= 2**53 and value == int(value)
    return int(value) if whole and struct.pack("<d", value) != struct.pack("<d", -0.0) else value


def stranger_column(body):
    assert zlib.crc32(body[:-4]) == struct.unpack("<I", body[-4:])[0]
    method, (count, rest) = body[0], varint(body[1:-4])
    if method in (0, 16):
        return list(struct.unpack(f"<{count}{'d' if method == 0 else 'q'}", rest))
    if method in (1, 17):
        return list(struct.unpack("<d" if method == 1 else "<q", rest)) * count
    if method == 2:
        return pco(rest, count, "f64", np.float64)
    if method == 3:
        return [whole / 10.0 ** rest[0] for whole in offsets(rest[1:], count)]
    assert method == 18
    return offsets(rest, count)


def offsets(body, count):
    width, (zigzag, rest) = body[0], varint(body[1:])
    lowest = zigzag // 2 if zigzag % 2 == 0 else -(zigzag + 1) // 2
    above = pco(rest, count, f"u{8 * width}", f"u{width}")
    return [(lowest + value + 2**63) % 2**64 - 2**63 for value in above]


def varint(body):
    value = 0
    for place, byte in enumerate(body):
        value += (byte % 128) << 7 * place
        if byte < 128:
            return value, body[place + 1 :]
    raise AssertionError("it does not end")


def pco(body, count, name, kind):
    file, used = wrapped.FileDecompressor.new(body)
    chunk, more = file.chunk_decompressor(body[used:], name)
    values = np.empty(count, dtype=kind)
    _, last = chunk.read_page_into(body[used + more :], count, values)
    assert used + more + last == len(body)
    return values.tolist()
