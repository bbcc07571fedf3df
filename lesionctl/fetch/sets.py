"""Sets that consist of files: find what is here, download what is not, unpack what is new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lesionctl.errors import BadFile, LesionctlError
from lesionctl.fetch.cache import Cache
from lesionctl.fetch.catalog import FetchSet, Kind, Piece, RemoteFile
from lesionctl.fetch.haul import FetchedSet, Haul
from lesionctl.fetch.local import LocalFiles, Supply
from lesionctl.fetch.network.answers import ask_size
from lesionctl.fetch.network.client import open_client
from lesionctl.fetch.network.transfer import transfer
from lesionctl.fetch.record import SetRecord
from lesionctl.fetch.request import FetchOptions, Request
from lesionctl.fetch.space import Need, require_room
from lesionctl.fetch.unpack import add_piece, claim, require_free
from lesionctl.paths import downloads_directory, set_directory
from lesionctl.progress import Progress
from lesionctl.runtime.threads import parallel_map


@dataclass
class _Plan:
    """What is to be done for one set.

    Attributes:
        entry: The set.
        directory: Where it goes.
        wanted: What was asked for.
        todo: What of it does not lie there yet.
        supplies: Where the files of `todo` are, by name.
    """

    entry: FetchSet
    directory: Path
    wanted: list[Piece]
    todo: list[Piece]
    supplies: dict[str, Supply] = field(default_factory=dict)


def fetch_sets(requests: Sequence[Request], options: FetchOptions, progress: Progress, haul: Haul) -> None:
    """Fetch sets, and put what was brought and what failed into `haul`.

    Raises:
        UsageError: A path of `options.sources` holds nothing of them.
        LesionctlError: A disk is too small, or a folder cannot be written to.
    """
    cache = Cache(downloads_directory())
    local = LocalFiles(options.sources, progress)
    plans = [_plan(request, options) for request in requests]
    haul.total += sum(len(plan.wanted) for plan in plans)
    for plan in plans:
        _find_supplies(plan, local, cache, options, progress, haul)
    local.require_used()
    missing = [piece.file for plan in plans for piece in plan.todo if piece.file.name not in plan.supplies]
    missing = [file for file in missing if file.name not in haul.errors]
    if options.sources or options.offline:
        haul.errors |= {file.name: _not_here(file, options) for file in missing}
        missing = []
    if missing:
        _download(missing, plans, cache, options, progress, haul)
    else:
        require_room(_needs(plans, {}, cache, options), [], progress)
    for plan in plans:
        progress.detail(
            f"{plan.entry.name}: {len(plan.todo)} of {len(plan.wanted)} files are to be put into {plan.directory}; "
            f"the cache is {cache.directory}"
        )
        haul.sets += _unpack(plan, cache, options, progress, haul)


def _plan(request: Request, options: FetchOptions) -> _Plan:
    """See what of a set lies there already.

    Raises:
        LesionctlError: Something else lies there.
    """
    entry = request.entry
    directory = options.to or set_directory(entry.name)
    require_free(directory, entry)
    record = SetRecord.read(directory) or SetRecord(directory, entry.name)
    wanted = entry.select(request.parts, masks_only=options.masks_only)
    return _Plan(entry, directory, wanted, record.missing(wanted))


def _find_supplies(
    plan: _Plan, local: LocalFiles, cache: Cache, options: FetchOptions, progress: Progress, haul: Haul
) -> None:
    """Look for the files of a set among those that the person has, and in the cache."""
    for name, supply in local.find(plan.entry, plan.todo).items():
        if isinstance(supply, BadFile):
            haul.errors[name] = supply
        else:
            plan.supplies[name] = supply
    with progress.task("checking what is in the cache", unit="bytes") as task:
        for piece in plan.todo:
            name = piece.file.name
            if name in plan.supplies or name in haul.errors:
                continue
            try:
                found = cache.find(piece.file, task.advance)
            except BadFile as error:
                if options.sources or options.offline:
                    haul.errors[name] = error
                else:
                    progress.warn(f"{error}; it is loaded again")
                continue
            if found:
                plan.supplies[name] = Supply(*found)


def _not_here(file: RemoteFile, options: FetchOptions) -> BadFile:
    if options.sources:
        places = ", ".join(map(str, options.sources))
        return BadFile(file.name, f"is neither in {places} nor in the cache, and with --from nothing is downloaded")
    hint = "run the same command without --offline where a network is, or name the files that you have with --from"
    return BadFile(file.name, "is not in the cache, and with --offline nothing is downloaded", hint=hint)


def _download(
    missing: Sequence[RemoteFile],
    plans: Sequence[_Plan],
    cache: Cache,
    options: FetchOptions,
    progress: Progress,
    haul: Haul,
) -> None:
    """Bring what is missing into the cache, if there is room for it.

    Raises:
        LesionctlError: There is not, or the cache cannot be written to.
    """
    cache.require_writable()
    with open_client(options.policy.timeout) as client:
        sizes = {file.name: file.size for file in missing if file.size is not None}
        inexact = [file for file in missing if not file.exact]
        answers = parallel_map(lambda file: ask_size(client, file), inexact, workers=8)
        sizes |= {file.name: size for file, size in zip(inexact, answers, strict=True) if size is not None}
        unknown = [file.name for file in missing if file.name not in sizes]
        require_room(_needs(plans, sizes, cache, options), unknown, progress)
        outcomes = transfer(missing, sizes, cache, client, options.policy, progress)
    for plan in plans:
        for piece in plan.todo:
            match outcomes.get(piece.file.name):
                case BadFile() as error:
                    haul.errors[piece.file.name] = error
                case (path, digests):
                    plan.supplies[piece.file.name] = Supply(path, digests)


def _needs(plans: Sequence[_Plan], sizes: dict[str, int], cache: Cache, options: FetchOptions) -> list[Need]:
    """What will be written, as far as anybody knows.

    JPEG and PNG do not shrink: the files of an archive take what the archive takes.

    Args:
        plans: What is to be done.
        sizes: Bytes of what is to be loaded, by name.
        cache: Where it goes.
        options: Whether archives are kept.
    """
    todo = [piece.file for plan in plans for piece in plan.todo if piece.file.name in sizes]
    begun = sum(part.stat().st_size for part in map(cache.part, todo) if part.is_file())
    needs = [Need("to load", cache.directory, max(0, sum(sizes.values()) - begun))]
    for plan in plans:
        unpacked = []
        for piece in plan.todo:
            supply = plan.supplies.get(piece.file.name)
            if Kind.METADATA not in piece.kinds:
                size = supply.path.stat().st_size if supply and supply.path.is_file() else 0
                unpacked.append(size or sizes.get(piece.file.name, 0))
        if unpacked:
            # An archive that is removed once it is unpacked makes room for the next one.
            size = max(unpacked) if options.drop_archives and not options.to else sum(unpacked)
            needs.append(Need(f"to unpack {plan.entry.name}", plan.directory, size))
    return needs


def _unpack(plan: _Plan, cache: Cache, options: FetchOptions, progress: Progress, haul: Haul) -> list[FetchedSet]:
    """Unpack what was found or loaded of a set.

    Returns:
        What lies there now; nothing, if nothing of what was asked for does.

    Raises:
        LesionctlError: The folder cannot be written to.
    """

    def waiting(first: bool) -> None:
        if first:
            progress.say(f"another job is unpacking {plan.entry.name}; waiting for that")

    todo = [piece for piece in plan.todo if piece.file.name in plan.supplies]
    if todo:
        with claim(plan.directory, plan.entry, waiting) as record:
            for piece in record.missing(todo):
                try:
                    add_piece(record, plan.entry, piece, plan.supplies[piece.file.name], progress)
                except LesionctlError as error:
                    haul.errors[piece.file.name] = error
    elif not plan.todo:
        progress.say(f"{plan.entry.name} lies in {plan.directory} already: there is nothing to do")
    now = SetRecord.read(plan.directory)
    if now is None or not any(now.has(piece) for piece in plan.wanted):
        return []
    if options.drop_archives:
        try:
            for piece in filter(now.has, plan.wanted):
                cache.drop(piece.file)
        except OSError as error:
            progress.warn(f"the archives in {cache.directory} cannot be removed ({error.strerror})")
    for text in now.unexpected_counts(plan.entry):
        progress.warn(text)
    images, masks = now.count(Kind.IMAGES), now.count(Kind.MASKS)
    return [FetchedSet(plan.entry, plan.directory, images, masks, tuple(sorted(now.files)))]
