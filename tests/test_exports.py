"""Samples as files to take away: what is in them, and that none takes another's place."""

import json
from pathlib import Path

import build_runs
import msgspec
import numpy as np
import pytest
from cli_tools import Cli, inside
from PIL import Image

from backends.records import SampleRequest
from genai_tui import stars
from genai_tui.exports.files import ExportError
from genai_tui.exports.samples import Subject, export, kinds
from genai_tui.playground import Kept, results
from genai_tui.sample_files import listing
from genai_tui.store import Run, Store


@pytest.fixture
def clothes(store: Store) -> Run:
    return build_runs.build(
        store, "Clothes & co", step=400, of=400, samples_every=200, telemetry=0, seed=1
    )


@pytest.fixture
def poems(store: Store) -> Run:
    run = build_runs.build(
        store, "poems", model="autoregressive/gpt", modality="text", step=0, telemetry=0, seed=2
    )
    folder = run.path / "samples" / "step-000000"
    told = {"request": SampleRequest(seed=5), "labels": [1, 0], "captions": ["a sonnet"]}
    (folder / "request.json").write_bytes(msgspec.json.encode(told))
    return run


@pytest.fixture
def cli(store: Store, capsys: pytest.CaptureFixture[str]) -> Cli:
    return inside(store, capsys)


def newest(run: Run, tile: int | None = None) -> Subject:
    return Subject(run, listing(run.path)[-1], tile)


def tile_of(run: Run, step: int, number: int) -> np.ndarray:
    path = run.path / f"samples/step-{step:06d}/{number:03d}.png"
    return np.asarray(Image.open(path))


def test_a_png_has_the_very_pixels_of_the_samples(clothes: Run, tmp_path: Path) -> None:
    (all_of_them,) = export("png", [newest(clothes)], tmp_path)
    (one,) = export("png", [newest(clothes, 5)], tmp_path)
    assert all_of_them.name == "clothes-co-step-000400.png"
    assert one.name == "clothes-co-step-000400-005.png"
    pixels = np.asarray(Image.open(one).convert("L"))
    assert (pixels == tile_of(clothes, 400, 5)).all()
    sheet = np.asarray(Image.open(all_of_them).convert("L"))
    assert sheet.shape == (4 * 28 + 3, 4 * 28 + 3)
    assert (sheet[29:57, 29:57] == tile_of(clothes, 400, 5)).all()


def test_a_gif_has_a_frame_a_step_until_the_one_that_is_meant(clothes: Run, tmp_path: Path) -> None:
    build_runs.draw(clothes.path / "samples" / "step-000200-asked", "image", 16, 1.0)
    (whole,) = export("gif", [newest(clothes)], tmp_path)
    with Image.open(whole) as gif:
        assert getattr(gif, "n_frames", 1) == 3
    first_two = Subject(clothes, listing(clothes.path)[1], 3)
    (part,) = export("gif", [first_two], tmp_path)
    with Image.open(part) as gif:
        assert getattr(gif, "n_frames", 1) == 2
        side = 480 // 28 * 28
        pixels = np.asarray(gif.convert("L")).astype(int)[:side, :side][8::17, 8::17]
    apart = np.abs(pixels - tile_of(clothes, 0, 3))
    assert apart.max() <= 4, "enlarged by a whole factor; 256 colours are almost all of its greys"


def test_a_damaged_step_leaves_a_gap_in_the_progress(clothes: Run, tmp_path: Path) -> None:
    (clothes.path / "samples/step-000200/003.png").write_bytes(b"no picture")
    (made,) = export("gif", [newest(clothes)], tmp_path)
    with Image.open(made) as gif:
        assert getattr(gif, "n_frames", 1) == 2
    (clothes.path / "samples/step-000400/003.png").write_bytes(b"no picture")
    with pytest.raises(ExportError, match=r"003\.png cannot be read as a picture"):
        export("png", [newest(clothes)], tmp_path)
    assert sorted(tmp_path.glob("*.png")) == [], "nothing is left of what could not be made"


