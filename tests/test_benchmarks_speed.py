"""The comparison of speed: turns and their statistics, rows without a peer, scripts in halves."""

import os
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny import Duel, Tiny, pictures, recipe, tiny

from backends.model import DataShape, Model
from benchmarks.figures import table
from benchmarks.speed import gpt, rows
from benchmarks.speed.bare import bare
from benchmarks.speed.isolated import BrokenError, isolated
from benchmarks.speed.loop import QUIET, Loop
from benchmarks.speed.machine import peak_memory
from benchmarks.speed.peers import MissingPeerError, Peers
from benchmarks.speed.rows import Outcome, Row
from benchmarks.speed.table import ROWS, main
from benchmarks.speed.turns import BLOCKS, MOST_BLOCKS, Comparison, compare

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


class Machine:
    """A clock that works move, at a speed that drifts by ``drift`` a second."""

    def __init__(self, drift: float = 0.0) -> None:
        self.now, self.drift, self.log = 0.0, drift, ""

    def work(self, name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            self.now += seconds + self.drift * len(self.log)
            self.log += name

        return run

    def __call__(self) -> float:
        return self.now


# --------------------------------------------------------------------------- turns


def test_turns_go_a_b_b_a_after_a_warm_up_of_each() -> None:
    machine = Machine()
    compare(machine.work("a", 1), machine.work("b", 1), warm_up=2, clock=machine)
    assert machine.log == "aabb" + "abba" * BLOCKS


def test_the_ratio_is_theirs_over_ours_and_a_steady_drift_cancels() -> None:
    steady = Machine()
    found = compare(steady.work("a", 2), steady.work("b", 5), clock=steady)
    assert (found.ratio, found.spread) == (2.5, (2.5, 2.5))
    assert (found.ours, found.theirs) == (2, 5)
    tiring = Machine(drift=0.5)
    found = compare(tiring.work("a", 3), tiring.work("b", 3), clock=tiring)
    assert found.ratios == pytest.approx([1.0] * BLOCKS)


def test_one_bad_block_moves_the_range_and_not_the_median() -> None:
    machine, count = Machine(), iter(range(10**6))

    def now_and_then() -> None:
        machine.work("a", 8 if next(count) == 9 else 1)()

    found = compare(now_and_then, machine.work("b", 1), warm_up=0, clock=machine)
    assert found.ratio == 1
    assert found.spread == (pytest.approx(2 / 9), 1)


def test_a_call_may_do_many_pieces_or_theirs_only_a_share_of_ours() -> None:
    machine = Machine()
    found = compare(
        *(machine.work("a", 10), machine.work("b", 4)),
        repeat=3,
        pieces=5,
        share=0.25,
        clock=machine,
    )
    assert (found.ours, found.theirs) == pytest.approx((2, 3.2))
    assert found.ratio == pytest.approx(1.6)


@pytest.mark.parametrize(("budget", "blocks"), [(0, BLOCKS), (40.0, 10), (10**6, MOST_BLOCKS)])
def test_more_blocks_are_run_while_the_budget_lasts(budget: float, blocks: int) -> None:
    machine = Machine()
    found = compare(
        machine.work("a", 1), machine.work("b", 1), warm_up=0, budget=budget, clock=machine
    )
    assert len(found.ratios) == blocks


# --------------------------------------------------------------------------- the table


def row(measure: Callable[[Path, Peers], Outcome], target: float = 2.0) -> Row:
    return Row("name", "some work", "somebody", target, measure)


def test_a_line_tells_the_ratio_its_range_both_speeds_and_the_verdict() -> None:
    outcome = Outcome(Comparison((2.0, 2.5, 4.0), 0.01, 0.025), "as published")
    line = table([rows.figure(row(lambda *_: outcome), outcome)]).splitlines()[-1]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == [
        "some work",
        "2.50 x (2.00 to 4.00)",
        "somebody 25 ms, ours 10 ms",
        ">= 2x",
        "met; as published",
    ]


def test_what_is_counted_a_second_is_told_so_and_a_missed_target_is_called_missed() -> None:
    outcome = Outcome(Comparison((1.5,), 2.0, 3.0), "", (600, "tokens"))
    figure = rows.figure(row(lambda *_: outcome), outcome)
    assert figure.beside == "somebody 200 tokens/s, ours 300 tokens/s"
    assert figure.met is False


def test_a_peer_that_is_not_there_is_a_sentence_in_its_line(tmp_path: Path) -> None:
    (figure,) = rows.measure(gpt.ROWS[:1], tmp_path, Peers())
    assert figure.value is None
    assert figure.note == "skipped: nanoGPT is looked for in the folder of --peers"
    assert "not measured" in table([figure])


def test_a_row_that_fails_says_so_and_the_others_go_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(folder: Path, peers: Peers) -> Outcome:
        raise ArithmeticError("ours is 1, theirs 2")

    def sound(folder: Path, peers: Peers) -> Outcome:
        return Outcome(Comparison((3.0,), 1.0, 3.0))

    wanted = [Row(n, n, "peer", 1, m) for n, m in (("one", broken), ("two", sound))]
    first, second = rows.measure(wanted, tmp_path, Peers())
    assert (first.value, first.note) == (None, "failed: the process ended with 1")
    assert second.value == 3
    assert "ours is 1, theirs 2" in capfd.readouterr().err


def test_the_command_prints_the_machine_and_what_was_chosen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--peers", str(tmp_path), "--only", "gpt-step-12", "dcgan"]) == 0
    out = capsys.readouterr().out
    assert "avx512_bf16" in out
    assert "one thread" in out
    assert f"skipped: there is no {tmp_path / 'nanoGPT' / 'model.py'}" in out
    assert out.count("skipped") == 2


def test_every_row_has_a_name_of_its_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)


