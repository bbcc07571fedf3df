"""What was measured on, in few words: for a line of a table, the title of a figure, the head of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_CELLS = (
    "processor", "cpus_available", "memory_gib", "gpus", "nvidia_driver", "system", "lesionctl", "python", "torch",
    "onnxruntime", "openvino", "torch_threads",
)  # fmt: skip


def machine_cells(environment: Mapping[str, Any]) -> dict[str, Any]:
    """The environment as columns of a table, each named `environment_…`; lists are one text.

    Args:
        environment: See `describe_environment`.
    """
    values = {name: environment.get(name) for name in _CELLS}
    return {f"environment_{name}": _text(value) for name, value in values.items()}


def machine_title(environment: Mapping[str, Any]) -> str:
    """Processor, how many of them, GPUs and torch: `AMD EPYC, 2 cpus, NVIDIA H200, torch 2.13.0`.

    Args:
        environment: See `describe_environment`.
    """
    cpus = environment["cpus_available"]
    parts = [environment["processor"], f"{cpus} cpu{'s' if cpus != 1 else ''}", *_count(environment["gpus"])]
    return ", ".join([*parts, f"torch {environment['torch']}"])


def machine_lines(environment: Mapping[str, Any]) -> list[str]:
    """The same with memory, driver, runtimes and system, in a few lines.

    Args:
        environment: See `describe_environment`.
    """
    known = environment.get
    memory = known("memory_limit_gib") or known("memory_gib")
    mask, of = known("cpus_in_mask"), known("cpus")
    threads = known("omp_num_threads")
    of_machine = [
        f"{memory:g} GiB of memory" if memory else "",
        f"{mask} of {of} cpus in the affinity mask" if mask else "",
        f"OMP_NUM_THREADS {threads}" if threads else "",
        f"driver {known('nvidia_driver')}" if known("nvidia_driver") else "",
    ]
    programs = [f"{name} {known(name)}" for name in ("lesionctl", "onnxruntime", "openvino", "python") if known(name)]
    lines = [[machine_title(environment)], of_machine, [*programs, known("system") or ""]]
    return [", ".join(filter(None, line)) for line in lines if any(line)]


def _count(names: list[str]) -> list[str]:
    """Each name once, with its number."""
    return [f"{names.count(name)} × {name}" if names.count(name) > 1 else name for name in dict.fromkeys(names)]


def _text(value: Any) -> Any:
    return "; ".join(map(str, value)) if isinstance(value, list) else value
