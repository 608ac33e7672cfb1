//! The hazards of running yt-dlp and gallery-dl on strangers' links, one by one, with the real tools.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use boss_bot::{
    media::{FitTarget, Media},
    model::{FileType, Options, ResourceKind, Tool},
    settings::Settings,
    tools::process,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    toolbox::{Ask, Forbidden, Toolbox, assert_code, only},
    world::{
        media,
        platforms::Tweet,
        web::{Fault, FaultKind, Reply},
    },
};

const TOOLS: [Tool; 2] = [Tool::YtDlp, Tool::GalleryDl];

// ---- loopback, private and metadata addresses ----

#[tokio::test]
async fn neither_tool_reaches_a_private_address() {
    let toolbox = Toolbox::start().await;
    let forbidden = Forbidden::start().await;
    let port = forbidden.port;
    let redirect = |name: &str, to: String| toolbox.web.redirect("files.example.com", name, &to);
    let links = [
        format!("http://127.0.0.1:{port}/a.mp4"),
        format!("http://2130706433:{port}/a.jpg"),
        format!("http://[::ffff:127.0.0.1]:{port}/a.mp4"),
        "http://169.254.169.254/latest/meta-data/a.jpg".to_owned(),
        "http://10.0.0.1/a.mp4".to_owned(),
        redirect("/to-loopback.mp4", format!("http://127.0.0.1:{port}/a.mp4")),
        redirect("/to-metadata.jpg", "http://169.254.169.254/a.jpg".to_owned()),
    ];
    for link in &links {
        for tool in TOOLS {
            let result = toolbox.run(&Ask::new(tool, link)).await;
            assert_code(&result, "blocked_address");
        }
    }
    assert_eq!(forbidden.visits(), 0);
    assert_eq!(toolbox.left(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn a_playlist_of_segments_at_a_private_address_is_said_to_be_blocked() {
    let toolbox = Toolbox::start().await;
    let forbidden = Forbidden::start().await;
    let playlist = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:{}/seg.ts\n#EXT-X-ENDLIST\n",
        forbidden.port
    );
    let reply = Reply::new(200, "application/vnd.apple.mpegurl", playlist);
    let link = toolbox.web.reply("files.example.com", "/index.m3u8", reply);
    // The tool itself only says that the downloaded file is empty: the proxy knows why.
    assert_code(&toolbox.yt_dlp(&link, &["generic"]).await, "blocked_address");
    let by_ffmpeg = Ask::new(Tool::YtDlp, &link).args(&["--downloader", "ffmpeg"]);
    assert_code(&toolbox.run(&by_ffmpeg).await, "blocked_address");
    assert_eq!(forbidden.visits(), 0);
}

// ---- argument injection, other schemes ----

#[tokio::test]
async fn a_link_is_never_an_option_and_never_another_scheme() {
    let toolbox = Toolbox::start().await;
    let bait = toolbox.jobs.join("pwned");
    let touch = format!("touch {}", bait.display());
    for link in [
        "ftp://files.example.com/a.mp4",
        "ytsearch5:cats",
        "ytdl:https://files.example.com/a.mp4",
        "oauth:reddit",
        "r:https://files.example.com/",
        "g:https://files.example.com/",
        "file:///etc/passwd",
        &format!("exec:{touch}"),
    ] {
        for tool in TOOLS {
            assert_code(&toolbox.run(&Ask::new(tool, link)).await, "unsupported_url");
        }
    }
    // What follows `--` is a link, also when it looks like an option to whoever splits it.
    for link in [
        format!("http://files.example.com/ --exec={touch}"),
        format!("http://files.example.com/\t-o exec={touch}"),
        format!("http://--exec={}/", "files.example.com"),
    ] {
        for tool in TOOLS {
            if url::Url::parse(&link).is_ok() {
                assert!(toolbox.run(&Ask::new(tool, &link)).await.is_err());
            }
        }
    }
    assert!(!bait.exists());
    assert!(
        toolbox.web.requests().iter().all(|seen| seen.host.ends_with("files.example.com")),
        "{:?}",
        toolbox.web.requests()
    );
}

// ---- user configuration, plugins ----

/// Name of the variable that tells the inner story where the bait is.
const BAIT: &str = "BOSS_BOT_TEST_BAIT";

#[tokio::test]
async fn configuration_plugins_and_modules_of_the_operators_account_are_not_run() {
    let home = tempfile::tempdir().unwrap();
    let bait = home.path().join("pwned");
    let write = |path: &str, text: &str| {
        let path = home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let touch = format!("touch {}", bait.display());
    for config in [".config/yt-dlp/config", ".config/yt-dlp.conf", "yt-dlp.conf", ".yt-dlp/config"] {
        write(config, &format!("--exec before_dl:'{touch}'\n"));
    }
    let exec = json!({"extractor": {"postprocessors": [{"name": "exec", "event": "prepare", "command": touch}]}});
    for config in [".config/gallery-dl/config.json", ".gallery-dl.conf"] {
        write(config, &exec.to_string());
    }
    let evil = format!("open({:?}, 'w').close()\n", bait.display().to_string());
    for folder in [".config/yt-dlp/plugins/evil", ".yt-dlp/plugins/evil", "plugins/evil", "."] {
        write(&format!("{folder}/yt_dlp_plugins/extractor/evil.py"), &evil);
        write(&format!("{folder}/yt_dlp_plugins/postprocessor/evil.py"), &evil);
    }
    // Modules that Python loads by itself, or that the tools import when they can.
    for module in ["sitecustomize.py", "usercustomize.py", "brotli.py", "websockets.py", "curl_cffi.py"] {
        write(module, &evil);
    }
    // The same test program once more, as an operator who has all that in their account.
    let inner = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hazards::inner_story_of_a_baited_account", "--nocapture"])
        .env("HOME", home.path())
        .env("XDG_CONFIG_HOME", home.path().join(".config"))
        .env("PYTHONPATH", home.path())
        .env(BAIT, &bait)
        .current_dir(home.path())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&inner.stdout).into_owned() + &String::from_utf8_lossy(&inner.stderr);
    assert!(inner.status.success() && said.contains("1 passed"), "{said}");
    assert!(!bait.exists());
}

/// Does nothing unless the story above starts it.
#[tokio::test]
async fn inner_story_of_a_baited_account() {
    let Some(bait) = std::env::var_os(BAIT) else { return };
    let toolbox = Toolbox::start().await;
    let video = toolbox.web.file("files.example.com", "/a.mp4", &media::small_video(1));
    let picture = toolbox.web.file("files.example.com", "/a.jpg", &media::jpg(1));
    only(&toolbox.yt_dlp(&video, &["generic"]).await);
    only(&toolbox.gallery_dl(&picture).await);
    assert!(!Path::new(&bait).exists());
}

#[tokio::test]
async fn a_command_in_the_operators_gallery_dl_file_is_taken_out_and_the_rest_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let (file, bait) = (folder.path().join("gallery-dl.conf"), folder.path().join("pwned"));
    let run = json!({"name": "exec", "event": "prepare", "command": format!("touch {}", bait.display())});
    let config = json!({
        "extractor": {
            "postprocessors": [run], "base-directory": folder.path(), "user-agent": "Operator/1.0",
            "directlink": {"postprocessors": [run], "filename": "../../escaped.jpg", "proxy": null,
                           "image-filter": format!("open({:?}, 'w')", bait.display().to_string())}
        },
        "downloader": {"http": {"headers": {"X-Operator": "yes"}}},
        "postprocessors": [run],
    });
    std::fs::write(&file, config.to_string()).unwrap();
    let toolbox = Toolbox::with(|settings| settings.gallery_dl.config_file = Some(file)).await;
    let link = toolbox.web.file("files.example.com", "/a.jpg", &media::jpg(1));
    only(&toolbox.gallery_dl(&link).await);
    assert!(!bait.exists());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is written beside the operator's file");
    assert_eq!(toolbox.web.requests()[0].header("x-operator"), Some("yes"));
}

#[tokio::test]
async fn a_broken_gallery_dl_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gallery-dl.conf");
    std::fs::write(&file, "{ not json").unwrap();
    let toolbox = Toolbox::with(|settings| settings.gallery_dl.config_file = Some(file)).await;
    let link = toolbox.web.file("files.example.com", "/a.jpg", &media::jpg(1));
    let error = toolbox.gallery_dl(&link).await.unwrap_err();
    assert_eq!(error.code(), "internal");
    assert!(error.operator_text().contains("GALLERY_DL_CONFIG_FILE"), "{error}");
}

