"""How a report was made, so that it can be made again."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from lesionctl.evaluate.report.document import Facts, Section, Words
from lesionctl.evaluate.report.models import describe_machine

if TYPE_CHECKING:
    from lesionctl.evaluate.report.material import Material


def making_section(material: Material) -> Section:
    """Command, versions, machine, seed."""
    analysis, environment = material.analysis, material.environment
    versions = ("python", "torch", "timm", "numpy", "opencv")
    items = [
        ("program", f"lesionctl {environment['lesionctl']}"),
        ("date", material.moment.isoformat(timespec="seconds")),
        ("with", ", ".join(f"{name} {environment[name]}" for name in versions)),
        ("machine", f"{describe_machine(environment)}; {environment['system']}"),
        ("bootstrap", f"{analysis.resamples:,} resamples, seed {analysis.seed}"),
    ]
    if material.command:
        items.insert(0, ("command", shlex.join(material.command)))
    if analysis.cases.store is not None:
        items.append(("data digest", analysis.cases.store.info.digest))
    return Section("making", "How this report was made", (Facts(tuple((term, Words(said)) for term, said in items)),))
