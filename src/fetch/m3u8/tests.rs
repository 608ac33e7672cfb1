use super::*;

fn base() -> Url {
    Url::parse("https://video.example/a/b/index.m3u8?token=x").unwrap()
}

fn media(text: &str) -> MediaPlaylist {
    match parse(&format!("#EXTM3U\n{text}"), &base()).unwrap() {
        Playlist::Media(playlist) => playlist,
        Playlist::Master(_) => panic!("no media playlist"),
    }
}

fn pieces(text: &str) -> Vec<String> {
    let shown = |piece: Piece| {
        let mut shown = piece.part.url.path().to_owned();
        if let Some(span) = piece.part.span {
            shown += &format!("[{}+{}]", span.start(), span.length());
        }
        if let Some(key) = piece.part.key {
            shown += &format!("*{}:{:x}", key.url.path(), u128::from_be_bytes(key.iv));
        }
        shown + if piece.header { " header" } else { "" } + if piece.starts { " |" } else { "" }
    };
    media(&format!("{text}\n#EXT-X-ENDLIST")).pieces().unwrap().into_iter().map(shown).collect()
}

fn refused(text: &str) -> String {
    let error = match parse(text, &base()) {
        Err(error) => error,
        Ok(Playlist::Media(playlist)) => playlist.pieces().unwrap_err(),
        Ok(Playlist::Master(master)) => panic!("accepted {master:?}"),
    };
    format!("{}: {}", error.code(), error.operator_text())
}

#[test]
fn segments_are_listed_in_order_with_addresses_made_whole() {
    let text = "#EXT-X-VERSION:3\r\n#EXT-X-TARGETDURATION:4\r\n#EXTINF:4.0,a title, with a comma\r\none.ts?sig=1\r\n\r\n\
        # a comment\r\n#EXTINF:2.5\r\n/two.ts\r\n#EXTINF:1,\r\nhttps://other.example/three.ts";
    assert_eq!(pieces(text), ["/a/b/one.ts", "/two.ts", "/three.ts"]);
    let playlist = media(text);
    assert_eq!(playlist.seconds(), 7.5);
    assert_eq!(playlist.segments[0].part.url.as_str(), "https://video.example/a/b/one.ts?sig=1");
    assert_eq!(playlist.segments[2].part.url.host_str(), Some("other.example"));
}

#[test]
fn a_byte_range_without_a_start_follows_the_previous_one_of_the_same_file() {
    let text = "#EXT-X-MAP:URI=\"v.mp4\",BYTERANGE=\"700@0\"\n#EXTINF:4,\n#EXT-X-BYTERANGE:1000@700\nv.mp4\n\
        #EXTINF:4,\n#EXT-X-BYTERANGE:50\nv.mp4\n#EXTINF:4,\nrest.mp4\n#EXTINF:4,\n#EXT-X-BYTERANGE:7\nv.mp4";
    assert_eq!(
        pieces(text),
        [
            "/a/b/v.mp4[0+700] header",
            "/a/b/v.mp4[700+1000]",
            "/a/b/v.mp4[1700+50]",
            "/a/b/rest.mp4",
            "/a/b/v.mp4[1750+7]"
        ]
    );
}

#[test]
fn a_key_holds_until_the_next_and_its_vector_is_the_number_of_the_segment_unless_told() {
    let text = "#EXT-X-MEDIA-SEQUENCE:41\n#EXTINF:1,\nclear.ts\n#EXT-X-KEY:METHOD=AES-128,URI=\"k1\"\n#EXTINF:1,\na.ts\n\
        #EXTINF:1,\nb.ts\n#EXT-X-KEY:METHOD=AES-128,URI=\"k2?a=1,b=2\",IV=0x000000000000000000000000000000FF\n\
        #EXTINF:1,\nc.ts\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:1,\nd.ts";
    assert_eq!(
        pieces(text),
        ["/a/b/clear.ts", "/a/b/a.ts*/a/b/k1:2a", "/a/b/b.ts*/a/b/k1:2b", "/a/b/c.ts*/a/b/k2:ff", "/a/b/d.ts"]
    );
}

#[test]
fn a_map_is_encrypted_by_the_key_before_it_only() {
    let key = "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x1";
    let map = "#EXT-X-MAP:URI=\"init.mp4\"";
    let segment = "#EXTINF:1,\na.m4s";
    let encrypted = "/a/b/a.m4s*/a/b/k:1";
    assert_eq!(pieces(&format!("{map}\n{key}\n{segment}")), ["/a/b/init.mp4 header", encrypted]);
    assert_eq!(pieces(&format!("{key}\n{map}\n{segment}")), ["/a/b/init.mp4*/a/b/k:1 header", encrypted]);
}

