//! Takes out of a picture what tells about its origin (place, time, device, comments, thumbnails), without touching a
//! pixel: everything but what is needed to show it is left out, the colour profile stays, and of the EXIF data only the
//! orientation, since clients apply it.
//!
//! Own code, because the crates for this keep what follows a JPEG's end (phones put further pictures and videos there,
//! each with its own location) and know no GIF. Sources: ITU-T T.81 annex B, the PNG specification (third edition)
//! chapters 5 and 11, RFC 9649 (WebP), the GIF89a specification.

use ::image::metadata::Orientation;

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::media) enum Stripped {
    /// There was nothing private in it.
    Clean,
    /// The same picture without.
    Made(Vec<u8>),
    /// It does not hold together: cut short, or no such format.
    Damaged,
}

/// Leaves out of a JPEG, PNG, WebP or GIF what is not needed to show it.
pub(in crate::media) fn strip(bytes: &[u8]) -> Stripped {
    let made = match bytes {
        [0xff, 0xd8, ..] => jpeg(bytes),
        [0x89, b'P', b'N', b'G', ..] => png(bytes),
        [b'R', b'I', b'F', b'F', ..] => webp(bytes),
        [b'G', b'I', b'F', ..] => gif(bytes),
        _ => None,
    };
    match made {
        None => Stripped::Damaged,
        Some(made) if made == bytes => Stripped::Clean,
        Some(made) => Stripped::Made(made),
    }
}

/// EXIF data (a TIFF without pictures) that hold the orientation alone; nothing for upright pictures.
fn minimal_exif(orientation: Orientation) -> Option<[u8; 26]> {
    let mut exif = *b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x01\0\0\0\0\0\0";
    *exif.get_mut(19)? = orientation.to_exif();
    (orientation != Orientation::NoTransforms).then_some(exif)
}

fn orientation(exif: &[u8]) -> Option<Orientation> {
    Orientation::from_exif_chunk(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif))
}

/// Reads bytes in order; `None` at the end of them.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A GIF's data sub-blocks up to their end.
    fn blocks(&mut self) -> Option<()> {
        loop {
            match self.byte()? {
                0 => return Some(()),
                count => self.take(usize::from(count))?,
            };
        }
    }
}

fn jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader { bytes, at: 2 };
    let mut out = Vec::with_capacity(bytes.len());
    out.extend_from_slice(bytes.get(..2)?);
    let (mut turned, mut place) = (None, 2);
    loop {
        let from = reader.at;
        if reader.byte()? != 0xff {
            return None;
        }
        let mut marker = 0xff;
        while marker == 0xff {
            marker = reader.byte()?;
        }
        match marker {
            0xd9 => {
                out.extend_from_slice(&[0xff, 0xd9]);
                break;
            }
            // Markers without content.
            0x01 | 0xd0..=0xd7 => {}
            _ => {
                let length = usize::from(u16::from_be_bytes(reader.array()?)).checked_sub(2)?;
                let content = reader.take(length)?;
                let needed = match marker {
                    0xe0 => content.starts_with(b"JFIF\0"),
                    0xe2 => content.starts_with(b"ICC_PROFILE\0"),
                    // Whether the colours are YCbCr, CMYK or YCCK.
                    0xee => content.starts_with(b"Adobe"),
                    0xe1 => {
                        if content.starts_with(b"Exif\0\0") {
                            turned = turned.or_else(|| orientation(content));
                        }
                        false
                    }
                    0xe3..=0xef | 0xfe => false,
                    _ => true,
                };
                if !needed {
                    continue;
                }
                if marker == 0xda {
                    scan(&mut reader)?;
                }
            }
        }
        out.extend_from_slice(bytes.get(from..reader.at)?);
        if marker == 0xe0 && from == 2 {
            place = out.len();
        }
    }
    if let Some(exif) = turned.and_then(minimal_exif) {
        let segment = [&b"\xff\xe1\0\x22Exif\0\0"[..], &exif].concat();
        out.splice(place..place, segment);
    }
    Some(out)
}

/// The coded data after a scan's header, up to the next marker.
fn scan(reader: &mut Reader<'_>) -> Option<()> {
    loop {
        let rest = reader.bytes.get(reader.at..)?;
        reader.at += rest.iter().position(|&byte| byte == 0xff)?;
        match reader.bytes.get(reader.at + 1)? {
            // A stuffed byte, or a restart marker.
            0 | 0xd0..=0xd7 => reader.at += 2,
            0xff => reader.at += 1,
            _ => return Some(()),
        }
    }
}

/// Chunks that say how to show the picture; all with a capital first letter are critical and stay anyway.
const PNG_KEPT: [&[u8; 4]; 16] = [
    b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"pHYs", b"cICP", b"mDCV", b"cLLI", b"hIST",
    b"sPLT", b"acTL", b"fcTL", b"fdAT",
];

