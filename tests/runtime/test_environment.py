from __future__ import annotations

import json
import platform
import socket

import pytest
import torch

from lesionctl import __version__
from lesionctl.runtime.environment import describe_environment


def test_environment_names_what_matters():
    environment = describe_environment()
    assert environment["lesionctl"] == __version__
    assert environment["python"] == platform.python_version()
    assert environment["torch"] == torch.__version__
    assert {"timm", "albumentations", "numpy", "opencv", "processor"} <= environment.keys()
    assert environment["cpus_available"] >= 1
    assert environment["torch_threads"] == torch.get_num_threads()
    assert environment["memory_gib"] is None or environment["memory_gib"] > 0.5
    assert len(environment["gpus"]) == len(environment["gpu_memory_gib"]) == torch.cuda.device_count()


def test_environment_goes_through_json_unchanged_and_names_no_host():
    environment = describe_environment()
    text = json.dumps(environment)
    assert json.loads(text) == environment
    if len(socket.gethostname()) < 4:
        pytest.skip("a host of so short a name is found anywhere")
    assert socket.gethostname() not in text
