"""Whatever a manifest or a state says: it is what was saved, or it is refused in one sentence."""

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import damaged, json_texts
from tiny import same

from backends import checkpoints
from backends.checkpoints import CheckpointError

WEIGHTS = torch.arange(6.0).reshape(2, 3)
STATE: dict[str, Any] = {"model": {"w": WEIGHTS}, "loop": {"step": 20, "x": (1.5, float("nan"))}}
OLDER: dict[str, Any] = {"model": {"w": WEIGHTS + 1}, "loop": {"step": 10}}


def saved(root: Path) -> Path:
    """A folder with a checkpoint of step 10 and one of step 20; the latter's folder."""
    checkpoints.save(root, 10, OLDER)
    return checkpoints.save(root, 20, STATE).path


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("checkpoints"))


with tempfile.TemporaryDirectory() as scratch:
    saved(Path(scratch))
    MANIFEST, DOCUMENT = (
        Path(scratch, "step-000020", name).read_bytes() for name in ("manifest.json", "state.json")
    )
TOLD = json.loads(MANIFEST)
entries = st.sampled_from([*TOLD["files"].values(), {"bytes": 0, "sha256": ""}, [], None, 7])
names = st.sampled_from([*TOLD["files"], "manifest.json", "../step-000010/state.json", "", "\0"])
plausible = st.fixed_dictionaries(
    {
        "format": st.sampled_from([1, 1, 1, 0, 2, -1, "1", 1e999, None, True, [1]]),
        "files": st.dictionaries(names, entries) | st.lists(st.tuples(names, entries)) | st.none(),
    }
).map(lambda told: json.dumps(told).encode())
manifests = st.one_of(plausible, damaged(st.just(MANIFEST)), json_texts, st.binary(max_size=60))

tags = st.sampled_from(["$tensor", "$items", "$tuple", "$float", "w", "$$"])
tagged = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["w", "nan", {"$tensor": "w"}]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(tags, inner, max_size=2)
        | st.lists(st.tuples(inner, inner), max_size=2).map(lambda items: {"$items": items})
    ),
    max_leaves=8,
)
parts = st.dictionaries(st.sampled_from(["model", "loop", "../step-000010/model", ""]), tagged)
documents = st.one_of(
    (st.fixed_dictionaries({"step": st.just(20), "parts": parts | tagged})).map(
        lambda told: json.dumps(told).encode()
    ),
    *(damaged(st.just(DOCUMENT)), json_texts, st.binary(max_size=60)),
)


@settings(max_examples=150)
@given(manifests)
@example(b'{"format":1e999,"files":{}}')
def test_whatever_a_manifest_says_the_state_is_one_that_was_saved(
    newest: Path, manifest: bytes
) -> None:
    (newest / "state.json").write_bytes(DOCUMENT)
    (newest / "manifest.json").write_bytes(manifest)
    found = checkpoints.load_newest(newest.parent)
    assert found is not None
    step, state, complaints = found
    if step == 20:
        assert complaints == []
        assert vouched(manifest)
    else:
        assert len(complaints) == 1
        assert "step-000020" in complaints[0]
        assert same(state, OLDER)


def vouched(manifest: bytes) -> bool:
    """Whether it has the state's true hash, and says nothing false of any other file."""
    files = dict(json.loads(manifest)["files"])
    return TOLD["files"]["state.json"] == files["state.json"] and all(
        TOLD["files"].get(name) == entry for name, entry in files.items()
    )


@settings(max_examples=150)
@given(documents)
@example(b'{"step":20,"parts":[1]}')
@example(b'{"step":20,"parts":{"../step-000010/model":{"$tensor":"w"}}}')  # another's weights
def test_whatever_a_vouched_state_says_it_is_read_or_refused_in_a_sentence(
    newest: Path, document: bytes
) -> None:
    """Somebody may have made the hashes, too: this is hostility, no damage."""
    told = {**TOLD["files"], "state.json": entry_of(document)}
    (newest / "state.json").write_bytes(document)
    (newest / "manifest.json").write_text(json.dumps({"format": 1, "files": told}))
    with contextlib.suppress(CheckpointError):
        assert all(torch.equal(found, WEIGHTS) for found in tensors(checkpoints.load(newest)))


def entry_of(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """All that a state holds, at any depth."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors(item)
