"""The studio as a page: textual-serve behind a door that opens for a token alone.

textual-serve shows whatever it serves to anybody who can reach its port, and to any page of a
browser that can. So it listens on the loopback interface, the address that is printed holds a
token, which becomes a cookie that no other page can send, and all else is refused.
"""

import hmac
import re
import secrets
import shlex
import socket
import sys
from collections.abc import Sequence
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from textual_serve.server import Server

LOOPBACK = "127.0.0.1"
SECONDS_TO_LEAVE = 1.0
"""For studios whose page is closed by the end of the server."""
_HOST = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?")
"""As the browser calls this machine: any port, because one may have been forwarded."""
_HEADERS = {
    # The page's own: its template would fetch a font from elsewhere.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        "connect-src 'self'; img-src 'self' data:; font-src 'self' data:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


class Site(Server):
    """Serves studios, each as a process of its own that ends with its page."""

    def __init__(self, words: Sequence[str], port: int) -> None:
        """``words`` are the command line of each studio, without the program's name."""
        command = ["exec", sys.executable, "-P", "-m", "genai_tui.cli", *words]
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            shlex.join(command), host=LOOPBACK, port=port, title="genai-tui"
        )
        self._token = secrets.token_urlsafe(32)

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{LOOPBACK}:{self.port}/?token={self._token}"

    def run(self, on: socket.socket) -> None:
        """Serves until it is interrupted."""
        web.run_app(
            self._make_app(),
            sock=on,
            print=None,
            shutdown_timeout=SECONDS_TO_LEAVE,
            access_log=None,
        )

    async def on_startup(self, app: web.Application) -> None:
        """Says nothing: the address has been printed."""

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._door)
        return app

    async def handle_index(self, request: web.Request) -> Any:
        """The page, whose addresses are of the host that the browser knows."""
        self.public_url = f"http://{request.host}"
        return await super().handle_index(request)

    @property
    def _cookie(self) -> str:
        return f"genai-tui-{self.port}"

    @web.middleware
    async def _door(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not _is_of_this_machine(request):
            raise web.HTTPForbidden(text="This is for browsers of this machine.")
        if self._is_token(request.query.get("token", "")):
            return self._let_in()
        if not self._is_token(request.cookies.get(self._cookie, "")):
            raise web.HTTPForbidden(text="Open the address that genai-tui serve has printed.")
        response = await handler(request)
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    def _let_in(self) -> web.StreamResponse:
        """On to the page itself, so that the token does not stay in the address."""
        found = web.HTTPFound("/", headers=_HEADERS)
        found.set_cookie(self._cookie, self._token, httponly=True, samesite="Strict", path="/")
        return found

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())


def loopback(port: int) -> socket.socket:
    """A listening socket on the loopback interface.

    Raises:
        OSError: the port is taken or not ours to take.
    """
    on = socket.socket()
    try:
        on.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        on.bind((LOOPBACK, port))
        on.listen()  # who reads the address may come at once
    except OSError:
        on.close()
        raise
    return on


def _is_of_this_machine(request: web.Request) -> bool:
    """Whether the browser took this for its own machine, and no other page sends it here."""
    origin = request.headers.get("Origin")
    return _HOST.fullmatch(request.host) is not None and origin in (None, f"http://{request.host}")
