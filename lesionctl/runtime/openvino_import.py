"""The one door to OpenVINO: importing it reports the import to its makers, and here nothing calls out unasked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

_REPORTER = "openvino_telemetry"


def import_openvino() -> ModuleType:
    """OpenVINO, imported as if its telemetry package were not installed, which it is made to do without.

    Raises:
        ImportError: It is not installed.
    """
    if _REPORTER not in sys.modules:
        sys.modules[_REPORTER] = None  # type: ignore[assignment] # Python's own way to say that a module is missing
    import openvino

    return openvino
