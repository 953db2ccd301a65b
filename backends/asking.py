"""What a request for samples may say: each field declared once, with its meaning and bounds."""

import math
from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace

from backends.knob import Knob

MOST_SAMPLES = 4096
"""What one request may ask for: more would not fit the memory of a small machine."""

LARGEST_SEED = 2**32 - 1
EVERY_CLASS = "each in turn"
"""What ``labels`` may be besides the names of the classes."""

Usual = Mapping[str, int | float]
"""Fields of a request, and what they mean to a model where they are None."""


def _whole(name: str, low: int, high: int | None, help: str) -> Knob:
    return Knob(name=name, kind="int", default=None, low=low, high=high, optional=True, help=help)


def _number(name: str, low: float, high: float, help: str) -> Knob:
    return Knob(name=name, kind="float", default=None, low=low, high=high, optional=True, help=help)


def _text(name: str, help: str) -> Knob:
    return Knob(name=name, kind="text", default="", help=help)


FIELDS: dict[str, Knob] = {
    knob.name: knob
    for knob in (
        Knob(name="count", kind="int", default=64, low=1, high=MOST_SAMPLES, help="how many"),
        Knob(
            name="seed",
            kind="int",
            default=0,
            low=0,
            high=LARGEST_SEED,
            help="another: other samples",
        ),
        Knob(name="labels", kind="choice", default=EVERY_CLASS, help="which class"),
        _text("prompt", "text to go on from, or to draw"),
        _whole("length", 1, None, "tokens, steps or samples of each"),
        _number("temperature", 0, 100, "below 1 safer and less varied"),
        _whole("top_k", 1, None, "choose among so many likeliest tokens"),
        _number("top_p", 0, 1, "choose among the likeliest tokens of that share"),
        _whole("beams", 1, 64, "hypotheses of a beam search; 1 is greedy"),
        _whole("steps", 1, 1000, "steps of the sampler"),
        _number("guidance", -100, 100, "how strongly the condition guides; 1 is not at all"),
        _number("truncation", -2, 2, "towards the average latent: 0 all the way, 1 is none"),
        Knob(name="interpolate", kind="bool", default=False, help="walk from latent to latent"),
        _whole("around", 0, MOST_SAMPLES - 1, "sample whose neighbours are drawn, from 0"),
        _number("spread", 0, 1, "how far its neighbours go; 1 is anywhere"),
        _text("image", "picture to start from or to enlarge"),
        _text("mask", "picture that is white where image is filled in"),
        _number("strength", 0, 1, "how much of image is replaced"),
    )
}
"""Every field of a SampleRequest. What is optional is left to the model where it is None."""

BOUNDS = {
    name: (knob.low, math.inf if knob.high is None else knob.high)
    for name, knob in FIELDS.items()
    if knob.optional and knob.low is not None and name != "length"
}
"""Beyond these a sampler would run for hours or draw nothing that can be looked at. What a
``length`` may be is for the model to say."""


_ONLY = {
    "around": {"interpolate": ["no"]},
    "spread": {"interpolate": ["no"]},
    "mask": {"image": list[str]()},
    "strength": {"image": list[str]()},
}
"""See Knob.only."""


def knobs_of(
    asks: Collection[str], classes: Sequence[str] = (), usual: Usual | None = None
) -> list[Knob]:
    """The fields that a model can be asked for, as a form shows them.

    Args:
        asks: fields besides ``count`` and ``seed``.
        classes: names of the labels; without any ``labels`` is not offered.
        usual: becomes the defaults.
    """
    found = [FIELDS[name] for name in FIELDS if name in asks or name in ("count", "seed")]
    found = [
        replace(
            knob,
            default=(usual or {}).get(knob.name, knob.default),
            only=_ONLY.get(knob.name, {}),
        )
        for knob in found
    ]
    return [
        replace(knob, choices=[EVERY_CLASS, *classes]) if knob.name == "labels" else knob
        for knob in found
        if knob.name != "labels" or classes
    ]
