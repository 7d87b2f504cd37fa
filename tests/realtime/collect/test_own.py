import psutil
import pytest

from realtime.collect.own import OwnProcess, Server
from realtime.core.requests import Recent, RequestStats


@pytest.fixture
def state(tuple_of):
    return tuple_of(requests=RequestStats().recent, lag=None, commit=None, events=0)


@pytest.fixture
def server(state):
    return Server(
        requests=lambda at: state.requests(at),
        connections=lambda: {"websocket": 3, "sse": 0},
        loop_lag_s=lambda: state.lag,
        commit_s=lambda: state.commit,
        events=lambda: state.events,
        queued=lambda: 7,
        log_bytes=lambda: 4096,
    )


def test_a_server_at_rest(server, told):
    """What never happened has no duration; that nothing failed is known."""
    assert told(server, 0) == {
        "playhead_http_requests_per_second": 0,
        "playhead_http_error_ratio": 0,
        "playhead_queue_events": 7,
        "playhead_log_bytes": 4096,
        'playhead_connections{road="websocket"}': 3,
        'playhead_connections{road="sse"}': 0,
    }


def test_a_server_at_work(server, state, told, moment):
    """Requests of the last minute as of this moment, durations of the interval, events a second."""
    asked = []

    def requests(at):
        asked.append(at)
        return Recent(count=120, errors=6, per_second=2.0, p95_s=0.25, error_ratio=0.05)

    state.requests = requests
    told(server, 0)
    state.lag, state.commit, state.events = 0.004, 0.012, 30
    found = told(server, 2)
    assert asked[-1] == int(moment(2).wall_s * 1e6)
    assert found["playhead_http_response_time_seconds"] == 0.25
    assert found["playhead_http_error_ratio"] == 0.05
    assert found["playhead_loop_lag_seconds"] == 0.004
    assert found["playhead_commit_duration_seconds"] == 0.012
    assert found["playhead_events_per_second"] == 15


def test_the_server_is_asked_on_its_loop(server):
    """What belongs to the loop is not read from another thread."""
    assert server.on_loop
    assert not OwnProcess().on_loop


def test_its_own_process(told):
    """Memory at once, CPU from the second beat on."""
    own = OwnProcess()
    first = told(own, 0)
    assert set(first) == {"playhead_process_resident_bytes"}
    assert first["playhead_process_resident_bytes"] == pytest.approx(
        psutil.Process().memory_info().rss, rel=0.2
    )
    sum(range(2_000_000))
    assert told(own, 0.5)["playhead_process_cpu_ratio"] > 0
