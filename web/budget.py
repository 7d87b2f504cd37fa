"""How many bytes of request bodies may be in hand at once, over all requests (law slow-costs-itself)."""

import asyncio

DECODED = 2
"""Long bodies decoded at the same time: what is made of one takes many times its bytes."""


class Budget:
    """Held from the first byte of a body until its answer. A body that is alone always fits."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0
        self.turn = asyncio.Semaphore(DECODED)

    def take(self, size: int) -> bool:
        """False: not now, for there are too many others."""
        if not self.fits(size):
            return False
        self.held += size
        return True

    def fits(self, size: int) -> bool:
        """Whether there is room for it now."""
        return not self.held or self.held + size <= self.most

    def give(self, size: int) -> None:
        self.held -= size
