"""What a user writes on a run: kept beside it, found by it, and never in the way of it."""

import json
from pathlib import Path

import pytest
from build_runs import build
from cli_tools import Cli, inside
from hypothesis import given
from hypothesis import strategies as st

from genai_tui import annotations
from genai_tui.annotations import Annotation
from genai_tui.store import Run, RunError, Store


@pytest.fixture
def cli(store: Store, capsys: pytest.CaptureFixture[str]) -> Cli:
    return inside(store, capsys)


@pytest.fixture
def shoes(store: Store) -> Run:
    return build(store, "shoes", telemetry=0, step=20, of=20, seed=1)


@pytest.fixture
def hats(store: Store) -> Run:
    return build(store, "hats", model="gan/dcgan", telemetry=0, step=20, of=20, seed=2)


# --------------------------------------------------------------------------- the file


def test_an_annotation_is_a_file_of_its_own(shoes: Run) -> None:
    asked = (shoes.path / "run.json").read_bytes()
    shoes.annotate(name="boots", tags=["night"], note="wider", archived=True)
    assert (shoes.path / "run.json").read_bytes() == asked
    assert json.loads((shoes.path / "annotation.json").read_bytes()) == {
        "name": "boots",
        "tags": ["night"],
        "note": "wider",
        "archived": True,
    }
    shoes.annotate(note="")
    assert shoes.annotation() == Annotation(name="boots", tags=("night",), archived=True)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"tags":3}', b"\xff", b'{"format":99}'])
def test_one_that_cannot_be_read_is_as_if_there_were_none(
    store: Store, shoes: Run, content: bytes
) -> None:
    (shoes.path / annotations.FILE).write_bytes(content)
    [summary] = store.summaries()
    assert (summary.name, summary.tags, summary.state) == ("shoes", (), "finished")


def test_a_list_notices_what_was_written(store: Store, shoes: Run) -> None:
    assert store.summaries()[0].tags == ()
    shoes.annotate(tags=["night"], name="boots")
    [summary] = store.summaries()
    assert (summary.name, summary.tags) == ("boots", ("night",))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": "latest"}, "latest always means the newest run"),
        ({"name": " boots"}, "at most 60 visible characters"),
        ({"name": "x" * 61}, "at most 60 visible characters"),
        ({"name": "\x1b[2J"}, "at most 60 visible characters"),
        ({"tags": ["two words"]}, "a tag is one word"),
        ({"tags": ["-night"]}, "a tag is one word"),
        ({"tags": ["x" * 41]}, "a tag is one word"),
        ({"tags": [f"t{i}" for i in range(33)]}, "at most 32 tags"),
        ({"note": "a\x07b"}, "a note is at most 2,000 visible characters"),
    ],
    ids=str,
)
def test_what_cannot_be_written_is_one_sentence_and_changes_nothing(
    shoes: Run, fields: dict[str, str], sentence: str
) -> None:
    with pytest.raises(RunError, match=sentence) as refused:
        shoes.annotate(**fields)  # pyright: ignore[reportArgumentType]
    assert str(refused.value).isprintable()
    assert not (shoes.path / annotations.FILE).exists()


def test_a_folder_that_is_gone_is_one_sentence(shoes: Run, tmp_path: Path) -> None:
    shoes.spec()
    shoes.path.rename(tmp_path / "away")
    with pytest.raises(RunError, match="run shoes cannot be annotated: No such file"):
        shoes.annotate(note="too late")


words = st.lists(st.sampled_from(["night", "Night", "best", "x"]))


@given(words, words, words)
def test_tags_are_put_on_once_and_taken_off(
    known: list[str], added: list[str], removed: list[str]
) -> None:
    found = annotations.with_tags(known, added, removed)
    folded = [tag.casefold() for tag in found]
    gone = {tag.casefold() for tag in removed}
    assert len(set(folded)) == len(folded)
    assert set(folded) == {tag.casefold() for tag in [*known, *added]} - gone


# --------------------------------------------------------------------------- the verbs


def test_tags_go_on_and_off(cli: Cli, shoes: Run) -> None:
    assert cli("tag", "shoes").out == "shoes has no tags\n"
    assert cli("tag", "shoes", "+night", "best").out == "night best\n"
    assert cli("tag", "shoes", "-night", "+x", "--json").json["tags"] == ["best", "x"]
    assert cli("tag", "--json", "shoes").json["tags"] == ["best", "x"]
    cli("tag", "shoes", "-hot").refused("shoes", "no tag", "hot")
    cli("tag", "shoes", "+two words").refused("a tag is one word")
    assert "Put tags on a run" in cli("tag", "shoes", "--help").out


def test_a_note_is_written_read_and_taken_away(cli: Cli, shoes: Run) -> None:
    assert cli("note", "shoes").out == "shoes has no note\n"
    assert cli("note", "shoes", "wider, and longer").out == "wider, and longer\n"
    assert cli("note", "shoes", "--json").json["note"] == "wider, and longer"
    assert "wider, and longer" in cli("show", "shoes").out
    cli("note", "shoes", "")
    assert cli("note", "shoes").out == "shoes has no note\n"


def test_verbs_find_a_run_by_its_new_name(cli: Cli, shoes: Run) -> None:
    assert cli("rename", "shoes", "boots").out == f"{shoes.id} is called boots\n"
    assert cli("show", "boots", "--json").json["id"] == shoes.id
    assert cli("show", "boots", "--json").json["name"] == "boots"
    assert [run["name"] for run in cli("runs", "--json").json] == ["boots"]
    cli("show", "shoes").refused("no run 'shoes'", "boots")
    cli("rename", "boots", "latest").refused("choose another name")
    cli("rename", "boots", "")
    assert cli("show", "shoes", "--json").json["name"] == "shoes"


def test_archived_runs_are_listed_only_on_demand(cli: Cli, shoes: Run, hats: Run) -> None:
    assert cli("archive", "shoes", "hats").out == "shoes is archived\nhats is archived\n"
    assert cli("runs", "--json").json == []
    assert "All runs are archived" in cli("runs").out
    told = cli("runs", "--all", "--json").json
    assert [run["archived"] for run in told] == [True, True]
    assert cli("archive", "hats", "--undo", "--json").json[0]["archived"] is False
    assert [run["name"] for run in cli("runs", "--json").json] == ["hats"]


def test_a_filter_lists_what_it_means(cli: Cli, shoes: Run, hats: Run) -> None:
    cli("tag", "hats", "+night")

    def named(terms: str) -> list[str]:
        return [run["name"] for run in cli("runs", "--filter", terms, "--json").json]

    assert named("model:gan") == ["hats"]
    assert named("-tag:night") == ["shoes"]
    assert named("loss<1e9 or name:nobody") == ["shoes", "hats"]
    assert named("seed:2") == ["hats"]
    assert "No run is meant by that." in cli("runs", "--filter", "zzz").out
    cli("runs", "--filter", "loss<").refused("loss< needs a number")