# --------------------------------------------------------------------------- peers and processes

SCRIPT = """
    import os
    import torchvision.transforms as transforms
    from torchvision import datasets
    import argparse
    os.makedirs("images")
    parser = argparse.ArgumentParser()
    class Net:
        size = 7
    net = Net()
    dataloader = datasets.MNIST(transform=transforms.Compose([]))
    seen = []
    for epoch in range(2):
        for batch in dataloader:
            seen.append(net.size * batch)
"""


def test_a_script_gives_what_it_defines_and_its_loop_runs_when_asked(tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "train.py").write_text(textwrap.dedent(SCRIPT))
    script = Peers(tmp_path).script("repository", "train.py")
    names = script.define({}, frozenset({"torchvision", "makedirs", "dataloader"}))
    assert names["net"].size == 7
    assert names["seen"] == []
    names["dataloader"] = [1, 2]
    script.loop(names)
    assert names["seen"] == [7, 14, 7, 14]


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(MissingPeerError, match="no_such_peer is not installed"):
        Peers().package("no_such_peer")


def test_a_call_in_a_process_of_its_own_answers_raises_or_is_known_to_have_died() -> None:
    here = os.getpid()
    assert isolated(os.getpid) != here
    with pytest.raises(BrokenError, match="ended with 3"):
        isolated(lambda: os._exit(3))
    with pytest.raises(MissingPeerError, match="there is no"):
        isolated(lambda: Peers(Path("nowhere")).file("peer", "file.py"))


def test_peak_memory_counts_what_was_held_and_given_back() -> None:
    def hold(megabytes: int) -> int:
        torch.ones(megabytes * 2**18)
        return peak_memory("cpu")

    assert isolated(lambda: hold(256)) - isolated(lambda: hold(1)) > 200 * 2**20


# --------------------------------------------------------------------------- loops


@pytest.mark.parametrize("kind", [Tiny, Duel])
def test_both_loops_move_the_weights_of_every_phase(
    tmp_path: Path, kind: Callable[[DataShape], Model]
) -> None:
    config, ours, floor = recipe(**QUIET, ema_half_life=2.0), tiny(kind), tiny(kind)
    before = {name: value.clone() for name, value in ours.named_parameters()}
    for step in (Loop(ours, pictures(), tmp_path, config), bare(floor, pictures(), config)):
        for _ in range(4):
            step()
    for model in (ours, floor):
        assert all(not torch.equal(before[n], p) for n, p in model.named_parameters())


def test_our_loop_advances_by_its_stride_and_settles_when_the_checkpoint_is_written(
    tmp_path: Path,
) -> None:
    config = recipe(**{**QUIET, "log_every": 3})
    loop = Loop(tiny(), pictures(), tmp_path, config, 3)
    loop.settle(4)
    assert list((tmp_path / "checkpoints").glob("step-000000"))
    taken = loop.steps
    loop()
    assert loop.steps == taken + 3
    assert taken >= 6
