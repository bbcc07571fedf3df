"""The one door to onnxruntime: its builds report to their makers, and here nothing calls out unasked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

_SWITCH = "ORT_DISABLE_TELEMETRY"


def import_onnxruntime() -> ModuleType:
    """onnxruntime, made not to report.

    From 1.29 on, its builds for Linux send the name and properties of every model that is loaded to their makers, as
    those for Windows did before.

    Raises:
        ImportError: It is not installed. Where it lacks a library, the import raises anything.
    """
    os.environ[_SWITCH] = "1"  # it is read when the library is loaded, here and in every process that this one starts
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # where the program that uses this one has loaded it before
    return onnxruntime
