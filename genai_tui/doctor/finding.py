"""What a look at one thing has found."""

from typing import Literal

import msgspec

Verdict = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report.

    Attributes:
        about: the thing that was looked at: "torch", "permissions".
        verdict: fail: trainings or the studio will not work; warn: something is at risk or could
            be better.
        found: what was found, as a phrase.
        remedy: what to do about it; empty where there is nothing to do.
    """

    about: str
    verdict: Verdict
    found: str
    remedy: str = ""


def ok(about: str, found: str) -> Finding:
    return Finding(about=about, verdict="ok", found=found)


def warn(about: str, found: str, remedy: str) -> Finding:
    return Finding(about=about, verdict="warn", found=found, remedy=remedy)


def fail(about: str, found: str, remedy: str) -> Finding:
    return Finding(about=about, verdict="fail", found=found, remedy=remedy)
