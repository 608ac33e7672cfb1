//! Moving pictures.

use boss_bot::{model::FileType, settings::Animations};
use image::{AnimationDecoder, codecs::gif::GifDecoder};

use super::*;

const SOURCE: &str = "-f lavfi -i testsrc2=s=320x240:r=10:d=2,noise=alls=20:allf=t";

/// The same two seconds in every format that moves.
fn animations() -> [PathBuf; 3] {
    [("anim.gif", ""), ("anim.webp", "-c:v libwebp_anim -quality 90 -loop 0"), ("anim.png", "-plays 0 -f apng")]
        .map(|(name, args)| clip(name, &format!("{SOURCE} {args}")))
}

/// Frames of a GIF, their seconds together, and the first one.
fn frames(path: &Path) -> (usize, f64, image::RgbaImage) {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let frames = GifDecoder::new(file).unwrap().into_frames().collect_frames().unwrap();
    let seconds = frames.iter().map(|frame| frame.delay().numer_denom_ms()).map(|(n, d)| f64::from(n) / f64::from(d));
    (frames.len(), seconds.sum::<f64>() / 1000.0, frames[0].buffer().clone())
}

#[tokio::test]
async fn animations_over_the_limit_become_videos() {
    let room = Room::new();
    for path in animations() {
        let size = std::fs::metadata(&path).unwrap().len();
        let kept = room.fit(&path, size).await.unwrap();
        assert_eq!(kept.file_type, FileType::Image, "{} fits", path.display());
        let (made, streams) = room.video(&path, size / 4).await;
        assert_eq!(made.file_type, FileType::Video);
        assert!((streams.duration() - 2.0).abs() < 0.15, "{}: {}", path.display(), streams.duration());
        assert_eq!(streams.packets(), 20, "{}", path.display());
    }
}

#[tokio::test]
async fn or_smaller_gifs_by_choice_of_the_operator() {
    let room = Room::with(|settings| settings.animations = Animations::Gif);
    for path in animations() {
        let size = std::fs::metadata(&path).unwrap().len().min(1_200_000);
        for limit in [size / 2, size / 8] {
            let fitted = room.fit_all(&path, FitTarget::at_most(limit)).await.unwrap();
            let made = &fitted.files[0];
            assert_eq!((made.mimetype.as_str(), fitted.report.path), ("image/gif", "gif"), "{made:?}");
            assert!(made.size <= limit && made.size > limit * 6 / 10, "{} of {limit}: {:?}", made.size, fitted.report);
            let (count, seconds, first) = frames(&made.path);
            assert!(count >= 10 && (seconds - 2.0).abs() < 0.2, "{count} frames, {seconds} s");
            let (width, height) = first.dimensions();
            assert!(width <= 320 && (f64::from(width) / f64::from(height) - 4.0 / 3.0).abs() < 0.05);
        }
    }
}

#[tokio::test]
async fn whoever_wants_a_gif_gets_one_even_of_what_fits() {
    let room = Room::new();
    let [gif, webp, _] = animations();
    let mut target = FitTarget::at_most(4 * MIB);
    target.wish.gif = true;
    let made = room.fit_to(&webp, target.clone()).await.unwrap();
    assert_eq!((made.mimetype.as_str(), frames(&made.path).0), ("image/gif", 20));
    assert_eq!(room.fit_to(&gif, target).await.unwrap().path, gif);
}

#[tokio::test]
async fn transparency_of_an_animation_survives_in_a_gif() {
    let room = Room::with(|settings| settings.animations = Animations::Gif);
    let path = clip(
        "clear.gif",
        "-f lavfi -i testsrc2=s=200x150:r=10:d=1,noise=alls=30:allf=t,format=rgba,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='if(lt(X,100),0,255)' \
         -filter_complex split[a][b];[a]palettegen[p];[b][p]paletteuse",
    );
    let size = std::fs::metadata(&path).unwrap().len();
    let made = room.fit(&path, size / 2).await.unwrap();
    let (_, _, first) = frames(&made.path);
    assert_eq!(made.mimetype, "image/gif");
    assert_eq!(first.get_pixel(2, 2).0[3], 0);
    assert_eq!(first.get_pixel(first.width() - 3, 2).0[3], 255);
}

#[tokio::test]
async fn an_animation_of_far_too_many_frames_is_refused_before_it_is_decoded() {
    let room = Room::new();
    // Ten thousand frames of 4,000 by 4,000 pixels on paper.
    let mut gif = b"GIF89a\xa0\x0f\xa0\x0f\x80\0\0\0\0\0\xff\xff\xff".to_vec();
    for _ in 0..10_000 {
        gif.extend_from_slice(b"\x2c\0\0\0\0\xa0\x0f\xa0\x0f\0\x02\x02\x44\x01\0");
    }
    gif.push(b';');
    let path = room.dir.path().join("many.gif");
    std::fs::write(&path, &gif).unwrap();
    for limit in [MIB, 10_000] {
        let started = std::time::Instant::now();
        let error = room.fit(&path, limit).await.unwrap_err();
        assert_eq!(error.code(), "cannot_fit");
        assert!(error.user_text().contains("too large"), "{}", error.user_text());
        assert!(started.elapsed() < std::time::Duration::from_secs(1), "{:?}", started.elapsed());
    }
}
