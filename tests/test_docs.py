"""What the documentation shows is true: its model trains, resumes and draws."""

import re
import sys
from pathlib import Path

import pytest
import torch
from tiny import points, run, same

from backends import catalogue, checkpoints
from backends.datasets._resolve import load_dataset
from backends.knobs import configure
from backends.model import Model
from backends.records import SampleRequest

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture
def documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Model]:
    """The model of docs/new-model.md, found as that of an added package is."""
    text = (DOCS / "new-model.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "ppca_of_the_docs.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    class Point:
        @staticmethod
        def load() -> object:
            return __import__("ppca_of_the_docs")

    monkeypatch.setattr(catalogue, "_added", lambda: {"vae/ppca": Point})
    kind = catalogue.load("vae/ppca")
    yield kind  # pyright: ignore[reportReturnType]
    sys.modules.pop("ppca_of_the_docs", None)


def test_the_model_of_the_docs_is_one(documented: type[Model], tmp_path: Path) -> None:
    info = next(model for model in catalogue.describe().models if model.name == "vae/ppca")
    assert info.caption.startswith("Probabilistic PCA")
    assert [knob.name for knob in info.knobs] == ["latent"]
    data = load_dataset("fashion-mini", "image", {}, 0.1, 32)

    def build() -> Model:
        torch.manual_seed(0)
        return documented(configure(documented.Config, {"latent": 4}), data.shape)

    def trained(name: str, steps: int) -> object:
        kept = {"schedule": "constant", "batch_size": 32, "lr": 1e-2}
        records = run(tmp_path / name, build(), dataset=data, steps=steps, **kept)
        losses = [float(values["loss"]) for values in points(records).values()]
        assert steps < 30 or losses[-1] < losses[0] - 0.2
        return checkpoints.load_newest(tmp_path / name / "checkpoints")[1]["model"]  # pyright: ignore

    straight = trained("straight", 30)
    trained("again", 15)
    assert same(trained("again", 30), straight)
    drawn = build().sample(SampleRequest(count=3), torch.Generator().manual_seed(0))
    assert drawn.images is not None
    assert drawn.images.shape == (3, 1, 28, 28)
