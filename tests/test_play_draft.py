"""From the form of a playground to a request and back, and what it lays out: the pure parts."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from backends.asking import EVERY_CLASS, FIELDS, knobs_of
from backends.records import SampleRequest
from genai_tui.images.tonemap import load
from genai_tui.run import Run
from genai_tui.widgets.form import Form
from genai_tui.widgets.kept_list import asked
from genai_tui.widgets.play_draft import (
    FROM,
    HOW,
    PICTURE,
    WHAT,
    Checkpoints,
    PlayDraft,
    drafted,
    refilled,
    sections,
)
from genai_tui.widgets.scene import CURSOR_COLOR, Drawn, Look, scene
from genai_tui.widgets.token_lines import HEADING, PROMPT, Source, laid_out

CHECKPOINTS = Checkpoints((500, 1000, 1500), 1000)
KNOBS = knobs_of(set(FIELDS), ("Shirt", "Bag"), {"count": 16, "temperature": 0.8, "steps": 8})


def form() -> Form:
    found = Form()
    found.show(sections(CHECKPOINTS, KNOBS))
    return found


def ask(made: Form) -> PlayDraft:
    draft = drafted(CHECKPOINTS, made.applying())
    assert isinstance(draft, PlayDraft), draft
    return draft


# --------------------------------------------------------------------------- the request


def test_an_untouched_form_asks_for_the_models_own_ways() -> None:
    assert ask(form()) == PlayDraft(1500, SampleRequest(count=16), watch=True)


def test_every_field_that_a_request_has_can_be_filled_in() -> None:
    assert set(FIELDS) == set(SampleRequest.__struct_fields__)
    assert {field.knob.name for field in form().fields} >= set(FIELDS)


REQUESTS = st.builds(
    SampleRequest,
    count=st.integers(1, 4096),
    seed=st.integers(0, 2**32 - 1),
    labels=st.none() | st.sampled_from([[0], [1]]),
    prompt=st.none() | st.text("abc \n'ü", min_size=1),
    length=st.none() | st.integers(1, 9999),
    temperature=st.none() | st.floats(0, 100).filter(lambda t: t != 0.8),
    top_k=st.none() | st.integers(1, 99),
    top_p=st.none() | st.floats(0, 1),
    steps=st.none() | st.integers(1, 1000).filter(lambda n: n != 8),
    guidance=st.none() | st.floats(-100, 100),
    interpolate=st.none() | st.just(True),
)


@given(REQUESTS, st.sampled_from(CHECKPOINTS.steps))
def test_a_request_that_is_refilled_is_asked_for_again(request: SampleRequest, step: int) -> None:
    made = form()
    made.fill(refilled(CHECKPOINTS, KNOBS, step, request))
    draft = ask(made)
    assert (draft.step, draft.request) == (step, request)


def test_neighbours_are_asked_for_with_a_spread_and_a_spread_alone_is_not_asked_for() -> None:
    made = form()
    made.fill({(HOW, "around"): "3", (HOW, "spread"): "0.1"})
    assert ask(made).request == SampleRequest(count=16, around=3, spread=0.1)
    made.fill({(HOW, "spread"): "0.1"})
    assert ask(made).request == SampleRequest(count=16)
    made.fill({(HOW, "around"): "3", (HOW, "interpolate"): "yes"})
    assert ask(made).request == SampleRequest(count=16, interpolate=True)


def test_paths_of_pictures_are_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    made = form()
    made.fill({(PICTURE, "image"): "a shoe.png", (PICTURE, "strength"): "0.3"})
    wanted = SampleRequest(count=16, image=os.path.join(tmp_path, "a shoe.png"), strength=0.3)
    assert ask(made).request == wanted


def test_a_class_is_asked_for_by_its_name(tmp_path: Path) -> None:
    made = form()
    made.fill({(WHAT, "labels"): "Bag"})
    assert ask(made).request.labels == [1]
    assert ask(made).words(Run(tmp_path / "a-run"))[-2:] == ["--label Bag", "--out drawn"]
    made.fill({(WHAT, "labels"): EVERY_CLASS})
    assert ask(made).request.labels is None


@pytest.mark.parametrize(
    ("choice", "step"), [("newest", 1500), ("best", 1000), ("500", 500), ("1,500", 1500)]
)
def test_a_checkpoint_is_the_newest_the_best_or_any(choice: str, step: int) -> None:
    made = form()
    made.fill({(FROM, "checkpoint"): choice})
    assert ask(made).step == step


def test_what_is_wrong_is_said_instead() -> None:
    made = form()
    made.fill({(HOW, "top_p"): "2"})
    assert drafted(CHECKPOINTS, made.applying()) == "top_p must be a number from 0 to 1, not '2'"
    none = Checkpoints()
    made.show(sections(none, KNOBS))
    made.fill({})
    assert "no checkpoint yet" in str(drafted(none, made.applying()))


def test_renewing_leaves_what_is_typed_alone() -> None:
    made = form()
    made.go_to((WHAT, "prompt"))
    made.type("KI")
    made.renew(sections(Checkpoints((500, 2000)), KNOBS))
    made.type("NG")
    assert made.text((WHAT, "prompt")) == "KING"
    assert made.fields[0].knob.choices == ["newest", "2,000", "500"]


def test_a_request_in_few_words_says_what_it_says() -> None:
    request = SampleRequest(count=4, seed=7, labels=[1], top_k=5, interpolate=True, prompt="a")
    words = ["4", "seed 7", "class 1", "prompt 'a'", "top-k 5", "interpolate"]
    assert asked(request) == words


# --------------------------------------------------------------------------- texts on lines


def test_tokens_are_wrapped_and_every_one_is_found_again() -> None:
    source = Source("KING:\n", ["O,", " she", "\n", "\n", " doth teach", "\x1b"], breaks=True)
    lines = laid_out([source, Source("", ["plain"])], 12)
    shown = ["".join(span.shown for span in line) for line in lines]
    assert shown == ["1", "KING:", "O, she⏎", "⏎", " doth teach·", "", "2", "plain"]
    assert [span.token for span in lines[0] + lines[1]] == [HEADING, PROMPT]
    assert [span.token for span in lines[2]] == [0, 1, 1, 2]


@given(st.lists(st.text(max_size=20), max_size=20), st.integers(1, 30))
def test_no_line_is_too_wide_and_no_letter_is_lost(pieces: list[str], width: int) -> None:
    from rich.cells import cell_len

    lines = laid_out([Source("", pieces)], width)
    whole = "".join(span.shown for line in lines for span in line if span.token != HEADING)
    assert len(whole) == sum(len(p.replace("\t", "    ").replace("\n", "")) for p in pieces)
    for line in lines:
        wide = sum(cell_len(span.shown) for span in line)
        assert wide <= max(width, 2) or line[0].token == HEADING


# --------------------------------------------------------------------------- scenes


@pytest.fixture
def tiles(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{index:03d}.png" for index in range(6)]
    for index, path in enumerate(paths):
        Image.fromarray(np.full((8, 8), 40 * index, np.uint8)).save(path)
    return paths


def test_the_tile_under_the_cursor_is_in_a_frame_and_whole(tiles: list[Path]) -> None:
    found = scene(Drawn(tuple(tiles)), Look(tile=4), 60, 30, "quadrant")
    assert found.picture is not None
    frame = np.argwhere((found.picture == CURSOR_COLOR).all(2))
    (top, left), (bottom, right) = frame.min(0), frame.max(0)
    inside = found.picture[top : bottom + 1, left : right + 1]
    assert ((inside == 160).all(2)).sum() == 64
    assert ((found.picture == CURSOR_COLOR).all(2)).sum() == inside[..., 0].size - 64


def test_pages_turn_with_the_cursor(tiles: list[Path]) -> None:
    found = scene(Drawn(tuple(tiles)), Look(tile=5), 12, 7, "quadrant")
    assert (found.pages, found.page) == (-(-6 // found.per_page), 5 // found.per_page)
    assert found.page > 0


def test_a_moment_of_one_tile_is_cut_from_the_moment_of_all(
    tiles: list[Path], tmp_path: Path
) -> None:
    way = tmp_path / "meant-0000.png"
    rows = [
        np.hstack([np.full((8, 8), 10 * (3 * r + c), np.uint8) for c in range(3)]) for r in (0, 1)
    ]
    Image.fromarray(np.vstack(rows)).save(way)
    drawn = Drawn(tuple(tiles), meant=(way,))
    assert drawn.moments == 2
    one = scene(drawn, Look(tile=4, alone=True, moment=0), 60, 30, "quadrant").picture
    assert one is not None
    assert one.shape == (8, 8, 3)
    assert (one == 40).all()
    last = scene(drawn, Look(tile=4, alone=True, moment=1), 60, 30, "quadrant").picture
    assert last is not None
    assert (last == load(tiles[4])).all()


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "000.png").write_bytes(b"\x89PNG nothing")
    found = scene(Drawn((tmp_path / "000.png",)), Look(), 60, 30, "quadrant")
    assert "cannot be shown" in found.problem