fn png(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader { bytes, at: 8 };
    let mut out = Vec::with_capacity(bytes.len());
    out.extend_from_slice(bytes.get(..8)?);
    let (mut turned, mut place) = (None, None);
    loop {
        let from = reader.at;
        let length = usize::try_from(u32::from_be_bytes(reader.array()?)).ok()?;
        let kind: [u8; 4] = reader.array()?;
        let content = reader.take(length)?;
        reader.take(4)?;
        if kind == *b"eXIf" {
            turned = turned.or_else(|| orientation(content));
        }
        if kind.first().is_some_and(u8::is_ascii_uppercase) || PNG_KEPT.contains(&&kind) {
            out.extend_from_slice(bytes.get(from..reader.at)?);
        }
        // After the header, before any pixels.
        place = place.or(Some(out.len()));
        if kind == *b"IEND" {
            break;
        }
    }
    if let (Some(exif), Some(place)) = (turned.and_then(minimal_exif), place) {
        out.splice(place..place, png_chunk(b"eXIf", &exif));
    }
    Some(out)
}

fn png_chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut crc = crc32fast::Hasher::new();
    crc.update(kind);
    crc.update(content);
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), &kind[..], content, &crc.finalize().to_be_bytes()].concat()
}

/// Flags of the extended header (RFC 9649, 2.7).
const WEBP_EXIF: u8 = 0x08;
const WEBP_XMP: u8 = 0x04;
const WEBP_ALPHA: u8 = 0x10;
const WEBP_PROFILE: u8 = 0x20;

fn webp(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader { bytes, at: 4 };
    let length = usize::try_from(u32::from_le_bytes(reader.array()?)).ok()?;
    if reader.take(4)? != b"WEBP" {
        return None;
    }
    let end = length.checked_add(8)?;
    let mut reader = Reader { bytes: bytes.get(..end)?, at: reader.at };
    let mut chunks = Vec::with_capacity(bytes.len());
    let (mut turned, mut header) = (None, None);
    while reader.at < end {
        let from = reader.at;
        let kind: [u8; 4] = reader.array()?;
        let length = usize::try_from(u32::from_le_bytes(reader.array()?)).ok()?;
        let content = reader.take(length)?;
        if length % 2 == 1 && reader.at < end {
            reader.take(1)?;
        }
        match &kind {
            b"EXIF" => turned = turned.or_else(|| orientation(content)),
            b"VP8X" | b"VP8 " | b"VP8L" | b"ALPH" | b"ANIM" | b"ANMF" | b"ICCP" => {
                if kind == *b"VP8X" {
                    header = header.or(Some(chunks.len() + 8));
                }
                chunks.extend_from_slice(bytes.get(from..reader.at)?);
            }
            _ => {}
        }
    }
    let exif = turned.and_then(minimal_exif);
    if let Some(flags) = header.and_then(|at: usize| chunks.get_mut(at)) {
        *flags &= !(WEBP_EXIF | WEBP_XMP);
        if let Some(exif) = exif {
            *flags |= WEBP_EXIF;
            chunks.extend(webp_chunk(b"EXIF", &exif)?);
        }
    }
    riff(&chunks)
}

fn webp_chunk(kind: &[u8; 4], content: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(content.len()).ok()?;
    let padding: &[u8] = if content.len() % 2 == 1 { &[0] } else { &[] };
    Some([&kind[..], &length.to_le_bytes(), content, padding].concat())
}

fn riff(chunks: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(chunks.len().checked_add(4)?).ok()?;
    Some([b"RIFF", &length.to_le_bytes(), &b"WEBP"[..], chunks].concat())
}

/// Puts a colour profile into a WebP of one picture.
pub(in crate::media) fn webp_with_profile(
    bytes: &[u8],
    profile: &[u8],
    width: u32,
    height: u32,
    alpha: bool,
) -> Option<Vec<u8>> {
    let coded = bytes.get(12..)?;
    let [a, b, c, _] = width.checked_sub(1)?.to_le_bytes();
    let [d, e, f, _] = height.checked_sub(1)?.to_le_bytes();
    let flags = WEBP_PROFILE | if alpha { WEBP_ALPHA } else { 0 };
    // libwebp writes this header itself where there is transparency.
    let coded = if coded.starts_with(b"VP8X") { coded.get(18..)? } else { coded };
    let header = webp_chunk(b"VP8X", &[flags, 0, 0, 0, a, b, c, d, e, f])?;
    riff(&[&header[..], &webp_chunk(b"ICCP", profile)?, coded].concat())
}

