//! Still pictures.

use boss_bot::model::FileType;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

use super::*;

/// Something like a photograph: gradients and grain.
fn photo(width: u32, height: u32) -> RgbImage {
    let mut seed = 7u32;
    RgbImage::from_fn(width, height, |x, y| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let grain = (seed >> 27) as u8;
        Rgb([(x * 200 / width) as u8 + grain, (y * 200 / height) as u8 + grain, 90 + grain])
    })
}

fn saved(name: &str, picture: impl FnOnce() -> DynamicImage, format: ImageFormat) -> PathBuf {
    clips::made(name, |path| picture().save_with_format(path, format).unwrap())
}

async fn picture(room: &Room, path: &Path, limit: u64) -> (MediaFile, DynamicImage) {
    let made = room.fit(path, limit).await.unwrap();
    assert!(made.size <= limit, "{} of {limit}", made.size);
    assert_eq!(made.file_type, FileType::Image);
    let decoded = image::ImageReader::open(&made.path).unwrap().with_guessed_format().unwrap().decode().unwrap();
    (made, decoded)
}

#[tokio::test]
async fn pictures_that_fit_are_kept() {
    let room = Room::new();
    for (name, format) in [
        ("a.jpg", ImageFormat::Jpeg),
        ("a.png", ImageFormat::Png),
        ("a.gif", ImageFormat::Gif),
        ("a.webp", ImageFormat::WebP),
    ] {
        let path = saved(name, || photo(64, 48).into(), format);
        let (made, _) = picture(&room, &path, MIB).await;
        assert_eq!((made.path, made.filename.as_str()), (path, name));
    }
}

#[tokio::test]
async fn a_photograph_over_the_limit_fills_it_at_its_full_size_or_shrinks() {
    let room = Room::new();
    let path = saved("photo.png", || photo(1200, 800).into(), ImageFormat::Png);
    let (made, decoded) = picture(&room, &path, 500_000).await;
    assert!(made.filename.ends_with(".jpg") && made.size > 470_000, "{made:?}");
    assert_eq!((decoded.width(), decoded.height()), (1200, 800));
    let (made, decoded) = picture(&room, &path, 30_000).await;
    assert!(made.size > 28_000 && decoded.width() < 1200, "{made:?} {}", decoded.width());
    assert!((f64::from(decoded.width()) / f64::from(decoded.height()) - 1.5).abs() < 0.02);
    let error = room.fit(&path, 200).await.unwrap_err();
    assert_eq!(error.code(), "cannot_fit");
}

#[tokio::test]
async fn transparency_survives() {
    let path = saved(
        "alpha.png",
        || {
            RgbaImage::from_fn(400, 300, |x, y| {
                let grain = (x * 31 + y * 17 + x * y) as u8;
                Rgba([grain, grain / 2, 200, if x < 200 { 0 } else { 255 }])
            })
            .into()
        },
        ImageFormat::Png,
    );
    let size = std::fs::metadata(&path).unwrap().len();
    let room = Room::new();
    for limit in [size / 2, size / 10] {
        let (made, decoded) = picture(&room, &path, limit).await;
        assert_eq!(made.mimetype, "image/webp");
        let decoded = decoded.into_rgba8();
        assert_eq!(decoded.get_pixel(1, 1).0[3], 0);
        assert_eq!(decoded.get_pixel(decoded.width() - 2, 1).0[3], 255);
    }
}

#[tokio::test]
async fn pictures_that_clients_do_not_show_are_converted() {
    let room = Room::new();
    let bmp = clip("photo.bmp", "-f lavfi -i testsrc2=s=320x240 -frames:v 1");
    let (made, decoded) = picture(&room, &bmp, MIB).await;
    // A drawing: nothing need be lost.
    assert_eq!((made.mimetype.as_str(), decoded.width()), ("image/webp", 320));
    let avif =
        clip("photo.avif", "-f lavfi -i testsrc2=s=320x240 -frames:v 1 -c:v libaom-av1 -cpu-used 8 -still-picture 1");
    let (made, decoded) = picture(&room, &avif, MIB).await;
    assert!(["image/jpeg", "image/webp"].contains(&made.mimetype.as_str()) && decoded.width() == 320, "{made:?}");
}

