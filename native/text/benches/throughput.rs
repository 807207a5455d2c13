//! How fast the sanitiser is on kinds of output, beside the standard library's lossy decoding of the same bytes.

use std::hint::black_box;
use std::time::{Duration, Instant};

const BYTES: usize = 16 << 20;
const ROUNDS: usize = 5;

fn fastest(mut work: impl FnMut()) -> Duration {
    (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .min()
        .unwrap_or_default()
}

#[allow(clippy::cast_precision_loss)] // a figure for people
fn rate(bytes: usize, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64()
}

fn main() {
    let kinds: [(&str, &str); 5] = [
        ("plain", "2026-01-01T00:00:00.000 INFO server: accepted a connection from 10.0.0.1:52044\n"),
        ("styled", "\x1b[32mINFO\x1b[0m \x1b[1;34mserver\x1b[0m: accepted a connection from 10.0.0.1\n"),
        ("progress", " 10% ██░░░░░░░░\r 20% ████░░░░░░\r100% ██████████ done\n"),
        ("scripts", "日本語のログ: Привет, мир — हिन्दी ✓ 42 ms\n"),
        ("hostile", "\x1b]52;c;cm0=\x07\u{202e}x\u{200b}e\u{301}\u{301}\u{9b}2J\x1b[2J\u{fe0f}\n"),
    ];
    for (name, pattern) in kinds {
        let input = pattern.as_bytes().repeat(BYTES / pattern.len());
        let ours = fastest(|| tracekit_text::lines(&input, 4096).for_each(|safe| drop(black_box(safe))));
        let reference = fastest(|| {
            input
                .split(|byte| *byte == b'\n')
                .for_each(|line| drop(black_box(String::from_utf8_lossy(line).into_owned())));
        });
        println!(
            "text.{name} value={:.0} unit=MB/s reference={:.0}",
            rate(input.len(), ours),
            rate(input.len(), reference)
        );
    }
}
