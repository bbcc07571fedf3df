"""`lesionctl bench`: how fast models are on this machine."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from lesionctl.cli.options import Device, Json, PrecisionOption, option, terminal_of
from lesionctl.paths import DEFAULT_MODEL
from lesionctl.runtime.precision import Precision


def bench(
    context: typer.Context,
    model: Annotated[
        list[str] | None, option(help=f"What to measure; may be repeated. \\[default: {DEFAULT_MODEL}]")
    ] = None,
    what: Annotated[
        Literal["all", "model", "predict"],
        option(help="The network alone, the way from file to mask file, or all."),
    ] = "all",
    images: Annotated[
        list[str] | None, option(metavar="INPUT", help="Pictures; by default 24 that are drawn for it.")
    ] = None,
    batch_size: Annotated[int, option(min=1, help="Pictures per run, where throughput is measured.")] = 8,
    repeats: Annotated[int, option(min=1, help="Turns that count; a first one warms up.")] = 5,
    device: Device = "auto",
    precision: PrecisionOption = Precision.AUTO,
    as_json: Json = False,
) -> None:
    """Measure images per second and latency: of the network alone, and from picture files to mask files.

    Several models are measured in turn on the same pictures, so that their ratio can be trusted.

    Example: lesionctl bench --model lesion-s --model lesion-s.onnx
    """
    from lesionctl.bench.bench import What
    from lesionctl.bench.bench import bench as run
    from lesionctl.runtime.environment import describe_environment
    from lesionctl.runtime.load import load_segmenter

    terminal = terminal_of(context)
    segmenters = [load_segmenter(name, device, precision) for name in model or [DEFAULT_MODEL]]
    wanted = list(What) if what == "all" else [What(what)]
    timings = run(segmenters, wanted, images or [], batch_size=batch_size, repeats=repeats, progress=terminal)
    environment = describe_environment()
    if as_json:
        terminal.json({"environment": environment, "timings": [timing.to_dict() for timing in timings]})
        return
    columns = ["what", "model", "backend", "batch", "img/s", "p50 ms", "p95 ms", "p99 ms"]
    rows = [
        [
            timing.what,
            timing.model,
            timing.backend,
            str(timing.batch_size),
            f"{timing.images_per_second:.1f}",
            f"{timing.p50_ms:.1f}",
            f"{timing.p95_ms:.1f}",
            f"{timing.p99_ms:.1f}",
        ]
        for timing in timings
    ]
    title = f"{environment['processor']}, {environment['cpus_available']} cpus, torch {environment['torch']}"
    terminal.table(title, columns, rows)
