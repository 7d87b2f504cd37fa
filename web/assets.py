"""The page's own files, read once into memory: equal content gives an equal build id.

`/assets/<build>/…` never changes, so a browser may keep it for ever, and a new server never mixes
old modules with new ones: relative imports inherit the prefix.
"""

import gzip
import hashlib
import html
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from web.accept import takes_gzip
from web.handler import PAGE_POLICY, WORKER_POLICY, Handler
from web.problem import Problem, shown

BUILD_LENGTH = 12
WORKER = "js/worker.js"
MARK = b"{{ assets }}"
"""Where a page names its files: replaced by `/assets/<build>`."""
NOT_OF_ASSETS = (
    "Server",
    "X-Frame-Options",
    "Referrer-Policy",
    "Cross-Origin-Opener-Policy",
    "X-Request-Id",
)
"""What a first visit would hear sixty times: these are no documents to be framed, opened or left."""
ABOUT = b"{{ incident }}"
"""Where a page learns, before it is drawn, that it shows an incident."""
ASSET_POLICY = "default-src 'none'"
"""Of a file that is no page: started as a worker, or looked at by itself, it may do nothing."""
FOREVER = "max-age=31536000, immutable"

TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webp": "image/webp",
    ".jpg": "image/jpeg",
    ".woff2": "font/woff2",
}
"""What is served, and as what; a file of any other kind stays on the disk."""
PACKED = frozenset({".png", ".ico", ".webp", ".jpg", ".woff2"})

_IMPORT = re.compile(rb'^@import "([^"]+)";$', re.M)

_UNREAD: Mapping[str, re.Pattern[bytes]] = {
    ".js": re.compile(rb"^[ \t]*(?://[^\n]*$|/\*.*?\*/[ \t]*$)?", re.M | re.S),
    ".css": re.compile(rb"^[ \t]*(?:/\*.*?\*/[ \t]*$)?", re.M | re.S),
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file in memory. `gzipped` is None where compression gains nothing."""

    body: bytes
    gzipped: bytes | None
    media: str
    etag: str


@dataclass(frozen=True, slots=True)
class Assets:
    """Every file under the static directory by its path there, and the pages made of them."""

    build: str
    files: Mapping[str, Asset]
    pages: Mapping[str, Asset]


def read_assets(directory: Path, incident: Mapping[str, Any] | None = None) -> Assets:
    """Reads, hashes and compresses everything: blocking, so run it in a thread. `incident` is what pages are told of
    the one that they show.

    Symbolic links and hidden files are left out: only what was put there on purpose is served.
    """
    bodies = {
        path.relative_to(directory).as_posix(): lean(path.read_bytes(), path.suffix)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
        and not path.is_symlink()
        and path.suffix in TYPES
        and not any(part.startswith(".") for part in path.relative_to(directory).parts)
    }
    for name, body in bodies.items():
        if name.endswith(".css"):
            bodies[name] = whole(name, body, bodies)
    digest = hashlib.sha256()
    for name, body in bodies.items():
        digest.update(f"{name}\0{len(body)}\0".encode())
        digest.update(body)
    build = digest.hexdigest()[:BUILD_LENGTH]
    told = html.escape(msgspec.json.encode(incident).decode()) if incident else ""
    about = f' data-incident="{told}"'.encode() if incident else b""
    files: dict[str, Asset] = {}
    pages: dict[str, Asset] = {}
    for name, body in bodies.items():
        asset = make_asset(body, Path(name).suffix)
        files[name] = asset
        if MARK in body and "/" not in name:
            made = body.replace(MARK, f"/assets/{build}".encode()).replace(ABOUT, about)
            pages[name] = make_asset(made, Path(name).suffix)
    return Assets(build, files, pages)


def lean(body: bytes, suffix: str) -> bytes:
    """Without indents, and the comments that have lines to themselves: a fifth of what a first visit would load, and of
    use only to who has the source. Lines keep their numbers, so what a console says can be found."""
    pattern = _UNREAD.get(suffix)
    return pattern.sub(lambda found: b"\n" * found[0].count(b"\n"), body) if pattern else body


def whole(name: str, sheet: bytes, bodies: Mapping[str, bytes]) -> bytes:
    """A style sheet with those that it imports in their places: one file squeezes better than many, and has one set of
    headers. What is imported imports nothing itself; what is not there is left to the browser."""

    def brought(found: re.Match[bytes]) -> bytes:
        place = posixpath.join(posixpath.dirname(name), found[1].decode())
        return bodies.get(posixpath.normpath(place), found[0])

    return _IMPORT.sub(brought, sheet)


def make_asset(body: bytes, suffix: str) -> Asset:
    gzipped = None
    if suffix not in PACKED:
        packed = gzip.compress(body, compresslevel=9, mtime=0)
        gzipped = packed if len(packed) < len(body) else None
    # Weak: the same validator stands for the plain and the compressed bytes.
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:BUILD_LENGTH]}"'
    return Asset(body, gzipped, TYPES[suffix], etag)


class Kept(Handler):
    """An answer a client may keep: it brings its ETag, and 304 where the client has it already."""

    async def give(self, asset: Asset, keep: str) -> None:
        self.set_header("Cache-Control", keep)
        self.set_header("Vary", "Accept-Encoding")
        self.set_header("Etag", asset.etag)
        if self.check_etag_header():
            self.set_status(304)
            await self.finish()
            return
        self.set_header("Content-Type", asset.media)
        body = asset.body
        if asset.gzipped and takes_gzip(self.request.headers.get("Accept-Encoding", "")):
            self.set_header("Content-Encoding", "gzip")
            body = asset.gzipped
        await self.finish(body)


class AssetFile(Kept):
    """`/assets/<build>/<path>`. The path is a key of a table, never of a file system."""

    async def get(self, build: str = "", path: str = "") -> None:
        assets = self.services.assets
        asset = assets.files.get(path)
        if build != assets.build or asset is None:
            raise Problem(404, f"there is no file {shown(path)} in build {shown(build)}")
        for name in NOT_OF_ASSETS:
            self.clear_header(name)
        policy = WORKER_POLICY if path == WORKER else ASSET_POLICY
        self.set_header("Content-Security-Policy", policy)
        await self.give(asset, FOREVER)

    async def head(self, build: str = "", path: str = "") -> None:
        await self.get(build, path)


class Page(Kept):
    """A file at the top of the static directory that names its build; asked again each time, for that may change."""

    file = ""

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Content-Security-Policy", PAGE_POLICY)

    async def get(self) -> None:
        page = self.services.assets.pages.get(self.file)
        if page is None:
            raise Problem(404, f"this server was built without its page {self.file}")
        await self.give(page, "no-cache")


class Analytics(Page):
    file = "analytics.html"


class Docs(Page):
    file = "docs.html"


class Offline(Page):
    """What the service worker shows while there is no server to be had."""

    file = "offline.html"


class Service(Page):
    """The service worker, at an address that never changes and covers all of the site."""

    file = "service.js"

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Content-Security-Policy", WORKER_POLICY)
        self.set_header("Service-Worker-Allowed", "/")


class Favicon(Kept):
    """Browsers ask here unless told otherwise; the SVG serves them all."""

    async def get(self) -> None:
        files = self.services.assets.files
        for name in ("favicon.ico", "favicon.svg", "icon.svg"):
            if name in files:
                await self.give(files[name], "public, max-age=86400")
                return
        raise Problem(404, "this server was built without an icon")


class Start(Handler):
    """`/` leads to the dashboard."""

    async def get(self) -> None:
        self.redirect("/analytics")
