"""Many runs of one wish: every combination of some values of some knobs."""

import contextlib
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from genai_tui.annotations import NAME_LENGTH
from genai_tui.errors import MISUSE, UserError
from genai_tui.store import Run
from genai_tui.visible import visible

TAG = "sweep-"
"""How the tag begins that all runs of a sweep share."""
MOST_RUNS = 256
SEED = "seed"
LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Variant:
    """What one run of a sweep has of its own.

    Attributes:
        settings: its knobs, those that all runs share among them.
    """

    settings: dict[str, str]
    name: str
    seed: int


def values_of(text: str) -> list[str]:
    """What stands between the commas, each once; a value may be empty, and is none then."""
    return list(dict.fromkeys(value.strip() for value in text.split(",")))


def too_many(count: int) -> str:
    """The sentence for a sweep that is too large; empty for one that is not."""
    if count <= MOST_RUNS:
        return ""
    return f"that is a sweep of {count:,} runs; at most {MOST_RUNS} are made at once"


def combinations(words: Sequence[str]) -> list[dict[str, str]]:
    """The settings of every run, the last knob changing fastest.

    Args:
        words: ``KNOB=VALUE,VALUE`` each.

    Raises:
        UserError: a word is no such thing, a knob is swept twice, or there are too many runs.
    """
    knobs: dict[str, list[str]] = {}
    for word in words:
        knob, equals, values = (part.strip() for part in word.partition("="))
        found = values_of(values)
        if not equals or not knob or not all(found):
            shown = visible(word, limit=60)
            sentence = f"--sweep takes KNOB=VALUE,VALUE, as in --sweep lr=1e-3,3e-3, not {shown!r}"
            raise UserError(sentence, status=MISUSE)
        if knob in knobs:
            raise UserError(f"{visible(knob)} is swept twice: say it once", status=MISUSE)
        knobs[knob] = found
    sentence = too_many(math.prod(map(len, knobs.values())))
    if sentence:
        raise UserError(sentence, status=MISUSE)
    return [dict(zip(knobs, values, strict=True)) for values in itertools.product(*knobs.values())]


def variants(
    words: Sequence[str], *, model: str, settings: Mapping[str, str], name: str = "", seed: int = 0
) -> list[Variant]:
    """Every run of a sweep.

    Args:
        words: see :func:`combinations`.
        model: the generator, after which the runs are called where ``name`` is empty.
        settings: the knobs that all runs share.
        seed: of all runs, unless it is swept.

    Raises:
        UserError: ``words`` are no sweep, or a knob is both set and swept.
    """
    found = combinations(words)
    twice = next((knob for knob in found[0] if knob in settings), "")
    if twice:
        raise UserError(f"{visible(twice)} is both set and swept: say it once", status=MISUSE)
    base = name or model.rpartition("/")[2]
    return [_variant(base, settings, swept, seed) for swept in found]


def _variant(
    base: str, settings: Mapping[str, str], swept: Mapping[str, str], seed: int
) -> Variant:
    knobs = {knob: value for knob, value in swept.items() if knob != SEED}
    own = _seed(swept[SEED]) if SEED in swept else seed
    return Variant({**settings, **knobs}, name_of(base, swept), own)


def _seed(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) <= LARGEST_SEED:
        return int(text)
    sentence = f"a seed is a whole number from 0 to {LARGEST_SEED:,}, not {text!r}"
    raise UserError(sentence, status=MISUSE)


def name_of(base: str, settings: Mapping[str, str]) -> str:
    """ "shoes,lr=1e-3,seed=1": a word for the shell; the name is shortened where it is long."""
    told = ",".join(f"{knob}={value}" for knob, value in settings.items())
    room = NAME_LENGTH - len(told) - 1
    return f"{base[:room]},{told}" if room > 0 else told[:NAME_LENGTH]


def new_tag() -> str:
    """A tag that no other sweep has."""
    import secrets  # slow to load, and the list of runs needs no new tag

    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return TAG + "".join(secrets.choice(alphabet) for _ in range(4))


def create(variants: Sequence[Variant], make: Callable[[Variant], Run]) -> tuple[str, list[Run]]:
    """The tag and the runs of a sweep, none of them started: all of them or none.

    Raises:
        UserError: one of them cannot be made; those before it are gone again.
    """
    tag = new_tag()
    made: list[Run] = []
    try:
        for one in variants:
            made.append(make(one))
            made[-1].annotate(tags=[tag])
    except BaseException:  # an interrupt leaves nothing behind either
        for run in made:
            run.delete()
        raise
    return tag, made


def queue(runs: Sequence[Run], start: Callable[[Run], None]) -> None:
    """Lets the runs of a sweep stand in the queue; those that cannot are gone again.

    Raises:
        UserError: one could not be started, nor were those after it.
    """
    for place, run in enumerate(runs):
        try:
            start(run)
        except RuntimeError as error:
            for left in runs[place:]:
                with contextlib.suppress(UserError):  # it may have begun in spite of all
                    left.delete()
            first = f"only {place} of {len(runs)} runs are queued: " if place else ""
            raise UserError(f"{first}{error}") from None
