"""A headless Chromium, driven by its own protocol: opens a page, presses keys, takes pictures."""

import asyncio
import base64
import io
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import numpy as np
from numpy.typing import NDArray
from PIL import Image

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
_SWITCHES = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")


class Browser:
    """One page of 1000 x 600 pixels."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        profile = Path(self._folder.name)
        self._port = profile / "DevToolsActivePort"
        arguments = [f"--user-data-dir={profile}", "--remote-debugging-port=0"]
        self._process = subprocess.Popen(
            [PROGRAM or "", *_SWITCHES, "--window-size=1000,600", *arguments, "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._number = 0

    async def __aenter__(self) -> Self:
        async with asyncio.timeout(60):
            while not self._port.exists() or "\n" not in self._port.read_text():
                await asyncio.sleep(0.05)
            address = f"http://127.0.0.1:{self._port.read_text().split()[0]}/json"
            async with self._session.get(address) as answer:
                pages = [page for page in await answer.json() if page["type"] == "page"]
        self._socket = await self._session.ws_connect(
            pages[0]["webSocketDebuggerUrl"], max_msg_size=0
        )
        # Keys reach a page that has the focus, and a window that is not shown may never get it.
        await self.ask("Emulation.setFocusEmulationEnabled", enabled=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self._socket.close()
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one command of the protocol."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        async for message in self._socket:
            answer = message.json()
            if answer.get("id") == self._number:
                return answer["result"]
        raise AssertionError("the browser is gone")

    async def open(self, address: str) -> None:
        await self.ask("Page.navigate", url=address)

    async def value(self, expression: str) -> Any:
        """What some JavaScript yields."""
        found = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    async def press(self, key: str) -> None:
        """A key that is a character."""
        await self.ask("Input.dispatchKeyEvent", type="keyDown", text=key, key=key)
        await self.ask("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def picture(self) -> NDArray[np.uint8]:
        taken = await self.ask("Page.captureScreenshot")
        image = Image.open(io.BytesIO(base64.b64decode(taken["data"])))
        return np.asarray(image.convert("RGB"))
