//! The outline of an ISO base media file (mp4, mov, m4a, heic): which boxes it has and in what order, without reading
//! the media itself. ffprobe does not tell whether an mp4 can start before it is loaded whole, nor that its end is missing.
//!
//! Source: ISO/IEC 14496-12, 4.2 (boxes), 8.1–8.4 (`mdat`, `moov`, `trak`, `hdlr`).

use std::io::{self, Read, Seek, SeekFrom};

/// More boxes at one level than any sane file has; the rest is not looked at.
const MAX_BOXES: usize = 4096;

/// What the outline tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::media) struct Outline {
    /// The major brand, then the compatible ones.
    pub brands: Vec<[u8; 4]>,
    /// Whether there is an index (`moov`) at all.
    pub indexed: bool,
    /// Whether the index comes before the media, so that a player can start at once.
    pub faststart: bool,
    /// Whether the media comes in fragments (`moof`), as DASH serves it.
    pub fragmented: bool,
    /// Whether a box says it is longer than the file.
    pub truncated: bool,
    /// Whether a track's handler is `vide`.
    pub video: bool,
    /// Whether a track's handler is `soun`.
    pub audio: bool,
}

struct BoxHeader {
    kind: [u8; 4],
    /// Where its content begins.
    from: u64,
    /// Where it says that it ends.
    to: u64,
}

/// Reads the outline of a file of `len` bytes.
pub(in crate::media) fn outline(file: &mut (impl Read + Seek), len: u64) -> io::Result<Outline> {
    let mut found = Outline::default();
    let mut media_seen = false;
    let mut at = 0;
    for _ in 0..MAX_BOXES {
        let Some(header) = header(file, at, len)? else { break };
        found.truncated |= header.to > len;
        match &header.kind {
            b"ftyp" => found.brands = brands(file, &header)?,
            b"moov" => {
                found.indexed = true;
                found.faststart = !media_seen;
                movie(file, &header, len, &mut found)?;
            }
            b"mdat" => media_seen = true,
            b"moof" => found.fragmented = true,
            _ => {}
        }
        at = header.to;
    }
    Ok(found)
}

/// The header of the box at `at`, if there is one before `end`.
fn header(file: &mut (impl Read + Seek), at: u64, end: u64) -> io::Result<Option<BoxHeader>> {
    if at.saturating_add(8) > end {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(at))?;
    let mut head = [0; 8];
    file.read_exact(&mut head)?;
    let [a, b, c, d, kind @ ..] = head;
    let (from, size) = match u32::from_be_bytes([a, b, c, d]) {
        // To the end of what holds it.
        0 => (at + 8, end - at),
        1 => {
            if at.saturating_add(16) > end {
                return Ok(None);
            }
            let mut wide = [0; 8];
            file.read_exact(&mut wide)?;
            (at + 16, u64::from_be_bytes(wide))
        }
        size => (at + 8, u64::from(size)),
    };
    let to = at.saturating_add(size);
    // A box smaller than its own header would make us go round in circles.
    Ok((to >= from).then_some(BoxHeader { kind, from, to }))
}

fn brands(file: &mut (impl Read + Seek), header: &BoxHeader) -> io::Result<Vec<[u8; 4]>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(header.from))?;
    file.take((header.to - header.from).min(256)).read_to_end(&mut bytes)?;
    let (brands, _) = bytes.as_chunks::<4>();
    // The second word is the minor version.
    Ok(brands.iter().enumerate().filter(|(index, _)| *index != 1).map(|(_, brand)| *brand).collect())
}

/// `moov/trak/mdia/hdlr`.
fn movie(file: &mut (impl Read + Seek), movie: &BoxHeader, len: u64, found: &mut Outline) -> io::Result<()> {
    for track in children(file, movie, len, b"trak")? {
        for media in children(file, &track, len, b"mdia")? {
            for handler in children(file, &media, len, b"hdlr")? {
                let mut bytes = [0; 12];
                file.seek(SeekFrom::Start(handler.from))?;
                if file.read_exact(&mut bytes).is_ok() {
                    found.video |= bytes.ends_with(b"vide");
                    found.audio |= bytes.ends_with(b"soun");
                }
            }
        }
    }
    Ok(())
}

fn children(file: &mut (impl Read + Seek), parent: &BoxHeader, len: u64, kind: &[u8; 4]) -> io::Result<Vec<BoxHeader>> {
    let end = parent.to.min(len);
    let mut found = Vec::new();
    let mut at = parent.from;
    for _ in 0..MAX_BOXES {
        let Some(header) = header(file, at, end)? else { break };
        at = header.to;
        if header.kind == *kind {
            found.push(header);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(content.len() + 8).unwrap().to_be_bytes().to_vec();
        bytes.extend_from_slice(kind);
        bytes.extend_from_slice(content);
        bytes
    }

    fn movie_of(handler: &[u8; 4]) -> Vec<u8> {
        let mut hdlr = vec![0; 8];
        hdlr.extend_from_slice(handler);
        hdlr.extend_from_slice(&[0; 12]);
        boxed(b"moov", &boxed(b"trak", &boxed(b"mdia", &boxed(b"hdlr", &hdlr))))
    }

    fn read(bytes: &[u8]) -> Outline {
        outline(&mut Cursor::new(bytes), bytes.len() as u64).unwrap()
    }

    #[test]
    fn order_handlers_and_brands_are_read() {
        let ftyp = boxed(b"ftyp", b"isom\0\0\x02\0isomavc1");
        let front = [ftyp.clone(), movie_of(b"vide"), boxed(b"mdat", b"....")].concat();
        let outline = read(&front);
        assert!(outline.faststart && outline.indexed && outline.video && !outline.audio && !outline.truncated);
        assert_eq!(outline.brands, [*b"isom", *b"isom", *b"avc1"]);
        let back = [ftyp, boxed(b"mdat", b"...."), movie_of(b"soun")].concat();
        let outline = read(&back);
        assert!(!outline.faststart && outline.indexed && outline.audio && !outline.video);
    }

    #[test]
    fn a_cut_file_and_fragments_are_noticed() {
        let whole = [movie_of(b"vide"), boxed(b"mdat", &[7; 100])].concat();
        assert!(read(&whole[..whole.len() - 1]).truncated);
        assert!(!read(&whole).truncated);
        assert!(read(&[movie_of(b"vide"), boxed(b"moof", b"")].concat()).fragmented);
    }

    #[test]
    fn nonsense_ends() {
        for bytes in [&b""[..], b"1234567", &[0; 64], b"\0\0\0\x01moov\0\0", b"\0\0\0\x04moov1234", &[0xff; 64]] {
            let outline = read(bytes);
            assert!(!outline.video && !outline.faststart, "{bytes:?}: {outline:?}");
        }
        // A 64-bit size that would wrap around.
        let mut huge = b"\0\0\0\x01mdat".to_vec();
        huge.extend_from_slice(&u64::MAX.to_be_bytes());
        assert!(read(&huge).truncated);
    }
}
