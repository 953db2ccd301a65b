"""The command ``genai-tui``: the bare studio at once, verbs through typer, errors as sentences.

Nothing heavy is imported before it is known what is wanted: the studio needs no typer, the verbs
need no Textual, and PyTorch is never imported here.
"""

import os
import sys
from collections.abc import Sequence

from genai_tui import crash
from genai_tui.errors import FAILED, MISUSE, UserError
from genai_tui.visible import visible

INTERRUPTED, READER_GONE = 130, 141
LONGEST_SENTENCE = 2000
COMPLETION = "_GENAI_TUI_COMPLETE"

GLOBALS = ("--runs", "--graphics")
"""Options with a value that may stand anywhere in the command."""
HOST, LOW_BANDWIDTH = "--host", "--low-bandwidth"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    from genai_tui.commands.output import ReaderGoneError
    from genai_tui.settings import SettingsError

    if arguments is None:  # this process is ours
        crash.guard()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _prepare(given)
        hosts, rest = split_globals(given, (HOST,))
        return _run_there(hosts[-1], rest) if hosts else _run(given)
    except UserError as error:
        return _fail(str(error), error.status)
    except SettingsError as error:
        return _fail(str(error), MISUSE)
    except ReaderGoneError:
        return READER_GONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _fail(f"{error.strerror or error}{where}", FAILED)


def _run_there(host: str, words: list[str]) -> int:
    from genai_tui.commands.remote import run_there

    return run_there(host, words)


def _run(given: list[str]) -> int:
    chosen, rest = split_globals(given)
    rest, spare = split_flag(rest, LOW_BANDWIDTH)
    run = _watched(rest)
    if (rest and run is None) or COMPLETION in os.environ:
        from genai_tui.commands.root import run_verb

        return run_verb([*chosen, *[LOW_BANDWIDTH] * spare, *rest])
    options = dict(zip(chosen[::2], chosen[1::2], strict=True))
    from genai_tui.commands.studio import open_studio

    open_studio(options.get("--runs"), options.get("--graphics"), run, low_bandwidth=spare)
    return 0


def _watched(rest: Sequence[str]) -> str | None:
    """RUN of a plain ``watch RUN``, which needs no typer: that spares the studio its memory."""
    plain = len(rest) == 2 and rest[0] == "watch" and not rest[1].startswith("-")
    return rest[1] if plain and "/" not in rest[1] else None


def split_flag(given: Sequence[str], flag: str) -> tuple[list[str], bool]:
    """The command without a flag that may stand anywhere in it, and whether it did."""
    end = given.index("--") if "--" in given else len(given)
    options = [word for word in given[:end] if word != flag]
    return [*options, *given[end:]], len(options) < end


def split_globals(
    given: Sequence[str], names: Sequence[str] = GLOBALS
) -> tuple[list[str], list[str]]:
    """The named options of a command as name and value, one after the other; and all the rest.

    What follows "--" is data, and an option that lacks its value stays where it is.
    """
    chosen: list[str] = []
    rest: list[str] = []
    words = iter(range(len(given)))
    for at in words:
        name, equals, value = given[at].partition("=")
        if given[at] == "--":
            return chosen, [*rest, *given[at:]]
        if name not in names:
            rest.append(given[at])
        elif equals:
            chosen += [name, value]
        elif at + 1 < len(given):
            chosen += [name, given[next(words)]]
        else:
            rest.append(given[at])
    return chosen, rest


def _prepare(given: Sequence[str]) -> None:
    """Makes sure that whatever is said can be printed and whatever was typed can be passed on."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started us, as in ``genai-tui runs >&-``
            setattr(sys, name, open(os.devnull, "r+"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
    for word in given:
        try:
            word.encode()
        except UnicodeEncodeError:
            shown = ascii(word)
            raise UserError(f"{shown} is not valid UTF-8", status=MISUSE) from None


def _fail(sentence: str, status: int) -> int:
    from genai_tui.commands.output import tell

    tell(f"genai-tui: {visible(sentence, limit=LONGEST_SENTENCE)}")
    return status


if __name__ == "__main__":
    sys.exit(main())
