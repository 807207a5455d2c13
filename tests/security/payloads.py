"""Text that means harm to a terminal: 42 payloads, as bytes, each with the name of what it tries.

They are put wherever outside text is shown. None of them may reach a terminal as anything but visible text.
"""

from __future__ import annotations

from tests.support.journals import Journal, frame, raised

PAYLOADS: tuple[tuple[str, bytes], ...] = (
    ("osc52-clipboard-bel", b"\x1b]52;c;cm0gLXJmIH4=\x07"),
    ("osc52-clipboard-st", b"\x1b]52;c;cm0gLXJmIH4=\x1b\\"),
    ("osc0-title", b"\x1b]0;owned\x07"),
    ("osc2-title-c1", b"\x9d2;owned\x9c"),
    ("osc8-link", b"\x1b]8;;file:///etc/passwd\x1b\\click\x1b]8;;\x1b\\"),
    ("osc4-palette", b"\x1b]4;1;rgb:00/00/00\x07"),
    ("osc-unterminated", b"\x1b]0;never ends"),
    ("osc9-notify", b"\x1b]9;hello\x07\x1b]777;notify;a;b\x07"),
    ("osc1337-file", b"\x1b]1337;File=name=eA==;inline=1:eA==\x07"),
    ("dcs-decrqss", b'\x1bP$q"p\x1b\\'),
    ("dcs-sixel", b"\x1bPq#0;2;0;0;0#0~~@@vv\x1b\\"),
    ("dcs-tmux-passthrough", b"\x1bPtmux;\x1b\x1b]52;c;eA==\x07\x1b\\"),
    ("apc-kitty", b"\x1b_Gf=100,a=T;AAAA\x1b\\"),
    ("pm-and-sos", b"\x1b^private\x1b\\\x1bXstring\x1b\\"),
    ("csi-clear", b"\x1b[2J\x1b[3J\x1b[H"),
    ("csi-cursor", b"\x1b[999;999H\x1b[5A\x1b[6n"),
    ("csi-modes", b"\x1b[?1049l\x1b[?25l\x1b[?1000h\x1b[?2004l"),
    ("csi-device-attributes", b"\x1b[c\x1b[>c\x1b[=c\x1b[0x"),
    ("csi-window-ops", b"\x1b[8;1;1t\x1b[21t\x1b[20t"),
    ("csi-insert-delete", b"\x1b[4h\x1b[100L\x1b[100M\x1b[100P"),
    ("csi-unfinished", b"\x1b[38;2;"),
    ("csi-c1", b"\x9b2J\x9b31m"),
    ("c1-as-utf8", "\u009b2J\u009d0;x\u009c\u0090q\u009c\u0085\u0084".encode()),
    ("reset", b"\x1bc\x1b[!p\x1b#8"),
    ("charset-shift", b"\x1b(0lqqk\x0e\x0f\x1bn\x1bo\x1b*0"),
    ("bells-and-backspaces", b"\x07\x07\x07safe\x08\x08\x08\x08evil\x7f\x7f"),
    ("carriage-return-rewrite", b"FAILED\rPASSED\r\n\x0b\x0c"),
    ("nul-and-c0", bytes(range(32)) + b"\x7f"),
    ("answerback", b"\x05\x05"),
    ("bidi-override", "user\u202e\u2066 } \u2069\u2066if admin\u2069 \u202c\u200f\u061c".encode()),
    ("bidi-isolates", "\u2067abc\u2069\u2068def\u2069\u202aghi\u202b".encode()),
    ("zero-width", "a\u200bb\u200cc\u200dd\ufeffe\u2060f\u00adg\u180eh".encode()),
    ("tag-characters", "x\U000e0041\U000e0042\U000e007f\U000e0001".encode()),
    ("line-separators", "one\u2028two\u2029three\u0085four".encode()),
    ("combining-flood", ("a" + "\u0301\u0336\u20dd" * 400 + "b").encode()),
    ("wide-and-emoji", "漢字仮名👩‍👩‍👧‍👦🏳️‍🌈👍🏽ﷺ\u115f\u3164\uffa0".encode()),
    ("noncharacters", "\ufffe\uffff\ufdd0\U0001ffff\ufff9\ufffa\ufffb".encode()),
    ("invalid-utf8", b"\xff\xfe\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82"),
    (
        "markup",
        b"test[/nope] [bold red]x[/] [@click=app.quit()]y[/] [link=https://x.invalid]z[/link] $text %s",
    ),
    ("format-strings", b"{0.__class__.__mro__} {} {x!r:>99999999} %s%s%n %(x)s ${HOME} `id`"),
    ("very-long", b"A" * 70_000 + b"\x1b[2J" + "漢".encode() * 5_000),
    ("sgr-flood", b"\x1b[1;5;7;8;38;2;1;2;3;48;5;9m" * 300 + b"text\x1b[0m\x1b[31mred"),
)


def as_text(payload: bytes) -> str:
    """A payload as a name that a journal can carry: what is no UTF-8 becomes lone surrogates."""
    return payload.decode("utf-8", "surrogateescape")


def hostile_journal(payload: bytes) -> Journal:
    """A run in which every field that comes from outside holds the payload."""
    text = as_text(payload)
    journal = Journal(root=f"/srv/{text}")
    journal.start(environment=text, suites=(text,))
    file = f"{text}.py"
    first = journal.found(
        file, text, f"{text}[{text}]", line=3, doc=f"{text}\n{text}", tags=[text], suite=text
    )
    second = journal.found(file, text, f"{text}[other]", line=3, suite=text)
    third = journal.found("plain.py", "test_plain")
    journal.prints(payload + b"\n")
    journal.line(
        "runner.failed_to_start",
        suite=text,
        command=[text, text],
        exit=1,
        signal=None,
        stderr=text,
        remedy=text,
        code=text,
    )
    journal.line(
        "discover.failed",
        suite=text,
        file=file,
        message=text,
        remedy=text,
        failure={
            "when": text,
            "cause": "setup",
            "chain": [raised(text, text, [frame(file, 1, text, text)])],
            "text": text,
        },
    )
    journal.line("warning", message=text, category=text, file=file, line=1)
    journal.line("gap", what=text, count=3, why=text)
    journal.begin(first)
    journal.step(first, "fixture:x", "fixture", text, "passed", 5)
    journal.step(first, "step:x", "step", text, "failed", 7)
    for stream in ("stdout", "stderr", "log"):
        journal.prints(payload + b"\n" + payload, first, stream=stream)
    journal.asserts(first, text, text, f"- {text}\n+ {text}\n? {text}", file=file, line=4)
    group = raised(text, text, [])
    journal.fails(
        first,
        [
            {
                **raised(
                    text,
                    f"{text}\n{text}",
                    [{**frame(file, 5, text, text), "locals": {text: text, "name": text}}],
                ),
                "notes": [text],
                "group": [group],
            },
            raised(text, text, [frame(f"/usr/lib/{text}", 6, text, text, own=False)], relation="cause"),
        ],
        text=text,
    )
    below = f"{first} ▸ {text}"
    journal.begin(below, parent=first)
    journal.end(below, "failed", 3, parent=first, reason=text)
    journal.end(first, "failed", 40, cause="assertion", reason=text)
    journal.begin(second)
    journal.end(second, "skipped", 1, reason=text)
    journal.begin(third)
    journal.finish(text, not_run=[third, text], why=text)
    return journal