#[tokio::test]
async fn every_kind_of_picture_is_encoded_with_its_colours_and_its_shape() {
    let room = Room::new();
    let photo = || photo(300, 200);
    let png = ImageFormat::Png;
    let files = [
        saved("grey.jpg", || DynamicImage::ImageLuma8(image::imageops::grayscale(&photo())), ImageFormat::Jpeg),
        saved("grey16.png", || DynamicImage::ImageRgb8(photo()).into_luma16().into(), png),
        saved("deep.png", || DynamicImage::ImageRgb8(photo()).into_rgb16().into(), png),
        saved("deep-alpha.png", || DynamicImage::ImageRgb8(photo()).into_rgba16().into(), png),
        saved("lossless.webp", || photo().into(), ImageFormat::WebP),
        clips::made("progressive.jpg", |path| {
            let mut encoder = jpeg_encoder::Encoder::new_file(path, 95).unwrap();
            encoder.set_progressive(true);
            encoder.encode(&photo(), 300, 200, jpeg_encoder::ColorType::Rgb).unwrap();
        }),
        clip("palette.png", "-f lavfi -i testsrc2=s=300x200,noise=alls=40 -frames:v 1 -pix_fmt pal8"),
    ];
    for path in files {
        let before = image::open(&path).unwrap().into_rgb8();
        let size = std::fs::metadata(&path).unwrap().len();
        let (made, after) = picture(&room, &path, size / 2).await;
        assert_eq!(made.mimetype, "image/jpeg", "{}", path.display());
        // Without the grain, which is the first to go.
        let small =
            |picture: &RgbImage| image::imageops::resize(picture, 30, 20, image::imageops::FilterType::Triangle);
        let off = difference(&small(&before), &small(&after.into_rgb8()));
        assert!(off < 6.0, "{}: {off}", path.display());
    }
}

/// The mean difference of two pictures' channels.
fn difference(left: &RgbImage, right: &RgbImage) -> f64 {
    assert_eq!(left.dimensions(), right.dimensions());
    let sum: u64 = left.iter().zip(right.iter()).map(|(left, right)| u64::from(left.abs_diff(*right))).sum();
    sum as f64 / left.len() as f64
}

/// A picture of ours: four quarters, red, green, blue, yellow.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/media/pictures").join(name)
}

const RED: [u8; 3] = [230, 30, 30];
const GREEN: [u8; 3] = [30, 200, 40];
const BLUE: [u8; 3] = [30, 40, 220];
const YELLOW: [u8; 3] = [240, 230, 60];

/// Checks the quarters, row by row.
fn assert_quarters(picture: &DynamicImage, quarters: [[u8; 3]; 4], off: u8) {
    let rgb = picture.to_rgb8();
    let (width, height) = rgb.dimensions();
    for (quarter, (x, y)) in quarters.into_iter().zip([(1, 1), (3, 1), (1, 3), (3, 3)]) {
        let found = rgb.get_pixel(width * x / 4, height * y / 4).0;
        let near = found.iter().zip(quarter).all(|(found, wanted)| found.abs_diff(wanted) <= off);
        assert!(near, "{x},{y}: {found:?}, not {quarter:?}");
    }
}

#[tokio::test]
async fn ink_and_interlaced_pictures_are_read() {
    let room = Room::new();
    let (made, decoded) = picture(&room, &fixture("interlaced.png"), 200).await;
    assert_eq!(made.mimetype, "image/webp", "few colours: nothing need be lost");
    assert_quarters(&decoded, [RED, GREEN, BLUE, YELLOW], 0);
    // Inks without a profile have no colour that everyone agrees on.
    let (made, decoded) = picture(&room, &fixture("cmyk.jpg"), 900).await;
    assert!(made.size < 900 && decoded.color() == image::ColorType::Rgb8, "{made:?}");
    assert_quarters(&decoded, [RED, GREEN, BLUE, YELLOW], 40);
}

