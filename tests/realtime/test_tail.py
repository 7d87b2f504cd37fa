"""The newest events in memory, against a plain list."""

from hypothesis import given
from hypothesis import strategies as st

from realtime.core.frames import Wire
from realtime.core.session import Form
from realtime.core.views import View, evolve
from realtime.tail import FORMS, OVERHEAD, SAMPLE, Entry, Tail
from storage.events import Declared, Event, Metrics, Notification, Series

PLENTY = 1 << 30
WIRE = Wire("websocket", "json", bytes)


def note(seq):
    return Event(seq, seq, "", Notification(str(seq), "info", "x"))


def tick(seq, size=1):
    return Event(seq, seq, "here", Metrics(list(range(1, size + 1)), [seq] * size))


def view(size):
    series = [Series(id_, f"m{id_}", {}) for id_ in range(1, size + 1)]
    return evolve(View(), Event(1, 1, "here", Declared(series)))


def seqs(page):
    return None if page is None else [entry.event.seq for entry in page]


@given(
    most=st.integers(1, 20),
    start=st.integers(0, 1000),
    bursts=st.lists(st.integers(0, 12), max_size=12),
    ask=st.lists(st.tuples(st.integers(-3, 60), st.integers(1, 30)), max_size=10),
)
def test_it_is_a_window_on_a_list(most, start, bursts, ask):
    """`after` gives exactly what a list would, or None when the window has moved on."""
    tail = Tail(most, PLENTY)
    tail.start(start)
    log: list[Event] = []
    for burst in bursts:
        new = [note(start + len(log) + n + 1) for n in range(burst)]
        log += new
        tail.extend(new)
        assert len(tail) == min(most, len(log))
        assert tail.edge == start + len(log)
    for offset, page in ask:
        seq = start + offset
        expected: list[int] | None = [event.seq for event in log if event.seq > seq][:page]
        if seq >= tail.edge:
            expected = []
        elif seq < tail.edge - len(tail):
            expected = None
        assert seqs(tail.after(seq, page)) == expected


def test_a_fresh_tail_reaches_nowhere():
    """After a start nothing is in memory: at the edge there is nothing to tell, before it ask the log."""
    tail = Tail(10, PLENTY)
    tail.start(7)
    assert tail.after(7, 10) == []
    assert tail.after(6, 10) is None


def test_bytes_are_bounded():
    """Big events push old ones out early; the newest stays, whatever its size."""
    size = OVERHEAD + 100 * SAMPLE
    tail = Tail(1000, 3 * size)
    tail.extend(tick(seq, 100) for seq in range(1, 10))
    assert len(tail) == 3
    assert tail.bytes == 3 * size
    tail.extend([tick(10, 10_000)])
    assert seqs(tail.after(9, 5)) == [10]
    assert len(tail) == 1


def test_frames_count():
    """Frames made of an event are part of what is bounded."""
    it, shape = Tail(1000, PLENTY), view(50)
    it.extend(tick(seq, 50) for seq in range(1, 4))
    before = it.bytes
    told = [entry.told(Form(), None, WIRE, "e", shape) for entry in it.after(0, 3) or ()]
    assert it.bytes == before + sum(map(len, told))
    small = Tail(1000, before)
    small.extend(tick(seq, 50) for seq in range(1, 4))
    held = small.after(0, 3) or []
    for entry in held:
        entry.told(Form(), None, WIRE, "e", shape)
    small.extend([tick(4, 50)])
    assert len(small) < 4
    assert small.bytes <= before
    # What a reader still holds is built, and no longer weighs on us.
    weight = small.bytes
    held[0].told(Form(compact=True), None, WIRE, "e", shape)
    assert small.bytes == weight


def test_a_frame_is_built_once_a_form():
    """Clients of one form and wire share the very bytes; others get their own."""
    entry, shape = Entry(tick(2, 3)), view(3)
    first = entry.told(Form(), None, WIRE, "e", shape)
    assert entry.told(Form(), None, WIRE, "e", shape) is first
    assert entry.told(Form(compact=True), None, WIRE, "e", shape) != first
    assert entry.told(Form(), None, WIRE._replace(encoding="msgpack"), "e", shape) != first
    assert entry.told(Form(False, ("m1",)), {1}, WIRE, "e", shape) != first


def test_clients_do_not_choose_how_much_is_kept():
    """Forms beyond the bound are told and forgotten."""
    entry, shape = Entry(tick(2, 3)), view(3)
    for n in range(FORMS):
        entry.told(Form(False, (f"m{n}",)), {1}, WIRE, "e", shape)
    size = entry.size
    told = entry.told(Form(False, ("m1", "x")), {1}, WIRE, "e", shape)
    assert b'"m1":2' in told
    assert entry.size == size


def test_what_does_not_concern_a_form():
    """No sample left, no frame; names never are one by themselves."""
    shape = view(3)
    assert Entry(tick(2, 3)).told(Form(False, ("x",)), set(), WIRE, "e", shape) == b""
    assert Entry(Event(1, 1, "here", Declared([]))).told(Form(), None, WIRE, "e", shape) == b""
