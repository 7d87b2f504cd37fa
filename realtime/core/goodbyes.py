"""Why the server ends a connection: one table of codes, words, and whether the client may come back.

Codes are WebSocket close codes (RFC 6455 section 7.4); the same frame ends an event stream.
"""

from typing import NamedTuple


class Goodbye(NamedTuple):
    code: int
    reason: str
    may_return: bool
    detail: str


STOPPING = Goodbye(
    1001, "stopping", True, "The server is stopping; it will fill the gap when it is back."
)
TOO_BIG = Goodbye(1009, "too_big", False, "A message was larger than hello.limits.message_bytes.")
FAILED = Goodbye(
    1011, "failed", True, "The server failed at this connection; resume from the last cursor."
)
SLOW = Goodbye(4008, "slow", True, "The client did not read for longer than hello.limits.stall_s.")
ABUSE = Goodbye(4009, "abuse", False, "Too many messages that make no sense, or too many at once.")
CROWDED = Goodbye(
    4029, "crowded", True, "The server holds as many connections as it may (dial max_connections)."
)

GOODBYES = (STOPPING, TOO_BIG, FAILED, SLOW, ABUSE, CROWDED)
