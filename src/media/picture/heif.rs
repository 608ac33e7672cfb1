//! Takes HEIC and AVIF files apart, since Debian's ffmpeg decodes what is in them (HEVC, AV1) but not the files: finds the
//! main picture, or the tiles it is made of, and puts their data into streams that ffmpeg reads.
//!
//! Sources: ISO/IEC 23008-12 (HEIF) 6 to 9, ISO/IEC 14496-12 8.11 (items), 14496-15 8.3 (`hvcC`), the AV1 Image File
//! Format 1.1, the IVF container of libvpx.

use std::ops::Range;

/// Items that are looked at; a picture of 48 megapixels has about a hundred.
const MAX_ITEMS: usize = 4096;
/// Tiles of a grid.
const MAX_TILES: usize = 256;

/// A picture as ffmpeg can decode it.
#[derive(Debug)]
pub(in crate::media) struct Coded {
    /// ffmpeg's name of the stream's format: `hevc` or `ivf`.
    pub format: &'static str,
    /// A frame for each tile, row by row.
    pub stream: Vec<u8>,
    /// The same for its transparency.
    pub alpha: Option<Vec<u8>>,
    /// Tiles side by side, and one above the other.
    pub grid: (u32, u32),
    /// Pixels of the whole, before it is turned.
    pub width: u32,
    /// Pixels of the whole, before it is turned.
    pub height: u32,
    /// ffmpeg filters that turn it.
    pub turns: Vec<&'static str>,
    /// Its colour profile.
    pub profile: Option<Vec<u8>>,
}

/// An item: a picture, a tile, EXIF data.
#[derive(Debug, Default)]
struct Item {
    id: u32,
    kind: [u8; 4],
    /// Where its data are: in the file, or in the `idat` box.
    extents: Vec<Range<usize>>,
    in_idat: bool,
    /// Numbers of its properties, from 1.
    properties: Vec<usize>,
}

/// A property: the kind of its box and its content.
type Property<'a> = ([u8; 4], &'a [u8]);

/// What the `meta` box tells.
struct Meta<'a> {
    file: &'a [u8],
    primary: u32,
    items: Vec<Item>,
    properties: Vec<Property<'a>>,
    /// Kind of reference, from, to.
    references: Vec<([u8; 4], u32, Vec<u32>)>,
    idat: &'a [u8],
}

/// Reads numbers of several sizes in order; `None` at the end.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A big-endian number of `bytes` bytes; 0 for none.
    fn number(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().fold(0, |number, &byte| (number << 8) | u64::from(byte)))
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    /// An item's number, in 16 or 32 bits.
    fn id(&mut self, wide: bool) -> Option<u32> {
        if wide { self.u32() } else { self.u16().map(u32::from) }
    }

    /// The version of a full box; its flags are left out.
    fn version(&mut self) -> Option<(u8, u32)> {
        let word = self.u32()?;
        Some(((word >> 24) as u8, word & 0x00ff_ffff))
    }

    /// The next box: its kind and content.
    fn next_box(&mut self) -> Option<Property<'a>> {
        let (head, kind) = (self.u32()?, self.take(4)?.try_into().ok()?);
        let length = match head {
            0 => self.0.len(),
            1 => usize::try_from(self.number(8)?).ok()?.checked_sub(16)?,
            length => usize::try_from(length).ok()?.checked_sub(8)?,
        };
        Some((kind, self.take(length)?))
    }

    fn boxes(mut self) -> impl Iterator<Item = Property<'a>> {
        std::iter::from_fn(move || self.next_box()).take(MAX_ITEMS)
    }
}

fn find<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    Fields(bytes).boxes().find(|(found, _)| found == kind).map(|(_, content)| content)
}

/// Takes a HEIC or AVIF apart. `None`: it is damaged, or of a kind that is not known here.
pub(in crate::media) fn read(file: &[u8]) -> Option<Coded> {
    let meta = Meta::read(file)?;
    let primary = meta.item(meta.primary)?;
    let (mut grid, mut size, mut tiles) = ((1, 1), meta.size(primary)?, vec![primary]);
    if primary.kind == *b"grid" {
        let data = meta.data(primary)?;
        let mut fields = Fields(&data);
        let (_, flags) = (fields.u8()?, fields.u8()?);
        grid = (0, u32::from(fields.u8()?) + 1);
        grid.0 = u32::from(fields.u8()?) + 1;
        let wide = if flags & 1 == 1 { 4 } else { 2 };
        size = (u32::try_from(fields.number(wide)?).ok()?, u32::try_from(fields.number(wide)?).ok()?);
        let ids = meta.references.iter().find(|(kind, from, _)| kind == b"dimg" && *from == primary.id);
        tiles = ids?.2.iter().map(|&id| meta.item(id)).collect::<Option<_>>()?;
    }
    if tiles.len() != (grid.0 as usize).checked_mul(grid.1 as usize)? || tiles.len() > MAX_TILES {
        return None;
    }
    let (format, stream) = meta.stream(&tiles)?;
    // What shows the transparency refers to the picture that it belongs to.
    let alpha = meta.references.iter().filter(|(kind, _, to)| kind == b"auxl" && to.contains(&primary.id)).find_map(
        |(_, from, _)| {
            let item = meta.item(*from)?;
            let what = meta.property(item, b"auxC")?.get(4..)?;
            (what.windows(5).any(|word| word == b"alpha") && item.kind != *b"grid").then_some(item)
        },
    );
    let alpha = alpha.and_then(|item| meta.stream(&[item])).map(|(_, stream)| stream);
    Some(Coded {
        format,
        stream,
        alpha,
        grid,
        width: size.0,
        height: size.1,
        turns: meta.turns(primary),
        profile: meta.profile(primary),
    })
}

