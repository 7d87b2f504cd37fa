"""Samples: the latest of every series out, readings in."""

import asyncio
import hashlib

from realtime.answers import Bodies
from realtime.bodies import JSON, MSGPACK
from realtime.core.dashboard import latest
from realtime.core.frames import Data, piecewise
from realtime.core.times import SECOND
from realtime.spine import BatchName
from web.handler import IDEMPOTENCY_KEY, OFF_LOOP, Handler, Receiver, enveloped, unusable
from web.problem import Problem, shown

PRODUCER = "Playhead-Producer"
PRODUCER_EPOCH = "Playhead-Producer-Epoch"
PRODUCER_SEQ = "Playhead-Producer-Seq"
MOST_SEQ = 2**63 - 1


class MetricsLive(Handler):
    """As fresh as the last commit; the bytes are made once a tick, whoever asks."""

    async def get(self) -> None:
        services = self.services
        spine, shelf = services.spine, services.shelf

        async def make() -> Bodies:
            now = spine.now()
            made = latest(spine.view, services.source, epoch=spine.epoch, now=now)

            def told() -> Data:
                data = made()
                return {**data, "series": piecewise(data["series"])}

            data = await asyncio.get_running_loop().run_in_executor(None, told)
            return await services.encoder.bodies(data, enveloped)

        # Ages count up while nothing is recorded, so the second is in the key: an answer is never
        # older than that, and the one before leaves with the next tick.
        key = ("metrics/live", spine.now() // SECOND)
        tags = ("sources", *(f"metrics:{source}" for source in spine.view.sources))
        bodies, cached = await shelf.get(key, tags, make)
        await self.send_body(bodies.warm if cached else bodies.fresh)


class Metrics(Receiver):
    async def post(self) -> None:
        """200 says that what was accepted is on disk (law ack-is-durable)."""
        services = self.services
        key = self._key()
        body, media = self.body(JSON, *MSGPACK)
        now = services.spine.now()
        if len(body) < OFF_LOOP:
            batch, rejected = services.intake.read(body, media, now)
        else:
            async with services.budget.turn:
                batch, rejected = await asyncio.get_running_loop().run_in_executor(
                    None, services.intake.read, body, media, now
                )
        mark = hashlib.sha256(body).digest() if key else b""
        receipt = await services.spine.ingest(batch, key, mark, rejected)
        if not receipt.accepted:
            raise Problem(
                422,
                "the request holds no acceptable sample",
                [(line.field or "body", line.detail) for line in receipt.rejected],
            )
        await self.reply(
            {
                "accepted": receipt.accepted,
                "rejected": receipt.rejected,
                "cursor": receipt.cursor,
                "repeated": receipt.repeated,
            },
            "on disk",
        )

    def _key(self) -> str | BatchName | None:
        """What names this body, if the client has given it a name."""
        headers = self.request.headers
        given = [name for name in (PRODUCER, PRODUCER_EPOCH, PRODUCER_SEQ) if name in headers]
        if IDEMPOTENCY_KEY in headers:
            if given:
                raise unusable(given[0], f"comes beside {IDEMPOTENCY_KEY}; give one or the other")
            return self.word(IDEMPOTENCY_KEY)
        if not given:
            return None
        number = self._part(PRODUCER_SEQ)
        if not (number.isascii() and number.isdigit() and int(number) <= MOST_SEQ):
            raise unusable(PRODUCER_SEQ, f"got {shown(number)}; give a whole number from 0 on")
        return BatchName(self._part(PRODUCER), self._part(PRODUCER_EPOCH), int(number))

    def _part(self, header: str) -> str:
        given = self.word(header)
        if given is None:
            raise unusable(
                header, f"is missing; {PRODUCER}, {PRODUCER_EPOCH} and {PRODUCER_SEQ} go together"
            )
        return given
