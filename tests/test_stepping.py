"""One step, and how its data come: micro-batches, rates of the phases, hooks, reading ahead."""

import dataclasses
import itertools
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import Duel, Tiny, pictures, points, run, same, tiny
from torch import Tensor, nn

from backends import checkpoints
from backends.data import Dataset, Order, Source, Tokens
from backends.data_error import DataError
from backends.feed import Feed
from backends.knobs import ConfigError
from backends.model import Batch, DataShape, Losses, Phase
from backends.records import Step


def weights(folder: Path) -> dict[str, Any]:
    found = checkpoints.load_newest(folder / "checkpoints")
    assert found is not None
    return found[1]


class Plain(Tiny):
    """Nothing in it depends on how a batch is cut: no noise, no dropout, no batch norm."""

    def __init__(self, shape: DataShape) -> None:
        super().__init__(shape)
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(16, 16), nn.Unflatten(1, (1, 4, 4)))
        self.firsts: list[int] = []

    def loss(self, batch: Batch) -> Losses:
        self.firsts.append(batch.first)
        return {"loss": (self.net(batch.x) - batch.x).square().mean()}


# --------------------------------------------------------------------------- gradient norms


def test_without_a_limit_the_norm_is_that_of_the_step_that_is_logged(tmp_path: Path) -> None:
    each = points(run(tmp_path / "1", tiny(Plain), clip_grad=1e9, log_every=1, steps=7))
    some = points(run(tmp_path / "3", tiny(Plain), clip_grad=0, log_every=3, steps=7))
    assert list(some) == [3, 6, 7]
    for step, values in some.items():
        assert values["grad_norm"] == pytest.approx(each[step]["grad_norm"])


def test_a_rare_turn_that_misses_the_logged_steps_still_tells_its_norm(tmp_path: Path) -> None:
    logged = points(run(tmp_path, tiny(Duel), clip_grad=0, log_every=4, steps=8))
    assert all({"D/grad_norm", "R/grad_norm", "G/grad_norm"} <= set(v) for v in logged.values())


# --------------------------------------------------------------------------- micro-batches


def test_micro_batches_give_the_gradient_of_the_whole_batch(tmp_path: Path) -> None:
    whole = points(run(tmp_path / "1", tiny(Plain), batch_size=8, steps=4))
    model = tiny(Plain)
    parts = points(run(tmp_path / "4", model, batch_size=8, accumulate=4, steps=4))
    assert isinstance(model, Plain)
    assert model.firsts[-4:] == [0, 2, 4, 6]
    for step, values in whole.items():
        assert parts[step] == pytest.approx(values, rel=1e-4)
    one, four = (weights(tmp_path / name)["model"] for name in "14")
    for name, value in one.items():
        torch.testing.assert_close(four[name], value, rtol=1e-3, atol=1e-5)


def test_an_accumulated_training_resumes_to_the_last_bit(tmp_path: Path) -> None:
    def accumulated(name: str, steps: int) -> None:
        run(tmp_path / name, batch_size=6, accumulate=3, steps=steps, schedule="constant")

    accumulated("straight", 6)
    accumulated("again", 3)
    accumulated("again", 6)
    for part in ("model", "ema", "optimizers"):
        assert same(weights(tmp_path / "again")[part], weights(tmp_path / "straight")[part])


def test_a_batch_that_cannot_be_cut_evenly_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="batch_size 5 cannot be cut into 2 equal micro-batches"):
        run(tmp_path, batch_size=5, accumulate=2)
    assert not any(tmp_path.iterdir())


# --------------------------------------------------------------------------- phases


class Paced(Duel):
    """A judge that learns at twice the rate and is clipped after each of its turns."""

    def phases(self) -> Sequence[Phase]:
        def clip() -> None:
            for parameter in self.judge.parameters():
                parameter.clamp_(-0.01, 0.01)

        return [
            Phase("D", self.judge, self._judge_loss, lr=0.0, after=clip),
            Phase("G", self.maker, self._maker_loss),
        ]


def test_a_phase_has_its_own_rate_and_is_told_when_it_has_moved(tmp_path: Path) -> None:
    model = tiny(Paced)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    run(tmp_path, model, steps=3, weight_decay=0.0)
    for name, value in model.state_dict().items():
        if name.startswith("judge"):
            torch.testing.assert_close(value, before[name].clamp(-0.01, 0.01))
        else:
            assert not torch.equal(value, before[name])


