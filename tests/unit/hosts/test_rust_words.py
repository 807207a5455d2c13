"""What Rust prints: libtest's words taken out of a test's output, and failures read out of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracekit.agent.hosts import libtest_words
from tracekit.agent.hosts.libtest_words import Spoken
from tracekit.agent.hosts.panics import Place, Sources, read
from tracekit.agent.hosts.sieve import Report, Sieve

NAME = "tests::some"
NOT = "test did not panic as expected at src/lib.rs:3:4"
SOURCES = Sources(
    lambda file: (file.removeprefix("./"), not file.startswith("/")), lambda file, line: f"line {line}"
)
PLACE = Place("src/lib.rs", 7, NAME)
FOOT = "\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.00s\n\n"
RED = FOOT.replace(": ok", ": FAILED")
ENDS = {
    "ok": (f"test {NAME} ... ok\n{FOOT}", Report("ok", "", "", True)),
    "ignored": (f"test {NAME} ... ignored, too slow\n{FOOT}", Report("ignored", "too slow", "", True)),
    "failed": (
        f"test {NAME} ... FAILED\n\nfailures:\n\nfailures:\n    {NAME}\n{RED}",
        Report("FAILED", "", "", True),
    ),
    "should panic": (
        (
            f"test {NAME} - should panic ... FAILED\n\nfailures:\n\n---- {NAME} stdout ----\nnote: {NOT}\n"
            f"\nfailures:\n    {NAME}\n{RED}"
        ),
        Report("FAILED", "", f"note: {NOT}", True),
    ),
}
PRINTED = [
    b"",
    b"a line\n",
    b"no end of line",
    b"a test tests::some ... ok\n",
    b"test result: ok. 1 passed\n\n",
    b"ok\n",
    b"FAILED\n\n",
    b"\0\xff" * 1000,
    b"test tests::som",
]


def sieved(data: bytes, cuts: list[int]) -> tuple[bytes, Report]:
    sieve, own, before = Sieve(NAME), b"", 0
    for cut in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        own += sieve.feed(data[before:cut])
        before = cut
    rest, report = sieve.finish()
    return own + rest, report


@pytest.mark.parametrize("end", ENDS)
@settings(deadline=None)
@given(st.sampled_from(PRINTED), st.lists(st.integers(0, 4000), max_size=12))
def test_sieve__however_the_bytes_are_cut__then_the_tests_own_and_libtests_words(
    end: str, printed: bytes, cuts: list[int]
) -> None:
    foot, report = ENDS[end]
    whole = b"\nrunning 1 test\n" + printed + foot.encode()
    assert sieved(whole, cuts) == (printed, report)


def test_sieve__named_before_it_runs__then_the_same() -> None:
    whole = f"\nrunning 1 test\ntest {NAME} ... printed\nok\n{FOOT}".encode()
    assert sieved(whole, list(range(0, 200, 3))) == (b"printed\n", Report("ok", "", "", True))


@settings(deadline=None)
@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=6))
def test_sieve__no_words_of_libtest__then_everything_is_the_tests(data: bytes, cuts: list[int]) -> None:
    if b"running" not in data:
        assert sieved(data, cuts) == (data, Report())


def test_sieve__what_looks_like_the_end_and_is_not__then_let_go_while_the_test_runs() -> None:
    sieve = Sieve(NAME)
    own = sieve.feed(b"\nrunning 1 test\nbefore\ntest tests::some ... or so\n")
    for _ in range(10):
        own += sieve.feed(b"")
    assert own == b"before\ntest tests::some ... or so\n"


def test_sieve__program_that_does_not_know_the_test__then_said() -> None:
    assert sieved(b"\nrunning 0 tests\n" + FOOT.encode(), [])[1].known is False


def test_read__panic_with_backtrace__then_own_frames_from_the_outermost() -> None:
    text = (
        f"thread '{NAME}' (42) panicked at src/lib.rs:9:5:\nboom\nstack backtrace:\n"
        "   0: __rustc::rust_begin_unwind\n             at /rustc/abc/library/std/src/panicking.rs:689:5\n"
        "   1: mine::inner\n             at ./src/lib.rs:9:5\n"
        "   2: mine::tests::some\n             at ./src/lib.rs:20:9\n"
        "   3: core::ops::function::FnOnce::call_once\n             at /rustc/abc/library/core/src/function.rs:250:5\n"
        "note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.\n"
    )
    found = read(text, NAME, PLACE, SOURCES)
    assert found is not None
    assert (found.cause, found.chain[0]["message"]) == ("exception", "boom")
    assert [(frame["function"], frame["line"]) for frame in found.chain[0]["frames"]] == [
        ("mine::tests::some", 20),
        ("mine::inner", 9),
    ]


@pytest.mark.parametrize(
    ("text", "op", "actual", "expected"),
    [
        ("assertion `left == right` failed\n  left: 1\n right: 2", "==", "1", "2"),
        ("assertion `left != right` failed: why\n  left: 1\n right: 1", "!=", "1", "1"),
        ('assertion `left == right` failed\n  left: "a\\n\\u{e9}\\""\n right: "b"', "==", 'a\né"', "b"),
        ("assertion failed: `(left == right)`\n  left: `1`,\n right: `2`: why", "==", "1", "2"),
        ("assertion `left == right` failed\n  left: [\n    1,\n]\n right: []", "==", "[\n    1,\n]", "[]"),
    ],
)
def test_read__operands_of_old_and_new_rust__then_as_two_sides(
    text: str, op: str, actual: str, expected: str
) -> None:
    found = read(f"thread '{NAME}' panicked at src/lib.rs:9:5:\n{text}\n", NAME, PLACE, SOURCES)
    assert found is not None
    assert found.assertion is not None
    assert [found.assertion[name] for name in ("op", "actual", "expected")] == [op, actual, expected]
    assert found.cause == "assertion"


def test_read__panic_as_rust_told_it_before__then_message_and_place() -> None:
    found = read(
        f"thread '{NAME}' panicked at 'old words', src/lib.rs:9:5\nnote: run with…", NAME, PLACE, SOURCES
    )
    assert found is not None
    assert (found.chain[0]["message"], found.chain[0]["frames"][0]["line"]) == ("old words", 9)


def test_read__stack_overflow__then_named() -> None:
    text = f"\nthread '{NAME}' (9) has overflowed its stack\nfatal runtime error: stack overflow, aborting\n"
    found = read(text, NAME, PLACE, SOURCES)
    assert found is not None
    assert (found.cause, found.chain[0]["type"]) == ("crash", "stack overflow")


def test_read__error_with_one_cause__then_a_chain() -> None:
    found = read("log\nError: cannot start\n\nCaused by:\n    port in use\n", NAME, PLACE, SOURCES)
    assert found is not None
    assert [(link["message"], link["relation"]) for link in found.chain] == [
        ("cannot start", None),
        ("port in use", "cause"),
    ]


@settings(deadline=None)
@given(st.text(max_size=400))
def test_read__any_text__then_evidence_or_nothing_and_never_a_fault(text: str) -> None:
    read(text, NAME, PLACE, SOURCES)
    read(f"thread '{NAME}' panicked at src/lib.rs:9:5:\n{text}", NAME, PLACE, SOURCES, text)
    read(f"Error: {text}", NAME, PLACE, SOURCES)


def test_spoken__pieces_of_any_size__then_each_has_its_own_words() -> None:
    told = (
        "noise\nthread 'a' panicked at src/lib.rs:1:2:\nfirst\nthread 'b' (7) panicked at src/lib.rs:3:4:\nsecond\n"
        "thread 'a' panicked at src/lib.rs:5:6:\nthird\nError: lost\nError: found\n"
    )
    for size in (1, 7, len(told)):
        for threads in (1, 2):
            spoken = Spoken(threads)
            for at in range(0, len(told), size):
                spoken.hear(told[at : at + size])
            assert spoken.of("a").split("\n")[1::2] == ["first", "third"]
            assert spoken.of("b") == "thread 'b' (7) panicked at src/lib.rs:3:4:\nsecond\n"
            errors = [spoken.of("c"), spoken.of("d"), spoken.of("e")]
            assert errors == (["Error: lost\n", "Error: found\n", ""] if threads == 1 else [""] * 3)


def test_spoken__very_many_red_tests__then_each_byte_is_looked_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked = []

    class Counts:
        def finditer(self, text: str) -> object:
            looked.append(len(text))
            return pattern.finditer(text)

    pattern = libtest_words._SPOKEN
    monkeypatch.setattr(libtest_words, "_SPOKEN", Counts())
    spoken, total = Spoken(2), 0
    for number in range(2000):
        text = f"thread 't{number}' panicked at src/lib.rs:1:2:\nwords {number}\n"
        total += len(text)
        spoken.hear(text)
        assert spoken.of(f"t{number}") == text
    assert sum(looked) == total


def test_spoken__a_flood_without_an_end__then_no_more_of_it_is_kept_than_explains() -> None:
    spoken = Spoken(2)
    spoken.hear("thread 'a' panicked at src/lib.rs:1:2:\n")
    for _ in range(40):
        spoken.hear("x" * 100_000)
    assert 60_000 < len(spoken.of("a")) < 70_000
