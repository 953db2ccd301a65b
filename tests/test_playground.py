"""The warm sampler as the studio has it: a real process, lines in, lines and files out."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trained import trained
from waiting import until

from backends.records import SampleRequest
from genai_tui import launch, playground
from genai_tui.playground import (
    Advanced,
    Draw,
    Drawn,
    Open,
    Opened,
    Refused,
    Stop,
    Told,
    Wrote,
    best_step,
    checked_ask,
    frames,
    results,
    tokens,
)
from genai_tui.playing import NICE
from genai_tui.sampler import Sampler
from genai_tui.store import Run, RunError, Store


class Warm:
    """A sampler, and what it has told."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.told: queue.Queue[Told | str] = queue.Queue()
        self.sampler = Sampler(run, self.told.put, self.told.put)
        self.heard: list[Told | str] = []

    def wait(self, kind: type[Any] | tuple[type[Any], ...]) -> Any:
        """The next thing of a kind that it tells; of a drawing that fails, why."""
        while True:
            one = self.told.get(timeout=120)
            self.heard.append(one)
            assert not isinstance(one, str), one
            if isinstance(one, kind):
                return one
            assert not isinstance(one, Refused), one

    def draw(self, id: str, step: int = 2, watch: bool = True, **asked: Any) -> dict[str, bytes]:
        """The files of a drawing, by name; without those that say when it was."""
        request = SampleRequest(**{"count": 3, "seed": 5, **asked})
        self.sampler.ask(Draw(id=id, step=step, request=request, watch=watch))
        assert self.wait(Drawn).id == id
        return files(self.run.path / "playground" / id)


def files(folder: Path) -> dict[str, bytes]:
    found = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    document = json.loads(found.pop("request.json"))
    return {**found, "labels": str(document["labels"]).encode()}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("home") / "runs")


def warm(home: Store, model: str) -> Iterator[Warm]:
    found = Warm(trained(home, model))
    yield found
    found.sampler.close()


@pytest.fixture(scope="module")
def vae(home: Store) -> Iterator[Warm]:
    yield from warm(home, "vae/mlp")


@pytest.fixture(scope="module")
def gru(home: Store) -> Iterator[Warm]:
    yield from warm(home, "autoregressive/gru")


@pytest.fixture(scope="module")
def pairs(home: Store) -> Iterator[Warm]:
    yield from warm(home, "autoregressive/seq2seq")


@pytest.fixture(scope="module")
def flow(home: Store) -> Iterator[Warm]:
    yield from warm(home, "diffusion/rectified_flow")


# --------------------------------------------------------------------------- what it offers


def test_a_checkpoint_that_is_opened_tells_what_its_model_can_be_asked_for(vae: Warm) -> None:
    vae.sampler.ask(Open(step=1))
    opened = vae.wait(Opened)
    known = {knob.name: knob for knob in opened.knobs}
    assert (opened.step, opened.modality) == (1, "image")
    assert list(known) == [
        *("count", "seed", "labels", "temperature", "interpolate", "around", "spread"),
    ]
    assert known["count"].default == 4
    assert known["temperature"].default == 1
    assert known["labels"].choices[:3] == ["each in turn", "T-shirt/top", "Trouser"]


def test_the_catalogue_tells_the_same_fields_without_a_checkpoint() -> None:
    found = {model.name: model for model in launch.catalogue().models}
    for model in found.values():
        offered = {knob.name for knob in model.request} - {"count", "seed"}
        assert offered == set(model.asks) - {"labels"}, model.name


# --------------------------------------------------------------------------- the same bits


def test_a_drawing_is_that_of_the_sample_command_and_can_be_repeated(
    vae: Warm, tmp_path: Path
) -> None:
    first = vae.draw("first", seed=7)
    launch.sample(vae.run, SampleRequest(count=3, seed=7), tmp_path / "out", 2)
    assert first == files(tmp_path / "out")
    kept = next(one for one in results(vae.run) if one.id == "first").kept
    vae.sampler.ask(Draw(id="again", step=kept.step, request=kept.request))
    vae.wait(Drawn)
    assert files(vae.run.path / "playground" / "again") == first
    assert vae.draw("older", step=1, seed=7) != first
    assert [one.id for one in results(vae.run)][:3] == ["older", "first", "again"]


@pytest.mark.parametrize("model", ["autoregressive/gru", "diffusion/rectified_flow"])
def test_watching_changes_no_bit(model: str, request: pytest.FixtureRequest) -> None:
    sampler: Warm = request.getfixturevalue(model.rpartition("/")[2].replace("rectified_", ""))
    asked: dict[str, Any] = {"length": 12} if "gru" in model else {"steps": 5}
    watched = sampler.draw("watched", **asked)
    assert watched == sampler.draw("unwatched", watch=False, **asked)
    assert (sampler.run.path / "playground" / "watched" / "watch").is_dir()
    assert not (sampler.run.path / "playground" / "unwatched" / "watch").exists()


