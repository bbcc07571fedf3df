"""The whole of exporting: convert, load in its own runtime, compare, and only then give it its name."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionctl.atomic import write_bytes
from lesionctl.errors import GateError, LesionctlError, UsageError
from lesionctl.export.examples import FEWEST_PICTURES, Shares, find_masks, read_examples, read_views, share_out
from lesionctl.export.formats import Format
from lesionctl.export.plain import PlainSegmenter, open_plain
from lesionctl.progress import Progress, Silent, track
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.exported_file import Form
from lesionctl.runtime.load import digest_of, load_segmenter
from lesionctl.runtime.parity import Parity, compare, draw_examples
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.tolerance import TOLERANCES, Storage

if TYPE_CHECKING:
    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.runtime.segmenter import Segmenter

_BACKENDS = {
    Format.ONNX: Backend.ONNX,
    Format.OPENVINO: Backend.OPENVINO,
    Format.TORCH: Backend.TORCH,
    Format.LESIONCTL: Backend.TORCH,
}

_DRAWN_PICTURES = 8


@dataclass(frozen=True)
class ExportOptions:
    """What is written, and what it is compared on.

    Attributes:
        to: Format.
        storage: Number format.
        form: What goes in and out.
        compiled: Write a package of AOTInductor with machine code; of TORCH alone.
        images: Pictures to compare on; a few are drawn if there are none. Int8 needs them: it is fitted to some of them
            and compared on the others, see `share_out`.
        masks: A folder with the true masks of the pictures that are compared on.
        overwrite: Replace a file that stands there already.
    """

    to: Format = Format.ONNX
    storage: Storage = Storage.FP32
    form: Form = Form.WHOLE
    compiled: bool = False
    images: tuple[Path, ...] = ()
    masks: Path | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        files: The files; the first is the one that is named to load the model.
        bytes: Of all of them.
        options: What was asked for.
        opset: Version of the operators, of ONNX.
        spec: How the model is used.
        source: SHA-256 of the model file that they were made from, in hex.
        shares: The pictures that they were fitted to and compared on; none where these were drawn.
        parity: How far the model agrees with the original.
    """

    files: tuple[Path, ...]
    bytes: int
    options: ExportOptions
    opset: int | None
    spec: ModelSpec
    source: str
    shares: Shares
    parity: Parity

    def describe(self) -> str:
        """What it was compared on, and how far it agrees, in words."""
        return _describe(self.parity, self.shares)

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms."""
        return {
            "file": str(self.files[0]),
            "files": [str(file) for file in self.files],
            "bytes": self.bytes,
            "format": self.options.to,
            "form": self.options.form,
            "precision": self.options.storage,
            "compiled": self.options.compiled,
            "opset": self.opset,
            "source": self.source,
            "size": self.spec.size,
            "resize": self.spec.resize,
            "mean": self.spec.mean,
            "std": self.spec.std,
            "threshold": self.spec.threshold,
            "postprocess": asdict(self.spec.postprocess),
            "calibration_pictures": len(self.shares.calibration),
            "compared_on_others": self.shares.are_apart if self.shares.calibration else None,
            **self.parity.to_dict(),
        }


def export_model(source: Path, target: Path, options: ExportOptions, progress: Progress | None = None) -> Exported:
    """Write a model for another runtime, if it then says the same as the original in float32.

    Args:
        source: A model file of this program.
        target: The file to write; of OpenVINO's two, the `.xml`.
        options: What is written, and what it is compared on.
        progress: Who listens.

    Returns:
        What was written, and how far the two agree.

    Raises:
        UsageError: The options make no sense, the target exists already, or its suffix or folder is wrong.
        GateError: The two differ by more than `TOLERANCES` allows; nothing is written then.
        BadFile: The model, a picture or a mask cannot be read.
        MissingExtra: The format's packages are not installed.
        LesionctlError: There is no compiler, or the target cannot be written.
    """
    _check(source, target, options)

    from lesionctl.export.convert import convert  # what makes no sense is told before torch takes its seconds
    from lesionctl.nets.model_file import load_model
    from lesionctl.runtime.device import choose_compute
    from lesionctl.runtime.torch_segmenter import TorchSegmenter

    progress = progress or Silent()
    shares = share_out(options.images) if options.storage is Storage.INT8 else Shares((), options.images)
    masks = find_masks(shares.compared, options.masks) if options.masks else []
    spec, net = load_model(source)
    digest = digest_of(source)
    progress.say(f"making {target} of {source}, in {options.storage}")
    progress.detail(f"{spec.name} (SHA-256 {digest[:12]}): {spec.net}, input {spec.size} px")
    with progress.task("converting"):
        contents = convert(
            spec,
            net,
            options.to,
            options.storage,
            options.form,
            compiled=options.compiled,
            source=digest,
            calibration=read_views(shares.calibration, spec),
            progress=progress,
        )
    with tempfile.TemporaryDirectory() as scratch:
        candidate = Path(scratch) / f"candidate{options.to.suffix}"
        for suffix, content in contents.items():
            candidate.with_suffix(suffix).write_bytes(content)
        examples = read_examples(shares.compared, masks) if shares.compared else draw_examples(_DRAWN_PICTURES)
        total = len(shares.compared) or _DRAWN_PICTURES
        original = TorchSegmenter(spec, net, choose_compute("cpu", Precision.FP32))
        exported = _open(candidate, spec, options)
        progress.detail(f"{exported.backend} is compared with {original.backend} on {total} pictures")
        parity = compare(original, exported, track(progress, examples, "comparing", total))
    tolerance = TOLERANCES[options.storage]
    if not parity.within(tolerance):
        raise GateError(
            f"the exported model differs from the original, {target} was not written: {_describe(parity, shares)}",
            hint=f"{options.storage} has to hold: {tolerance.describe()}"
            + (f"; --precision {Storage.FP32} stays closest" if options.storage is not Storage.FP32 else ""),
        )
    files = tuple(target.with_suffix(suffix) for suffix in reversed(contents))
    try:
        _write(target, contents)
    except OSError as error:
        raise LesionctlError(f"{target} cannot be written ({error.strerror or error})") from error
    size = sum(map(len, contents.values()))
    return Exported(files, size, options, _opset(options.to), spec, digest, shares, parity)


def _check(source: Path, target: Path, options: ExportOptions) -> None:
    """Refuse what can be told to be wrong before any work."""
    options.to.check(options.storage, compiled=options.compiled, raw=options.form is Form.RAW)
    if source.suffix in {".onnx", ".xml", ".pt2"}:
        raise UsageError(
            f"{source} is an exported file, and a model is exported from its model file",
            hint="name the .safetensors file that it was made from",
        )
    if target.is_dir():
        raise UsageError(f"{target} is a folder", hint=f"name a file in it: {target / source.stem}{options.to.suffix}")
    if target.suffix != options.to.suffix:
        raise UsageError(
            f"--to {options.to} writes {options.to.suffix}, and not {target.name}",
            hint=f"name it {target.with_suffix(options.to.suffix)}, or choose another --to",
        )
    if options.masks and not options.images:
        raise UsageError("--masks are those of the pictures of --images", hint="name the pictures too")
    if options.storage is Storage.INT8 and len(options.images) < FEWEST_PICTURES:
        given = f"{len(options.images)} are too few" if options.images else "drawn ones will not do"
        raise UsageError(
            f"int8 is fitted to {FEWEST_PICTURES} or more pictures like those that the model will see, and {given}",
            hint="name some 128 of yours with --images, of which half are to compare on; they need no masks",
        )
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}", hint="make it, or choose another --out")
    if not os.access(target.parent, os.W_OK):
        raise LesionctlError(f"the folder {target.parent} may not be written to", hint="choose another --out")
    if target.resolve() == source.resolve():
        raise UsageError(f"{target} is the model that is exported", hint="choose another --out")
    for file in (target, target.with_suffix(".bin")) if options.to is Format.OPENVINO else (target,):
        if file.is_dir():
            raise UsageError(f"{file} is a folder", hint="choose another --out")
        if file.exists() and not options.overwrite:
            raise UsageError(f"{file} exists already", hint="pass --overwrite, or choose another --out")


def _describe(parity: Parity, shares: Shares) -> str:
    if not shares.compared:
        return parity.describe("drawn pictures")
    if not shares.calibration:
        return parity.describe()
    if shares.are_apart:
        return parity.describe(f"pictures, fitted to {len(shares.calibration)} others")
    return parity.describe(f"pictures that it was fitted to ({2 * FEWEST_PICTURES} or more would be shared out)")


def _open(candidate: Path, spec: ModelSpec, options: ExportOptions) -> Segmenter:
    """The candidate in its own runtime: as `predict` opens it, where `predict` would."""
    if options.compiled or options.form is Form.RAW:
        run = open_plain(candidate, options.to, compiled=options.compiled)
        return PlainSegmenter(spec, options.form, run)
    precision = Precision.BF16 if options.storage is Storage.BF16 else Precision.FP32
    return load_segmenter(str(candidate), "cpu", precision, _BACKENDS[options.to])


def _write(target: Path, contents: dict[str, bytes]) -> None:
    """One file, or OpenVINO's two, which are never seen with one of them of another model."""
    if len(contents) == 1:
        write_bytes(target, contents[target.suffix])
        return
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", suffix=".part", dir=target.parent) as part:
        for suffix, content in contents.items():
            write_bytes(Path(part) / target.with_suffix(suffix).name, content)
        target.unlink(missing_ok=True)
        weights = target.with_suffix(".bin")
        (Path(part) / weights.name).replace(weights)  # they first: without the .xml, nobody takes them for a model
        try:
            (Path(part) / target.name).replace(target)
        except BaseException:
            weights.unlink()
            raise


def _opset(to: Format) -> int | None:
    if to is not Format.ONNX:
        return None
    from lesionctl.runtime.to_onnx import OPSET

    return OPSET
