//! Links of YouTube and what they are, for tests and for people who read this folder.

/// Links and what they are, for tests and for people who read this file.
pub const LINKS: &[(&str, &str)] = &[
    ("https://www.youtube.com/watch?v=dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    ("https://youtube.com/watch?v=dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    ("http://m.youtube.com/watch?v=dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    (
        "https://music.youtube.com/watch?v=dQw4w9WgXcQ&si=abc",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    (
        "https://www.youtube.com/watch?app=desktop&v=dQw4w9WgXcQ&t=42s",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    (
        "https://www.youtube.com/watch?list=PLabc&index=2&v=dQw4w9WgXcQ",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    ("https://www.youtube.com/watch/?v=dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    ("https://www.youtube.com/watch?v=-_w4w9WgX-_", "video -_w4w9WgX-_ https://www.youtube.com/watch?v=-_w4w9WgX-_"),
    ("https://youtu.be/dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    ("https://youtu.be/dQw4w9WgXcQ?si=AbCd&t=3", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    ("https://www.youtu.be/dQw4w9WgXcQ/", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    ("https://youtu.be/watch?v=dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    (
        "https://www.youtube.com/shorts/dQw4w9WgXcQ?feature=share",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    ("https://www.youtube.com/live/dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    (
        "https://www.youtube.com/embed/dQw4w9WgXcQ?start=3",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    ("https://www.youtube.com/v/dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    ("https://www.youtube.com/e/dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    (
        "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    ("https://youtube-nocookie.com/embed/dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    (
        "https://www.youtube.com/attribution_link?a=x&u=%2Fwatch%3Fv%3DdQw4w9WgXcQ%26feature%3Dshare",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    ("https://WWW.YOUTUBE.COM./watch?v=dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    (
        "https://www.youtube.com/clip/UgkxAbCd_-123456",
        "video UgkxAbCd_-123456 https://www.youtube.com/clip/UgkxAbCd_-123456",
    ),
    (
        "https://www.youtube.com/playlist?list=PLrAXtmErZgOe",
        "playlist PLrAXtmErZgOe https://www.youtube.com/playlist?list=PLrAXtmErZgOe",
    ),
    (
        "https://music.youtube.com/playlist?list=OLAK5uy_k&si=x",
        "playlist OLAK5uy_k https://www.youtube.com/playlist?list=OLAK5uy_k",
    ),
    (
        "https://www.youtube.com/embed/videoseries?list=PLrAXtmErZgOe",
        "playlist PLrAXtmErZgOe https://www.youtube.com/playlist?list=PLrAXtmErZgOe",
    ),
    (
        "https://www.youtube.com/watch?list=PLrAXtmErZgOe",
        "playlist PLrAXtmErZgOe https://www.youtube.com/playlist?list=PLrAXtmErZgOe",
    ),
    ("https://www.youtube.com/@NASA", "profile @nasa https://www.youtube.com/@nasa"),
    ("https://www.youtube.com/@NASA/videos", "profile @nasa https://www.youtube.com/@nasa"),
    (
        "https://www.youtube.com/channel/UCLA_DiR1FfKNvjuUpBHmylQ",
        "profile channel/UCLA_DiR1FfKNvjuUpBHmylQ https://www.youtube.com/channel/UCLA_DiR1FfKNvjuUpBHmylQ",
    ),
    ("https://www.youtube.com/c/NASA", "profile c/NASA https://www.youtube.com/c/NASA"),
    (
        "https://www.youtube.com/user/NASAtelevision/featured",
        "profile user/NASAtelevision https://www.youtube.com/user/NASAtelevision",
    ),
    ("https://www.youtube.com/", "generic"),
    ("https://www.youtube.com/watch", "generic"),
    ("https://www.youtube.com/watch?v=", "generic"),
    ("https://www.youtube.com/watch?v=short", "generic"),
    ("https://www.youtube.com/watch?v=dQw4w9WgXcQQ", "generic"),
    ("https://www.youtube.com/watch?v=dQw4w9WgX%2FQ", "generic"),
    ("https://www.youtube.com/shorts/", "generic"),
    ("https://www.youtube.com/feed/trending", "generic"),
    ("https://www.youtube.com/attribution_link?u=https%3A%2F%2Fevil.example%2Fwatch%3Fv%3DdQw4w9WgXcQ", "generic"),
    ("https://www.youtube.com/attribution_link?u=%2Fattribution_link%3Fu%3Dx", "generic"),
    ("https://youtu.be/", "generic"),
    ("https://youtube.com.evil.example/watch?v=dQw4w9WgXcQ", "generic"),
    ("https://notyoutube.com/watch?v=dQw4w9WgXcQ", "generic"),
    ("https://evil.youtube.com/watch?v=dQw4w9WgXcQ", "generic"),
    ("https://youtu.be.evil.example/dQw4w9WgXcQ", "generic"),
    ("https://www.youtube.com:8443/watch?v=dQw4w9WgXcQ", "generic"),
    ("https://youtube.co/watch?v=dQw4w9WgXcQ", "generic"),
    ("https://www.youtube.com@evil.example/watch?v=dQw4w9WgXcQ", "nothing"),
    ("https://www.уoutube.com/watch?v=dQw4w9WgXcQ", "generic"),
    ("https://evil.example/watch?v=dQw4w9WgXcQ", "generic"),
    (
        "https://www.youtube.com/source/dQw4w9WgXcQ/shorts",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    ("https://m.youtube.com/details?v=dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    (
        "https://www.youtube.com/watch_popup?v=dQw4w9WgXcQ",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    (
        "https://www.youtubekids.com/watch?v=dQw4w9WgXcQ&hl=en",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    (
        "https://youtube.googleapis.com/v/dQw4w9WgXcQ?version=3",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    (
        "https://www.youtube.com/oembed?url=https%3A%2F%2Fyoutu.be%2FdQw4w9WgXcQ",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    (
        "https://consent.youtube.com/m?continue=https%3A%2F%2Fwww.youtube.com%2Fwatch%3Fv%3DdQw4w9WgXcQ&gl=DE",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    (
        "https://music.youtube.com/browse/VLPLrAXtmErZgOe",
        "playlist PLrAXtmErZgOe https://www.youtube.com/playlist?list=PLrAXtmErZgOe",
    ),
    (
        "https://www.youtube.com/embed/live_stream?channel=UCLA_DiR1FfKNvjuUpBHmylQ",
        "profile channel/UCLA_DiR1FfKNvjuUpBHmylQ https://www.youtube.com/channel/UCLA_DiR1FfKNvjuUpBHmylQ",
    ),
    (
        "https://www.youtube.com/channel/UCLA_DiR1FfKNvjuUpBHmylQ/videos?view=0",
        "profile channel/UCLA_DiR1FfKNvjuUpBHmylQ https://www.youtube.com/channel/UCLA_DiR1FfKNvjuUpBHmylQ",
    ),
    ("https://www.youtube.com/@nasa/live", "profile @nasa https://www.youtube.com/@nasa"),
    ("https://consent.youtube.com/m?continue=https%3A%2F%2Fevil.example%2Fwatch%3Fv%3DdQw4w9WgXcQ", "generic"),
    ("https://www.youtube.com/oembed?url=https%3A%2F%2Fwww.youtube.com%2Foembed%3Furl%3Dx", "generic"),
    ("https://www.youtube.com/@", "generic"),
    ("https://www.youtube.com/results?search_query=cats", "generic"),
    ("https://studio.youtube.com/watch?v=dQw4w9WgXcQ", "generic"),
];
