"""Several series on one axis, drawn from buckets: what is known of each stays true of it, and gaps stay gaps.

A bucket tells how low and how high a series was, not when, nor what the others were at that moment. So a row
is not one reading of all:

- Lines that stand by themselves are at their lowest in one row of a bucket and at their highest in the next.
- Of a stack, the part that rose most stands at its highest and the others at their lowest: at that moment the
  stack was at least as high. All at their highest would be a height that nobody measured. The next row is the
  last of the bucket, as it was read.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from realtime.core.columns import NOTHING, SECOND, SILENCE, Column, align
from realtime.core.downsample import Times, Values
from realtime.core.steps import Buckets


def sketch(
    series: Sequence[Buckets | None], stacked: bool, after: int | None = None
) -> tuple[Times, list[Values]]:
    """Rows of all of them, NaN where one has nothing; a row of NaN where all fell silent, also since `after`
    (µs), the last row of what came before.

    What is lowest stands at the start of a bucket, what is highest midway to its last reading; of lines that
    reading has a row before a gap and at the end. Where nothing moved, it is the only row.
    """
    axis, last = align([NOTHING if one is None else Column(one.at, one.last) for one in series])
    if not len(axis):
        return axis, last
    ended, most = axis.copy(), np.ones(len(axis), np.int64)
    low, high = [value.copy() for value in last], [value.copy() for value in last]
    for number, one in enumerate(series):
        if one is None or not len(one.at):
            continue
        places = np.searchsorted(axis, one.at)
        ended[places] = np.maximum(ended[places], one.last_at)
        most[places] = np.maximum(most[places], one.count)
        low[number][places], high[number][places] = one.min, one.max
    top = _at_least(low, high, last) if stacked else high
    moved = np.any(np.array(high) > np.array(low), axis=0) & (ended > axis + 1)
    usual = _usual(axis, ended, most)
    silent = _silent(axis, ended, usual, after)
    ends = np.append(silent[1:], True)
    at = np.stack([axis, axis, (axis + ended) // 2, ended], axis=1)
    at[1:, 0] = ended[:-1] + usual
    if after is not None:
        at[0, 0] = after + usual
    at[~moved, 2] = ended[~moved]
    always = np.ones_like(moved)
    kept = np.stack(
        [silent, moved & (not stacked), always, moved & (always if stacked else ends)], axis=1
    )
    none = np.full(len(axis), np.nan)
    values = [
        np.stack([none, bottom, np.where(moved, peak, end), end], axis=1)[kept]
        for bottom, peak, end in zip(low, top, last, strict=True)
    ]
    return at[kept], values


def _at_least(
    low: Sequence[Values], high: Sequence[Values], last: Sequence[Values]
) -> list[Values]:
    """What the stack was at least, when the part that rose most above its last reading was at its highest."""
    risen = np.nan_to_num(np.array(high) - np.array(last), nan=-1.0)
    highest = np.argmax(risen, axis=0)
    return [
        np.where(highest == number, top, bottom)
        for number, (bottom, top) in enumerate(zip(low, high, strict=True))
    ]


def _usual(axis: Times, ended: Times, most: Times) -> int:
    """µs from one reading to the next, of the quickest series."""
    many = most > 1
    if 2 * np.count_nonzero(many) >= len(axis):
        return int(np.median((ended[many] - axis[many]) / (most[many] - 1)))
    return int(np.median(np.diff(ended))) if len(axis) > 1 else SECOND


def _silent(axis: Times, ended: Times, usual: int, after: int | None) -> NDArray[np.bool_]:
    """Buckets before which nothing was read for so long that it was not a usual step, whenever in the bucket
    the first reading was."""
    before = np.append(axis[0] if after is None else after, ended[:-1])
    silent: NDArray[np.bool_] = axis - before > max(SILENCE * usual, SILENCE * SECOND)
    return silent
