"""web/static/icons/ from web/static/icon.svg, drawn by Chromium: `python tools/icons.py`.

A maskable icon is cut to a circle or whatever a device likes, so its ground goes to the edges; what is
drawn on it stands within the safe zone of the manifest's specification, four fifths across.
"""

import asyncio
import shutil
from pathlib import Path

from playwright.async_api import async_playwright

STATIC = Path(__file__).resolve().parent.parent / "web" / "static"
SIZES = (192, 512)


async def main() -> None:
    drawn = (STATIC / "icon.svg").read_text()
    kinds = {"icon": drawn, "maskable": drawn.replace('rx="7" ', "")}
    assert kinds["icon"] != kinds["maskable"]
    (STATIC / "icons").mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for kind, svg in kinds.items():
            for size in SIZES:
                page = await browser.new_page(viewport={"width": size, "height": size})
                fitted = svg.replace("<svg ", f'<svg width="{size}" height="{size}" ', 1)
                await page.set_content(f"<style>* {{ margin: 0; display: block }}</style>{fitted}")
                await page.screenshot(
                    path=STATIC / "icons" / f"{kind}-{size}.png", omit_background=True
                )
                await page.close()
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