// ---- path traversal ----

#[tokio::test]
async fn names_that_climb_stay_inside_the_jobs_folder() {
    let toolbox = Toolbox::start().await;
    let video = media::small_video(1);
    let picture = media::jpg(1);
    let climbing = |file: &media::Media| {
        Reply::file(&file.path, file.mime)
            .with_header("content-disposition", "attachment; filename=\"../../../evil.mp4\"")
    };
    let links = [
        (Tool::YtDlp, "/..%2F..%2F..%2Fevil.mp4", &video),
        (Tool::YtDlp, "/%2Fetc%2Fevil.mp4", &video),
        (Tool::GalleryDl, "/..%2F..%2Fevil.jpg", &picture),
        (Tool::GalleryDl, "/x/%2Fetc%2Fevil.jpg", &picture),
    ];
    let jobs = toolbox.jobs.canonicalize().unwrap();
    for (tool, path, file) in links {
        let link = toolbox.web.reply("files.example.com", path, climbing(file));
        let result = toolbox.run(&Ask::new(tool, &link)).await;
        assert!(only(&result).starts_with(&jobs), "{result:?}");
        assert!(!only(&result).to_string_lossy().contains("evil"), "{result:?}");
    }
    let around = std::fs::read_dir(jobs.parent().unwrap()).unwrap().flatten().map(|entry| entry.file_name());
    let mut around: Vec<_> = around.collect();
    around.sort();
    assert_eq!(around, ["ca.pem", "jobs"], "nothing is written outside");
}

