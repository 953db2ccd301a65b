"""Whatever lies in the rooms is found, described, planned and built; what is broken says so."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from tiny import run as train_all
from tiny import same, smallest

import backends
from backends import catalogue, checkpoints, samples
from backends.data_error import DataError
from backends.datasets import _entries
from backends.datasets._shape import shape_state
from backends.knobs import ConfigError
from backends.model import Model
from backends.precision import Numerics
from backends.records import Catalogue, PlanRequest, RunSpec, SampleRequest

MODELS = catalogue.models()


def plan(model: str = "vae/conv", dataset: str = "", device: str = "cpu", **settings: str) -> Any:
    request = PlanRequest(model=model, dataset=dataset, settings=settings, device=device)
    return catalogue.plan(request)


def spec_of(model: str, **fields: Any) -> RunSpec:
    known = {"id": "x", "name": "x", "dataset": catalogue.load(model).default_dataset}
    return RunSpec(**{**known, "model": model, **fields})


# --------------------------------------------------------------------------- what is there


def test_a_file_in_a_room_is_an_entry() -> None:
    root = Path(backends.__path__[0])
    files = [f for family in catalogue.FAMILIES for f in (root / family).glob("[!_]*.py")]
    assert sorted(MODELS) == sorted(f"{file.parent.name}/{file.stem}" for file in files)
    assert {"vae/conv", "autoregressive/gpt"} <= set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_an_entry_keeps_the_contract(name: str) -> None:
    kind = catalogue.load(name)
    assert issubclass(kind, Model)
    entry = _entries.entry(kind.default_dataset)
    assert kind.data_kind() == entry.MODALITY
    assert entry.EMBEDDED
    assert kind.asks <= set(SampleRequest.__struct_fields__) - {"count", "seed"}


def test_an_unknown_model_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown model: 'vae/cnov'; did you mean vae/conv"):
        catalogue.load("vae/cnov")
    with pytest.raises(ConfigError):
        catalogue.load("vae/../gan/dcgan")


def test_the_catalogue_describes_everything() -> None:
    told = catalogue.describe()
    assert [model.name for model in told.models] == MODELS
    for model in told.models:
        assert not model.error
        assert model.caption
        assert model.knobs
        assert model.default_dataset in [dataset.name for dataset in told.datasets]
        recipe = catalogue.load(model.name).recipe
        defaults = {knob.name: knob.default for knob in model.train_knobs}
        assert {name: defaults[name] for name in recipe} == dict(recipe)
    for dataset in told.datasets:
        assert not dataset.error
        assert dataset.caption
    assert told.devices[-1].name == "cpu"
    assert told.torch == torch.__version__


# --------------------------------------------------------------------------- what others add

HEAD = """from dataclasses import dataclass
from typing import Annotated
from backends.model import Model
"""
GOOD = (
    HEAD
    + """@dataclass(frozen=True, kw_only=True)
class Config:
    depth: Annotated[int, "how deep"] = 3
class Added(Model):
    Config, modality, default_dataset = Config, "image", "fashion-mini"
    def sample(self, request, generator): ...
"""
)
BROKEN = {
    "lacks a package": "import a_package_that_is_not_there",
    "is no Python": "def (:",
    "misspells": "undefined_name",
    "divides": "1 / 0",
    "asserts": "assert False, 'not on this machine'",
    "leaves": "raise SystemExit(3)",
    "defines none": HEAD,
    "defines two": GOOD + "class Other(Added):\n    pass\n",
    "has an odd knob": GOOD.replace('Annotated[int, "how deep"] = 3', "dict = None"),
    "has no Config": GOOD.replace("Config, modality", "nothing, modality"),
}


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Installs another package's model "added/one", of that code."""

    def install(code: str) -> None:
        (tmp_path / "added_one.py").write_text(code)
        info = tmp_path / "added-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: added\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[genai_tui.models]\nadded/one = added_one\n")
        monkeypatch.syspath_prepend(tmp_path)

    yield install
    sys.modules.pop("added_one", None)


