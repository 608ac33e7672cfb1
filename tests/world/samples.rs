//! A set of sample posts for the demo and the play page: one of each kind that people paste.

use super::{
    media::{self, Dash, Video},
    platforms::{Fate, Gone, InstagramPost, RedditPost, Tweet, YouTubeVideo, bluesky::BlueskyPost, tiktok::TikTokPost},
    web::Web,
};

/// The links of the sample posts.
#[derive(Debug, Clone)]
pub struct Samples {
    /// An X video of 5 MB.
    pub x_video: String,
    /// An X post with four images, with alternative texts.
    pub x_images: String,
    /// A Reddit video with its sound apart, over 30 MiB in all.
    pub reddit_video: String,
    /// A Reddit gallery of three images and a GIF.
    pub reddit_gallery: String,
    /// A YouTube video, picture and sound apart.
    pub youtube_video: String,
    /// An Instagram carousel: image, video, image.
    pub instagram_carousel: String,
    /// A video file on somebody's server.
    pub direct_video: String,
    /// A TikTok slideshow: two photos and their sound.
    pub tiktok_slideshow: String,
    /// A Bluesky video.
    pub bluesky_video: String,
    /// An X post that its author deleted.
    pub deleted: String,
    /// A post in a private subreddit.
    pub private: String,
    /// An address of the machine itself, which must never be asked.
    pub loopback: String,
}

/// A sample and what it shows.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// A short name: `an X video`.
    pub name: &'static str,
    /// The link to paste.
    pub link: &'a str,
    /// What should come of it, in a few words.
    pub expect: &'static str,
    /// How many files should come of it; 0: a sentence that says why not.
    pub files: usize,
}

impl Samples {
    /// Places the posts. Makes their media at the first run, which takes some seconds.
    pub fn install(web: &Web) -> Self {
        let spec = Video { seconds: 10, width: 640, height: 360, target_bytes: Some(5_000_000), ..Video::seed(1) };
        let images: Vec<_> = (1..=4).map(media::jpg).collect();
        let mut four = Tweet::images(&images).by("bertha", "Bertha Boxes").text("Four boxes, one post");
        for (index, text) in
            ["The first box", "The second box", "The third box", "The fourth box"].into_iter().enumerate()
        {
            four = four.alt(index, text);
        }
        let mut gallery: Vec<_> = (5..=7).map(media::jpg).collect();
        gallery.push(media::image(media::Image::seed(8, media::ImageKind::Gif)));
        let carousel = [media::jpg(10), media::small_video(11), media::jpg(12)];
        let deleted = Tweet { screen_name: "carl".into(), ..Tweet::gone(Gone::Deleted) };
        Self {
            x_video: web
                .x()
                .post(Tweet::video(&media::video(spec)).by("ann", "Ann Example").text("Watch the test card turn")),
            x_images: web.x().post(four),
            reddit_video: web
                .reddit()
                .post(RedditPost::video(Dash::huge(2)).titled("Forty seconds of noise").by("bea")),
            reddit_gallery: web.reddit().post(RedditPost::gallery(&gallery).titled("Three stills and one that moves")),
            youtube_video: web.youtube().video(
                YouTubeVideo::of(Dash { seconds: 6, ..Dash::seed(3) })
                    .titled("A song in one tone")
                    .by("Cara's Channel"),
            ),
            instagram_carousel: web
                .instagram()
                .post(InstagramPost::carousel(&carousel).caption("Three from the weekend")),
            direct_video: web.file("files.example", "/holiday.mp4", &media::small_video(12)),
            tiktok_slideshow: web.sites().tiktok.post(
                TikTokPost::slideshow(&[media::jpg(13), media::jpg(14)], &media::audio(4, true, 15))
                    .by("fay", "Fay Example")
                    .text("Two photos and a tune"),
            ),
            bluesky_video: web
                .sites()
                .bluesky
                .post(BlueskyPost::video(&media::small_video(16)).by("gus.example", "Gus Example")),
            deleted: web.x().post(deleted),
            private: web
                .reddit()
                .post(RedditPost::gone(Fate::Private).in_subreddit("secretclub").titled("For members")),
            loopback: "http://127.0.0.1:9/secret.mp4".into(),
        }
    }

    /// All of them, in the order worth showing.
    pub fn all(&self) -> Vec<Sample<'_>> {
        let sample = |name, link, expect, files| Sample { name, link, expect, files };
        vec![
            sample("an X video", &self.x_video, "one video, in process", 1),
            sample("an X post with four images", &self.x_images, "four images in one message, in order", 4),
            sample("a Reddit video over 30 MiB", &self.reddit_video, "one video with its sound, made to fit", 1),
            sample("a Reddit gallery", &self.reddit_gallery, "three images and a GIF, in order", 4),
            sample("a YouTube video", &self.youtube_video, "one video, its sound joined", 1),
            sample("an Instagram carousel", &self.instagram_carousel, "an image, a video, an image, in order", 3),
            sample("a direct mp4", &self.direct_video, "the very file", 1),
            sample("a TikTok slideshow", &self.tiktok_slideshow, "two photos in order, then their sound", 3),
            sample("a Bluesky video", &self.bluesky_video, "the video as its author uploaded it", 1),
            sample("a deleted post", &self.deleted, "a sentence that says it is gone", 0),
            sample("a private post", &self.private, "a sentence that says it is private", 0),
            sample("a link to this machine", &self.loopback, "refused without a connection", 0),
        ]
    }
}
