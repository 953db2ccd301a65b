"""Puts a model and a data set with faults on the path of the workers that are started."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from backends.records import RunSpec

HERE = Path(__file__).parent / "faulty"
POINTS = """
[genai_tui.models]
faulty/vae = faulty_model
[genai_tui.datasets]
faulty = faulty_data
"""


@dataclass(frozen=True, slots=True)
class Faults:
    """Plans the fault of the next worker."""

    file: Path

    def plan(self, kind: str, *, step: int, of: int, above: int = 0, once: bool = True) -> None:
        """It comes when ``step`` of ``of`` steps are done, to batches of more than ``above``."""
        told = {"kind": kind, "step": step, "steps": of, "above": above, "once": once}
        self.file.write_text(json.dumps(told))

    @property
    def is_pending(self) -> bool:
        return self.file.exists()


def faulty(spec: RunSpec, *, loader: bool = False) -> RunSpec:
    """The same run of the model that can have faults; with the loader that can, too."""
    changed = msgspec.structs.replace(spec, model="faulty/vae")
    return msgspec.structs.replace(changed, dataset="faulty") if loader else changed


@pytest.fixture
def faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Faults:
    info = tmp_path / "faulty-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    for folder in (HERE, tmp_path):
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    file = tmp_path / "fault.json"
    monkeypatch.setenv("GENAI_TUI_TEST_FAULT", str(file))
    return Faults(file)
