"""How a result of a playground came about, picture by picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.records import SampleRequest
from genai_tui import playground
from genai_tui.images.moments import moment
from genai_tui.images.tonemap import Picture, load
from genai_tui.run import Run
from genai_tui.sample_files import SampleFiles


@dataclass(frozen=True, slots=True)
class Way:
    """Moments on the way to what was drawn.

    Attributes:
        tiles: what was drawn.
        meant: as the model took it to become, the first first; none where nobody watched.
        walk: whether the tiles themselves are the way: a walk from latent to latent.
        ends: whether what was drawn is the last moment, rather than another kind of picture.
    """

    tiles: Sequence[Path] = ()
    meant: Sequence[Path] = ()
    walk: bool = False
    ends: bool = True

    @property
    def moments(self) -> int:
        """How many there are; 0 where nothing was watched."""
        if self.walk:
            return len(self.tiles)
        return len(self.meant) + (1 if self.meant and self.ends else 0)

    def picture(self, at: int, tile: int | None = None) -> Picture:
        """A moment, of all samples that were followed or of one.

        Raises PictureError or ValueError where it cannot be read.
        """
        if self.walk:
            return load(self.tiles[at])
        return moment(self.meant, self.tiles, at, tile)


def find(run: Run, relative: str, files: SampleFiles, request: SampleRequest) -> Way:
    """The way of the result in the folder ``relative`` of a run."""
    meant = playground.frames(run, relative.rpartition("/")[2], "meant")
    walk, ends = bool(request.interpolate), not files.sounds
    return Way(tuple(files.pictures), tuple(meant), walk, ends)