#[tokio::test]
async fn a_drawing_loses_nothing_where_it_need_not() {
    let room = Room::new();
    let path = clips::made("screen.bmp.png", |path| {
        let screen = RgbImage::from_fn(1400, 900, |x, y| {
            let letter = (x / 3 + y / 5 * 7) % 11 < 3 && (y / 20) % 2 == 0 && x % 400 > 40;
            if letter { Rgb([20, 20, 30]) } else { Rgb([250, 250, 245 - (y / 300) as u8]) }
        });
        // Stored badly, as some screenshots are.
        let file = std::fs::File::create(path).unwrap();
        let (fast, none) =
            (image::codecs::png::CompressionType::Uncompressed, image::codecs::png::FilterType::NoFilter);
        screen.write_with_encoder(image::codecs::png::PngEncoder::new_with_quality(file, fast, none)).unwrap();
    });
    let fitted = room.fit_all(&path, FitTarget::at_most(200_000)).await.unwrap();
    assert_eq!((fitted.report.mode, fitted.report.quality), (Some("webp lossless"), None), "{:?}", fitted.report);
    let after = image::open(&fitted.files[0].path).unwrap().into_rgb8();
    assert!(after == image::open(&path).unwrap().into_rgb8(), "it is not the same");
    // Too little room for that: a JPEG with its colours in full.
    let small = fitted.files[0].size * 2 / 3;
    let fitted = room.fit_all(&path, FitTarget::at_most(small)).await.unwrap();
    assert!(fitted.files[0].size <= small && fitted.report.quality.is_some(), "{:?}", fitted.report);
}

#[tokio::test]
async fn tiny_long_and_tall_pictures_are_encoded() {
    let room = Room::new();
    let dot = saved("dot.png", || photo(1, 1).into(), ImageFormat::Png);
    picture(&room, &dot, MIB).await;
    // With room for no more than a picture of one pixel needs.
    let (_, decoded) =
        picture(&room, &clip("dot.bmp", "-f lavfi -i color=red:s=2x2 -vf format=rgb24,crop=1:1 -frames:v 1"), 700)
            .await;
    assert_eq!((decoded.width(), decoded.height()), (1, 1));
    for (name, width, height, alpha, most) in [
        ("long.png", 20_000, 120, false, 20_000),
        ("tall.png", 100, 20_000, true, 16_383),
        ("longer.png", 70_000, 60, false, 65_535),
    ] {
        let path = saved(
            name,
            || {
                let photo = photo(width, height);
                if !alpha {
                    return photo.into();
                }
                let mut rgba = DynamicImage::ImageRgb8(photo).into_rgba8();
                rgba.pixels_mut().step_by(7).for_each(|pixel| pixel.0[3] = 100);
                rgba.into()
            },
            ImageFormat::Png,
        );
        let size = std::fs::metadata(&path).unwrap().len();
        let (made, decoded) = picture(&room, &path, size - 1).await;
        assert_eq!(decoded.color().has_alpha(), alpha, "{made:?}");
        assert_eq!(decoded.width().max(decoded.height()), most, "{name}");
        picture(&room, &path, size / 40).await;
    }
}

#[tokio::test]
async fn of_a_picture_that_is_cut_short_what_there_is_is_shown_with_a_warning() {
    let room = Room::new();
    let cut = |name: &str, format| {
        let whole = std::fs::read(saved(name, || photo(400, 300).into(), format)).unwrap();
        let cut = room.dir.path().join(name);
        std::fs::write(&cut, &whole[..whole.len() * 2 / 3]).unwrap();
        (image::load_from_memory(&whole).unwrap().into_rgb8(), cut)
    };
    let (whole, path) = cut("c.jpg", ImageFormat::Jpeg);
    for limit in [MIB, 20_000] {
        let fitted = room.fit_all(&path, FitTarget::at_most(limit)).await.unwrap();
        assert!(fitted.files[0].size <= limit && fitted.report.warnings.len() == 1, "{:?}", fitted.report);
        let top = image::open(&fitted.files[0].path).unwrap().into_rgb8();
        let rows = |picture: &RgbImage| {
            let part = image::imageops::crop_imm(picture, 0, 0, picture.width(), picture.height() / 2).to_image();
            image::imageops::resize(&part, 100, 40, image::imageops::FilterType::Triangle)
        };
        let off = difference(&rows(&whole), &rows(&top));
        assert!(off < 12.0, "{off}");
    }
    // Of a PNG whose one stream of data ends early there is nothing: said so, whatever its size.
    let (_, path) = cut("c.png", ImageFormat::Png);
    for limit in [MIB, 20_000] {
        let error = room.fit(&path, limit).await.unwrap_err();
        assert!(error.user_text().contains("damaged"), "{}", error.user_text());
    }
}

