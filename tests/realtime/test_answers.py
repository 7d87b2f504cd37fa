"""Ready bytes say the same as the object they were made of, squeezed or not."""

import gzip
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
import zstandard

from realtime.answers import SMALL, Encoder, body


def wrap(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"status": "success", "message": "", "data": data}


def test_a_big_answer_is_squeezed_and_means_the_same() -> None:
    """The packed bytes unpack to the JSON bytes, and making them twice gives the same bytes."""
    answer = {"values": [number / 7 for number in range(1_000)]}
    made = body(answer)
    assert list(made.packed) == ["zstd", "gzip"]
    assert gzip.decompress(made.packed["gzip"]) == made.json
    assert zstandard.ZstdDecompressor().decompress(made.packed["zstd"]) == made.json
    assert msgspec.json.decode(made.json) == answer
    assert body(answer) == made
    assert made.size == len(made.json) + sum(map(len, made.packed.values()))


def test_a_small_answer_is_left_as_it_is() -> None:
    """Squeezing what fits one packet would only cost time."""
    made = body("x" * (SMALL - 2))
    assert made.packed == {}
    assert made.size == SMALL


@pytest.mark.gen_test
async def test_who_finds_an_answer_on_the_shelf_is_told_so() -> None:
    """Both answers are made at once; they differ in `cached` alone."""
    with ThreadPoolExecutor(1) as pool:
        both = await Encoder(pool).bodies({"kpis": {}}, wrap)
    assert msgspec.json.decode(both.fresh.json)["data"] == {"kpis": {}, "cached": False}
    assert msgspec.json.decode(both.warm.json)["data"] == {"kpis": {}, "cached": True}
    assert both.size == both.fresh.size + both.warm.size


@pytest.mark.gen_test
async def test_one_answer_is_made_in_the_pool() -> None:
    """An answer nobody shelves is made the same way."""
    with ThreadPoolExecutor(1) as pool:
        made = await Encoder(pool).body([1, 2.5, None])
    assert made.json == b"[1,2.5,null]"


@pytest.mark.gen_test
async def test_an_answer_is_made_where_it_is_encoded() -> None:
    """What it takes to make it does not happen on the loop."""
    with ThreadPoolExecutor(1) as pool:
        made = await Encoder(pool).made(lambda: {"thread": threading.get_ident()})
        one_way = await Encoder(pool).made(lambda: "x" * 2 * SMALL, ["gzip"])
    assert msgspec.json.decode(made.json)["thread"] != threading.get_ident()
    assert list(one_way.packed) == ["gzip"]