# --------------------------------------------------------------------------- what is watched


def test_a_flow_shows_what_it_means_at_every_step(flow: Warm) -> None:
    flow.heard.clear()
    flow.draw("way", steps=6)
    kept = next(one for one in results(flow.run) if one.id == "way")
    assert len(frames(flow.run, kept.id, "meant")) == len(frames(flow.run, kept.id, "seen")) == 6
    told = [one for one in flow.heard if isinstance(one, Advanced)]
    assert [one.share for one in told] == sorted({one.share for one in told})
    assert told[-1].share == 1
    assert all(one.frame.startswith("playground/.drawing-way/meant-") for one in told)
    assert not list((flow.run.path / "playground").glob(".*"))


def test_of_a_long_way_few_pictures_are_kept(flow: Warm) -> None:
    flow.draw("long", steps=100, count=1)
    kept = next(one for one in results(flow.run) if one.id == "long")
    numbers = [int(path.stem[-4:]) for path in frames(flow.run, kept.id, "meant")]
    assert numbers == list(range(0, 100, numbers[1]))
    assert 24 <= len(numbers) <= 48


def test_a_text_is_told_as_it_is_written_and_its_tokens_are_weighed(gru: Warm) -> None:
    gru.heard.clear()
    drawn = gru.draw("tale", prompt="KING", length=20)
    told: dict[int, str] = {}
    for one in gru.heard:
        for piece in one.pieces if isinstance(one, Wrote) else []:
            told[piece.index] = told.get(piece.index, "")[: piece.at] + piece.text
    texts = [drawn[f"{index:03d}.txt"].decode() for index in range(3)]
    assert [told[index] for index in range(3)] == texts
    kept = next(one for one in results(gru.run) if one.id == "tale")
    for index, text in enumerate(texts):
        how = tokens(gru.run, kept, index)
        assert how is not None
        assert how.prompt + "".join(token.text for token in how.tokens) == text
        for token in how.tokens:
            assert [choice.p for choice in token.top] == sorted(
                (choice.p for choice in token.top), reverse=True
            )
            assert 0 < token.p <= token.top[0].p <= 1


@pytest.mark.parametrize("beams", [1, 3])
def test_the_tokens_of_a_search_are_weighed_when_it_has_chosen(pairs: Warm, beams: int) -> None:
    watched = pairs.draw(f"beams-{beams}", beams=beams)
    assert watched == pairs.draw(f"unseen-{beams}", beams=beams, watch=False)
    kept = next(one for one in results(pairs.run) if one.id == f"beams-{beams}")
    for index in range(3):
        how = tokens(pairs.run, kept, index)
        assert how is not None
        line = how.prompt + "".join(token.text for token in how.tokens)
        assert watched[f"{index:03d}.txt"].decode().startswith(f"{line} (")
        if beams == 1:
            assert all(token.p == token.top[0].p for token in how.tokens)


# --------------------------------------------------------------------------- neighbours


def test_neighbours_of_a_sample_begin_with_itself_and_are_of_its_class(vae: Warm) -> None:
    plain = vae.draw("plain", count=4)
    near = vae.draw("near", count=4, around=2, spread=0.05)
    assert near["000.png"] == plain["002.png"]
    assert near["labels"] == b"[2, 2, 2, 2]"
    assert len({near[f"{index:03d}.png"] for index in range(4)}) == 4


# --------------------------------------------------------------------------- what it refuses

ODD = [
    (b"\n", "asks for nothing"),
    (b"{\n", "asks for nothing"),
    (b"\xff\xfe\n", "asks for nothing"),
    (b"[" * 5000 + b"\n", "asks for nothing"),
    (b'{"verb":"train"}\n', "asks for nothing"),
    (b'{"verb":"open","step":"2"}\n', "asks for nothing"),
    (b'{"verb":"draw","id":"../../x","step":2,"request":{}}\n', "an id is"),
    (b'{"verb":"stop","id":""}\n', "an id is"),
    (b'{"verb":"open","step":2,"x":"' + b"x" * 200_000 + b'"}\n', "65,536 bytes"),
    (b'{"verb":"open","step":99}\n', "99"),
    (b'{"verb":"draw","id":"a","step":2,"request":{"count":0}}\n', "count must be"),
    (b'{"verb":"draw","id":"a","step":2,"request":{"prompt":"x"}}\n', "cannot be asked for prompt"),
    (b'{"verb":"draw","id":"a","step":2,"request":{"around":64}}\n', "not among them"),
    (b'{"verb":"draw","id":"a","step":2,"request":{"spread":0.1}}\n', "say around which"),
]


