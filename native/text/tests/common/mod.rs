//! What the property and torture tests share: hostile input by a seed, and the rules that every output must keep
//! whatever went in.

use tracekit_text::{MAX_COLUMNS, Safe, width};
use tracekit_torment::Random;

/// Text that real attacks, terminals and scripts are made of; mutations start from these.
pub(crate) const CORPUS: [&[u8]; 46] = [
    b"plain text, nothing to see",
    b"\x1b[31mred\x1b[0m and \x1b[1;38;5;208morange\x1b[22;39m",
    b"\x1b[38;2;1;2;3;48;2;4;5;6mtrue\x1b[m",
    b"\x1b[38:2::1:2:3;4:3;58:5:9mcolons\x1b[4:0m",
    b"\x1b]52;c;cm0gLXJmIH4=\x07clipboard",
    b"\x1b]0;title\x1b\\ \x1b]2;title\x07",
    b"\x1b]8;;file:///etc/passwd\x1b\\link\x1b]8;;\x1b\\",
    b"\x1bP+q544e\x1b\\ \x1bP1000p\x1b\\ \x1b_G payload\x1b\\ \x1b^pm\x1b\\ \x1bXsos\x1b\\",
    b"\x1b[2J\x1b[H\x1b[3J\x1bc\x1b[!p",
    b"\x1b[6n\x1b[c\x1b[>c\x1b[21t\x1b]10;?\x07\x05",
    b"\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?2004h",
    b"\x9b31mraw c1\x9d0;title\x9c\x90q\x9c",
    "\u{9b}31mC1\u{9d}0;title\u{9c}\u{90}q\u{9c}\u{85}".as_bytes(),
    b"\x1b[31",
    b"\x1b",
    b"\x1b[",
    b"\x1b]52;c;",
    b"\x1bP",
    b"\x1b[111111111111111111111111111111111111111111111111111111111111111111111111111111111111m",
    b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x18\x1a\x1c\x1f\x7f",
    b"a\tb\tc\n\t\td\r\n",
    b" 10%\r 20%\r100%\rdone",
    b"\x1b[2K\r1/2\x1b[2K\r2/2\r\x1b[Kdone\n",
    "wide 漢字 over\rx\r漢".as_bytes(),
    "\u{202e}gnp.exe\u{202c} \u{2066}x\u{2069} \u{61c}\u{200e}\u{200f}".as_bytes(),
    "zero\u{200b}width\u{200d}joi\u{2060}ner\u{feff}\u{ad}\u{34f}\u{180e}".as_bytes(),
    "\u{2028}\u{2029}".as_bytes(),
    "\u{e0041}\u{e0042}\u{e007f}\u{e0001}".as_bytes(),
    "\u{fdd0}\u{fffe}\u{ffff}\u{1ffff}\u{10ffff}".as_bytes(),
    b"\xed\xa0\x80\xed\xbf\xbf\xed\xa0",
    b"\xff\xfe\xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf\xf8\x88\x80\x80\x80",
    b"\xe2\x82\xf0\x9f\x98\xc3",
    "e\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}".as_bytes(),
    "\u{301}\u{302} \u{303}\u{20dd}".as_bytes(),
    "Z\u{351}\u{36b}\u{343}\u{32a}\u{302}a\u{36d}\u{367}l\u{344}g\u{347}o\u{310}".as_bytes(),
    "👨\u{200d}👩\u{200d}👧 👍🏽 🏽 🇩🇪 🇩 1\u{fe0f}\u{20e3} ❤\u{fe0f} a\u{fe0f} \u{fe0f}".as_bytes(),
    "葛\u{e0100}\u{e0101} a\u{e0100}".as_bytes(),
    "각 \u{1100}\u{1161}\u{11a8} \u{1161} \u{115f}\u{1160}\u{3164}\u{ffa0}".as_bytes(),
    "हिन्दी ภาษาไทย עִבְרִית العربية ខ្មែរ".as_bytes(),
    "┌─┐│█▓▒░└─┘ ✓✗▶⊘⠹ \u{e0b0}\u{f121}".as_bytes(),
    "\u{2e3b}\u{fdfa}\u{12031}\u{1f9ff}\u{1fadf}".as_bytes(),
    b"\x1b(0lqk\x1b(B\x0e\x0f\x1bN\x1bO\x1b#8",
    b"\x1b[31;41mhidden\x1b[8mconceal\x1b[5mblink",
    b"[bold]markup[/nope] foo[a-1] \\[x] :smile: {0} %s",
    b"\r\r\r\n\r\n\n\x0b\x0c\x1e",
    "\u{13430}\u{1d173}\u{fff9}a\u{fffa}b\u{fffb}\u{600}\u{70f}".as_bytes(),
];

fn byte(random: &mut Random) -> u8 {
    random.draw().to_le_bytes()[7]
}

/// Puts a mutated input into `out`: pieces of the corpus joined, then bytes flipped, cut, doubled and put in.
pub(crate) fn mutate(random: &mut Random, out: &mut Vec<u8>) {
    out.clear();
    for _ in 0..=random.below(3) {
        let piece = CORPUS[random.below(CORPUS.len())];
        let start = if random.below(4) == 0 { random.below(piece.len()) } else { 0 };
        out.extend_from_slice(&piece[start..]);
    }
    for _ in 0..random.below(6) {
        let at = random.below(out.len() + 1);
        match random.below(8) {
            0 if at < out.len() => out[at] = byte(random),
            1 if at < out.len() => out[at] ^= 1 << random.below(8),
            2 => out.insert(at, byte(random)),
            3 if at < out.len() => drop(out.remove(at)),
            4 => out.truncate(at),
            5 => {
                let end = (at + random.below(12)).min(out.len());
                let piece = out[at..end].to_vec();
                for _ in 0..random.below(40) {
                    out.extend_from_slice(&piece);
                }
            }
            6 => {
                let code = u32::try_from(random.below(0x11_0000)).unwrap_or(0);
                let mut buffer = [0; 4];
                let bytes = char::from_u32(code).unwrap_or('\u{fffd}').encode_utf8(&mut buffer).len();
                out.splice(at..at, buffer[..bytes].iter().copied());
            }
            _ => {
                let control = [0x1b, b'[', b']', b'm', b'\r', b'\n', b'\t', 0x9b, 0xcc, 0x80, 0xef, 0xb8, 0x8f];
                out.insert(at, control[random.below(control.len())]);
            }
        }
    }
}

/// The grammar of what comes out: printable cells only, counts that add up, spans in order inside the text.
pub(crate) fn check(safe: &Safe, max_columns: usize) {
    let mut columns = 0;
    let mut marks = 0;
    let mut characters = 0;
    for c in safe.text.chars() {
        let cells = width(c).expect("only printable characters are shown");
        assert!(!c.is_control());
        marks = if cells == 0 { marks + 1 } else { 0 };
        assert!(marks <= 4, "a flood of marks");
        assert!(cells > 0 || characters > 0, "a mark with nothing to stand on");
        columns += cells;
        characters += 1;
    }
    assert_eq!(columns, safe.columns);
    assert!(columns <= max_columns.clamp(1, MAX_COLUMNS));
    assert!(safe.cut == 0 || columns == max_columns.clamp(1, MAX_COLUMNS), "cut before the last column");
    let mut before = 0;
    for span in &safe.spans {
        assert!(before <= span.start && span.start < span.end && span.end <= characters);
        assert!(!span.style.is_plain() && !span.style.words().is_empty());
        before = span.end;
    }
}
