"""What the web needs of the rest of the house."""

import pytest

from realtime.core.frames import of_event


@pytest.mark.gen_test
async def test_same_frames(site):
    """Law same-frames: a fact listed over HTTP is the very data of its frame."""
    await site.post("/api/realtime/notifications", {"message": "hi"})
    [event] = site.spine.view.notifications
    frame = of_event(event, site.log.epoch, site.spine.view.texts)
    assert frame is not None
    assert site.services.tell(event) == frame.data
    listed = (await site.ask("/api/realtime/notifications")).data["notifications"]
    assert listed == [frame.data]