/// Where EXIF and XMP data are in a HEIC or AVIF that is passed on as it is. `None`: it cannot be told.
pub(in crate::media) fn private(file: &[u8]) -> Option<Vec<Range<usize>>> {
    let meta = Meta::read(file)?;
    let private = meta.items.iter().filter(|item| matches!(&item.kind, b"Exif" | b"mime" | b"uri "));
    let mut ranges = Vec::new();
    for item in private {
        if item.in_idat {
            return None;
        }
        ranges.extend(item.extents.iter().cloned());
    }
    Some(ranges)
}

impl<'a> Meta<'a> {
    fn read(file: &'a [u8]) -> Option<Self> {
        // A full box: its version and flags come first.
        let content = find(file, b"meta")?.get(4..)?;
        let mut meta = Self {
            file,
            primary: 0,
            items: Vec::new(),
            properties: Vec::new(),
            references: Vec::new(),
            idat: find(content, b"idat").unwrap_or_default(),
        };
        let mut fields = Fields(find(content, b"pitm")?);
        let (version, _) = fields.version()?;
        meta.primary = fields.id(version > 0)?;
        meta.read_items(find(content, b"iinf")?)?;
        meta.read_places(find(content, b"iloc")?)?;
        let properties = find(content, b"iprp")?;
        meta.properties = Fields(find(properties, b"ipco")?).boxes().collect();
        for (kind, content) in Fields(properties).boxes() {
            if kind == *b"ipma" {
                meta.read_associations(content)?;
            }
        }
        if let Some(references) = find(content, b"iref") {
            meta.read_references(references)?;
        }
        Some(meta)
    }

    fn read_items(&mut self, content: &[u8]) -> Option<()> {
        let mut fields = Fields(content);
        let (version, _) = fields.version()?;
        fields.take(if version == 0 { 2 } else { 4 })?;
        for (kind, content) in fields.boxes() {
            let mut fields = Fields(content);
            let (version, _) = fields.version()?;
            if kind != *b"infe" || version < 2 {
                continue;
            }
            let id = fields.id(version > 2)?;
            fields.take(2)?;
            self.items.push(Item { id, kind: fields.take(4)?.try_into().ok()?, ..Item::default() });
        }
        Some(())
    }

    fn read_places(&mut self, content: &[u8]) -> Option<()> {
        let mut fields = Fields(content);
        let (version, _) = fields.version()?;
        let (sizes, more) = (fields.u8()?, fields.u8()?);
        let [offset, length, base, index] = [sizes >> 4, sizes & 15, more >> 4, more & 15].map(usize::from);
        let index = if version == 0 { 0 } else { index };
        let count = fields.id(version > 1)?;
        for _ in 0..(count as usize).min(MAX_ITEMS) {
            let id = fields.id(version > 1)?;
            let method = if version == 0 { 0 } else { fields.u16()? & 15 };
            fields.take(2)?;
            let base = fields.number(base)?;
            let mut extents = Vec::new();
            for _ in 0..fields.u16()? {
                fields.number(index)?;
                let from = usize::try_from(base.checked_add(fields.number(offset)?)?).ok()?;
                let length = usize::try_from(fields.number(length)?).ok()?;
                // No length: to the end of the file.
                let to = if length == 0 { self.file.len() } else { from.checked_add(length)? };
                extents.push(from..to);
            }
            if let Some(item) = self.items.iter_mut().find(|item| item.id == id)
                && method < 2
            {
                (item.extents, item.in_idat) = (extents, method == 1);
            }
        }
        Some(())
    }

    fn read_associations(&mut self, content: &[u8]) -> Option<()> {
        let mut fields = Fields(content);
        let (version, flags) = fields.version()?;
        for _ in 0..(fields.u32()? as usize).min(MAX_ITEMS) {
            let id = fields.id(version > 0)?;
            let mut properties = Vec::new();
            for _ in 0..fields.u8()? {
                // The first bit says whether a reader must know the property.
                properties.push(if flags & 1 == 1 {
                    usize::from(fields.u16()? & 0x7fff)
                } else {
                    usize::from(fields.u8()? & 0x7f)
                });
            }
            if let Some(item) = self.items.iter_mut().find(|item| item.id == id) {
                item.properties = properties;
            }
        }
        Some(())
    }

