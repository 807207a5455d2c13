//! What holds for every input, and what becomes of each kind of it.

mod common;

use common::{CORPUS, check, mutate};
use tracekit_text::{MAX_COLUMNS, Safe, line, lines};
use tracekit_torment::Random;

const INPUTS: usize = 20_000;

fn all(bytes: &[u8]) -> Vec<Safe> {
    lines(bytes, 4096).collect()
}

fn texts(bytes: &[u8]) -> Vec<String> {
    lines(bytes, 4096).map(|safe| safe.text).collect()
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    line(bytes.as_ref(), 4096).text
}

fn for_each_input(mut property: impl FnMut(&[u8], usize)) {
    let mut random = Random::new(7);
    let mut inputs: Vec<Vec<u8>> = CORPUS.iter().map(|input| input.to_vec()).collect();
    inputs.resize_with(INPUTS, || {
        let mut input = Vec::new();
        mutate(&mut random, &mut input);
        input
    });
    for input in inputs {
        let columns = [0, 1, 2, 3, 8, 40, 4096, usize::MAX][random.below(8)];
        property(&input, columns);
    }
}

#[test]
fn output__of_any_input__then_printable_cells_only() {
    for_each_input(|input, columns| {
        check(&line(input, columns), columns);
        for safe in lines(input, columns) {
            check(&safe, columns);
        }
    });
}

#[test]
fn output__given_in_again__then_stays_as_it_is() {
    for_each_input(|input, columns| {
        let once = line(input, columns);
        let twice = line(once.text.as_bytes(), MAX_COLUMNS);
        assert_eq!(twice.text, once.text);
        assert_eq!((twice.pictured, twice.removed, twice.cut), (0, 0, 0));
    });
}

#[test]
fn lines__cut_shorter__then_a_prefix_of_the_longer() {
    for_each_input(|input, columns| {
        let whole = line(input, MAX_COLUMNS);
        let part = line(input, columns);
        // A wide character that does not fit leaves a space in the last cell.
        let shown = part.text.strip_suffix(' ').unwrap_or(&part.text);
        assert!(whole.text.starts_with(shown));
        assert_eq!(part.columns as u64 + part.cut, whole.columns as u64);
        assert_eq!((part.pictured, part.removed), (whole.pictured, whole.removed));
    });
}

#[test]
fn lines__split_at_line_feeds__then_as_many_and_the_style_goes_on() {
    for_each_input(|input, columns| {
        let feeds = input.split(|byte| *byte == b'\n').count() - 1;
        let open = usize::from(input.last().is_some_and(|byte| *byte != b'\n'));
        assert_eq!(lines(input, columns).count(), feeds + open);
    });
    let styled = all(b"\x1b[1;32ma\nb\x1b[0mc\nd");
    let words: Vec<Vec<String>> =
        styled.iter().map(|safe| safe.spans.iter().map(|span| span.style.words()).collect()).collect();
    assert_eq!(words, [vec!["bold green"], vec!["bold green"], vec![]]);
    assert_eq!((styled[1].spans[0].start, styled[1].spans[0].end), (0, 1));
}

#[test]
fn text__plain_ascii__then_same_with_and_without_a_style() {
    for_each_input(|input, columns| {
        let styled = [b"\x1b[1m", input].concat();
        let (plain, styled) = (line(input, columns), line(&styled, columns));
        assert_eq!(plain.text, styled.text);
        assert_eq!((plain.columns, plain.pictured, plain.cut), (styled.columns, styled.pictured, styled.cut));
    });
}

#[test]
fn controls__each__then_one_picture() {
    for byte in (0..0x20_u8).chain([0x7f]).filter(|byte| *byte != b'\t') {
        let safe = line(&[b'a', byte, b'b'], 80);
        let picture = if byte == 0x7f { '␡' } else { char::from_u32(0x2400 + u32::from(byte)).unwrap() };
        assert_eq!((safe.text, safe.columns, safe.pictured), (format!("a{picture}b"), 3, 1));
    }
    for code in 0x80..=0x9f_u32 {
        let safe = line(format!("a{}b", char::from_u32(code).unwrap()).as_bytes(), 80);
        let picture = if code == 0x85 { '␤' } else { '␦' };
        assert_eq!((safe.text, safe.columns, safe.pictured), (format!("a{picture}b"), 3, 1));
    }
}

