"""P4: decoders never panic, hang or over-allocate, whatever bytes they are given.

Frames (checksums fixed up in most inputs, so that what is behind the checksum is reached too), journal lines
with the fold behind them, profiles, text, and other tools' reports. Native decoders (text, blocks, strings, filters)
have their own tests beside them; text is driven through what Python sees of it as well.
"""

from __future__ import annotations

import gc
import random
import signal
import struct
import time
import tracemalloc
import zlib
from typing import TYPE_CHECKING

from tests.torture import cargo_tests
from tests.torture.decode_profile import torture_profile
from tests.torture.decode_reports import corpus, decode_report, formats
from tests.torture.mutate import Mutator
from tests.torture.registry import Outcome, scaled
from tracekit.model.fold import Fold
from tracekit.wire import frames, lines
from tracekit.wire.messages import MessageAssembler

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType as StackFrame

NATIVE_FULL = 10_000_000
NATIVE_CRATES = ("tracekit-text", "tracekit-tracer-backend", "tracekit-filter")
FULL = 1_000_000
# A report is a hundred times a line, and read as slowly.
REPORTS = 100_000
SEED = 20_240
HANG_SECONDS = 10
MEASURED_EVERY = 997
ALLOWED = 1 << 20


class HangError(Exception):
    """A decoder that has not come back."""


# Good lines of every event, with the fields that the pytest runner writes; the common ones are added below.
JOURNAL = """
{"e":"run.started","environment":"local","profile":null,"seed":1,"trace":"default","suites":[],"root":"/p"}
{"e":"suite.found","suite":"","runner":"pytest","count":3,"python":"/p/python","framework":"pytest 9.2.0"}
{"e":"scenario.found","scenario":"S","suite":"","runner":"pytest","path":["a.py","test_c"],"line":1,"tags":["x"]}
{"e":"scenarios.found","id":"pytest:a.py::","path":["a.py"],"tags":[],"names":["c","d"],"lines":[1,2],"docs":{"1":"d"}}
{"e":"attempt.started","scenario":"S","attempt":1,"pid":4,"worker":"gw0","launch":"L1"}
{"e":"step.started","scenario":"S","attempt":1,"step":"fixture:db#3","kind":"fixture","name":"db","parent":null}
{"e":"step.ended","scenario":"S","attempt":1,"step":"fixture:db#3","verdict":"passed","d":5,"m0":1}
{"e":"assertion","scenario":"S","attempt":1,"op":"==","expected":"1","actual":"2","kind":"text","passed":false}
{"e":"failure","scenario":"S","attempt":1,"when":"call","cause":"exception","text":"t","chain":[CAUSE,CAUSE]}
{"e":"output","scenario":"S","attempt":1,"stream":"stdout","offset":0,"length":12,"attribution":"exact"}
{"e":"attempt.ended","scenario":"S","attempt":1,"verdict":"failed","d":9,"durations":{"setup":1,"call":2}}
{"e":"warning","message":"w","category":"c","file":"f","line":1}
{"e":"gap","what":"output","count":3,"why":"disk"}
{"e":"discover.failed","suite":"","file":"f","message":"m","failure":{"chain":[CAUSE]}}
{"e":"runner.failed_to_start","suite":"","command":["p"],"exit":4,"signal":null,"stderr":"no","remedy":"r"}
{"e":"phase.started","phase":"launch","id":"L1","suite":"","command":["p"],"reason":"first"}
{"e":"ingested","at":{"main-1-2.ndjson":40},"out":12}
{"e":"run.ended","reason":"finished","verdicts":{"passed":1},"not_run":["S"],"not_run_count":1,"why":"w"}
"""
CAUSE = """{"type":"E","message":"m","module":"b","notes":["n"],"relation":"cause","group":[{"type":"F"}],"frames":[\
{"file":"a.py","line":3,"function":"f","own":true,"code":"x = 1","locals":{"a":"1"}}]}"""


def journal_corpus() -> list[bytes]:
    """The lines above, each with what every line carries."""
    texts = JOURNAL.replace("CAUSE", CAUSE).replace('"S"', '"pytest:tests/test_a.py::TestB::test_c[p]"')
    common = {"v": 1, "src": "local/main/12-34", "t": 1763674123123456789, "m": 812, "run": "0" * 26}
    facts = [lines.from_json(text) for text in texts.strip().splitlines()]
    return [lines.encode({**common, "n": number, **fact}) for number, fact in enumerate(facts, 1)]


def frame_corpus() -> list[bytes]:
    """Good frames of every type, alone and in rows."""
    one = [
        frames.encode_frame(
            kind, b'{"run":"x"}' if kind != frames.FrameType.DATA else bytes(range(256)), file=1
        )
        for kind in frames.FrameType
    ]
    return [*one, b"".join(one), frames.encode_frame(2, b"x" * 2000, offset=1 << 40)]


