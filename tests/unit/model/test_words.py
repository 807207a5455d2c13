"""Numbers as people read them, on every screen and in every command's lines."""

from __future__ import annotations

from tracekit.model import words


def test_seconds__any_duration__then_never_a_zero_that_is_none_and_never_longer_than_six() -> None:
    short = {-5: "<1ms", 0: "<1ms", 999_999: "<1ms", 1_000_000: "1ms", 3_400_000: "3ms", 999_400_000: "999ms"}
    long = {999_600_000: "1.00s", 2_410_000_000: "2.41s", 12_340_000_000: "12.3s", 61_000_000_000: "61.0s"}
    longest = {247_000_000_000: "4m07s", 3_725_000_000_000: "1h02m"}
    told = short | long | longest
    assert {each: words.seconds(each) for each in told} == told


def test_few__any_number__then_never_more_than_six_letters() -> None:
    numbers = (0, 9_999, 10_000, 999_499, 999_500, 9_960_000, 4_000_000_000_000)
    assert [words.few(number) for number in numbers] == ["0", "9,999", "10k", "999k", "1.0M", "10M", "4,000G"]


def test_weight__any_size__then_in_the_unit_that_is_read_best() -> None:
    sizes = (0, 812, 4_301, 32_505_856, 5 * 2**30)
    assert [words.weight(size) for size in sizes] == ["0 B", "812 B", "4.2 KiB", "31 MiB", "5.0 GiB"]


def test_link_words__any_link__then_what_is_known_of_it_and_no_more() -> None:
    since = 1_763_640_238 * 10**9
    assert words.link_words("attached", None, 7) == "attached"
    assert words.link_words("reconnecting", None, 7) == "reconnecting"
    assert (
        words.link_words("reconnecting", (since, 1204), 7)
        == "reconnecting, attempt 1,204, down since 12:03:58 UTC"
    )
    assert words.link_words("reconnecting", (0, 2), 7) == "reconnecting, attempt 2"
    assert words.link_words("lost", (since, 3), 23375) == "lost at byte 23,375"
    assert words.link_words("lost", None, 23375, whole=True) == "lost at byte 23,375 of the journal"
