//! What a picture tells about its origin does not leave the bot.

use image::{
    DynamicImage, GenericImageView, ImageDecoder, ImageFormat, ImageReader, Rgb, RgbImage, metadata::Orientation,
};

use super::*;

/// A picture that is darker at the left, with some grain.
fn ramp() -> DynamicImage {
    let mut seed = 5u32;
    let picture = RgbImage::from_fn(96, 48, |x, y| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let grain = (seed >> 27) as u8;
        Rgb([(x * 2) as u8 + grain, (x + y) as u8 + grain, 90 + grain])
    });
    picture.into()
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    ramp().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// EXIF data with an orientation, a camera and a place.
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"MM\0\x2a\0\0\0\x08\0\x03".to_vec();
    exif.extend_from_slice(b"\x01\x0f\0\x02\0\0\0\x07\0\0\0\x32");
    exif.extend_from_slice(&[1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0]);
    exif.extend_from_slice(b"\x88\x25\0\x04\0\0\0\x01\0\0\0\x39\0\0\0\0");
    exif.extend_from_slice(b"SECRET\0");
    exif.extend_from_slice(b"\0\x01\0\x01\0\x02\0\0\0\x02N\0\0\0\0\0\0\0");
    exif
}

fn segment(marker: u8, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    [&[0xff, marker][..], &u16::try_from(content.len() + 2).unwrap().to_be_bytes(), &content].concat()
}

/// A profile that is none, but claims to be about RGB.
fn profile() -> Vec<u8> {
    let mut profile = vec![7; 300];
    profile[16..20].copy_from_slice(b"RGB ");
    profile
}

/// A JPEG as a phone makes it, with everything in it that tells.
fn phone_jpeg(orientation: u8) -> Vec<u8> {
    let jpeg = encoded(ImageFormat::Jpeg);
    [
        &jpeg[..2],
        &segment(0xe1, &[b"Exif\0\0", &exif(orientation)]),
        &segment(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>SECRET</x:xmpmeta>"]),
        &segment(0xe2, &[b"ICC_PROFILE\0\x01\x01", &profile()]),
        &segment(0xe2, &[b"MPF\0SECRET"]),
        &segment(0xed, &[b"Photoshop 3.0\08BIM\x04\x04SECRET"]),
        &segment(0xfe, &[b"SECRET comment"]),
        &jpeg[2..],
        // A motion photo: a video, with a place of its own.
        b"\0\0\0\x18ftypmp42SECRET",
    ]
    .concat()
}

fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut crc = crc32fast::Hasher::new();
    crc.update(kind);
    crc.update(content);
    [&u32::try_from(content.len()).unwrap().to_be_bytes(), &kind[..], content, &crc.finalize().to_be_bytes()].concat()
}

fn told_png(orientation: u8) -> Vec<u8> {
    let png = encoded(ImageFormat::Png);
    [
        &png[..33],
        &chunk(b"eXIf", &exif(orientation)),
        &chunk(b"tEXt", b"Author\0SECRET"),
        &chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta>SECRET"),
        &chunk(b"zTXt", b"Comment\0\0SECRET"),
        &chunk(b"tIME", &[7, 228, 1, 2, 3, 4, 5]),
        &png[33..],
        b"SECRET",
    ]
    .concat()
}

fn told_webp(orientation: u8) -> Vec<u8> {
    let chunk = |kind: &[u8; 4], content: &[u8]| {
        let mut bytes = [&kind[..], &u32::try_from(content.len()).unwrap().to_le_bytes(), content].concat();
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        bytes
    };
    let webp = encoded(ImageFormat::WebP);
    let chunks = [
        &chunk(b"VP8X", &[0x08 | 0x04, 0, 0, 0, 95, 0, 0, 47, 0, 0]),
        &webp[12..],
        &chunk(b"EXIF", &exif(orientation)),
        &chunk(b"XMP ", b"<x:xmpmeta>SECRET"),
        &chunk(b"ABCD", b"SECRET"),
    ]
    .concat();
    [b"RIFF", &u32::try_from(chunks.len() + 4).unwrap().to_le_bytes()[..], b"WEBP", &chunks].concat()
}

