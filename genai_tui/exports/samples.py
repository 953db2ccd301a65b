"""Exporting: which files of which samples become what."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal, get_args

from genai_tui import playground, sample_files
from genai_tui.classes import known_classes
from genai_tui.errors import MISUSE
from genai_tui.exports import files, sheets, ways
from genai_tui.exports.files import ExportError
from genai_tui.exports.sheets import Captioned
from genai_tui.images.tonemap import Picture, PictureError, load
from genai_tui.regular import opened
from genai_tui.run import Run
from genai_tui.sample_files import Drawn, SampleFiles, Told, label_of
from genai_tui.visible import slug, visible

What = Literal["png", "gif", "sheet", "wav", "jsonl"]
WHATS: tuple[What, ...] = get_args(What)
MEANINGS: dict[What, str] = {
    "png": "the picture, pixel by pixel",
    "gif": "the progress over all steps until this one",
    "sheet": "a contact sheet with captions",
    "wav": "the sounds",
    "jsonl": "the texts, a line each, with what they were drawn for",
}
SUFFIXES: dict[What, str] = {
    "png": ".png",
    "gif": ".gif",
    "sheet": ".png",
    "wav": ".wav",
    "jsonl": ".jsonl",
}
_OF_KIND: dict[str, tuple[What, ...]] = {
    "image": ("png", "gif", "sheet"),
    "audio": ("wav", "png", "gif", "sheet"),
    "series": ("png", "gif", "sheet"),
    "text": ("jsonl",),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """The samples of one step of a run, or one of them."""

    run: Run
    drawn: Drawn
    tile: int | None = None
    files: SampleFiles = field(init=False, compare=False)
    told: Told = field(init=False, compare=False)

    def __post_init__(self) -> None:
        relative = self.drawn.relative
        object.__setattr__(self, "files", sample_files.find(self.run.path, relative))
        object.__setattr__(self, "told", sample_files.told(self.run.path, relative))

    @property
    def stem(self) -> str:
        """The beginning of the names of its files."""
        tile = "" if self.tile is None else f"-{self.tile:03d}"
        return f"{slug(self.run.label)}-{self.drawn.relative.rpartition('/')[2]}{tile}"

    @property
    def caption(self) -> str:
        tile = "" if self.tile is None else f" · sample {self.tile + 1}"
        return f"{self.run.label} · step {self.drawn.step:,}{tile}"

    @property
    def is_played(self) -> bool:
        """Whether it was drawn in a playground, and belongs to no course of steps."""
        return playground.is_result(self.drawn.relative)

    @property
    def can_be(self) -> tuple[What, ...]:
        """What it can be exported as."""
        fitting = _OF_KIND.get(self.files.kind, ())
        if self.is_played and "gif" in fitting and not self.way.moments:
            return tuple(what for what in fitting if what != "gif")
        return fitting

    @property
    def way(self) -> ways.Way:
        """How a result of a playground came about."""
        return ways.find(self.run, self.drawn.relative, self.files, self.told.request)

    def only(self, paths: Sequence[Path]) -> Sequence[Path]:
        """All of them, or the one that is meant."""
        return paths if self.tile is None else paths[self.tile : self.tile + 1]


def meaning(what: What, subjects: Sequence[Subject]) -> str:
    """What becomes of these samples, in a few words."""
    if what == "gif" and all(subject.is_played for subject in subjects):
        return "how it came about, moment by moment"
    return MEANINGS[what]


def kinds(subjects: Sequence[Subject]) -> list[What]:
    """What all of these can be exported as."""
    fitting = [subject.can_be for subject in subjects]
    return [what for what in WHATS if fitting and all(what in each for each in fitting)]


def export(what: What, subjects: Sequence[Subject], out: Path) -> list[Path]:
    """Writes the samples and returns the files made; none that is there is overwritten.

    Args:
        out: a folder, made if need be, or a file's path with the suffix of ``what``, which only
            one file can have.

    Raises:
        ExportError: they are no such samples, or cannot be read or written.
    """
    for subject in subjects:
        if not subject.files:
            raise ExportError(f"the samples of {subject.caption} are no longer on disk")
        if what not in subject.can_be:
            raise ExportError(_unfit(what, subject), status=MISUSE)
    made = list(_MAKERS[what](subjects))
    if out.suffix.lower() == SUFFIXES[what] and not out.is_dir():
        if len(made) != 1:
            sentence = f"{out} is one file, these are {len(made)}: give a folder"
            raise ExportError(sentence, status=MISUSE)
        return [_guarded(files.write, out, made[0])]
    return [_guarded(files.write_beside, out / one.name, one) for one in made]


def _unfit(what: What, subject: Subject) -> str:
    fitting = " or ".join(subject.can_be)
    if what in _OF_KIND[subject.files.kind]:
        return f"nobody watched how {subject.caption} came about: export it as {fitting}"
    return f"{subject.caption} is {subject.files.kind}: export it as {fitting}"


@dataclass(frozen=True, slots=True)
class Making:
    """A file to be made."""

    name: str
    fill: Callable[[BinaryIO], object]


def _guarded(
    write: Callable[[Path, Callable[[BinaryIO], object]], Path], path: Path, one: Making
) -> Path:
    try:
        return write(path, one.fill)
    except (PictureError, ValueError) as error:
        raise ExportError(f"{one.name} cannot be made: {error}") from None


def _pngs(subjects: Sequence[Subject]) -> Iterator[Making]:
    for subject in subjects:
        yield Making(f"{subject.stem}.png", partial(_fill_png, subject))


def _gifs(subjects: Sequence[Subject]) -> Iterator[Making]:
    """One a run, or a sample of it, until the last of its steps that are meant; one a result of a
    playground."""
    for subject in subjects:
        if subject.is_played:
            yield Making(f"{subject.stem}-way.gif", partial(_fill_gif, subject))
    trained = [subject for subject in subjects if not subject.is_played]
    in_order = sorted(trained, key=lambda subject: subject.drawn.step)
    last = {(subject.run.id, subject.tile): subject for subject in in_order}
    for subject in last.values():
        name = slug(subject.run.label)
        tile = "" if subject.tile is None else f"-{subject.tile:03d}"
        yield Making(
            f"{name}-until-{subject.drawn.step:06d}{tile}.gif", partial(_fill_gif, subject)
        )


def _sheets(subjects: Sequence[Subject]) -> Iterator[Making]:
    """One for all."""
    one = len(subjects) == 1
    name = f"{subjects[0].stem}-sheet.png" if one else f"contact-sheet-{len(subjects)}.png"
    yield Making(name, partial(_fill_sheet, subjects))


def _wavs(subjects: Sequence[Subject]) -> Iterator[Making]:
    for subject in subjects:
        stem = Subject(subject.run, subject.drawn).stem
        for path in subject.only(subject.files.sounds):
            yield Making(f"{stem}-{path.name}", partial(_fill_copy, path))


def _jsonls(subjects: Sequence[Subject]) -> Iterator[Making]:
    """One for all."""
    name = subjects[0].stem if len(subjects) == 1 else f"texts-{len(subjects)}"
    yield Making(f"{name}.jsonl", partial(_fill_jsonl, subjects))


_MAKERS: dict[What, Callable[[Sequence[Subject]], Iterator[Making]]] = {
    "png": _pngs,
    "gif": _gifs,
    "sheet": _sheets,
    "wav": _wavs,
    "jsonl": _jsonls,
}


# ---------------------------------------------------------------------------- what files hold


def picture_of(subject: Subject) -> Picture:
    """All pictures of a step as one, or the one that is meant.

    Raises PictureError or ValueError where they cannot be read or are of different sizes.
    """
    pictures = subject.only(subject.files.pictures)
    if not pictures and subject.files.grid is not None and subject.tile is None:
        return load(subject.files.grid)
    if not pictures:
        raise ValueError(f"there is no such sample at step {subject.drawn.step:,}")
    return sheets.grid([load(path) for path in pictures])


def _fill_png(subject: Subject, file: BinaryIO) -> None:
    sheets.save_png(file, picture_of(subject))


def _fill_gif(subject: Subject, file: BinaryIO) -> None:
    sheets.save_gif(file, _frames(subject))


def _frames(subject: Subject) -> Iterator[Captioned]:
    return _moments(subject) if subject.is_played else _steps(subject)


def _moments(subject: Subject) -> Iterator[Captioned]:
    way = subject.way
    for at in range(way.moments):
        caption = f"{subject.caption} · {at + 1} of {way.moments}"
        yield Captioned(way.picture(at, subject.tile), caption)


def _steps(subject: Subject) -> Iterator[Captioned]:
    """The steps of the run's own schedule; what commands asked for are other samples."""
    drawn_until = [
        drawn
        for drawn in sample_files.listing(subject.run.path)
        if drawn.step <= subject.drawn.step and drawn.asked == subject.drawn.asked
    ]
    for drawn in drawn_until:
        try:
            one = Subject(subject.run, drawn, subject.tile)
            yield Captioned(picture_of(one), one.caption)
        except (PictureError, ValueError):
            continue  # one damaged step leaves a gap


