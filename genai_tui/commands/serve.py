"""``serve``: the studio in a browser on this machine, for whoever has its address."""

from importlib.util import find_spec
from typing import Annotated

import typer

from genai_tui.commands.options import globals_of, store_of
from genai_tui.commands.output import say
from genai_tui.commands.studio import graphics_of
from genai_tui.errors import FAILED, UserError

NEEDED = ("textual_serve", "aiohttp")


def serve(
    context: typer.Context,
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Port of the loopback interface; 0 takes a free one."),
    ] = 8000,
) -> None:
    """Show the studio in a browser, on this machine only.

    Every tab is a studio of its own. The address holds a token: whoever else is
    on this machine cannot open it. From another machine, forward the port by ssh.
    """
    if any(find_spec(name) is None for name in NEEDED):
        raise UserError("serve needs an extra: pip install 'genai-tui[serve]'", status=FAILED)
    from genai_tui.serving import Site, loopback

    chosen = globals_of(context)
    graphics_of(chosen.graphics)  # refused before anybody comes
    words = ["--runs", str(store_of(context).root)]
    words += ["--graphics", chosen.graphics] if chosen.graphics else []
    words += ["--low-bandwidth"] if chosen.low_bandwidth else []
    socket = loopback(port)
    site = Site(words, socket.getsockname()[1])
    say(f"The studio is at {site.address}")
    say(
        f"From another machine: ssh -L {site.port}:127.0.0.1:{site.port} HOST, then the same there."
    )
    say("Ctrl-C ends it; trainings go on.")
    site.run(socket)