// ---- huge bodies ----

#[tokio::test]
async fn a_body_without_length_ends_at_the_limit() {
    let toolbox = Toolbox::start().await;
    let video = toolbox.web.chunked_file("files.example.com", "/a.mp4", &media::video_of(3_000_000, 1));
    let picture = toolbox.web.chunked_file("files.example.com", "/a.jpg", &media::video_of(3_000_000, 1));
    for (tool, link) in [(Tool::YtDlp, video), (Tool::GalleryDl, picture)] {
        let result = toolbox.run(&Ask { max_bytes: 200_000, ..Ask::new(tool, &link) }).await;
        assert_code(&result, "too_large");
    }
    assert!(toolbox.left().is_empty(), "{:?}", toolbox.left());
}

#[tokio::test]
async fn a_body_that_tells_its_size_is_refused_before_it_is_loaded() {
    let toolbox = Toolbox::start().await;
    let file = media::video_of(3_000_000, 1);
    let links = [
        (Tool::YtDlp, toolbox.web.file("files.example.com", "/a.mp4", &file)),
        (Tool::GalleryDl, toolbox.web.file_as("files.example.com", "/a.jpg", &file.path, "image/jpeg")),
    ];
    for (tool, link) in links {
        let result = toolbox.run(&Ask { max_bytes: 200_000, ..Ask::new(tool, &link) }).await;
        assert_code(&result, "too_large");
    }
}

#[tokio::test]
async fn segments_that_add_up_end_at_the_limit() {
    let toolbox = Toolbox::start().await;
    let segment = media::video_of(3_000_000, 1);
    toolbox.web.file("files.example.com", "/seg.ts", &segment);
    let playlist = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{}#EXT-X-ENDLIST\n", "#EXTINF:2,\nseg.ts\n".repeat(500));
    let reply = Reply::new(200, "application/vnd.apple.mpegurl", playlist);
    let link = toolbox.web.reply("files.example.com", "/index.m3u8", reply);
    let result = toolbox.run(&Ask { max_bytes: 5_000_000, ..Ask::new(Tool::YtDlp, &link) }).await;
    assert_code(&result, "too_large");
    assert!(toolbox.web.requests().len() < 10, "{}", toolbox.web.requests().len());
    assert!(toolbox.left().is_empty(), "{:?}", toolbox.left());
}

// ---- live streams, endless lists ----

