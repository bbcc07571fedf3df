"""A signal becomes a request while a training listens, and what it was before afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from lesionctl.runtime.stop import listen_for_stop


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_signal_is_a_request_and_is_named(name):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with listen_for_stop() as stop:
        assert not stop
        os.kill(os.getpid(), number)
        assert stop
        assert stop.signal == name
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_the_same_signal_once_more_ends_the_process_at_once(name):
    program = f"""
import os, signal
from lesionctl.runtime import stop

with stop.listen_for_stop() as asked:
    for patience in (1000, 0):  # a launcher passes on what was sent already: that is no second request
        stop._INSISTENCE = patience
        os.kill(os.getpid(), signal.{name})
        os.kill(os.getpid(), signal.{name})
        print(asked.signal, flush=True)
"""
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (-getattr(signal, name), f"{name}\n")


def test_a_batch_system_s_end_after_its_warning_is_still_a_request():
    with listen_for_stop() as stop:
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.signal == "SIGTERM"


def test_handlers_are_restored_after_an_error():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ValueError, match="x"), listen_for_stop():
        raise ValueError("x")
    assert signal.getsignal(signal.SIGTERM) is before


def test_other_threads_listen_to_nothing():
    heard = []

    def listen():
        with listen_for_stop() as stop:
            heard.append(bool(stop))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert heard == [False]
