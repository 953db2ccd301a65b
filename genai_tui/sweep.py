"""Many runs of one wish: every combination of some values of some knobs."""

import itertools
from collections.abc import Callable, Mapping, Sequence

from genai_tui.annotations import NAME_LENGTH
from genai_tui.errors import MISUSE, UserError
from genai_tui.store import Run
from genai_tui.visible import visible

TAG = "sweep-"
"""How the tag begins that all runs of a sweep share."""
MOST_RUNS = 256
SEED = "seed"


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
        found = [value.strip() for value in values.split(",")]
        if not equals or not knob or not all(found):
            shown = visible(word, limit=60)
            sentence = f"--sweep takes KNOB=VALUE,VALUE, as in --sweep lr=1e-3,3e-3, not {shown!r}"
            raise UserError(sentence, status=MISUSE)
        if knob in knobs:
            raise UserError(f"{visible(knob)} is swept twice: say it once", status=MISUSE)
        knobs[knob] = list(dict.fromkeys(found))
    made = [dict(zip(knobs, values, strict=True)) for values in itertools.product(*knobs.values())]
    if len(made) > MOST_RUNS:
        sentence = f"that is a sweep of {len(made):,} runs; at most {MOST_RUNS} are made at once"
        raise UserError(sentence, status=MISUSE)
    return made


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


def create(
    settings: Sequence[Mapping[str, str]], make: Callable[[Mapping[str, str]], Run]
) -> tuple[str, list[Run]]:
    """The tag and the runs of a sweep, none of them started: all of them or none.

    Raises:
        UserError: one of them cannot be made; those before it are gone again.
    """
    tag = new_tag()
    made: list[Run] = []
    try:
        for one in settings:
            made.append(make(one))
            made[-1].annotate(tags=[tag])
    except BaseException:  # an interrupt leaves nothing behind either
        for run in made:
            run.delete()
        raise
    return tag, made
