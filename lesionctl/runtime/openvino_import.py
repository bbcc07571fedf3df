"""The one door to OpenVINO: importing it reports the import to its makers, and here nothing calls out unasked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

_CONVERTER = "openvino.tools.ovc"


def import_openvino() -> ModuleType:
    """OpenVINO without its model converter, which it is made to do without.

    That is the part that reports (it starts a process for it), and a third of the time of the import.

    Raises:
        ImportError: It is not installed.
    """
    if "openvino" in sys.modules:
        import openvino

        return openvino
    sys.modules[_CONVERTER] = None  # type: ignore[assignment] # Python's own way to say that a module is missing
    try:
        import openvino
    finally:
        del sys.modules[_CONVERTER]
    return openvino
