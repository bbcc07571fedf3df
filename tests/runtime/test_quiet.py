"""Libraries that tell of their own insides are silent for as long as they are asked to be."""

from __future__ import annotations

import logging
import warnings

from lesionctl.runtime.quiet import quiet


def speak():
    print("insides")  # noqa: T201
    warnings.warn("insides", stacklevel=2)
    logging.getLogger("library").warning("insides")


def test_what_is_printed_warned_of_and_logged_is_not_seen(capfd, caplog, recwarn):
    with quiet():
        speak()
    assert (*capfd.readouterr(), caplog.text, len(recwarn)) == ("", "", "", 0)


def test_afterwards_all_is_as_it_was(capfd, caplog, recwarn):
    logging.disable(logging.DEBUG)
    try:
        with quiet():
            pass
        assert logging.root.manager.disable == logging.DEBUG
    finally:
        logging.disable(logging.NOTSET)
    speak()
    assert capfd.readouterr().out == "insides\n"
    assert "insides" in caplog.text
    assert len(recwarn) == 1


def test_errors_are_seen(caplog):
    with quiet():
        logging.getLogger("library").error("broken")
    assert "broken" in caplog.text
