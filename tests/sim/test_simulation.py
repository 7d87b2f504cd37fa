"""Everything at once against a list: a thousand seeds of writers, readers, failures and returns."""

import contextlib
import shutil
from pathlib import Path

import pytest

from realtime import delivery
from realtime.audience import Audience
from realtime.connection import Connection
from realtime.core.cursor import Reset, resolve
from realtime.core.decide import Desk
from realtime.core.frames import Frame
from realtime.core.held import Held
from realtime.core.session import Form, Taste
from realtime.spine import Spine
from realtime.tail import Tail
from storage.events import Event, Notification
from storage.migrate import migrate
from tests.sim.stage import staged
from tests.sim.world import Step, play, shortest, steps

SEEDS = 1000
BLOCKS = 10
EXPECTED = (
    "could not be served from the log",
    "nothing can be recorded",
    "Exception during reset",  # of a server that was killed in the middle of a read
)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("template") / "playhead.db"
    migrate(path)
    return path


@pytest.fixture
def stage(tmp_path, template, logs):
    """Plays a course. In memory where there is such a place: a thousand logs, each with every fsync."""
    shared = Path("/dev/shm")
    with contextlib.ExitStack() as stack:
        directory = tmp_path / "data"
        if shared.is_dir():
            directory = shared / f"playhead-{tmp_path.parent.name}-{tmp_path.name}"
            stack.callback(lambda: shutil.rmtree(directory, ignore_errors=True))
        stack.enter_context(staged())
        yield lambda course: play(course, directory, template)
    # A disk that fails is said; nothing else is.
    logs.lines[:] = [one for one in logs.lines if not any(word in one.text for word in EXPECTED)]


def found(stage, course):
    """What the checks say of a course, or None."""
    try:
        stage(course)
    except Exception as error:
        return error
    return None


@pytest.mark.slow
@pytest.mark.parametrize("block", range(BLOCKS))
def test_a_thousand_seeds(stage, block):
    """Laws no-gap-no-double, prove-or-reset, slow-costs-itself, append-before-speak, views-are-disposable:
    whatever happens in whatever order, every client hears exactly what it asked for, once, in order; facts
    one by one, ticks merged to the right values with the right count; every cursor it was ever told fills
    the gap or says why not; a snapshot is the log folded; nothing follows a goodbye."""
    for seed in range(block * SEEDS // BLOCKS, (block + 1) * SEEDS // BLOCKS):
        course = steps(seed)
        error = found(stage, course)
        if error is not None:
            less = shortest(course, lambda one: found(stage, one) is not None)
            error = found(stage, less) or error
            error.add_note(f"seed {seed}: {course}\nshortest: {less}")
            raise error


def test_a_seed_is_a_whole_course(stage):
    """The same seed tells every client the same places, so that what it found can be found again."""

    def places(seed):
        return [one.rpartition(":")[2] for one in stage(steps(seed))]

    for seed in range(5):
        assert places(seed) == places(seed)


# The tester, tested


def skip_one(patch):
    """A resume begins one event too late."""
    real = resolve

    def late(text, *args):
        place = real(text, *args)
        return place if isinstance(place, Reset) else min(place + 1, args[2])

    patch.setattr(delivery, "resolve", late)


def trust_any_epoch(patch):
    """A cursor of another history is believed."""
    real = resolve
    patch.setattr(
        delivery, "resolve", lambda text, epoch, *rest: real(f"{epoch}:{text[17:]}", epoch, *rest)
    )


def no_floor(patch):
    """What retention took is not missed."""
    real = resolve
    patch.setattr(
        delivery,
        "resolve",
        lambda text, epoch, floor, edge, most: real(text, epoch, 1, edge, most),
    )


def tell_twice(patch):
    """A page begins with what was told last."""
    real = Tail.after
    patch.setattr(
        Tail,
        "after",
        lambda self, seq, most: (
            real(self, max(0, seq - 1), most) if seq % 7 else real(self, seq, most)
        ),
    )


def drop_facts(patch):
    """A reader that lags misses notifications."""
    real = Connection._entry

    def entry(self, one, lagging):
        return (
            [] if lagging and isinstance(one.event.data, Notification) else real(self, one, lagging)
        )

    patch.setattr(Connection, "_entry", entry)


def forget_a_source(patch):
    """Of what was held, one source's ticks are lost."""
    real = Held.release
    patch.setattr(Held, "release", lambda self: real(self)[-1:])


def miscount(patch):
    """Merged ticks do not say how many they were."""
    real = Held.release
    patch.setattr(Held, "release", lambda self: [(event, 1) for event, _ in real(self)])


def boast(patch):
    """A heartbeat tells a place beyond what was told."""
    patch.setattr(Connection, "_told", lambda self: self.hub.tail.edge)


def thin_a_resume(patch):
    """A gap is filled with merged ticks."""
    real = Connection.place_at

    def place(self, *args):
        real(self, *args)
        self._fill_to = 0

    patch.setattr(Connection, "place_at", place)


def speak_on(patch):
    """There are words after the goodbye."""
    real = Connection.end

    def end(self, goodbye, *spread):
        real(self, goodbye, *spread)
        self._ended = False

    patch.setattr(Connection, "end", end)


def old_snapshot(patch):
    """A snapshot is shown again after the edge has moved."""

    def snapshot(self, wire):
        if wire not in self._snapshots:
            self._snapshots[wire] = wire.bytes_of(Frame("snapshot", self._snapshot()))
        return self._snapshots[wire]

    patch.setattr(delivery.Hub, "snapshot", snapshot)


def no_names(patch):
    """Compact ticks come without the names behind their ids."""
    patch.setattr(Audience, "_named", lambda self, event, form, only, known: ([], known))


def never_wait(patch):
    """Pages are written to a socket that takes nothing."""
    patch.setattr(Connection, "_is_drained", lambda self: True)


def speak_first(patch):
    """Events are told before they are on disk."""

    async def turn(self, commands):
        desk = Desk(self.view, self._live, self._rules, self._bounds)
        for command in commands:
            await command.act(desk, self._clock.now())
        drafts = enumerate(desk.drafts, self._log.head + 1)
        events = [Event(seq, one.at, one.source, one.data) for seq, one in drafts]
        self._show(events)
        await self._log.append(desk.drafts)
        for command in commands:
            command.future.set_result((events, []))

    patch.setattr(Spine, "_turn", turn)


def wrong_room(patch):
    """Everybody hears every notification."""
    real = Taste.wants

    def wants(self, event):
        form = real(self, event)
        return Form() if isinstance(event.data, Notification) else form

    patch.setattr(Taste, "wants", wants)


MUTANTS = (
    skip_one,
    trust_any_epoch,
    no_floor,
    tell_twice,
    drop_facts,
    forget_a_source,
    miscount,
    boast,
    thin_a_resume,
    speak_on,
    old_snapshot,
    no_names,
    never_wait,
    speak_first,
    wrong_room,
)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.__name__)
def test_the_checks_can_fail(stage, monkeypatch, logs, mutant):
    """Each of these faults, put into the server, is found by one of the thousand, most within a few."""
    mutant(monkeypatch)
    error = next(filter(None, (found(stage, steps(seed)) for seed in range(SEEDS))), None)
    assert error is not None, f"nobody saw that {mutant.__doc__}"
    logs.lines.clear()  # a server with a fault complains of much


def test_a_failure_is_made_short():
    """Of a long course, only what the failure needs is left."""
    course = [Step("tick", n) for n in range(50)]
    assert [
        one.seed for one in shortest(course, lambda less: {7, 33} <= {s.seed for s in less})
    ] == [7, 33]