    fn read_references(&mut self, content: &[u8]) -> Option<()> {
        let mut fields = Fields(content);
        let (version, _) = fields.version()?;
        for (kind, content) in fields.boxes() {
            let mut fields = Fields(content);
            let from = fields.id(version > 0)?;
            let count = fields.u16()?;
            let to = (0..count).map(|_| fields.id(version > 0)).collect::<Option<_>>()?;
            self.references.push((kind, from, to));
        }
        Some(())
    }

    fn item(&self, id: u32) -> Option<&Item> {
        self.items.iter().find(|item| item.id == id)
    }

    fn properties(&self, item: &Item) -> impl Iterator<Item = Property<'a>> {
        item.properties.iter().filter_map(|number| self.properties.get(number.checked_sub(1)?).copied())
    }

    fn property(&self, item: &Item, kind: &[u8; 4]) -> Option<&'a [u8]> {
        self.properties(item).find(|(found, _)| found == kind).map(|(_, content)| content)
    }

    /// Width and height.
    fn size(&self, item: &Item) -> Option<(u32, u32)> {
        let mut fields = Fields(self.property(item, b"ispe")?);
        fields.version()?;
        Some((fields.u32()?, fields.u32()?))
    }

    /// An item's bytes.
    fn data(&self, item: &Item) -> Option<Vec<u8>> {
        let whole = if item.in_idat { self.idat } else { self.file };
        let mut data = Vec::new();
        for extent in &item.extents {
            data.extend_from_slice(whole.get(extent.clone())?);
            if data.len() > self.file.len() {
                return None;
            }
        }
        (!data.is_empty()).then_some(data)
    }

    /// The turns and flips in their order (HEIF 6.5.10, 6.5.12): by quarters against the clock; along an axis.
    fn turns(&self, item: &Item) -> Vec<&'static str> {
        let mut turns = Vec::new();
        for (kind, content) in self.properties(item) {
            match (&kind, content.first().copied().unwrap_or(0)) {
                (b"irot", quarters) => turns.extend(std::iter::repeat_n("transpose=cclock", usize::from(quarters & 3))),
                (b"imir", axis) => turns.push(if axis & 1 == 1 { "hflip" } else { "vflip" }),
                _ => {}
            }
        }
        turns
    }

    fn profile(&self, item: &Item) -> Option<Vec<u8>> {
        self.properties(item).filter(|(kind, _)| kind == b"colr").find_map(|(_, content)| {
            let (kind, profile) = content.split_at_checked(4)?;
            matches!(kind, b"prof" | b"rICC").then(|| profile.to_vec())
        })
    }

    /// The items as frames of one stream, and its format.
    fn stream(&self, items: &[&Item]) -> Option<(&'static str, Vec<u8>)> {
        match &items.first()?.kind {
            b"hvc1" | b"hev1" => {
                let mut stream = Vec::new();
                for item in items {
                    self.hevc(item, &mut stream)?;
                }
                Some(("hevc", stream))
            }
            b"av01" => {
                let (width, height) = self.size(items.first()?)?;
                let side = |pixels: u32| u16::try_from(pixels).map(u16::to_le_bytes).ok();
                let frames = u32::try_from(items.len()).ok()?.to_le_bytes();
                let mut stream = b"DKIF\0\0\x20\0AV01".to_vec();
                for part in [&side(width)?[..], &side(height)?, &[25, 0, 0, 0, 1, 0, 0, 0], &frames, &[0; 4]] {
                    stream.extend_from_slice(part);
                }
                for (time, item) in (0_u64..).zip(items) {
                    let data = self.data(item)?;
                    stream.extend_from_slice(&u32::try_from(data.len()).ok()?.to_le_bytes());
                    stream.extend_from_slice(&time.to_le_bytes());
                    stream.extend_from_slice(&data);
                }
                Some(("ivf", stream))
            }
            _ => None,
        }
    }

    /// A picture's parameter sets and slices, each after a start code.
    fn hevc(&self, item: &Item, stream: &mut Vec<u8>) -> Option<()> {
        const START: &[u8] = &[0, 0, 0, 1];
        let mut fields = Fields(self.property(item, b"hvcC")?);
        fields.take(21)?;
        let prefix = usize::from(fields.u8()? & 3) + 1;
        for _ in 0..fields.u8()? {
            fields.take(1)?;
            for _ in 0..fields.u16()? {
                let length = usize::from(fields.u16()?);
                stream.extend_from_slice(START);
                stream.extend_from_slice(fields.take(length)?);
            }
        }
        let data = self.data(item)?;
        let mut fields = Fields(&data);
        while !fields.0.is_empty() {
            let length = usize::try_from(fields.number(prefix)?).ok()?;
            stream.extend_from_slice(START);
            stream.extend_from_slice(fields.take(length)?);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_ends() {
        let deep = [&b"\0\0\0\x20meta\0\0\0\0\0\0\0\x0epitm\0\0\0\0\0\x01"[..], &[0xff; 40]].concat();
        for bytes in [&b""[..], b"\0\0\0\x08meta", b"\0\0\0\x01meta", &deep, &[0xff; 64]] {
            assert!(read(bytes).is_none() && private(bytes).is_none());
        }
    }
}