/// How many frames an animation has; 1 for a still. What is damaged counts up to there.
pub(in crate::media) fn frames(bytes: &[u8]) -> u64 {
    let mut reader = Reader { bytes, at: 0 };
    match bytes {
        [b'G', b'I', b'F', ..] => {
            let mut frames = 0;
            // Frames that cannot be walked to their end are still decoded in part.
            let _ = gif_blocks(&mut reader, |_, image| frames += u64::from(image));
            frames
        }
        [0x89, b'P', b'N', b'G', ..] => {
            reader.at = 8;
            loop {
                let Some((length, kind)) = reader.array().zip(reader.array::<4>()) else { return 1 };
                match &kind {
                    b"acTL" => return reader.array().map_or(1, |count| u64::from(u32::from_be_bytes(count))),
                    b"IDAT" | b"IEND" => return 1,
                    _ => {}
                }
                let skipped = usize::try_from(u32::from_be_bytes(length)).ok().and_then(|length| reader.take(length));
                if skipped.is_none() || reader.take(4).is_none() {
                    return 1;
                }
            }
        }
        [b'R', b'I', b'F', b'F', ..] => {
            reader.at = 12;
            let mut frames = 0;
            while let Some((kind, length)) = reader.array::<4>().zip(reader.array()) {
                frames += u64::from(kind == *b"ANMF");
                let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
                if reader.take(length.saturating_add(length % 2)).is_none() {
                    break;
                }
            }
            frames.max(1)
        }
        _ => 1,
    }
}

/// Walks the blocks of a GIF; `block` hears where each that is needed is, and whether it is a frame.
fn gif_blocks(reader: &mut Reader<'_>, mut block: impl FnMut(std::ops::Range<usize>, bool)) -> Option<()> {
    let header = reader.take(13)?;
    let table = |flags: u8| if flags & 0x80 != 0 { 3 << (usize::from(flags & 7) + 1) } else { 0 };
    reader.take(table(*header.get(10)?))?;
    block(0..reader.at, false);
    loop {
        let from = reader.at;
        // Some writers leave the trailer out.
        match reader.byte().unwrap_or(0x3b) {
            0x3b => return Some(()),
            0x2c => {
                let descriptor = reader.take(9)?;
                reader.take(table(*descriptor.get(8)?))?;
                // Heard before its data: a frame that is cut short is a frame.
                let data = reader.at;
                block(from..data, true);
                reader.byte()?;
                reader.blocks()?;
                block(data..reader.at, false);
            }
            0x21 => {
                let label = reader.byte()?;
                let looped =
                    matches!(reader.bytes.get(reader.at + 1..reader.at + 12), Some(b"NETSCAPE2.0" | b"ANIMEXTS1.0"));
                reader.blocks()?;
                // Times of frames, loops; no comments, no other application's data.
                if label == 0xf9 || (label == 0xff && looped) {
                    block(from..reader.at, false);
                }
            }
            _ => return None,
        }
    }
}

fn gif(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut reader = Reader { bytes, at: 0 };
    gif_blocks(&mut reader, |range, _| out.extend_from_slice(bytes.get(range).unwrap_or_default()))?;
    out.push(0x3b);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_and_cut_files_end() {
        let exif = minimal_exif(Orientation::Rotate90).unwrap();
        let jpeg =
            [&b"\xff\xd8\xff\xe1\0\x22Exif\0\0"[..], &exif, b"\xff\xda\0\x02\x01\x02\xff\0\x03\xff\xd9"].concat();
        let png = [&b"\x89PNG\r\n\x1a\n"[..], &png_chunk(b"IHDR", &[0; 13]), &png_chunk(b"IEND", b"")].concat();
        let webp = riff(&webp_chunk(b"VP8L", &[0; 7]).unwrap()).unwrap();
        let gif = b"GIF89a\x01\0\x01\0\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b".to_vec();
        for whole in [jpeg, png, webp, gif] {
            assert_eq!(strip(&whole), Stripped::Clean, "{whole:?}");
            for end in 0..whole.len() {
                // A GIF that ends between two frames is a shorter GIF.
                let damaged = strip(&whole[..end]) == Stripped::Damaged;
                assert!(damaged || whole.starts_with(b"GIF"), "{:?}", &whole[..end]);
                frames(&whole[..end]);
            }
        }
        for bytes in [&b""[..], b"GIF", b"\xff\xd8", &[0xff; 40], b"RIFF\xff\xff\xff\xffWEBP"] {
            assert_eq!(strip(bytes), Stripped::Damaged);
        }
    }

    #[test]
    fn what_follows_the_end_of_a_picture_is_left_out() {
        let jpeg = b"\xff\xd8\xff\xda\0\x02\x01\xff\xd9".to_vec();
        let motion = [&jpeg[..], b"\0\0\0\x18ftypmp42 GPS"].concat();
        assert_eq!(strip(&motion), Stripped::Made(jpeg));
    }
}
