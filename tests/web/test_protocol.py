"""RFC 6455, frame by frame, on raw sockets."""

import asyncio
import base64
import contextlib
import os
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.connection import MESSAGE_BYTES
from web import protocol
from web.protocol import framed, unmasked

MASK = b"\x01\x02\x03\x04"
PING = b'{"event":"ping","id":"%s"}'


def frame(opcode, data=b"", final=True, masked=True, reserved=0, mask=MASK):
    """A client's frame, right or wrong."""
    size = len(data)
    first = (0x80 if final else 0) | reserved | opcode
    bit = 0x80 if masked else 0
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 1 << 16:
        head = bytes((first, bit | 126)) + struct.pack("!H", size)
    else:
        head = bytes((first, bit | 127)) + struct.pack("!Q", size)
    return head + (mask + unmasked(data, mask) if masked else data)


class Raw:
    """A socket after its handshake."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    def send(self, *frames):
        self.writer.write(b"".join(frames))

    async def frame(self):
        """The server's next frame: opcode and payload; never masked, never in pieces."""
        first, second = await self.reader.readexactly(2)
        assert first & 0xF0 == 0x80
        assert not second & 0x80
        size = second
        if size == 126:
            (size,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
        return first & 0x0F, await self.reader.readexactly(size)

    async def until(self, opcode, word=b""):
        while True:
            code, data = await asyncio.wait_for(self.frame(), 5)
            if code == opcode and word in data:
                return data

    async def closed(self):
        """The code of the close frame; afterwards the server ends the connection cleanly."""
        data = await self.until(0x8)
        code = int.from_bytes(data[:2], "big") if data else None
        self.send(frame(0x8, data[:2]))
        with contextlib.suppress(OSError):  # it may have ended its side already
            self.writer.write_eof()
        await asyncio.wait_for(self.reader.read(), 5)
        return code


@pytest.fixture
async def raw(site):
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET /api/realtime/ws HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    yield Raw(reader, writer)
    writer.close()
    for _ in range(100):
        if not site.services.hub.count()["websocket"]:
            break
        await asyncio.sleep(0.01)
    assert site.services.hub.count()["websocket"] == 0


WRONG = {
    "unmasked text": (frame(1, PING, masked=False), 1002),
    "unmasked binary": (frame(2, b"x", masked=False), 1002),
    "unmasked ping": (frame(9, b"x", masked=False), 1002),
    "unmasked close": (frame(8, masked=False), 1002),
    "unmasked first piece": (frame(1, b"x", final=False, masked=False), 1002),
    "reserved bit 1": (frame(1, PING, reserved=0x40), 1002),
    "reserved bit 2": (frame(1, PING, reserved=0x20), 1002),
    "reserved bit 3": (frame(9, b"", reserved=0x10), 1002),
    **{f"opcode {n}": (frame(n, b"x"), 1002) for n in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "long ping": (frame(9, b"x" * 126), 1002),
    "long close": (frame(8, b"\x03\xe8" + b"x" * 124), 1002),
    "ping in pieces": (frame(9, b"x", final=False), 1002),
    "close in pieces": (frame(8, b"", final=False), 1002),
    "nothing to go on with": (frame(0, b"x"), 1002),
    "a piece of nothing": (frame(0, b"x", final=False), 1002),
    "a message inside another": (frame(1, b"a", final=False) + frame(1, b"b"), 1002),
    "bad UTF-8": (frame(1, b"\xff"), 1007),
    "half a character": (frame(1, "é".encode()[:1]), 1007),
    "bad UTF-8 over two pieces": (frame(1, b"\xce", final=False) + frame(0, b"\x41"), 1007),
    "close of one byte": (frame(8, b"\x03"), 1002),
    "close reason no UTF-8": (frame(8, b"\x03\xe8\xff"), 1007),
    **{
        f"close code {code}": (frame(8, struct.pack("!H", code)), 1002)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535)
    },
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.gen_test
async def test_what_breaks_the_protocol(raw, name):
    """Each breach is answered with the close code of the standard, and the client can read it."""
    sent, code = WRONG[name]
    raw.send(sent)
    assert await raw.closed() == code


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4999])
@pytest.mark.gen_test
async def test_a_clients_close_is_given_back(raw, code):
    """The close code of the client is echoed, and the connection ends."""
    raw.send(frame(8, struct.pack("!H", code) + "weg é".encode()))
    assert await raw.closed() == code


@pytest.mark.gen_test
async def test_a_close_without_a_code(raw):
    """An empty close gets an empty close."""
    raw.send(frame(8))
    assert await raw.closed() is None


