//! Files of ended runs as Zstandard and back. One file is one frame, which says how long the file was and carries a
//! checksum of it. Bytes come in and go out in pieces, so that whoever calls keeps files, faults of the disk and
//! memory in hand; a frame that asks for more memory than ours do is refused.
//!
//! ```
//! use tracekit_packing::{Packer, Unpacker, packed_size};
//!
//! let mut packer = Packer::new(5)?;
//! let mut frame = packer.pack(b"hello")?;
//! frame.extend(packer.finish()?);
//! assert_eq!(packed_size(&frame), Some(5));
//!
//! let mut unpacker = Unpacker::new()?;
//! assert_eq!(unpacker.unpack(&frame, 1 << 20)?, b"hello");
//! assert!(unpacker.done());
//! # Ok::<(), std::io::Error>(())
//! ```

use std::io::{Error, Result};

use zstd::stream::raw::{Decoder, Encoder, InBuffer, Operation, OutBuffer};
use zstd::zstd_safe;

/// Lines and output shrink to a tenth or less at this level, at hundreds of megabytes a second.
const LEVEL: i32 = 3;

/// The base-two logarithm of the most bytes that a frame may refer back to: four times what ours do.
const MOST_WINDOW: u32 = 23;

/// What is made room for at a time.
const PIECE: usize = 128 * 1024;

/// As many bytes as tell the length of what is packed.
pub const HEAD: usize = 18;

/// The length of the file that a frame holds, by its first [`HEAD`] bytes; `None` where they do not say.
pub fn packed_size(head: &[u8]) -> Option<u64> {
    zstd_safe::get_frame_content_size(head).ok().flatten()
}

/// Packs one file.
pub struct Packer {
    encoder: Encoder<'static>,
}

impl Packer {
    /// For a file of exactly `size` bytes.
    ///
    /// # Errors
    ///
    /// Where there is no memory for it.
    pub fn new(size: u64) -> Result<Self> {
        let mut encoder = Encoder::new(LEVEL)?;
        encoder.set_parameter(zstd_safe::CParameter::ChecksumFlag(true))?;
        encoder.set_pledged_src_size(Some(size))?;
        Ok(Self { encoder })
    }

    /// Takes a piece of the file; gives what is ready of the frame.
    ///
    /// # Errors
    ///
    /// Where more comes than was said.
    pub fn pack(&mut self, data: &[u8]) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut input = InBuffer::around(data);
        while input.pos < data.len() {
            grown(&mut out, usize::MAX, |room| self.encoder.run(&mut input, room).map(|_| ()))?;
        }
        Ok(out)
    }

    /// The end of the frame.
    ///
    /// # Errors
    ///
    /// Where less came than was said.
    pub fn finish(&mut self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut left = usize::MAX;
        while left > 0 {
            grown(&mut out, usize::MAX, |room| {
                left = self.encoder.finish(room, true)?;
                Ok(())
            })?;
        }
        Ok(out)
    }
}

/// Unpacks one frame.
pub struct Unpacker {
    decoder: Decoder<'static>,
    waiting: Vec<u8>,
    at: usize,
    full: bool,
    done: bool,
}

impl Unpacker {
    /// For one frame from its first byte on.
    ///
    /// # Errors
    ///
    /// Where there is no memory for it.
    pub fn new() -> Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(zstd_safe::DParameter::WindowLogMax(MOST_WINDOW))?;
        Ok(Self { decoder, waiting: Vec::new(), at: 0, full: false, done: false })
    }

    /// Takes a piece of the frame; gives at most `most` bytes of the file. What that leaves is given when asked again.
    ///
    /// # Errors
    ///
    /// Where the frame is damaged, or something follows it.
    pub fn unpack(&mut self, data: &[u8], most: usize) -> Result<Vec<u8>> {
        self.waiting.drain(..self.at);
        self.at = 0;
        self.waiting.extend_from_slice(data);
        let mut out = Vec::new();
        self.full = false;
        while !self.done && out.len() < most {
            let mut input = InBuffer::around(&self.waiting[self.at..]);
            let before = out.len();
            let mut hint = 1;
            grown(&mut out, most, |room| {
                hint = self.decoder.run(&mut input, room)?;
                Ok(())
            })?;
            let taken = input.pos;
            self.at += taken;
            self.done = hint == 0;
            if taken == 0 && out.len() == before {
                break;
            }
        }
        self.full = out.len() >= most;
        if self.done && self.at < self.waiting.len() {
            return Err(Error::other("something follows its end"));
        }
        Ok(out)
    }

    /// Whether it can go on only with more of the frame.
    pub fn hungry(&self) -> bool {
        !self.done && !self.full
    }

    /// Whether the frame has ended, and its checksum is right.
    pub fn done(&self) -> bool {
        self.done
    }
}

