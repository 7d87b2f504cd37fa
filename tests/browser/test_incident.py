"""An incident is made on one page and looked at on another."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.app import PATIENCE_S, ROOT, running
from tests.browser.watch import LIVE_S, LOAD, PATIENCE_MS, ask, post, watching

TEXT = "(selector) => document.querySelector(selector)?.textContent ?? ''"
PLACE = "() => Number(document.querySelector('#dvr-track').getAttribute('aria-valuenow'))"


@contextlib.asynccontextmanager
async def opened(file: Path) -> AsyncIterator[str]:
    """`run.py open FILE` → its URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "run.py"),
        "open",
        str(file),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
        yield line.decode().split()[-1].rstrip("/")
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        assert b"Traceback" not in err, err


@pytest.mark.browser
@pytest.mark.gen_test(timeout=LIVE_S)
async def test_an_incident_goes_from_one_page_to_another(tmp_path):
    """An alert fires and somebody notes it; the page saves that as a file. Whoever opens it is told so, sees the
    alert, the very numbers and the summary, plays it from the beginning to the end, and can write nothing."""
    file = tmp_path / "night.playhead"
    async with running(tmp_path, interval_s=0.5, source="web-01") as server:
        await asyncio.sleep(3)
        tested = asyncio.create_task(post(server.url, "/api/realtime/alerts/test?seconds=2", {}))
        noted = await post(
            server.url, "/api/realtime/annotations", {"text": "it stood still", "author": "eva"}
        )
        await tested
        async with watching(server.url) as watch:
            page = watch.page
            await watch.open("/analytics?view=host&range=5m")
            await watch.live()
            assert await page.is_visible("#dvr-mark") and await page.is_hidden("#incident")
            await page.keyboard.press("z")
            await page.fill("#casefile-name", "The <b>night</b>")
            # Too long a span: the server's words, in the dialog, which stays as it was filled in.
            begin = await page.input_value("#casefile-from")
            await page.fill("#casefile-from", "2020-01-01T00:00:00")
            await page.click("#casefile-save")
            await page.wait_for_selector("[data-said=wrong]", timeout=PATIENCE_MS)
            assert "31 days" in await page.evaluate(TEXT, "#casefile-words")
            assert any("400" in one for one in watch.complaints)
            watch.complaints.clear()
            await page.fill("#casefile-from", begin)
            async with page.expect_download() as downloading:
                await page.click("#casefile-save")
            download = await downloading.value
            await page.wait_for_selector("[data-said=done]", timeout=PATIENCE_MS)
            assert download.suggested_filename in await page.evaluate(TEXT, "#casefile-words")
            await download.save_as(file)
            assert watch.complaints == []
    async with opened(file) as url, watching(url) as watch:
        page = watch.page
        await watch.open("/analytics?view=host")
        await watch.live()
        strip = await page.evaluate(TEXT, "#incident")
        assert "The <b>night</b>" in strip and "web-01" in strip and "read-only" in strip
        # All of it is shown, and the newest is the end of the tape, not of today.
        truth = await ask(url, "/api/realtime/dashboard/live", hours=1)
        assert await page.get_attribute("html", "data-span") == "still"
        await page.wait_for_function(
            "() => Number(document.querySelector('#chart-load')?.dataset.rows) > 4",
            timeout=PATIENCE_MS,
        )
        shown = (await watch.rows("load"))[LOAD]
        summary = await ask(url, "/api/realtime/incident/summary")
        answer = await ask(
            url,
            "/api/realtime/query",
            **{"series": LOAD, "from": summary["from"], "to": summary["to"], "points": 5000},
        )
        [column] = answer["series"]
        recorded = zip(column["at"], column["value"], strict=True)
        assert shown == [(round(at * 1e6), float(value)) for at, value in recorded]
        assert await watch.seq() == int(truth["cursor"].rpartition(":")[2])
        # Longer than the page waits for a tick of a recorder: nothing is late here, and nobody is told so.
        await asyncio.sleep(7)
        assert await page.is_hidden("#banner")
        assert await page.get_attribute("html", "data-recording") == ""
        assert "silent" not in await page.evaluate(TEXT, "#sources")
        # Nothing offers to write, and what asks all the same is refused in words.
        for selector in ("#dvr-mark", "#realtime"):
            assert await page.is_hidden(selector)
        await page.keyboard.press("b")
        await page.wait_for_selector(".toast:has-text('read-only')", timeout=PATIENCE_MS)
        assert await page.locator("dialog[open]").count() == 0
        refusal = await page.evaluate(
            """async () => (await fetch("/api/realtime/notifications", { method: "POST",
                headers: { "Content-Type": "application/json" }, body: '{"message": "x"}' })).json()"""
        )
        assert refusal["status"] == 403 and "open to be read" in refusal["detail"]
        assert all("403" in one for one in watch.complaints)
        watch.complaints.clear()
        # The summary, and from it to a moment.
        await page.click("#to-summary")
        await page.wait_for_selector(
            "html[data-view=summary] .view[data-ready]", timeout=PATIENCE_MS
        )
        assert "Test alert" in await page.evaluate(TEXT, "#fired-part")
        assert "it stood still" in await page.evaluate(TEXT, "#noted-part")
        assert "eva" in await page.evaluate(TEXT, "#noted-part")
        await page.click("#noted-part .there")
        await page.wait_for_selector("html[data-view=host][data-time=past]", timeout=PATIENCE_MS)
        assert await page.evaluate("new URL(location).searchParams.get('at')") == noted["since"]
        # To the end, and played once more from the beginning until it is there again.
        await page.click("#dvr-live")
        await page.wait_for_selector("html[data-time=now]", timeout=PATIENCE_MS)
        await page.select_option("#dvr-speed", "5")
        await page.keyboard.press("k")
        await page.wait_for_selector("html[data-time=past][data-play=playing]", timeout=PATIENCE_MS)
        early = await page.evaluate(PLACE)
        await page.wait_for_selector("html[data-time=now]", timeout=PATIENCE_MS)
        assert early < await page.evaluate(PLACE)
        assert await watch.seq() == int(truth["cursor"].rpartition(":")[2])
        assert watch.complaints == []
