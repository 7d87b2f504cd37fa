"""Who may ask: the Host a request names, the Origin it comes from, the site that sent it.

A name that resolves to us is not enough to be us (DNS rebinding), and a browser that reaches us may be
carrying somebody else's page (cross-site request, cross-site socket). REST and WebSocket pass here alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from web.problem import shown

DIAL = "allowed_hosts"
"""The dial that lets more names in; every refusal names it."""

_USUAL_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Place(NamedTuple):
    """A host as a URL names it: lower case, no brackets, no final dot; `port` None when left out."""

    host: str
    port: int | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request may not pass: 421 for a Host that is not ours, 403 for a page that is not ours."""

    status: int
    header: str
    detail: str


class Guard:
    """`bound` is the address listened on; `allowed` are `name`, `name:port` or `*.name` entries."""

    def __init__(self, bound: str, allowed: Iterable[str] = ()) -> None:
        self._any_address = bound in ("", "*", "0.0.0.0", "::", "[::]")
        self._allowed: set[Place] = set()
        self._below: list[str] = []
        for entry in allowed:
            if entry.startswith("*."):
                self._below.append(entry[1:].lower().rstrip("."))
                continue
            place = parse_place(entry)
            if place is None:
                raise ValueError(
                    f"{DIAL}: {shown(entry)} is not a host; write name, name:port or *.name"
                )
            self._allowed.add(place)
        own = parse_place(f"[{bound}]" if ":" in bound and not bound.startswith("[") else bound)
        # Not among the allowed: those may also be where a page comes from, on any port.
        self._bound = None if own is None or self._any_address else own.host

    def check(
        self, host: str | None, origin: str | None, site: str | None, *, page: bool
    ) -> Refusal | None:
        """Judge the headers Host, Origin and Sec-Fetch-Site. `page`: a document one may follow a link to."""
        place = parse_place(host or "")
        if place is None or not self.knows(place):
            came = f"the request names host {shown(host)}" if host else "the request names no host"
            return Refusal(
                421,
                "Host",
                f"{came}, which is not one this server answers to; "
                f"add it to the dial {DIAL} if it should be",
            )
        if origin is not None:
            source = parse_origin(origin)
            if source is None or not (_same(source, place) or self._invited(source)):
                return Refusal(
                    403,
                    "Origin",
                    f"the request comes from a page of {shown(origin)}, not of this server; "
                    f"add its host to the dial {DIAL} if it may ask",
                )
            return None
        if not page and site in ("cross-site", "same-site"):
            return Refusal(
                403,
                "Sec-Fetch-Site",
                f"the request was sent by another site (Sec-Fetch-Site: {site}); "
                f"add that site's host to the dial {DIAL} and let it send its Origin",
            )
        return None

    def knows(self, place: Place) -> bool:
        """Whether a Host is ours: loopback in any spelling, the bound address, or one the dial allows.

        Bound to every address, any numeric address passes: rebinding needs a name to bend.
        """
        if place.host == self._bound:
            return True
        address = _address(place.host)
        if address is not None:
            mapped = getattr(address, "ipv4_mapped", None)
            if self._any_address or (mapped or address).is_loopback:
                return True
        elif place.host == "localhost" or place.host.endswith(".localhost"):
            return True
        return self._invited(place)

    def _invited(self, place: Place) -> bool:
        return (
            place in self._allowed
            or Place(place.host, None) in self._allowed
            or any(place.host.endswith(below) for below in self._below)
        )


def parse_place(text: str) -> Place | None:
    """A Host header or a `host:port` entry; None when it is neither."""
    if not text or len(text) > 300 or any(c in "/\\@?#,%" or c <= " " for c in text):
        return None
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or text.endswith(":"):
        return None
    return Place(host.removesuffix("."), port)


def parse_origin(text: str) -> Place | None:
    """An Origin header, the usual port of its scheme dropped; None for `null` and what is no origin."""
    scheme, mark, rest = text.partition("://")
    usual = _USUAL_PORTS.get(scheme.lower())
    place = parse_place(rest) if mark else None
    if usual is None or place is None:
        return None
    return Place(place.host, None) if place.port == usual else place


def _same(origin: Place, host: Place) -> bool:
    """Same host and port. The scheme is not compared: a proxy may have taken TLS off on the way."""
    return origin.host == host.host and (
        origin.port == host.port or (origin.port is None and host.port in (80, 443))
    )


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
