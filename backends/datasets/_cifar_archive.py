"""The published archives of CIFAR: found in the cache or downloaded, verified, read in place."""

import hashlib
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from backends.data import Dataset
from backends.data_error import DataError
from backends.datasets import _cifar
from backends.datasets._download import cache_folder, download
from backends.datasets._files import shown
from backends.datasets._images import image_dataset

URL = "https://www.cs.toronto.edu/~kriz/"


@dataclass(frozen=True, slots=True)
class Archive:
    """One published file; ``md5`` is the checksum on its page."""

    name: str
    file: str
    md5: str


def load(archive: Archive, labels: _cifar.Labels, validation: float, flip: bool) -> Dataset:
    """The training pictures of a published archive, split.

    Raises:
        DataError: it is not on this machine and cannot be fetched, or it is damaged.
    """
    path = cache_folder(archive.name) / archive.file
    if not path.is_file() or not _is_published(path, archive):
        try:
            download(URL + archive.file, path, lambda part: _verify(part, archive))
        except DataError as error:
            remedy = "go online, or give a folder with its files as --data"
            where = f"{archive.name} is not on this machine and {error}"
            raise DataError(f"{where}: {remedy}") from None
    found = _cifar.training_part(_members(path).get, labels, archive.name)
    return image_dataset(
        found.pixels,
        found.labels,
        found.classes,
        where=archive.name,
        validation=validation,
        flip=flip,
    )


def _verify(path: Path, archive: Archive) -> None:
    if not _is_published(path, archive):
        raise DataError(f"what came is not {archive.file} (MD5 differs)")


def _is_published(path: Path, archive: Archive) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest() == archive.md5


def _members(path: Path) -> dict[str, bytes]:
    """The regular files of the archive by their last name; nothing is unpacked to disk."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None and member.size <= _cifar.LARGEST:
                    found[Path(member.name).name] = content.read()
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise DataError(f"{shown(path)} is damaged ({error}): remove it") from None
    return found