#[tokio::test]
async fn phones_pictures_are_converted_upright_and_in_their_colours() {
    let room = Room::new();
    for (name, size, quarters) in [
        ("quarters.avif", (160, 120), [RED, GREEN, BLUE, YELLOW]),
        ("quarters.heic", (160, 120), [RED, GREEN, BLUE, YELLOW]),
        ("turned.heic", (120, 160), [BLUE, RED, YELLOW, GREEN]),
    ] {
        let fitted = room.fit_all(&fixture(name), FitTarget::at_most(MIB)).await.unwrap();
        let made = &fitted.files[0];
        let decoded = image::ImageReader::open(&made.path).unwrap().with_guessed_format().unwrap().decode().unwrap();
        assert_eq!((decoded.width(), decoded.height()), size, "{name}: {made:?}");
        assert_quarters(&decoded, quarters, 12);
        let bytes = std::fs::read(&made.path).unwrap();
        assert!(!bytes.windows(11).any(|window| window == b"SecretPhone"), "{name}");
    }
    let (made, decoded) = picture(&room, &fixture("alpha.avif"), MIB).await;
    assert_eq!(made.mimetype, "image/webp");
    let decoded = decoded.into_rgba8();
    assert!(decoded.get_pixel(20, 30).0[3] < 10 && decoded.get_pixel(120, 30).0[3] > 245);
}

/// A box of a HEIC file.
fn boxed(kind: &[u8; 4], content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    [&u32::try_from(content.len() + 8).unwrap().to_be_bytes()[..], kind, &content].concat()
}

/// A HEIC of four tiles of 64 by 64 pixels, two by two, of which 120 by 100 are shown, as phones write them.
fn grid() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (mut tiles, mut sets) = (Vec::new(), Vec::new());
    for color in ["0xe61e1e", "0x1ec828", "0x1e28dc", "0xf0e63c"] {
        let path = dir.path().join("tile.hevc");
        let source = format!("-f lavfi -i color={color}:s=64x64,format=yuv420p -frames:v 1 -c:v libx265 -x265-params");
        clips::ffmpeg(&format!("{source} log-level=error:info=0:range=limited:repeat-headers=1 -f hevc"), &path);
        let stream = std::fs::read(&path).unwrap();
        // Units lie between start codes of three or four bytes.
        let starts: Vec<usize> = (0..stream.len() - 3).filter(|&at| stream[at..].starts_with(&[0, 0, 1])).collect();
        let mut slices = Vec::new();
        sets.clear();
        for (index, start) in starts.iter().enumerate() {
            let end = starts.get(index + 1).map_or(stream.len(), |next| next - usize::from(stream[next - 1] == 0));
            let unit = &stream[start + 3..end];
            match (unit[0] >> 1) & 63 {
                kind @ 32..=34 => sets.push((kind, unit.to_vec())),
                0..=31 => {
                    slices.extend_from_slice(&u32::try_from(unit.len()).unwrap().to_be_bytes());
                    slices.extend_from_slice(unit);
                }
                _ => {}
            }
        }
        tiles.push(slices);
    }
    let mut config = [&[1][..], &[0; 20], &[0xff, u8::try_from(sets.len()).unwrap()]].concat();
    for (kind, unit) in &sets {
        config.extend_from_slice(&[0x80 | kind, 0, 1]);
        config.extend_from_slice(&u16::try_from(unit.len()).unwrap().to_be_bytes());
        config.extend_from_slice(unit);
    }
    let secret = b"\0\0\0\0MM\0\x2a SECRET place".to_vec();
    let data: Vec<u8> = tiles.concat().into_iter().chain(secret.clone()).collect();
    let item = |id: u16, kind: &[u8; 4]| boxed(b"infe", &[&[2, 0, 0, 0], &id.to_be_bytes(), &[0, 0], kind, &[0]]);
    let extents = |mdat: usize| {
        let mut places = vec![1, 0, 0, 0, 0x44, 0, 0, 6];
        let mut at = mdat;
        for (id, length) in [(1, tiles[0].len()), (2, tiles[1].len()), (3, tiles[2].len()), (4, tiles[3].len())] {
            places.extend([0, id, 0, 0, 0, 0, 0, 1]);
            places.extend_from_slice(&u32::try_from(at).unwrap().to_be_bytes());
            places.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
            at += length;
        }
        // The grid is in the idat box.
        places.extend([0, 5, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 8]);
        places.extend([0, 6, 0, 0, 0, 0, 0, 1]);
        places.extend_from_slice(&u32::try_from(at).unwrap().to_be_bytes());
        places.extend_from_slice(&u32::try_from(secret.len()).unwrap().to_be_bytes());
        boxed(b"iloc", &[&places])
    };
    let ispe = |width: u32, height: u32| boxed(b"ispe", &[&[0; 4], &width.to_be_bytes(), &height.to_be_bytes()]);
    let associations = [1, 2, 3, 4].map(|id| [0, id, 2, 0x81, 2]).concat();
    let properties = boxed(
        b"iprp",
        &[
            &boxed(b"ipco", &[&boxed(b"hvcC", &[&config]), &ispe(64, 64), &ispe(120, 100)]),
            &boxed(b"ipma", &[&[0, 0, 0, 0, 0, 0, 0, 5], &associations, &[0, 5, 1, 3]]),
        ],
    );
    let kinds = [1, 2, 3, 4].map(|id| item(id, b"hvc1")).concat();
    let meta = |mdat: usize| {
        boxed(
            b"meta",
            &[
                &[0; 4],
                &boxed(b"pitm", &[&[0, 0, 0, 0, 0, 5]]),
                &boxed(b"iinf", &[&[0, 0, 0, 0, 0, 6], &kinds, &item(5, b"grid"), &item(6, b"Exif")]),
                &extents(mdat),
                &properties,
                &boxed(b"iref", &[&[0; 4], &boxed(b"dimg", &[&[0, 5, 0, 4, 0, 1, 0, 2, 0, 3, 0, 4]])]),
                &boxed(b"idat", &[&[0, 0, 1, 1, 0, 120, 0, 100]]),
            ],
        )
    };
    let head = boxed(b"ftyp", &[b"heic\0\0\0\0mif1heic"]);
    let mdat = head.len() + meta(0).len() + 8;
    [head, meta(mdat), boxed(b"mdat", &[&data])].concat()
}

