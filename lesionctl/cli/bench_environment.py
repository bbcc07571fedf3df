"""`lesionctl bench --environment`: what this machine is, on the terminal; torch need not work for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lesionctl.runtime.environment import describe_environment
from lesionctl.runtime.readiness import check_readiness

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lesionctl.cli.terminal import Terminal
    from lesionctl.runtime.readiness import Finding


def tell_environment(terminal: Terminal, *, as_json: bool) -> None:
    """Look at this machine, and show what was found."""
    known = describe_environment(runtimes=True)
    findings = check_readiness(known)
    if as_json:
        terminal.json({"environment": known, "findings": [finding.to_dict() for finding in findings]})
    else:
        show_environment(known, findings, terminal)


def show_environment(environment: Mapping[str, Any], findings: Sequence[Finding], terminal: Terminal) -> None:
    """Show what this machine is, and what is wrong with it."""
    shown = {name: value for name, value in environment.items() if value not in (None, [], {})}
    terminal.table("environment", ["what", "value"], [[name, _tell(value)] for name, value in shown.items()])
    for finding in findings:
        terminal.paragraph(f"{'wrong' if finding.is_wrong else 'note'}: {finding.what}")
        if finding.hint:
            terminal.paragraph(f"  {finding.hint}")
    if not any(finding.is_wrong for finding in findings):
        terminal.line("nothing is wrong")


def _tell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_tell(part)}" for name, part in value.items())
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
