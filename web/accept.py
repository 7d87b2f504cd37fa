"""What a client would rather have: `Accept` and `Accept-Encoding` (RFC 9110 section 12.5)."""

from collections.abc import Iterable, Sequence


def weights(header: str) -> dict[str, float]:
    """Each named thing with its weight; a weight that cannot be read counts as 1."""
    named: dict[str, float] = {}
    for part in header.split(","):
        name, *notes = (piece.strip().lower() for piece in part.split(";"))
        weight = 1.0
        for note in notes:
            if note.startswith("q="):
                try:
                    weight = float(note[2:])
                except ValueError:
                    weight = 1.0
        if name:
            named[name] = weight
    return named


def takes_gzip(header: str) -> bool:
    return coding(header, ("gzip",)) == "gzip"


def coding(header: str, offers: Iterable[str]) -> str:
    """The offer with the highest weight, the earlier one on a tie; "" when none is taken. `*` stands for gzip,
    which everybody can read."""
    offers = [offer for offer in offers if offer in header or "*" in header]
    if not offers:
        return ""
    named = weights(header)
    named.setdefault("gzip", named.get("*", 0.0))
    best = max(offers, key=lambda offer: named.get(offer, 0.0))
    return best if named.get(best, 0.0) > 0 else ""


def chosen(header: str, offers: Sequence[str]) -> str:
    """The offer with the highest weight, the earlier one on a tie; the first when none is named.

    A client that accepts nothing we have still gets the first: an answer serves it better than a 406.
    """
    named = weights(header)

    def weight(offer: str) -> float:
        kind = offer.partition("/")[0]
        return named.get(offer, named.get(f"{kind}/*", named.get("*/*", 0.0)))

    best = max(offers, key=weight)
    return best if weight(best) > 0 else offers[0]