#[tokio::test]
async fn the_tiles_of_a_phones_picture_are_put_together() {
    let room = Room::new();
    let path = clips::made("grid.heic", |path| std::fs::write(path, grid()).unwrap());
    let (made, decoded) = picture(&room, &path, MIB).await;
    assert_eq!((decoded.width(), decoded.height()), (120, 100), "{made:?}");
    assert_quarters(&decoded, [RED, GREEN, BLUE, YELLOW], 16);
}

#[tokio::test]
async fn a_phones_picture_that_cannot_be_converted_is_kept_without_its_place() {
    let room = Room::new();
    let mut bytes = grid();
    // The first tile is no HEVC any more.
    let at = bytes.windows(4).position(|window| window == b"mdat").unwrap() + 8;
    let (hvcc, _) = (bytes.windows(4).position(|window| window == b"hvcC").unwrap(), ());
    bytes[at..at + 12].fill(0xff);
    bytes[hvcc + 4..hvcc + 60].fill(0xff);
    let path = room.dir.path().join("broken.heic");
    std::fs::write(&path, &bytes).unwrap();
    let made = room.fit(&path, MIB).await.unwrap();
    assert_eq!((made.mimetype.as_str(), made.size), ("image/heic", bytes.len() as u64));
    let kept = std::fs::read(&made.path).unwrap();
    assert!(!kept.windows(6).any(|window| window == b"SECRET"));
    let error = room.fit(&path, 200).await.unwrap_err();
    assert_eq!(error.code(), "cannot_fit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_picture_ends_at_once() {
    let path = saved("large.png", || photo(4000, 3000).into(), ImageFormat::Png);
    let room = Room::new();
    let file = room.describe(&path).await;
    let out = room.dir.path().join("out");
    let cancel = CancellationToken::new();
    let (token, at) = (cancel.clone(), Arc::new(Mutex::new(None)));
    let cancelled = Arc::clone(&at);
    let report = move |_| {
        cancelled.lock().unwrap().get_or_insert_with(std::time::Instant::now);
        token.cancel();
    };
    let error = room.media.fit(&file, FitTarget::at_most(MIB), &out, &report, &cancel).await.unwrap_err();
    assert_eq!(error.code(), "cancelled");
    let since = at.lock().unwrap().expect("progress was heard");
    assert!(since.elapsed() < std::time::Duration::from_millis(200), "{:?}", since.elapsed());
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0, "something is left");
}
