"""A training that is asked to stop, as batch systems ask."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

TINY_NET = ("--encoder", "mobilenetv3_small_050", "--encoder-weights", "none", "--size", "64", "--batch-size", "4")


def test_train_stops_on_a_signal_with_exit_code_75_and_goes_on(lesionctl, store_path, tmp_path):
    words = ["train", str(store_path), "--out", "run", *TINY_NET, "--device", "cpu"]
    running = subprocess.Popen([sys.executable, "-m", "lesionctl", *words, "--epochs", "500"], cwd=tmp_path)
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "metrics.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    running.send_signal(signal.SIGTERM)
    assert running.wait(60) == 75

    other = lesionctl(*words, "--epochs", "3")
    assert other.returncode == 2
    assert "holds a run with another epochs: 500, not 3" in other.stderr
