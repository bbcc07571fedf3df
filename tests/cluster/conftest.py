"""A cluster of stand-ins, on which the batch files run as they are."""

from __future__ import annotations

import json
import os
import random
import signal
import socketserver
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from importlib.resources import files
from pathlib import Path

import pytest

FILES = Path(str(files("lesionctl.cli.documents"))) / "sbatch"
STAND_IN = Path(__file__).with_name("stand_in.py")


class Cluster:
    """What a person at the login node of a cluster has, and what its controller does to jobs.

    Args:
        folder: Empty; `home` in it is where jobs are submitted from.
        environment: What jobs inherit.
        program: The command that `lesionctl` is, as a line of a shell.
    """

    def __init__(self, folder: Path, environment: dict[str, str], program: str) -> None:
        self.home = folder / "home"
        self._state = folder / "stand in"
        self._submitted: list[subprocess.Popen[bytes]] = []
        bin_ = self._state / "bin"
        for path in (self.home, self._state / "jobs", bin_):
            path.mkdir(parents=True)
        commands = {name: f'"{sys.executable}" -I -S "{STAND_IN}" {name}' for name in ("sbatch", "srun", "scontrol")}
        for name, command in {**commands, "lesionctl": program}.items():
            (bin_ / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            (bin_ / name).chmod(0o755)
        first = random.SystemRandom().randrange(1, 10**6)  # of tests that run side by side, each has its own ports
        self._environment = {
            **environment,
            "PATH": f"{bin_}:{os.defpath}",
            "STAND_IN": str(self._state),
            "STAND_IN_FIRST": str(first),
        }

    def submit(self, name: str, *options: str, **variables: str | Path) -> subprocess.Popen[bytes]:
        """Submit one of the batch files; what is returned ends with the job, and with its exit code."""
        process = subprocess.Popen(
            [self._state / "bin" / "sbatch", "--wait", *options, FILES / f"{name}.sbatch"],
            cwd=self.home,
            env=self._environment | {name: str(value) for name, value in variables.items()},
        )
        self._submitted.append(process)
        return process

    def close(self) -> None:
        """End what a test that failed has left running."""
        for process in self._submitted:
            if process.poll() is None:
                process.kill()
                process.wait()
                for job in self.jobs():
                    with suppress(ProcessLookupError):
                        os.killpg(job["pid"], signal.SIGKILL)

    def jobs(self) -> list[dict]:
        """The jobs so far: their options, how often they were restarted, and the tasks of each step."""
        return [
            json.loads(path.read_text())
            | {"tasks": [json.loads(task.read_text()) for task in sorted((path.parent / "steps").glob("*.json"))]}
            for path in sorted((self._state / "jobs").glob("*/job.json"), key=lambda path: int(path.parent.name))
        ]

    def warn(self) -> None:
        """Send the last job, which has one step, the signal of its --signal, as a while before its time is up."""
        job = self.jobs()[-1]
        whom, _, what = job["options"]["signal"].partition("@")[0].rpartition(":")
        for pid in [job["pid"]] if whom == "B" else [task["pid"] for task in job["tasks"]]:
            os.kill(pid, getattr(signal, f"SIG{what}"))

    def lose_node(self) -> None:
        """Kill the program of the last job, as where its node has lost power, and put the job back into the queue."""
        folder = max((self._state / "jobs").iterdir(), key=lambda path: int(path.name))
        (folder / "requeued").touch()
        os.kill(json.loads((folder / "program.json").read_text())["pid"], signal.SIGKILL)

    def has_started_the_program(self) -> bool:
        """Whether a job's program is running, or was."""
        return any((self._state / "jobs").glob("*/program.json"))

    def scratch(self) -> list[Path]:
        """What lies on the nodes' own disks in the folders of jobs."""
        return [path for node in self._state.glob("scratch-*") for path in node.glob("*/*")]


@pytest.fixture(scope="session")
def program(warm_program, tmp_path_factory):
    """A socket at which the program can be asked for."""
    lock, ask = threading.Lock(), warm_program.ask

    def ask_alone(order: dict) -> int:
        with lock:
            return ask(order)

    class Desk(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            order = json.loads(self.rfile.readline())
            running = warm_program.start(order["arguments"], order["environment"], cwd=Path(order["cwd"]))
            self.wfile.write(f"{running.pid}\n".encode())
            try:
                texts = running.communicate(120)
            except FileNotFoundError:  # it was killed before it could say anything
                texts = "", ""
            self.wfile.write(json.dumps([running.wait(), *texts]).encode() + b"\n")

    path = tmp_path_factory.mktemp("program") / "socket"
    with pytest.MonkeyPatch.context() as patch, socketserver.ThreadingUnixStreamServer(str(path), Desk) as server:
        patch.setattr(warm_program, "ask", ask_alone)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield path
        server.shutdown()


@pytest.fixture(scope="session")
def cache(tmp_path_factory, tiny_options):
    """A cache that was filled on the login node, and may only be read."""
    import safetensors.torch
    import timm
    import torch

    folder = tmp_path_factory.mktemp("shared") / "cache"
    (folder / "encoders").mkdir(parents=True)
    torch.manual_seed(1)
    weights = timm.create_model(tiny_options.encoder).state_dict()
    safetensors.torch.save_file(weights, folder / "encoders" / f"{tiny_options.encoder}.safetensors")
    for path in (*folder.rglob("*"), folder):
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    before = list_folder(folder)
    yield folder
    assert list_folder(folder) == before
    for path in (folder, folder / "encoders"):
        path.chmod(0o755)


def list_folder(folder: Path) -> list[tuple[str, int, int]]:
    return [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in sorted([folder, *folder.rglob("*")])]


@pytest.fixture
def environment(tmp_path, cache, tiny_options) -> dict[str, str]:
    """What jobs inherit: a tiny net on the CPU in place of a large one on a GPU."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LESIONCTL_", "SLURM_"))}
    train = {
        "device": "cpu", "precision": "fp32", "size": 64, "epochs": 2, "patience": 100, "repeat": 1, "batch_size": 2,
        "decoder_channels": ",".join(map(str, tiny_options.decoder_channels)), "overlays": 0,
    }  # fmt: skip
    return {
        **clean,
        **{f"LESIONCTL_TRAIN_{name.upper()}": str(value) for name, value in train.items()},
        "LESIONCTL_PREDICT_DEVICE": "cpu",
        "LESIONCTL_PREDICT_BACKEND": "torch",
        "LESIONCTL_CACHE_DIR": str(cache),
        "HTTPS_PROXY": "http://127.0.0.1:9",  # whoever goes to the network fails
        "HOME": str(tmp_path / "empty"),
        "XDG_CONFIG_HOME": str(tmp_path / "empty"),
        "ENCODER": tiny_options.encoder,
    }


@pytest.fixture
def cluster(tmp_path, environment, program):
    """The cluster, with the program as a process whose libraries are loaded already."""
    command = f'"{sys.executable}" -I -S "{STAND_IN}" lesionctl'
    with closing(Cluster(tmp_path, {**environment, "STAND_IN_PROGRAM": str(program)}, command)) as made:
        yield made


@pytest.fixture
def cold_cluster(tmp_path, environment):
    """The cluster, with the program started from nothing."""
    with closing(Cluster(tmp_path, environment, f'"{sys.executable}" -m lesionctl')) as made:
        yield made


@pytest.fixture
def until():
    """A function that waits until a condition holds, for as long as a process runs."""

    def wait(condition, process) -> None:
        while not condition():
            assert process.poll() is None, "it ended before"
            time.sleep(0.02)

    return wait