@pytest.mark.gen_test
async def test_pings_are_answered(raw):
    """A pong carries what the ping carried, also in the middle of a message in pieces."""
    raw.send(frame(9, b""))
    assert await raw.until(0xA) == b""
    raw.send(
        frame(1, PING[:5], final=False),
        frame(9, b"mid"),
        frame(0, PING[5:] % b"z"),
        frame(9, b"end"),
    )
    assert await raw.until(0xA) == b"mid"
    assert b'"id":"z"' in await raw.until(1, b"pong")
    assert await raw.until(0xA) == b"end"
    raw.send(frame(0xA, b"unasked"), frame(9, b"still there"))
    assert await raw.until(0xA) == b"still there"


@pytest.mark.gen_test
async def test_messages_in_any_pieces(raw):
    """One byte at a time, with empty pieces, in one write or many: the message is the same."""
    message = PING % "häppchen".encode()
    pieces = [message[n : n + 1] for n in range(len(message))]
    raw.send(frame(1, b"", final=False))
    for piece in pieces:
        raw.send(frame(0, piece, final=False))
        await asyncio.sleep(0)
    raw.send(frame(0, b""))
    assert "häppchen".encode() in await raw.until(1, b"pong")


@pytest.mark.parametrize("size", [125, 126, 127, 65_535, MESSAGE_BYTES])
@pytest.mark.gen_test
async def test_every_length_is_read(raw, size):
    """Messages up to the bound are taken, at each width of the length."""
    filler = PING % (b"x" * (size - len(PING % b"")))
    raw.send(frame(1, filler))
    assert len(await raw.until(1, b"pong")) > size


@pytest.mark.parametrize("pieces", [1, 2, 9])
@pytest.mark.gen_test
async def test_too_big_a_message(raw, site, pieces):
    """One byte over the bound, at once or in pieces: a goodbye, code 1009, and nobody else is hurt."""
    data = b"x" * (MESSAGE_BYTES + 1)
    step = -(-len(data) // pieces)
    parts = [data[n : n + step] for n in range(0, len(data), step)]
    for n, part in enumerate(parts):
        raw.send(frame(0 if n else 1, part, final=n == len(parts) - 1))
    assert b'"reason":"too_big"' in await raw.until(1, b"goodbye")
    assert await raw.closed() == 1009
    assert site.services.hub.goodbyes == {"too_big": 1}


@pytest.mark.gen_test
async def test_a_size_that_is_only_announced(raw):
    """An absurd length is refused before a byte of it is waited for."""
    raw.send(bytes((0x82, 0x80 | 127)) + struct.pack("!Q", 2**63) + MASK)
    assert await raw.closed() == 1009


@pytest.mark.gen_test
async def test_a_breach_amid_much_more(raw):
    """The close code comes through although the client goes on sending: it is not a reset."""
    raw.send(frame(1, b"x", masked=False), frame(2, b"x" * 1_000_000))
    await raw.writer.drain()
    assert await raw.closed() == 1002


@pytest.mark.gen_test
async def test_a_flood_behind_a_breach(raw, site, monkeypatch):
    """It is read a piece a turn, so the others are served, and not without end: then comes the reset."""
    monkeypatch.setattr(protocol, "DRAINED_MOST", 4_000_000)
    (connection,) = site.services.hub.connections
    stream = connection.sink.ws_connection.stream
    read: list[int] = []
    turns: list[int] = []
    plain = stream.read_from_fd

    def counted(*args):
        size = plain(*args)
        read.append(size or 0)
        return size

    monkeypatch.setattr(stream, "read_from_fd", counted)

    async def others():
        while True:
            turns.append(len(read))
            await asyncio.sleep(0)

    counting = asyncio.create_task(others())
    raw.send(frame(1, b"x", masked=False))
    flood = bytes(1_000_000)
    with pytest.raises(ConnectionError):
        while True:
            raw.writer.write(flood)
            await raw.writer.drain()
            await asyncio.sleep(0)
    counting.cancel()
    assert max(b - a for a, b in pairwise(turns)) <= 4
    assert 4_000_000 <= sum(read) < 6_000_000


@pytest.mark.gen_test
async def test_nothing_is_heard_after_a_breach(raw, site):
    """A message behind the breach is not acted on."""
    raw.send(frame(1, PING % b"a"))
    await raw.until(1, b"pong")
    raw.send(frame(7, b""), frame(1, PING % b"b"))
    data = b""
    while True:
        code, data = await asyncio.wait_for(raw.frame(), 5)
        if code == 0x8:
            break
        assert b"pong" not in data
    assert int.from_bytes(data[:2], "big") == 1002


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_masking(data, mask):
    """XOR byte by byte, as the standard writes it; twice is as it was."""
    masked = unmasked(data, mask)
    assert masked == bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
    assert unmasked(masked, mask) == data


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_the_three_widths_of_a_frame(size, head):
    """The shortest length that holds it, as the standard asks."""
    assert framed(b"x" * size, 1) == head + b"x" * size