def _fill_sheet(subjects: Sequence[Subject], file: BinaryIO) -> None:
    if len(subjects) == 1:
        subject = subjects[0]
        spec = subject.run.spec()
        title = f"{subject.caption} · {spec.model} · {spec.dataset} · seed {spec.seed}"
        items = list(_tiles(subject))
    else:
        title = f"{len(subjects)} samples"
        items = [Captioned(picture_of(one), one.caption) for one in subjects]
    sheets.save_sheet(file, visible(title), items)


def _tiles(subject: Subject) -> Iterator[Captioned]:
    classes = known_classes(subject.run)
    for index, path in enumerate(subject.files.pictures):
        if subject.tile in (None, index):
            said = _drawn_for(subject.told, index) or label_of(subject.told, index, classes)
            yield Captioned(load(path), visible(" ".join(filter(None, (str(index + 1), said)))))


def _fill_copy(path: Path, file: BinaryIO) -> None:
    with opened(path) as source:
        shutil.copyfileobj(source, file)


def _fill_jsonl(subjects: Sequence[Subject], file: BinaryIO) -> None:
    for subject in subjects:
        classes = known_classes(subject.run)
        spec = subject.run.spec()
        for index, path in enumerate(subject.files.texts):
            if subject.tile not in (None, index):
                continue
            row = {
                "run": spec.name,
                "id": subject.run.id,
                "model": spec.model,
                "data": spec.dataset,
                "step": subject.drawn.step,
                "index": index,
                "seed": subject.told.request.seed,
                "prompt": _drawn_for(subject.told, index),
                "label": label_of(subject.told, index, classes),
                "text": sample_files.read_text(path),
            }
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")


def _drawn_for(told: Told, index: int) -> str:
    captions = told.captions
    return captions[index] if index < len(captions) else told.request.prompt or ""
