"""The studio as a page: who is let in, what a browser shows, and that nothing stays behind."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import build_runs
import pytest

pytest.importorskip("textual_serve")
import aiohttp
import browser
import numpy as np
from cli_tools import outside

from genai_tui.store import Store

SECONDS = 90


class Served:
    """``genai-tui serve`` on a free port."""

    def __init__(self, store: Store) -> None:
        self.runs = store.root
        self.process = subprocess.Popen(
            [sys.executable, "-m", "genai_tui.cli", "--runs", str(store.root), "serve", "--port=0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        found = re.search(
            r"(http://127\.0\.0\.1:\d+/)\?token=([\w-]+)", self.process.stdout.readline()
        )
        assert found is not None
        self.page, self.token = found[1], found[2]
        self.address = found[0]

    def studios(self) -> list[int]:
        """The processes of its pages."""
        wanted = os.fsencode(self.runs)
        found: list[int] = []
        for entry in os.scandir("/proc"):
            try:
                words = Path(entry.path, "cmdline").read_bytes() if entry.name.isdecimal() else b""
            except OSError:
                continue
            if wanted in words and b"serve" not in words:
                found.append(int(entry.name))
        return found


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(SECONDS):
        while not fact():
            await asyncio.sleep(0.02)


@pytest.fixture
async def served(store: Store) -> AsyncIterator[Served]:
    build_runs.build(store, "seen in a browser", step=200, telemetry=0)
    serving = Served(store)
    yield serving
    serving.process.send_signal(signal.SIGINT)
    serving.process.wait(20)
    assert serving.process.stdout is not None
    serving.process.stdout.close()
    await until(lambda: not serving.studios())


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    # cookies of an address without a name are kept only by those who ask for it
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def test_without_the_token_nothing_is_shown(
    served: Served, client: aiohttp.ClientSession
) -> None:
    for path in ("", "ws", "static/js/textual.js", "download/x", "?token=", "?token=wrong", "none"):
        async with client.get(served.page + path) as answer:
            assert answer.status == 403
            assert "has printed" in await answer.text()
    assert not served.studios()


async def test_the_token_becomes_a_cookie_that_other_pages_cannot_use(
    served: Served, client: aiohttp.ClientSession
) -> None:
    async with client.get(served.address, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "/")
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
    async with client.get(served.page) as answer:
        assert answer.status == 200
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert served.token not in await answer.text()
    elsewhere = {"Origin": "http://evil.example"}
    for headers in (elsewhere, {"Host": "evil.example"}, {"Host": "localhost.evil.example:1"}):
        async with client.get(served.page + "ws", headers=headers) as answer:
            assert answer.status == 403
    assert not served.studios()


async def test_a_forwarded_port_gets_addresses_of_its_own(
    served: Served, client: aiohttp.ClientSession
) -> None:
    await client.get(served.address)
    async with client.get(served.page, headers={"Host": "localhost:9999"}) as answer:
        assert 'data-session-websocket-url="ws://localhost:9999/ws"' in await answer.text()


async def test_a_page_is_a_studio_and_ends_with_it(
    served: Served, client: aiohttp.ClientSession
) -> None:
    await client.get(served.address)
    seen = b""
    async with client.ws_connect(f"{served.page}ws?width=100&height=30") as socket:
        async with asyncio.timeout(SECONDS):
            while b"seen in a" not in seen:
                seen += await socket.receive_bytes()
        assert len(served.studios()) == 1
    await until(lambda: not served.studios())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_studios_do_not_outlive_their_server(
    served: Served, client: aiohttp.ClientSession, number: signal.Signals
) -> None:
    await client.get(served.address)
    async with client.ws_connect(f"{served.page}ws") as socket:
        await socket.receive_bytes()
        served.process.send_signal(number)
        await until(lambda: not served.studios())
        served.process.wait(20)


@pytest.mark.skipif(browser.PROGRAM is None, reason="needs Chromium")
async def test_a_real_browser_shows_the_runs_and_takes_keys(
    served: Served, client: aiohttp.ClientSession
) -> None:
    async with browser.Browser(client) as page:
        await page.open(served.address)
        async with asyncio.timeout(SECONDS):
            while not await page.value("document.body?.classList.contains('-first-byte')"):
                await asyncio.sleep(0.1)
            while (before := await page.picture())[30:-30].std() < 12:
                await asyncio.sleep(0.1)
            assert "token" not in await page.value("location.href")
            await page.press("?")
            while np.abs((await page.picture()).astype(int) - before).mean() < 3:
                await asyncio.sleep(0.1)


def test_a_port_that_is_taken_is_one_sentence(served: Served) -> None:
    port = served.page.rpartition(":")[2].rstrip("/")
    said = outside("serve", "--port", port, runs=served.runs)
    said.refused("Address already in use", status=1)


def test_without_the_extra_the_remedy_is_said(store: Store) -> None:
    code = (
        "import sys, importlib.util as u; real = u.find_spec; "
        "u.find_spec = lambda name: None if name == 'textual_serve' else real(name); "
        "from genai_tui.cli import main; sys.exit(main(['serve']))"
    )
    said = outside(code=code, runs=store.root)
    said.refused("pip install 'genai-tui[serve]'", status=1)