#[tokio::test]
async fn a_live_stream_is_not_begun() {
    let toolbox = Toolbox::start().await;
    let playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:1\n#EXTINF:2,\nseg.ts\n";
    let reply = Reply::new(200, "application/vnd.apple.mpegurl", playlist);
    let link = toolbox.web.reply("files.example.com", "/live.m3u8", reply);
    toolbox.web.file("files.example.com", "/seg.ts", &media::small_video(1));
    assert_code(&toolbox.yt_dlp(&link, &["generic"]).await, "live");
    assert!(toolbox.web.requests().iter().all(|seen| seen.path != "/seg.ts"));
}

#[tokio::test]
async fn of_an_endless_feed_only_the_first_item_is_loaded() {
    let toolbox = Toolbox::start().await;
    let file = media::small_video(1);
    let items: String = (0..500)
        .map(|n| {
            toolbox.web.file("files.example.com", &format!("/{n}.mp4"), &file);
            format!("<item><title>{n}</title><link>https://files.example.com/{n}.mp4</link></item>")
        })
        .collect();
    let feed = format!("<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>f</title>{items}</channel></rss>");
    let link = toolbox.web.reply("files.example.com", "/feed.xml", Reply::new(200, "application/rss+xml", feed));
    let result = toolbox.run(&Ask { kind: ResourceKind::Unknown, ..Ask::new(Tool::YtDlp, &link) }).await;
    only(&result);
    assert!(toolbox.web.requests().len() < 8, "{}", toolbox.web.requests().len());
}

#[tokio::test]
async fn of_an_endless_album_no_more_than_a_posts_worth_is_loaded() {
    let toolbox = Toolbox::start().await;
    let picture = media::jpg(1);
    let media: Vec<_> = (0..200)
        .map(|n| {
            let id = format!("abcde{n:02}");
            let url = toolbox.web.file("i.imgur.com", &format!("/{id}.jpg"), &picture);
            json!({"id": id, "name": "", "ext": "jpg", "url": url, "type": "image", "mime_type": "image/jpeg",
                   "created_at": "2026-11-20T10:00:00Z", "updated_at": null, "width": 4, "height": 3, "size": 9,
                   "metadata": {"title": "", "description": "", "is_animated": false, "duration": 0, "has_sound": false}})
        })
        .collect();
    let album = json!({"id": "AbCdEfG", "title": "many", "description": "", "created_at": "2026-11-20T10:00:00Z",
                       "image_count": 200, "is_album": true, "media": media, "account": null, "tags": []});
    toolbox.web.reply("api.imgur.com", "/post/v1/albums/AbCdEfG", Reply::json(&album));
    let output = toolbox.gallery_dl("https://imgur.com/a/AbCdEfG").await.unwrap();
    assert_eq!(output.files.len(), 20);
    assert_eq!(toolbox.web.requests_to("i.imgur.com").len(), 20);
}

// ---- gaps, drips ----

#[tokio::test]
async fn a_missing_segment_is_a_failure_and_not_a_gap() {
    let toolbox = Toolbox::start().await;
    let segment = media::small_video(1);
    toolbox.web.file("files.example.com", "/1.ts", &segment);
    toolbox.web.file("files.example.com", "/3.ts", &segment);
    let playlist =
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n1.ts\n#EXTINF:2,\n2.ts\n#EXTINF:2,\n3.ts\n#EXT-X-ENDLIST\n";
    let reply = Reply::new(200, "application/vnd.apple.mpegurl", playlist);
    let link = toolbox.web.reply("files.example.com", "/index.m3u8", reply);
    assert_code(&toolbox.yt_dlp(&link, &["generic"]).await, "network");
    assert!(toolbox.left().is_empty(), "{:?}", toolbox.left());
}

#[tokio::test]
async fn a_slow_drip_ends_at_the_deadline() {
    let toolbox = Toolbox::with(|settings| settings.downloads.timeout = Duration::from_secs(4)).await;
    let video = toolbox.web.file("files.example.com", "/a.mp4", &media::small_video(1));
    let picture = toolbox.web.file("files.example.com", "/a.jpg", &media::jpg(1));
    toolbox.web.faults().add(Fault::on("files.example.com", "/a.", FaultKind::Drip));
    for (tool, link) in [(Tool::YtDlp, video), (Tool::GalleryDl, picture)] {
        assert_code(&toolbox.run(&Ask::new(tool, &link)).await, "timeout");
    }
    assert_eq!(toolbox.at_work(), Vec::<String>::new());
    assert!(toolbox.left().is_empty(), "{:?}", toolbox.left());
}