#[test]
fn another_map_and_a_discontinuity_start_anew() {
    let text = "#EXT-X-MAP:URI=\"i1\"\n#EXTINF:1,\na\n#EXTINF:1,\nb\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"i2\"\n\
        #EXTINF:1,\nc\n#EXT-X-DISCONTINUITY\n#EXTINF:1,\nd\n#EXT-X-MAP:URI=\"i1\"\n#EXTINF:1,\ne";
    assert_eq!(
        pieces(text),
        [
            "/a/b/i1 header",
            "/a/b/a",
            "/a/b/b",
            "/a/b/i2 header |",
            "/a/b/c",
            "/a/b/i2 header |",
            "/a/b/d",
            "/a/b/i1 header |",
            "/a/b/e",
        ]
    );
    assert_eq!(
        pieces("#EXT-X-DISCONTINUITY\n#EXTINF:1,\na\n#EXT-X-DISCONTINUITY\n#EXTINF:1,\nb"),
        ["/a/b/a", "/a/b/b |"]
    );
}

#[test]
fn the_same_key_in_several_formats_is_used_if_one_is_plain() {
    let fairplay = "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\",KEYFORMAT=\"com.apple.streamingkeydelivery\"";
    let plain = "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x2";
    assert_eq!(pieces(&format!("{plain}\n{fairplay}\n#EXTINF:1,\na")), ["/a/b/a*/a/b/k:2"]);
    assert_eq!(
        refused(&format!("#EXTM3U\n{fairplay}\n#EXTINF:1,\na\n#EXT-X-ENDLIST")),
        "platform_changed: a stream that is protected by DRM"
    );
}

#[test]
fn what_is_still_running_is_live() {
    for (kind, ended) in [("", false), ("#EXT-X-PLAYLIST-TYPE:EVENT\n", false), ("#EXT-X-PLAYLIST-TYPE:VOD\n", true)] {
        assert_eq!(media(&format!("{kind}#EXTINF:1,\na.ts")).ended, ended, "{kind}");
    }
    assert!(refused("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:1,\na.ts").starts_with("live: "));
}

#[test]
fn what_cannot_be_loaded_whole_is_refused() {
    for (text, why) in [
        ("", "does not start as one"),
        ("<html></html>", "does not start as one"),
        ("#EXTM3U8\n", "does not start as one"),
        ("#EXTM3U\n", "lists nothing"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-ENDLIST", "without segments"),
        ("#EXTM3U\na.ts", "no tag explains"),
        ("#EXTM3U\n#EXTINF:x,\na.ts", "is no number"),
        ("#EXTM3U\n#EXTINF:-1,\na.ts", "is no number"),
        ("#EXTM3U\n#EXTINF:inf,\na.ts", "is no number"),
        ("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd", "not the web's"),
        ("#EXTM3U\n#EXTINF:1,\nhttp://[", "that is none"),
        ("#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:9\na.ts", "starts nowhere"),
        ("#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:0@9\na.ts", "impossible"),
        ("#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:9@18446744073709551615\na.ts", "impossible"),
        ("#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:many\na.ts", "range that is none"),
        ("#EXTM3U\n#EXT-X-MAP:BYTERANGE=\"1@0\"\n", "without an address"),
        ("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128\n#EXTINF:1,\na.ts", "without an address"),
        ("#EXTM3U\n#EXT-X-KEY:URI=\"k\"\n#EXTINF:1,\na.ts", "without a method"),
        ("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"data:x\"\n#EXTINF:1,\na.ts", "not the web's"),
        ("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=12\n#EXTINF:1,\na.ts", "vector that is none"),
        ("#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"\n#EXTINF:1,\na.ts", "DRM"),
        ("#EXTM3U\n#EXTINF:1,\n#EXT-X-GAP\na.ts\n#EXT-X-ENDLIST", "is missing"),
        ("#EXTM3U\n#EXT-X-I-FRAMES-ONLY\n", "still pictures"),
        ("#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n", "leaves out"),
        ("#EXTM3U\n#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8", "DRM"),
    ] {
        let said = refused(text);
        assert!(said.starts_with("platform_changed: ") && said.contains(why), "{text}: {said}");
    }
}