def test_a_contact_sheet_has_room_for_every_sample_and_one_for_several_runs(
    clothes: Run, tmp_path: Path
) -> None:
    (one,) = export("sheet", [newest(clothes)], tmp_path)
    (both,) = export("sheet", [newest(clothes), newest(clothes, 2)], tmp_path)
    with Image.open(one) as sheet:
        assert sheet.width * sheet.height > 16 * 112 * 112
        corner = np.asarray(sheet.convert("L"))
    tile = np.kron(tile_of(clothes, 400, 0), np.ones((4, 4), np.uint8))
    assert (corner[36 : 36 + 112, 12 : 12 + 112] == tile).all()
    assert both.name == "contact-sheet-2.png"


def test_texts_are_lines_of_json_with_what_they_were_drawn_for(poems: Run, tmp_path: Path) -> None:
    assert kinds([newest(poems)]) == ["jsonl"]
    (made,) = export("jsonl", [newest(poems)], tmp_path / "new" / "texts.jsonl")
    rows = [json.loads(line) for line in made.read_text().splitlines()]
    assert len(rows) == 4
    assert rows[0]["text"] == build_runs.TEXT
    assert (rows[0]["seed"], rows[0]["prompt"], rows[0]["label"]) == (5, "a sonnet", "class 1")
    with pytest.raises(ExportError, match="is text: export it as jsonl"):
        export("gif", [newest(poems)], tmp_path)


def test_no_file_takes_the_place_of_another(clothes: Run, tmp_path: Path) -> None:
    names = [export("png", [newest(clothes)], tmp_path)[0].name for _ in range(3)]
    stem = "clothes-co-step-000400"
    assert names == [f"{stem}.png", f"{stem}-2.png", f"{stem}-3.png"]
    with pytest.raises(ExportError, match="never overwritten"):
        export("png", [newest(clothes)], tmp_path / names[0])