@pytest.fixture(scope="module")
def bare(vae: Warm) -> Iterator[subprocess.Popen[bytes]]:
    """A sampler without the studio's side, for lines that it would not write."""
    command = [sys.executable, "-P", "-m", "genai_tui.worker", "play", str(vae.run.path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    yield process
    process.stdin.close()
    process.stdout.close()
    assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(("line", "why"), ODD, ids=range(len(ODD)))
def test_an_odd_line_is_refused_in_one_sentence(
    bare: subprocess.Popen[bytes], line: bytes, why: str
) -> None:
    assert bare.stdin is not None
    assert bare.stdout is not None
    bare.stdin.write(line)
    bare.stdin.flush()
    told = playground.decode_told(bare.stdout.readline())
    assert isinstance(told, Refused)
    assert why in told.why
    assert len(told.why.splitlines()) == 1


@given(st.binary(max_size=200))
def test_no_line_does_anything_but_ask_or_fail_in_a_sentence(line: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(checked_ask(line), Open | Draw | Stop)


def test_a_drawing_that_is_stopped_leaves_nothing(flow: Warm) -> None:
    request = SampleRequest(count=64, steps=1000)
    flow.sampler.ask(Draw(id="endless", step=2, request=request))
    flow.wait(Advanced)
    flow.sampler.ask(Stop(id="endless"))
    assert flow.wait((Drawn, Refused)) == Refused(id="endless", why="stopped")
    assert not (flow.run.path / "playground" / "endless").exists()
    assert not list((flow.run.path / "playground").glob(".*"))
    assert flow.draw("after", steps=1)


# --------------------------------------------------------------------------- its life


def test_it_ends_with_the_studio_however_that_dies(vae: Warm) -> None:
    code = f"""
import sys, time
from pathlib import Path
from genai_tui.playground import Open
from genai_tui.sampler import Sampler
from genai_tui.store import Run
sampler = Sampler(Run(Path({str(vae.run.path)!r})), print, print)
sampler.ask(Open(step=2))
print(sampler._process.pid, flush=True)
time.sleep(600)
"""
    studio = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert studio.stdout is not None
    sampler = int(studio.stdout.readline())
    until(lambda: b"opened" in studio.stdout.readline().lower(), seconds=60)  # pyright: ignore
    polite = min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICE)
    assert os.getpriority(os.PRIO_PROCESS, sampler) == polite
    group = Path(f"/proc/{sampler}/autogroup")
    assert not group.exists() or group.read_text().endswith(f"nice {NICE}\n")
    studio.kill()
    studio.wait()
    studio.stdout.close()
    until(lambda: not _lives(sampler))


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_sampler_that_dies_says_so_and_comes_back_with_the_next_ask(home: Store) -> None:
    died: queue.Queue[Any] = queue.Queue()
    run = home.runs()[0]
    sampler = Sampler(run, died.put, died.put)
    sampler.ask(Open(step=2))
    assert isinstance(died.get(timeout=60), Opened)
    assert sampler._process is not None
    os.kill(sampler._process.pid, signal.SIGKILL)
    assert "died" in died.get(timeout=20)
    sampler.ask(Open(step=2))
    assert isinstance(died.get(timeout=60), Opened)
    sampler.close()


# --------------------------------------------------------------------------- what is kept


def test_results_that_nobody_can_read_are_left_out_and_one_can_be_deleted(
    vae: Warm, tmp_path: Path
) -> None:
    vae.draw("doomed")
    broken = vae.run.path / "playground" / "broken"
    broken.mkdir()
    (broken / "request.json").write_bytes(b'{"step":"x"}')
    assert "doomed" in {one.id for one in results(vae.run)}
    assert "broken" not in {one.id for one in results(vae.run)}
    playground.delete(vae.run, "doomed")
    assert "doomed" not in {one.id for one in results(vae.run)}
    with pytest.raises(RunError, match="no result"):
        playground.delete(vae.run, "../checkpoints")


def test_a_playground_outside_of_the_run_is_refused(store: Store, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    (tmp_path / "elsewhere").mkdir()
    run.path.mkdir()
    (run.path / "playground").symlink_to(tmp_path / "elsewhere")
    assert results(run) == []
    with pytest.raises(RunError, match="leads out"):
        playground.folder_of(run, "a")


def test_the_best_checkpoint_is_the_one_with_the_least_loss_that_is_known() -> None:
    losses = [(100, 3.0), (150, 1.0), (200, 2.0), (250, float("nan"))]
    assert best_step([100, 200, 300], losses) == 200
    assert best_step([50], losses) is None
    assert best_step([160, 200], losses) == 160
    assert msgspec.json.decode(playground.encode(Stop(id="a"))) == {"verb": "stop", "id": "a"}
