"""The engine's start and a Ctrl-C in the middle of it."""

from __future__ import annotations

import signal

import pytest

from tracekit.engine.engine import _undisturbed


def test_start__ctrl_c_in_the_middle__then_it_is_whole_and_the_interrupt_comes_behind() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    reached = []

    def started() -> None:
        with _undisturbed():
            signal.raise_signal(signal.SIGINT)
            reached.append("the end of the start")

    try:
        with pytest.raises(KeyboardInterrupt):
            started()
        assert reached
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_start__somebody_handles_ctrl_c__then_it_is_theirs() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        with _undisturbed():
            signal.raise_signal(signal.SIGINT)
        assert came == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)
