//! Pictures, moving ones included.

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
    assert!(made.filename.ends_with(".jpg") && made.size > 400_000, "{made:?}");
    assert_eq!((decoded.width(), decoded.height()), (1200, 800));
    let (made, decoded) = picture(&room, &path, 30_000).await;
    assert!(made.size > 15_000 && decoded.width() < 1200, "{made:?} {}", decoded.width());
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
async fn a_turned_photograph_is_made_upright() {
    // EXIF orientation 6: turn right by 90 degrees for display.
    let path = clips::made("turned.jpg", |path| {
        let mut jpeg = std::io::Cursor::new(Vec::new());
        photo(800, 400).write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
        let exif = b"\xff\xe1\0\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let jpeg = jpeg.into_inner();
        std::fs::write(path, [&jpeg[..2], exif, &jpeg[2..]].concat()).unwrap();
    });
    let (_, decoded) = picture(&Room::new(), &path, 40_000).await;
    assert!(decoded.height() > decoded.width(), "{} x {}", decoded.width(), decoded.height());
}

#[tokio::test]
async fn animations_over_the_limit_become_videos() {
    let room = Room::new();
    let source = "-f lavfi -i testsrc2=s=320x240:r=10:d=2,noise=alls=20:allf=t";
    for (name, args) in [("anim.gif", ""), ("anim.webp", "-c:v libwebp_anim -quality 90 -loop 0")] {
        let path = clip(name, &format!("{source} {args}"));
        let size = std::fs::metadata(&path).unwrap().len();
        let kept = room.fit(&path, size).await.unwrap();
        assert_eq!(kept.path, path, "{name} fits");
        let (made, streams) = room.video(&path, size / 4).await;
        assert_eq!(made.file_type, FileType::Video);
        assert!((streams.duration() - 2.0).abs() < 0.15, "{name}: {}", streams.duration());
        assert_eq!(streams.packets(), 20, "{name}");
    }
}

#[tokio::test]
async fn pictures_that_clients_do_not_show_are_converted() {
    let room = Room::new();
    let bmp = clip("photo.bmp", "-f lavfi -i testsrc2=s=320x240 -frames:v 1");
    let (made, decoded) = picture(&room, &bmp, MIB).await;
    assert_eq!((made.mimetype.as_str(), decoded.width()), ("image/jpeg", 320));
    let avif =
        clip("photo.avif", "-f lavfi -i testsrc2=s=320x240 -frames:v 1 -c:v libaom-av1 -cpu-used 8 -still-picture 1");
    let made = room.fit(&avif, MIB).await.unwrap();
    assert!(["image/jpeg", "image/avif"].contains(&made.mimetype.as_str()), "{made:?}");
}
