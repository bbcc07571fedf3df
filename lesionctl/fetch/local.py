"""Files of a set that a person has already: archives, or folders that they were unpacked to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lesionctl.errors import BadFile, UsageError
from lesionctl.fetch.catalog import FetchSet, Kind, Piece, RemoteFile
from lesionctl.fetch.checksums import Digests, hash_file
from lesionctl.progress import Progress


@dataclass(frozen=True)
class Supply:
    """Where a file of a set is taken from.

    Attributes:
        path: The file, or the folder that it was unpacked to.
        digests: What it is known by; None: nobody can tell whether it is the catalog's.
    """

    path: Path
    digests: Digests | None


class LocalFiles:
    """What lies at the paths that a person named.

    Args:
        paths: Archives, folders with archives under the catalog's names, or folders that archives were unpacked to.
        progress: Hears of what is read through, and of what cannot be verified.

    Raises:
        UsageError: There is nothing at one of the paths.
    """

    def __init__(self, paths: Sequence[Path], progress: Progress) -> None:
        for path in paths:
            if not path.exists():
                raise UsageError(f"there is no file or folder {path}")
        self._paths = paths
        self._progress = progress
        self._used: set[Path] = set()

    def find(self, entry: FetchSet, pieces: Sequence[Piece]) -> dict[str, Supply | BadFile]:
        """Where the files of a set are, and those that are not what they should be.

        Args:
            entry: The set.
            pieces: What is wanted of it.

        Returns:
            For the names of the files that are there: where, or what is wrong with them.
        """
        found = {piece.file.name: path for piece in pieces if (path := self._by_name(piece.file))}
        archives = [file for file in entry.files if Kind.METADATA not in file.kinds]
        if len(archives) == 1 and archives[0].name not in found and self._paths:  # nobody can mistake what is meant
            found[archives[0].name] = self._paths[0]
        self._used.update(path for path in self._paths for place in found.values() if path in (place, place.parent))
        files = {piece.file.name: piece.file for piece in pieces}
        return {name: self._examine(files[name], path) for name, path in found.items() if name in files}

    def require_used(self) -> None:
        """Complain of a path that holds nothing of what was asked for.

        Raises:
            UsageError: There is one.
        """
        for path in self._paths:
            if path not in self._used:
                raise UsageError(
                    f"{path} holds no file of what is to be fetched",
                    hint="name an archive, a folder with archives under their own names, or a folder that an archive "
                    "was unpacked to; lesionctl fetch --list --json has their names",
                )

    def _by_name(self, file: RemoteFile) -> Path | None:
        for path in self._paths:
            if path.is_file() and path.name == file.name:
                return path
            if path.is_dir() and (path / file.name).is_file():
                return path / file.name
        for path in filter(Path.is_dir, self._paths):
            if path.resolve().name == file.stem:
                return path
            if (path / file.stem).is_dir():
                return path / file.stem
        return None

    def _examine(self, file: RemoteFile, path: Path) -> Supply | BadFile:
        if path.is_dir() or (path.name != file.name and path.stat().st_size != file.size):
            self._progress.warn(f"{path} is not {file.name} as published: it is taken as it is, unverified")
            return Supply(path, None)
        try:
            with self._progress.task(f"checking {path.name}", path.stat().st_size, unit="bytes") as task:
                digests = hash_file(path, task.advance).digests()
        except OSError as error:
            return BadFile(path, f"cannot be read ({error.strerror})")
        if reason := digests.why_not(file):
            return BadFile(path, f"is not the file that was published: {reason}")
        return Supply(path, digests)