def fixed_up(data: bytes, chance: random.Random) -> bytes:
    """The same bytes with a right length and checksum in front of and behind them, more often than not."""
    if len(data) < frames.OVERHEAD or chance.random() < 0.3:
        return data
    body = data[4:-4]
    return struct.pack(">I", len(body) + 4) + body + struct.pack(">I", zlib.crc32(body))


def decode_frames(chance: random.Random) -> Callable[[bytes], None]:
    """Feeds a new decoder, in pieces, and assembles what comes out."""

    def decode(data: bytes) -> None:
        data = fixed_up(data, chance)
        decoder, assembler = frames.FrameDecoder(), MessageAssembler()
        cut = chance.randrange(len(data) + 1)
        try:
            for piece in (data[:cut], data[cut:]):
                for frame in decoder.feed(piece):
                    if frame.type != frames.FrameType.DATA:
                        assembler.feed(frame)
        except ValueError:  # FrameError and LineError: refused, as promised
            return

    return decode


def decode_lines() -> Callable[[bytes], None]:
    """Decodes a line; what is a line goes into a fold, which never raises."""
    fold = Fold()
    seen = 0

    def decode(data: bytes) -> None:
        nonlocal fold, seen
        seen += 1
        if seen % 2000 == 0:  # what the fold rightly keeps must not look like a leak
            fold = Fold()
        try:
            line = lines.decode(data)
        except lines.LineError:
            return
        fold.feed(line)

    return decode


TEXTS = [b"\x1b[31mred\x1b[0m", "e\u0301 \U0001f980 \u202e".encode(), b"\x9b2J\x1b]0;t\x07", b"a\r\nb\tc"]


def decode_text(data: bytes) -> None:
    """Sanitises lines: nothing but what a terminal may be given."""
    from tracekit._native import safe_lines

    for line in safe_lines(data):
        if any(ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 for letter in line.text):
            raise AssertionError("a control character came through")


def alarm(_signal: int, _frame: StackFrame | None) -> None:
    """Breaks off a decoder that has not come back."""
    raise HangError


def torment(
    name: str, mutator: Mutator, decode: Callable[[bytes], None], count: int, outcome: Outcome
) -> None:
    """Give a decoder so many inputs; every breach is noted with the input that made it."""
    before = time.monotonic()
    most = 0.0
    signal.signal(signal.SIGALRM, alarm)
    for number in range(count):
        data = mutator.draw()
        measured = number % MEASURED_EVERY == 0
        if measured:
            gc.collect()
            tracemalloc.start()
        signal.setitimer(signal.ITIMER_REAL, HANG_SECONDS)
        try:
            decode(data)
        except HangError:
            outcome.fault(f"{name}: no end after {HANG_SECONDS} s: {data[:200]!r}")
        except Exception as fault:  # noqa: BLE001 - whatever comes out is the finding
            outcome.fault(f"{name}: {type(fault).__name__}: {fault}: {data[:200]!r}")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if measured:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            most = max(most, peak / (4 * len(data) + ALLOWED))
            if peak > 4 * len(data) + ALLOWED:
                outcome.fault(f"{name}: {peak} bytes for an input of {len(data)}: {data[:200]!r}")
    outcome.figures[name] = count
    outcome.figures[f"{name}_memory"] = f"{most:.2f}"
    outcome.figures[f"{name}_s"] = f"{time.monotonic() - before:.0f}"


def main(scale: float) -> Outcome:
    """Every decoder, each with inputs of its own seed."""
    outcome = Outcome()
    count = scaled(FULL, scale)
    chance = random.Random(SEED)
    torment("frame", Mutator(frame_corpus(), SEED + 1), decode_frames(chance), count, outcome)
    torment("line", Mutator(journal_corpus(), SEED + 2), decode_lines(), count, outcome)
    profiles = torture_profile(count)
    outcome.figures["profile"] = count
    told = profiles["faults"]
    outcome.faults.extend(f"profile: {fault}" for fault in (told if isinstance(told, list) else [str(told)]))
    torment("text", Mutator(TEXTS, SEED + 4), decode_text, count, outcome)
    for number, form in enumerate(formats(), 5):
        mutator = Mutator(corpus(form), SEED + number)
        torment(f"report_{form}", mutator, decode_report(form, chance), scaled(REPORTS, scale), outcome)
    for crate in NATIVE_CRATES:
        native(crate, scaled(NATIVE_FULL, scale), outcome)
    outcome.figures["broken"] = len(outcome.faults)
    return outcome


def native(crate: str, count: int, outcome: Outcome) -> None:
    """The torment of native decoders, in the crates that they are made of."""
    figures = {"TRACEKIT_TORTURE_INPUTS": count, "TRACEKIT_TORTURE_SCHEDULES": 1}
    told = cargo_tests.run(crate, "torture", "P4", figures)
    for line in told.lines:
        outcome.figures[f"native_{line['decoder']}"] = line["inputs"]
    if not told.ok:
        outcome.fault(f"{crate}: {told.error}")
