"""A signal becomes a request while a training listens, and what it was before afterwards."""

from __future__ import annotations

import os
import signal
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
