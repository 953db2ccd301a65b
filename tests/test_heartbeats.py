"""Hearts whose clocks are right, ahead and behind, looked at once and again and again."""

import itertools

import pytest

from genai_tui import heartbeats
from genai_tui.heartbeats import STALE_SECONDS, Heartbeats, moves

DAY = 86400.0
EVERY = 2.0


class Looking:
    """Who looks at a heart; the clock of its host is ``ahead`` of this one's."""

    def __init__(self, ahead: float) -> None:
        self.now, self._ahead, self.beat = 1e6, ahead, 0.0
        self.hearts = Heartbeats(lambda: self.now + 1e9, lambda: self.now)
        self.beats()

    def beats(self) -> None:
        self.beat = self.now + 1e9 + self._ahead

    def sees(self) -> bool:
        return self.hearts.is_fresh("a", self.beat)


@pytest.mark.parametrize("ahead", [0.0, DAY, -DAY, 60.0, -60.0])
def test_who_goes_on_looking_knows_whatever_the_clocks_say(ahead: float) -> None:
    look = Looking(ahead)
    look.sees()
    for _ in range(100):
        look.now += EVERY
        look.beats()
        assert look.sees()
    look.now += STALE_SECONDS - 1
    assert look.sees()
    look.now += 2
    assert not look.sees()
    look.now += 1
    assert not look.sees()
    look.beats()
    assert look.sees()


@pytest.mark.parametrize("ahead", [DAY, 60.0])
def test_a_dead_heart_whose_clock_was_ahead_is_found_out(ahead: float) -> None:
    look = Looking(ahead)
    assert look.sees()  # nobody can know better yet
    seen: list[bool] = []
    for _ in range(16):
        look.now += 1
        seen.append(look.sees())
    assert seen == [True] * 14 + [False] * 2


@pytest.mark.parametrize("ahead", [0.0, -DAY])
def test_a_heart_that_died_while_nobody_looked_is_not_taken_for_one_that_beats(
    ahead: float,
) -> None:
    look = Looking(ahead)
    look.sees()
    look.now += 5
    look.beats()
    look.now += 3600
    assert not look.sees()


def test_a_clock_that_is_set_back_is_found_out_at_its_second_beat() -> None:
    look = Looking(0.0)
    seen: list[bool] = []
    for look.beat in (5.0, 7.0, 3.0, 5.0):
        seen.append(look.sees())
        look.now += EVERY
    assert seen == [False, True, False, True]


def test_hearts_are_told_apart() -> None:
    look = Looking(-DAY)
    assert not look.sees()
    assert not look.hearts.is_fresh("b", look.beat + 1)
    assert look.hearts.is_fresh("a", look.beat + 1)


def test_a_look_that_goes_by_no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "LOOK_SECONDS", 0.3)
    beats = itertools.chain([5.0, 5.0], itertools.repeat(4.0))
    assert moves(lambda: next(beats))
    assert not moves(lambda: 5.0)
