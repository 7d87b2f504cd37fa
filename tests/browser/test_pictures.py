"""What the page looks like. `PICTURES=docs/images` keeps the pictures; otherwise they are only judged.

The past on them is the recorded half hour of a real host, its end a real second of this one.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pytest

from tests.app import running
from tests.browser.recording import tape
from tests.browser.watch import LIVE_S, PATIENCE_MS, post, settled, watching

pytestmark = pytest.mark.browser

SOURCE = "web-01"
PAST_S = 900
Scheme = Literal["light", "dark"]
PICTURES: Iterable[tuple[str, Scheme, tuple[int, int], float, bool]] = (
    ("dashboard-dark", "dark", (1440, 900), 1, False),
    ("dashboard-light", "light", (1440, 900), 1, False),
    ("dashboard-phone", "dark", (390, 844), 2, True),
)


@pytest.mark.gen_test(timeout=3 * LIVE_S)
async def test_pictures(tmp_path: Path) -> None:
    """Both themes and a phone: nothing wider than the screen, nothing moves while it loads."""
    kept = Path(os.environ.get("PICTURES", tmp_path))
    kept.mkdir(parents=True, exist_ok=True)
    await tape(tmp_path / "data", SOURCE, int(time.time()), PAST_S)
    # As every installation: what is seen on the pictures is what its owner would see.
    async with running(tmp_path, source=SOURCE, alert_cpu_hold_s=10) as server:
        await settled(server.url)
        note = {"type": "success", "title": "Backup finished", "message": "verified in 2.1 s"}
        await post(server.url, "/api/realtime/notifications", note)
        for name, scheme, size, scale, phone in PICTURES:
            async with watching(
                server.url, scheme=scheme, size=size, scale=scale, phone=phone
            ) as watch:
                await watch.page.add_init_script(
                    "new PerformanceObserver(list => { for (const e of list.getEntries())"
                    " document.documentElement.dataset.shift ="
                    " Number(document.documentElement.dataset.shift ?? 0) + e.value; })"
                    ".observe({type: 'layout-shift', buffered: true})"
                )
                await watch.open("/analytics?view=host")
                await watch.live()
                await watch.beyond(await watch.seq() + 3)
                # The round trip is measured once a few seconds; a picture shows it.
                await watch.page.wait_for_function(
                    "() => document.querySelector('.road').textContent.includes('ms')",
                    timeout=PATIENCE_MS,
                )
                # Processes are looked at more slowly than the rest.
                await watch.page.wait_for_selector(
                    "#processes tbody tr:not([hidden])", timeout=PATIENCE_MS
                )
                rows = await watch.number("#chart-cpu", "rows")
                assert rows > 500
                wide = await watch.page.evaluate("document.documentElement.scrollWidth")
                assert wide <= size[0]
                shift = await watch.page.get_attribute("html", "data-shift")
                assert float(shift or 0) <= 0.02
                await watch.page.screenshot(path=kept / f"{name}.png")
                assert watch.complaints == []
