"""Every generator on a GPU: it trains, is resumed, and draws whatever it can be asked for."""

from pathlib import Path
from typing import Any

import pytest
import torch
from test_models import asked
from test_stepping import Slow
from test_training import last
from tiny import Inbox, Tiny, command, points, run, same, smallest, tiny

from backends import catalogue, samples
from backends.data import Order
from backends.evaluation import held_batch
from backends.feed import Feed
from backends.model import INPUTS, Batch, Losses
from backends.precision import Numerics
from backends.records import End, Mark, Notice, Record

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.filterwarnings("default"),  # compilers and drivers warn of what is theirs
]
PRECISIONS = ("float32", "bfloat16")
GIB = 2**30


def changes(name: str, device: torch.device, **knobs: Any) -> dict[str, Any]:
    model, dataset = smallest(name)
    plain = {"steps": 7, "batch_size": 4, "log_every": 2, "validate_every": 5, "ema_half_life": 3}
    return {"model": model, "dataset": dataset, "device": device, **plain, **knobs}


def end(records: list[Record]) -> End:
    assert isinstance(records[-1], End)
    return records[-1]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", catalogue.models())
def test_every_model_resumes_to_the_last_bit(
    tmp_path: Path, name: str, precision: str, device: torch.device
) -> None:
    straight = run(tmp_path / "a", **changes(name, device, precision=precision), sample_every=3)
    first, second = (changes(name, device, precision=precision) for _ in "ab")
    for parameter in second["model"].parameters():
        torch.nn.init.constant_(parameter, 0.1)
    stopped = run(tmp_path / "b", **first, inbox=Inbox({3: [command("stop")]}))
    resumed = run(tmp_path / "b", **second, attempt=2)
    assert end(straight).state == end(resumed).state == "finished"
    assert points([*stopped, *resumed]) == points(straight)
    assert same(*(last(tmp_path / folder) for folder in "ab"))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", catalogue.models())
def test_it_draws_whatever_it_can_be_asked_for(
    tmp_path: Path, name: str, precision: str, device: torch.device
) -> None:
    model, dataset = smallest(name)
    model.to(device).eval()
    model.observe(held_batch(dataset.validation, INPUTS, device))
    numerics = Numerics(precision, precision == "bfloat16" and model.modality == "image", 1)
    numerics.place(model)
    for field in sorted(model.asks):
        request = asked(model, field, tmp_path)
        drawn = samples.draw(model, request, numerics)
        assert samples.write(tmp_path / field, drawn, request) >= 1, field


@pytest.mark.parametrize(
    "name", ["vae/conv", "autoregressive/gpt", "diffusion/rectified_flow", "diffusion/dit"]
)
def test_compiled_it_trains_and_is_the_same_training(
    tmp_path: Path, name: str, device: torch.device
) -> None:
    plain = run(tmp_path / "a", **changes(name, device, precision="float32"))
    compiled = run(tmp_path / "b", **changes(name, device, precision="float32", compile=True))
    assert not [record.text for record in compiled if isinstance(record, Notice)]
    one, two = (points(found)[7]["loss"] for found in (plain, compiled))
    assert two == pytest.approx(one, rel=0.01)


class Hungry(Tiny):
    """Its step takes a GiB an item, on top of what the networks do."""

    def loss(self, batch: Batch) -> Losses:
        if self.training:
            torch.empty(len(batch.x) * GIB, dtype=torch.uint8, device=batch.x.device)
        return super().loss(batch)


@pytest.mark.parametrize("policy", ["stop", "halve"])
def test_what_does_not_fit_is_said_or_halved(
    tmp_path: Path, policy: str, device: torch.device
) -> None:
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(5 * GIB / total, device)
    try:
        found = run(tmp_path, tiny(Hungry), device=device, batch_size=8, memory_policy=policy)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
    if policy == "halve":
        assert end(found).state == "finished"
        assert ("halve", "done") in [(r.verb, r.answer) for r in found if isinstance(r, Mark)]
    else:
        sentence = "a step of 8 items did not fit into memory (it asked for 8.00 GiB)"
        assert end(found).reason.startswith(sentence)
    assert torch.cuda.memory_reserved(device) < GIB


def test_a_stream_gives_the_batches_that_the_memory_gives(device: torch.device) -> None:
    order = Order(Slow(), batch_size=5, seed=1)
    feed = Feed(order, device)
    for step in range(8):
        (x, y), (expected_x, expected_y) = feed.batch(step), order.batch(step)
        assert x.device == device
        assert torch.equal(x.cpu(), expected_x)
        assert y is not None
        assert expected_y is not None
        assert torch.equal(y.cpu(), expected_y)
    feed.close()