#[test]
fn sequences__other_than_sgr__then_readable_without_their_escape() {
    assert_eq!(text(b"\x1b]52;c;cm0=\x07x"), "␛]52;c;cm0=␇x");
    assert_eq!(text(b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\"), "␛]8;;http://x␛\\link␛]8;;␛\\");
    assert_eq!(text(b"\x1bP1q\x1b\\\x1b_a\x1b\\\x1b^b\x1b\\\x1bXc\x1b\\"), "␛P1q␛\\␛_a␛\\␛^b␛\\␛Xc␛\\");
    assert_eq!(text(b"\x1b[2J\x1b[?25l\x1b[>4;2m\x1b[1 m"), "␛[2J␛[?25l␛[>4;2m␛[1 m");
    assert_eq!(text("\u{9b}31mx\u{9d}0;t\u{9c}"), "␦31mx␦0;t␦");
    assert_eq!(text(b"\x9b31m"), "\u{fffd}31m");
    assert_eq!(text(b"\x1b[2Kx"), "␛[2Kx");
    assert_eq!(texts(b"\x1b[2Kx\n\x1b[K"), ["␛[2Kx", "␛[K"]);
}

#[test]
fn sequences__unfinished__then_nothing_after_them_is_swallowed() {
    assert_eq!(texts(b"\x1b]0;never ends\nnext"), ["␛]0;never ends", "next"]);
    assert_eq!(texts(b"\x1b[31\nnext"), ["␛[31", "next"]);
    assert_eq!(texts(b"\x1b\n\x1b["), ["␛", "␛["]);
}

#[test]
fn invisible__each__then_a_picture() {
    assert_eq!(text("a\u{202e}b\u{2069}c\u{200f}"), "a⇄b⇄c⇄");
    assert_eq!(text("a\u{200b}\u{200d}\u{feff}\u{ad}\u{2060}b"), "a␢␢␢␢␢b");
    assert_eq!(text("\u{e0041}\u{e007f}"), "␢␢");
    assert_eq!(text("a\u{2028}b\u{2029}"), "a␤b␤");
    assert_eq!(text("\u{fdd0}\u{ffff}\u{10ffff}"), "\u{fffd}\u{fffd}\u{fffd}");
    assert_eq!(text("\u{115f}\u{3164}\u{34f}"), "␢␢␢");
}

#[test]
fn broken_utf8__each__then_a_picture() {
    assert_eq!(text(b"a\xffb\xc3"), "a\u{fffd}b\u{fffd}");
    assert_eq!(text(b"\xe2\x82x"), "\u{fffd}x");
    assert_eq!(text(b"\xed\xa0\x80x"), "\u{fffd}x");
    assert_eq!(line(b"\xc0\xaf", 80).pictured, 2);
    let own = line("\u{fffd}".as_bytes(), 80);
    assert_eq!((own.text.as_str(), own.pictured), ("\u{fffd}", 0));
}

#[test]
fn marks__on_a_character__then_kept_but_no_flood() {
    assert_eq!(text("e\u{301}x"), "e\u{301}x");
    assert_eq!(text("e\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}"), "e\u{301}\u{302}\u{303}\u{304}◌◌");
    assert_eq!(text("\u{301}a"), "◌a");
    assert_eq!(text(" \u{301}"), " ◌");
    assert_eq!(text("\u{200b}\u{301}"), "␢◌");
    assert_eq!(text("\u{1100}\u{1161}\u{11a8}"), "\u{1100}\u{1161}\u{11a8}");
    assert_eq!(text("हिन्दी ไทย עִבְרִית"), "हिन्दी ไทย עִבְרִית");
}

#[test]
fn selectors__in_place__then_left_out_else_a_picture() {
    let heart = line("❤\u{fe0f}".as_bytes(), 80);
    assert_eq!((heart.text.as_str(), heart.columns, heart.removed, heart.pictured), ("❤", 1, 1, 0));
    assert_eq!(text("1\u{fe0f}\u{20e3}"), "1◌");
    assert_eq!(text("a\u{fe0f}"), "a␢");
    assert_eq!(text("❤\u{fe0f}\u{fe0f}"), "❤␢");
    assert_eq!(text("葛\u{e0100}\u{e0100}"), "葛␢");
    assert_eq!(text("👍🏽 🏽"), "👍 ␢");
    assert_eq!(text("👍🏽🏽"), "👍␢");
    assert_eq!(text("👍\u{fe0f}🏽"), "👍␢");
    assert_eq!(text("🇩🇪"), "🄳🄴");
    assert_eq!(text("👩\u{200d}💻"), "👩␢💻");
}

#[test]
fn tabs__then_spaces_to_the_next_stop() {
    assert_eq!(text(b"a\tb"), "a       b");
    assert_eq!(text("漢\tb"), "漢      b");
    assert_eq!(line(b"\t\t", 10).columns, 10);
    assert_eq!(line(b"\t\t", 10).cut, 6);
}

#[test]
fn carriage_return__in_output__then_the_last_writing_wins() {
    let bar = &all(b" 10%\r 20%\r100% done\n")[0];
    assert_eq!((bar.text.as_str(), bar.overwritten), ("100% done", 8));
    assert_eq!(texts(b"long line\rshort"), ["shortline"]);
    assert_eq!(texts(b"1/2\x1b[2K\r2/2\r\x1b[Kdone"), ["done"]);
    assert_eq!(texts(b"a\r\nb\r\n"), ["a", "b"]);
    assert_eq!(texts("漢字\rx".as_bytes()), ["x 字"]);
    assert_eq!(texts("ab漢\rx字".as_bytes()), ["x字 "]);
    assert_eq!(texts("a漢b\rxyz".as_bytes()), ["xyzb"]);
    assert_eq!(texts("漢漢\rx字".as_bytes()), ["x字 "]);
    assert_eq!(texts("ab\r\tc".as_bytes()), ["ab      c"]);
    assert_eq!(texts("e\r\u{301}".as_bytes()), ["◌"]);
}

#[test]
fn carriage_return__in_a_name__then_a_picture() {
    assert_eq!(text(b"evil\rgood\nx"), "evil␍good␊x");
}

#[test]
fn cut__at_the_last_column__then_counted() {
    let safe = line(&[b'x'; 5000], 4096);
    assert_eq!((safe.columns, safe.cut), (4096, 904));
    let wide = line("漢漢漢".as_bytes(), 5);
    assert_eq!((wide.text.as_str(), wide.columns, wide.cut), ("漢漢 ", 5, 1));
    let marked = line("abe\u{301}\u{302}".as_bytes(), 2);
    assert_eq!((marked.text.as_str(), marked.cut, marked.pictured), ("ab", 1, 0));
    let late = line(b"abc\x1b[2J\x07", 2);
    assert_eq!((late.text.as_str(), late.pictured), ("ab", 2));
    let style = &all(b"abcdef\x1b[31m\nred")[1];
    assert_eq!(style.spans[0].style.words(), "red");
    assert_eq!(line(b"abc", 0).text, "a");
    assert_eq!(line(&vec![b'x'; MAX_COLUMNS + 1], usize::MAX).columns, MAX_COLUMNS);
}

#[test]
fn spans__of_nested_styles__then_in_characters_of_the_text() {
    let safe = line("\x1b[31mrö\x1b[1mt\x1b[0m x\u{301}\x1b[44my".as_bytes(), 80);
    let spans: Vec<_> = safe.spans.iter().map(|span| (span.start, span.end, span.style.words())).collect();
    assert_eq!(spans, [(0, 2, "red".into()), (2, 3, "bold red".into()), (6, 7, "on blue".into())]);
}