def test_rmsprop_moves_by_the_root_mean_square_and_resumes(tmp_path: Path) -> None:
    def trained(name: str, steps: int) -> Any:
        run(tmp_path / name, optimizer="rmsprop", steps=steps, schedule="constant")
        return weights(tmp_path / name)["optimizers"]

    straight = trained("straight", 6)
    assert set(straight[0]["state"][0]) == {"step", "square_avg"}
    trained("again", 3)
    assert same(trained("again", 6), straight)


# --------------------------------------------------------------------------- order and feed


def test_lanes_go_on_where_they_ended() -> None:
    ids = torch.arange(41)
    order = Order(Tokens(ids, context=4), batch_size=2, seed=3, sequential=True)
    batches = [order.batch(step)[0] for step in range(5)]
    assert batches[0].tolist() == [[0, 1, 2, 3, 4], [20, 21, 22, 23, 24]]
    for before, after in itertools.pairwise(batches):
        assert torch.equal(before[:, -1], after[:, 0])
    assert torch.equal(order.batch(10)[0], batches[0])


class Slow(Source):
    """Numbers that are fetched elsewhere; remembers by which threads."""

    @property
    def streams(self) -> bool:
        return True

    def __init__(self) -> None:
        self.threads: list[str] = []

    def __len__(self) -> int:
        return 12

    def fetch(
        self, indices: Tensor, seeds: Tensor, epoch_seed: int
    ) -> tuple[Tensor, Tensor | None]:
        self.threads.append(threading.current_thread().name)
        if len(self.threads) > 100:
            raise DataError("the disk is gone")
        return indices.float()[:, None], indices

    def to(self, device: torch.device) -> "Slow":
        return self


def test_a_stream_is_read_ahead_and_gives_the_same_batches() -> None:
    source = Slow()
    order = Order(source, batch_size=5, seed=1)
    feed = Feed(order, torch.device("cpu"))
    streamed = [feed.batch(step) for step in (0, 1, 2, 7, 3)]
    feed.close()
    assert all(name.startswith("feed") for name in source.threads)
    for (x, y), step in zip(streamed, (0, 1, 2, 7, 3), strict=True):
        expected_x, expected_y = order.batch(step)
        assert torch.equal(x, expected_x)
        assert y is not None
        assert expected_y is not None
        assert torch.equal(y, expected_y)
    assert feed.take_waited() > 0
    assert feed.take_waited() == 0


def test_what_a_stream_cannot_read_reaches_the_training() -> None:
    source = Slow()
    source.threads = [""] * 100
    feed = Feed(Order(source, batch_size=5, seed=1), torch.device("cpu"))
    with pytest.raises(DataError, match="the disk is gone"):
        feed.batch(0)
    feed.close()


def test_the_wait_for_data_is_a_share_of_the_time(tmp_path: Path) -> None:
    records = run(tmp_path, steps=6, log_every=2)
    waits = [r.rates["data_wait"] for r in records if isinstance(r, Step)]
    assert len(waits) == 3
    assert all(0 < float(wait) <= 1 for wait in waits)


class Curious(Tiny):
    """Keeps two of the held-out pictures."""

    kept: Tensor

    def __init__(self, shape: DataShape) -> None:
        super().__init__(shape)
        self.register_buffer("kept", torch.zeros(2, 1, 4, 4))

    def observe(self, held: Batch) -> None:
        self.kept.copy_(held.x[:2])


def test_a_model_sees_held_out_items_once_and_keeps_them_in_its_checkpoint(tmp_path: Path) -> None:
    run(tmp_path, tiny(Curious), steps=2)
    data: Dataset = pictures()
    expected, _ = data.validation.fetch(torch.arange(2), torch.zeros(2, dtype=torch.int64), 0)
    for part in ("model", "ema"):
        assert torch.equal(weights(tmp_path)[part]["kept"], expected)
    other = dataclasses.replace(data, validation=data.train)
    run(tmp_path, tiny(Curious), dataset=other, steps=4)
    assert torch.equal(weights(tmp_path)["model"]["kept"], expected)