/// Has `work` write behind what is in `out`, with room for a piece and at most up to `most`.
fn grown(out: &mut Vec<u8>, most: usize, mut work: impl FnMut(&mut OutBuffer<'_, [u8]>) -> Result<()>) -> Result<()> {
    let start = out.len();
    out.resize(start.saturating_add(PIECE).min(most), 0);
    let mut room = OutBuffer::around(&mut out[start..]);
    let told = work(&mut room);
    let written = room.pos();
    out.truncate(start + written);
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> Vec<u8> {
        (0..count).flat_map(|n| format!("{{\"v\":1,\"n\":{n},\"e\":\"attempt.ended\"}}\n").into_bytes()).collect()
    }

    fn packed(data: &[u8], piece: usize) -> Vec<u8> {
        let mut packer = Packer::new(data.len() as u64).expect("memory");
        let mut frame = Vec::new();
        for part in data.chunks(piece) {
            frame.extend(packer.pack(part).expect("packed"));
        }
        frame.extend(packer.finish().expect("finished"));
        frame
    }

    fn unpacked(frame: &[u8], piece: usize, most: usize) -> Result<(Vec<u8>, bool)> {
        let mut unpacker = Unpacker::new()?;
        let mut parts = frame.chunks(piece);
        let mut data = Vec::new();
        loop {
            let part = if unpacker.hungry() { parts.next() } else { Some(&[][..]) };
            let Some(part) = part else { break };
            let got = unpacker.unpack(part, most)?;
            assert!(got.len() <= most);
            data.extend(got);
            if unpacker.done() && parts.len() == 0 {
                break;
            }
        }
        Ok((data, unpacker.done()))
    }

    #[test]
    fn pack__any_pieces__then_the_same_comes_back_in_any_other() {
        for data in [Vec::new(), b"x".to_vec(), lines(20_000), vec![0; 3 << 20]] {
            for piece in [1 << 16, 1 << 20] {
                let frame = packed(&data, piece);
                assert_eq!(packed_size(&frame[..HEAD.min(frame.len())]), Some(data.len() as u64));
                for (piece, most) in [(777, 1 << 20), (1 << 16, 4096), (frame.len(), usize::MAX)] {
                    let got = unpacked(&frame, piece, most).expect("whole");
                    assert!(got == (data.clone(), true), "{} in {piece} of {most}", data.len());
                }
            }
        }
    }

    #[test]
    fn pack__other_length_than_was_said__then_refused() {
        let mut packer = Packer::new(3).expect("memory");
        assert!(packer.pack(b"four").and_then(|_| packer.finish()).is_err());
        let mut packer = Packer::new(3).expect("memory");
        assert!(packer.pack(b"2x").and_then(|_| packer.finish()).is_err());
    }

    #[test]
    fn unpack__cut_anywhere__then_never_done() {
        let frame = packed(&lines(50), 1 << 16);
        for end in 0..frame.len() {
            assert!(!unpacked(&frame[..end], 64, 1 << 16).is_ok_and(|(_, done)| done), "cut at {end}");
        }
    }

    #[test]
    fn unpack__any_byte_changed__then_refused_or_the_same() {
        let data = lines(50);
        let frame = packed(&data, 1 << 16);
        for at in 0..frame.len() {
            let mut other = frame.clone();
            other[at] ^= 0x10;
            if let Ok((got, true)) = unpacked(&other, 1 << 16, 1 << 20) {
                assert_eq!(got, data, "changed at {at}");
            }
        }
    }

    #[test]
    fn unpack__something_behind_the_end__then_refused() {
        let mut frame = packed(b"hello", 5);
        frame.push(0);
        assert!(unpacked(&frame, 1 << 16, 1 << 16).is_err());
    }

    #[test]
    fn unpack__asks_for_a_large_window__then_refused() {
        let mut encoder = Encoder::new(1).expect("memory");
        encoder.set_parameter(zstd_safe::CParameter::WindowLog(27)).expect("known");
        let mut out = vec![0; 1 << 16];
        let mut room = OutBuffer::around(&mut out[..]);
        encoder.run(&mut InBuffer::around(b"x"), &mut room).expect("room");
        encoder.finish(&mut room, true).expect("room");
        let end = room.pos();
        assert!(unpacked(&out[..end], 1 << 16, 1 << 16).is_err());
    }
}
