"""Who is behind an address, and how much each of them holds (law slow-costs-itself)."""

import functools
from ipaddress import IPv4Address, ip_address, ip_network


class Tally:
    """How many of something each customer holds; one who holds none takes no room."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, address: str, more: int) -> None:
        who = customer(address)
        count = self._counts.get(who, 0) + more
        if count:
            self._counts[who] = count
        else:
            self._counts.pop(who, None)

    def is_full(self, address: str, most: int) -> bool:
        """Whether it holds `most`; 0 is no bound, and what is on this machine has none."""
        return bool(most and self._counts.get(customer(address), 0) >= most and is_foreign(address))


@functools.lru_cache(maxsize=4096)
def customer(address: str) -> str:
    """What stands for one customer: in IPv6 a /64, of which anybody has as many addresses as they like."""
    try:
        it = ip_address(address)
    except ValueError:
        return address
    if isinstance(it, IPv4Address):
        return address
    if it.ipv4_mapped:
        return str(it.ipv4_mapped)
    return str(ip_network((int(it) >> 64 << 64, 64)))


def is_foreign(address: str) -> bool:
    """Not of this machine, whose own programs, and a proxy on it, stand for many."""
    try:
        return not ip_address(address).is_loopback
    except ValueError:
        return False