def test_links_and_samples_outside_of_the_run_are_not_exported(
    clothes: Run, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    folder = clothes.path / "samples" / "step-000500"
    folder.mkdir()
    (folder / "000.txt").symlink_to(secret)
    (clothes.path / "samples" / "step-000600").symlink_to(tmp_path)
    assert [drawn.step for drawn in listing(clothes.path)] == [0, 200, 400, 500]
    with pytest.raises(ExportError, match="no longer on disk"):
        export("jsonl", [newest(clothes)], tmp_path)


# ---------------------------------------------------------------------------- the command line


def test_the_command_says_which_files_it_made(cli: Cli, clothes: Run, tmp_path: Path) -> None:
    told = cli("export", "latest", "--what", "gif", "--step", "200", "--out", str(tmp_path / "out"))
    made = tmp_path / "out" / "clothes-co-until-000200.gif"
    assert (told.status, told.out) == (0, f"{made}\n")
    assert made.is_file()
    told = cli("export", clothes.id, "--tile", "1", "--out", str(tmp_path / "a.png"), "--json")
    assert told.json == {
        "id": clothes.id,
        "name": "Clothes & co",
        "step": 400,
        "what": "png",
        "files": [str(tmp_path / "a.png")],
    }


def test_the_command_refuses_in_one_sentence(cli: Cli, clothes: Run, tmp_path: Path) -> None:
    out = str(tmp_path)
    cli("export", "latest", "--step", "7", "--out", out).refused("no samples of step 7", "200, 400")
    cli("export", "latest", "--what", "wav", "--out", out).refused("is image", "png or gif")
    cli("export", "latest", "--tile", "17", "--out", out).refused("no such sample", status=1)
    taken = tmp_path / "taken.png"
    taken.touch()
    cli("export", "latest", "--out", str(taken)).refused("never overwritten")
    cli("export", "latest", "--out", str(taken / "below")).refused("can be no folder")
    assert [path.name for path in tmp_path.iterdir()] == ["runs", "taken.png"]


# --------------------------------------------------------------------------- of a playground


@pytest.fixture
def played(clothes: Run) -> Run:
    """A run in whose playground a flow was watched, and once nobody did."""
    source = clothes.path / "samples/step-000400"
    for id, watched in (("20260101-100000-0001a", True), ("20260101-100001-0001b", False)):
        folder = clothes.path / "playground" / id
        (folder / "watch").mkdir(parents=True)
        for index in range(4):
            (folder / f"{index:03d}.png").write_bytes((source / f"{index:03d}.png").read_bytes())
        kept = Kept(step=400, t=1.0, request=SampleRequest(count=4, seed=3))
        (folder / "request.json").write_bytes(msgspec.json.encode(kept))
        for moment in range(3 if watched else 0):
            way = np.full((56, 56), 60 * moment, np.uint8)
            Image.fromarray(way).save(folder / f"watch/meant-{moment:04d}.png")
    return clothes


def test_a_gif_of_a_playground_shows_how_it_came_about(
    cli: Cli, played: Run, tmp_path: Path
) -> None:
    told = cli(
        *("export", "latest", "--playground", "20260101-100000-0001a", "--what", "gif"),
        *("--out", str(tmp_path / "way.gif")),
    )
    assert told.status == 0
    greys = list[int]()
    with Image.open(tmp_path / "way.gif") as moments:
        assert moments.n_frames == 4  # type: ignore[attr-defined]
        for moment in range(3):
            moments.seek(moment)
            greys.append(int(np.asarray(moments.convert("L"))[:56, :56].mean()))
    assert greys == pytest.approx([0, 60, 120], abs=2)


def test_of_what_nobody_watched_there_is_no_gif(cli: Cli, played: Run, tmp_path: Path) -> None:
    (latest,) = (one for one in results(played) if one.id.endswith("b"))
    assert kinds([Subject(played, latest.drawn)]) == ["png", "sheet"]
    told = cli("export", "latest", "--playground", "latest", "--what", "gif", "--out", "x")
    told.refused("nobody watched", "png or sheet")
    assert not Path("x").exists()


def test_results_that_are_not_there_are_told_with_those_that_are(cli: Cli, played: Run) -> None:
    wanted = ("export", "latest", "--out", "x", "--playground")
    cli(*wanted, "nothing").refused("no nothing", "20260101-100001-0001b")
    cli(*wanted, "latest", "--step", "400").refused("--step", "--playground", "give one")


def test_a_playground_without_results_is_said_to_be_that(cli: Cli, clothes: Run) -> None:
    told = cli("export", "latest", "--playground", "latest", "--out", "x")
    told.refused("nothing was drawn in the playground of")


# --------------------------------------------------------------------------- of what is starred


def test_all_that_is_starred_is_saved_at_once(cli: Cli, played: Run, tmp_path: Path) -> None:
    for name in ("samples/step-000200", "samples/step-000400/005", "samples/step-000999"):
        stars.put(played.path, name, stars.Keepsake(starred=True))
    stars.put(played.path, "samples/step-000000", stars.Keepsake(note="no star"))
    stars.put(played.path, "playground/20260101-100001-0001b/001", stars.Keepsake(starred=True))
    told = cli("export", "latest", "--starred", "--out", str(tmp_path / "best"), "--json").json
    assert [Path(path).name for path in told["files"]] == [
        "clothes-co-step-000200.png",
        "clothes-co-20260101-100001-0001b-001.png",
        "clothes-co-step-000400-005.png",
    ]
    assert "step" not in told
    stars.put(
        played.path, "samples/step-000200/007", stars.Keepsake(starred=True)
    )  # once is enough
    stars.put(played.path, "samples/step-000400/002", stars.Keepsake(starred=True))
    stars.put(played.path, "playground/20260101-100001-0001b/001", stars.Keepsake())
    told = cli("export", "latest", "--starred", "--what", "gif", "--out", str(tmp_path), "--json")
    assert [Path(path).name for path in told.json["files"]] == [
        "clothes-co-until-000200.gif",
        "clothes-co-until-000400-002.gif",
        "clothes-co-until-000400-005.gif",
    ]
    cli("export", "latest", "--starred", "--step", "400", "--out", "x").refused("give one")
    cli("export", "latest", "--starred", "--tile", "4", "--out", "x").refused("give one")


def test_where_nothing_is_starred_that_is_said(cli: Cli, clothes: Run) -> None:
    cli("export", "latest", "--starred", "--out", "x").refused("nothing of run", "is starred")