// ---- orphans ----

#[tokio::test]
async fn a_cancelled_download_leaves_no_ffmpeg_behind() {
    let toolbox = Toolbox::start().await;
    toolbox.web.file("files.example.com", "/seg.ts", &media::small_video(1));
    toolbox.web.faults().add(Fault::on("files.example.com", "/seg.ts", FaultKind::Hang));
    let playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nseg.ts\n#EXT-X-ENDLIST\n";
    let reply = Reply::new(200, "application/vnd.apple.mpegurl", playlist);
    let link = toolbox.web.reply("files.example.com", "/index.m3u8", reply);
    let ask = Ask::new(Tool::YtDlp, &link).args(&["--downloader", "ffmpeg"]);
    let cancel = CancellationToken::new();
    let watch = async {
        // ffmpeg, not yt-dlp, asks for segments here.
        toolbox.web.wait_for_request(|seen| seen.path == "/seg.ts").await;
        let at_work = toolbox.at_work().join("\n");
        cancel.cancel();
        at_work
    };
    let (result, at_work) = tokio::join!(toolbox.run_until(&ask, &cancel), watch);
    assert!(at_work.contains("ffmpeg"), "{at_work}");
    assert_code(&result, "cancelled");
    assert_eq!(toolbox.at_work(), Vec::<String>::new());
    assert!(toolbox.left().is_empty(), "{:?}", toolbox.left());
}

#[tokio::test]
async fn a_dropped_download_leaves_nobody_behind_either() {
    let toolbox = Toolbox::start().await;
    let link = toolbox.web.file("files.example.com", "/a.mp4", &media::small_video(1));
    toolbox.web.hold_downloads();
    let ask = Ask::new(Tool::YtDlp, &link);
    tokio::select! {
        result = toolbox.run(&ask) => panic!("it cannot end: {result:?}"),
        () = toolbox.web.wait_for_held_downloads(1) => {}
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !toolbox.at_work().is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "{:?}", toolbox.at_work());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(toolbox.left().is_empty(), "{:?}", toolbox.left());
}

// ---- cookies ----

#[tokio::test]
async fn cookies_go_to_their_own_host_as_a_copy_that_does_not_stay() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cookies.txt");
    let cookies = "# Netscape HTTP Cookie File\n.files.example.com\tTRUE\t/\tTRUE\t2147483647\tsession\tsecret-value\n";
    std::fs::write(&file, cookies).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let given = file.clone();
    let toolbox = Toolbox::with(|settings| settings.gallery_dl.cookies_file = Some(given)).await;
    for (tool, name, media) in
        [(Tool::YtDlp, "/a.mp4", media::small_video(1)), (Tool::GalleryDl, "/a.jpg", media::jpg(1))]
    {
        let there = toolbox.web.file("other.example.org", name, &media);
        let moved =
            Reply::redirect(&there).with_header("set-cookie", "tracker=1; Domain=.files.example.com; Max-Age=9999");
        let link = toolbox.web.reply("files.example.com", name, moved);
        let result = toolbox.run(&Ask::new(tool, &link)).await;
        only(&result);
        let cookie = |host: &str| {
            let seen = toolbox.web.requests_to(host);
            assert!(!seen.is_empty(), "{tool} asked {host}");
            seen.iter().filter_map(|seen| seen.header("cookie").map(str::to_owned)).collect::<Vec<_>>()
        };
        // gallery-dl binds cookies to extractors with a domain; a direct link has none.
        if tool == Tool::YtDlp {
            assert!(cookie("files.example.com").iter().any(|cookie| cookie.contains("session=secret-value")));
        }
        assert_eq!(cookie("other.example.org"), Vec::<String>::new());
        assert!(!format!("{result:?}").contains("secret-value"), "{result:?}");
        toolbox.web.clear_log();
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), cookies, "the operator's file is never written");
    for path in toolbox.left() {
        let text = std::fs::read(&path).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("secret-value"), "{}", path.display());
    }
}