/// A file's orientation, profile and pixels as stored.
fn read(path: &Path) -> (Orientation, Option<Vec<u8>>, DynamicImage) {
    let mut decoder = ImageReader::open(path).unwrap().with_guessed_format().unwrap().into_decoder().unwrap();
    let (orientation, profile) = (decoder.orientation().unwrap(), decoder.icc_profile().unwrap());
    (orientation, profile, DynamicImage::from_decoder(decoder).unwrap())
}

fn has_secret(path: &Path) -> bool {
    let bytes = std::fs::read(path).unwrap();
    bytes.windows(6).any(|window| window == b"SECRET") || bytes.windows(5).any(|window| window == b"tIME\x07")
}

#[tokio::test]
async fn a_picture_that_fits_is_kept_to_the_pixel_without_what_it_tells() {
    let room = Room::new();
    type Make = fn(u8) -> Vec<u8>;
    let files: [(&str, Make); 3] = [("told.jpg", phone_jpeg), ("told.png", told_png), ("told.webp", told_webp)];
    for (name, told) in files {
        for turned in [false, true] {
            let bytes = told(if turned { 6 } else { 1 });
            let path = room.dir.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            assert!(has_secret(&path));
            let fitted = room.fit_all(&path, FitTarget::at_most(bytes.len() as u64)).await.unwrap();
            let made = &fitted.files[0];
            assert_eq!((fitted.report.path, fitted.report.attempts), ("keep", 0));
            assert!(made.filename.starts_with("told") && made.size < bytes.len() as u64, "{made:?}");
            assert!(!has_secret(&made.path), "{name}");
            let (orientation, colours, pixels) = read(&made.path);
            assert!(pixels == read(&path).2, "{name}: other pixels");
            let wanted = if turned { Orientation::Rotate90 } else { Orientation::NoTransforms };
            assert_eq!(orientation, wanted, "{name}");
            assert_eq!(colours, (name == "told.jpg").then(profile), "{name}");
            // What is clean is not touched a second time.
            let again = room.fit(&made.path, MIB).await.unwrap();
            assert_eq!(again.path, made.path, "{name}");
        }
    }
}

#[tokio::test]
async fn a_picture_that_is_encoded_is_upright_and_keeps_its_colours_and_nothing_else() {
    let room = Room::new();
    for (name, bytes) in [("turn.jpg", phone_jpeg(6)), ("turn.png", told_png(6)), ("turn.webp", told_webp(6))] {
        let path = room.dir.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        let made = room.fit(&path, bytes.len() as u64 - 1).await.unwrap();
        assert!(!has_secret(&made.path), "{name}");
        let (orientation, colours, pixels) = read(&made.path);
        assert_eq!(orientation, Orientation::NoTransforms, "{name}");
        // What was dark at the left is dark at the top now.
        let (width, height) = pixels.dimensions();
        assert!(width < height, "{name}: {width} x {height}");
        assert!(pixels.get_pixel(width / 2, 1).0[0] + 60 < pixels.get_pixel(width / 2, height - 2).0[0], "{name}");
        assert_eq!(colours.is_some(), name == "turn.jpg", "{name}");
    }
}

#[tokio::test]
async fn comments_are_taken_out_of_animations_and_their_frames_stay() {
    let room = Room::new();
    let source = clip("plain.gif", "-f lavfi -i testsrc2=s=120x90:r=10:d=1");
    let bytes = std::fs::read(&source).unwrap();
    let at = bytes.windows(2).position(|window| window == b"\x21\xff").unwrap();
    let (front, back) = bytes.split_at(at);
    let told = [front, b"\x21\xfe\x06SECRET\0", b"\x21\xff\x0bXMP DataXMP\x06SECRET\0", back].concat();
    let path = room.dir.path().join("told.gif");
    std::fs::write(&path, told).unwrap();
    let made = room.fit(&path, MIB).await.unwrap();
    assert_eq!((made.mimetype.as_str(), std::fs::read(&made.path).unwrap()), ("image/gif", bytes));
}