def test_a_model_of_another_package_is_an_entry(plug_in: Any) -> None:
    plug_in(GOOD)
    assert catalogue.models() == [*MODELS, "added/one"]
    [found] = [model for model in catalogue.describe().models if model.name == "added/one"]
    assert not found.error
    assert [knob.name for knob in found.knobs] == ["depth"]


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_entry_is_listed_with_its_error_and_spoils_no_other(
    plug_in: Any, how: str
) -> None:
    plug_in(BROKEN[how])
    told = catalogue.describe()
    assert [model.name for model in told.models] == [*MODELS, "added/one"]
    assert "added/one" in told.models[-1].error
    assert not any(model.error for model in told.models[:-1])
    assert "added/one" in plan("added/one").error


# --------------------------------------------------------------------------- plans


@pytest.mark.parametrize("name", MODELS)
def test_every_model_can_be_planned_with_its_defaults(name: str) -> None:
    told = plan(name)
    assert not told.error
    assert told.dataset == catalogue.load(name).default_dataset
    assert told.parameters > 0
    assert told.items > told.validation_items > 0
    assert told.device == "cpu"
    model, _, config = catalogue.open_spec(
        spec_of(name, model_config=told.model_config, train_config=told.train_config)
    )
    assert sum(p.numel() for p in model.parameters()) == told.parameters
    assert asdict(config) == told.train_config


def test_settings_find_their_owner() -> None:
    told = plan(latent="5", lr="0.5", flip="yes")
    assert told.model_config["latent"] == 5
    assert told.train_config["lr"] == 0.5
    assert told.data_config["flip"] is True


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"model": "vae/cnov"}, "unknown model: 'vae/cnov'; did you mean vae/conv"),
        ({"dataset": "fashion-mni"}, "fashion-mini"),
        ({"dataset": "/no/such/folder"}, "/no/such/folder does not exist"),
        ({"dataset": "names"}, "names holds text, but the model learns pictures"),
        ({"widht": "8"}, "unknown knob of vae/conv: 'widht'; did you mean width"),
        ({"width": "9999"}, "width must be a whole number from 4 to 256, not '9999'"),
        ({"precision": "float8"}, "precision must be auto or float32 or bfloat16"),
        ({"batch_size": "5000"}, "fewer than batch_size 5,000"),
        ({"device": "cuda:99"}, "there is no device 'cuda:99' here"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_trained_is_one_sentence(request_: dict[str, str], sentence: str) -> None:
    told = plan(**request_)
    assert sentence in told.error
    assert "\n" not in told.error


# --------------------------------------------------------------------------- building


def test_untrained_weights_depend_on_the_seed_alone() -> None:
    def weights(seed: int) -> dict[str, Any]:
        model, _, _ = catalogue.open_spec(spec_of("vae/conv", seed=seed))
        return dict(model.state_dict())

    one = weights(1)
    torch.rand(5)
    assert same(one, weights(1))
    assert not same(one, weights(2))


def test_a_spec_that_names_what_is_gone_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match="unknown knob of vae/conv: 'wings'"):
        catalogue.open_spec(spec_of("vae/conv", model_config={"wings": 2}))
    with pytest.raises(ConfigError, match="unknown knob: 'stepps'"):
        catalogue.open_spec(spec_of("vae/conv", train_config={"stepps": 2}))
    with pytest.raises(DataError):
        catalogue.open_spec(spec_of("vae/conv", dataset="/no/such/folder"))


@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_alone_draws_what_the_training_drew(name: str, tmp_path: Path) -> None:
    """Without the data set: the same request from the checkpoint gives the same samples."""
    model, dataset = smallest(name)
    meta = {"model": name, "shape": shape_state(dataset.shape)}
    changes = {"steps": 3, "batch_size": 4, "sample_every": 3, "sample_count": 2}
    train_all(tmp_path, model, dataset=dataset, meta=meta, **changes)
    snapshot = checkpoints.load(tmp_path / "checkpoints/step-000003")
    restored = catalogue.restore(spec_of(name, model_config=asdict(model.config)), snapshot)
    assert not restored.training
    request = SampleRequest(count=2, seed=0)
    drawn = samples.draw(restored, request, Numerics(**snapshot["numerics"]))
    samples.write(tmp_path / "again", drawn, request)
    before = tmp_path / "samples/step-000003"
    names = sorted(path.name for path in before.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    assert len(names) >= 3
    for file in names:
        assert (before / file).read_bytes() == (tmp_path / "again" / file).read_bytes()


def test_the_catalogue_is_json() -> None:
    told = catalogue.describe()
    assert msgspec.json.decode(msgspec.json.encode(told), type=Catalogue) == told