// ---- the generic extractor ----

#[tokio::test]
async fn embeds_are_followed_only_where_the_operator_allows_it() {
    let page = |toolbox: &Toolbox| {
        let file = toolbox.web.file("elsewhere.example.org", "/a.mp4", &media::small_video(1));
        let html = format!("<html><head><title>t</title></head><body><video src=\"{file}\"></video></body></html>");
        toolbox.web.page("pages.example.com", "/post", &html)
    };
    let toolbox = Toolbox::start().await;
    let link = page(&toolbox);
    assert_code(&toolbox.yt_dlp(&link, &[]).await, "unsupported_url");
    assert_code(&toolbox.yt_dlp(&link, &["twitter"]).await, "unsupported_url");
    assert_eq!(toolbox.web.requests_to("elsewhere.example.org").len(), 0);

    let toolbox = Toolbox::with(|settings| settings.downloads.allow_generic = true).await;
    let link = page(&toolbox);
    only(&toolbox.yt_dlp(&link, &[]).await);
}

// ---- a text playlist named .mp4 ----

#[tokio::test]
async fn a_playlist_that_calls_itself_mp4_does_not_open_other_files() {
    let toolbox = Toolbox::start().await;
    let other = media::small_video(7);
    let playlist =
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{}\n#EXT-X-ENDLIST\n", other.path.display());
    let reply = Reply::new(200, "video/mp4", playlist.clone());
    let link = toolbox.web.reply("files.example.com", "/a.mp4", reply);
    // yt-dlp delivers the text it is; what matters is that nobody plays it.
    let result = toolbox.yt_dlp(&link, &["generic"]).await;
    let file = only(&result);
    assert_eq!(std::fs::read_to_string(file).unwrap(), playlist);
    let media = Media::new(Settings::default().compression, toolbox.tools.clone());
    if let Ok(described) = media.describe(file, "a", 0).await {
        assert!(!matches!(described.file_type, FileType::Video | FileType::Audio), "{described:?}");
        let target = FitTarget::at_most(5_000_000);
        let fitted = media.fit(&described, target, &toolbox.jobs, &|_| (), &CancellationToken::new()).await;
        assert!(
            fitted.is_err()
                || fitted.is_ok_and(|fitted| fitted.files.iter().all(|file| file.file_type == FileType::Other))
        );
    }
    assert_code(&toolbox.gallery_dl(&link).await, "ok");
}

// ---- the sandbox is on ----

#[tokio::test]
async fn a_look_loads_no_media() {
    let toolbox = Toolbox::start().await;
    let link = toolbox.web.x().post(Tweet::video(&media::small_video(1)).by("ann", "Ann").text("look"));
    for (tool, extractors) in [(Tool::YtDlp, vec!["twitter"]), (Tool::GalleryDl, vec![])] {
        let options = Options { metadata_only: true, ..Options::default() };
        let output = toolbox.run(&Ask { options, extractors, ..Ask::new(tool, &link) }).await.unwrap();
        assert_eq!(output.files.len(), 0);
        assert_eq!(output.metadata.items.len(), 1, "{:?}", output.metadata);
        assert!(!output.raw.is_empty());
    }
    assert!(toolbox.web.requests_to("video.twimg.com").is_empty());
}

#[tokio::test]
async fn the_child_cannot_see_our_environment() {
    // cargo and nextest set many variables; the tools get none of them.
    let dir = tempfile::tempdir().unwrap();
    let spawn = process::Spawn {
        tool: "env",
        program: "env".into(),
        args: Vec::new(),
        env: Vec::new(),
        dir: dir.path().to_owned(),
        limits: process::Limits { deadline: Duration::from_secs(10), file_bytes: None, memory_bytes: None, nice: 0 },
    };
    let mut seen = String::new();
    let mut on_line = |line: process::Line<'_>| {
        if let process::Line::Out(text) = line {
            seen.push_str(text);
            seen.push('\n');
        }
    };
    process::run(spawn, &CancellationToken::new(), &mut on_line).await.unwrap();
    assert!(seen.contains("PATH=") && !seen.contains("CARGO"), "{seen}");
}
