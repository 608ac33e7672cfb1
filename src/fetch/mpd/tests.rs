use super::*;

fn description(period: &str) -> Result<Description> {
    let xml = format!(r#"<MPD type="static" mediaPresentationDuration="PT6S"><Period>{period}</Period></MPD>"#);
    parse(&xml, &Url::parse("https://v.example/a/b.mpd?sig=1").unwrap())
}

/// The pieces of the first stream, one word each: path, range, seconds.
fn pieces(set: &str) -> Result<Vec<String>> {
    let described = description(&format!(r#"<AdaptationSet mimeType="video/mp4">{set}</AdaptationSet>"#))?;
    let pieces = described.streams()?[0].pieces()?;
    Ok(pieces
        .iter()
        .map(|piece| {
            let span = piece.part.span.map_or(String::new(), |span| format!("[{}+{}]", span.start(), span.length()));
            let length = if piece.header { " header".to_owned() } else { format!(" {}", piece.seconds) };
            format!("{}{span}{length}", piece.part.url.path())
        })
        .collect())
}

fn refused(set: &str) -> String {
    let error = pieces(set).unwrap_err();
    assert_eq!(error.code(), "platform_changed", "{set}");
    error.operator_text().to_owned()
}

#[test]
fn templates_count_by_duration_or_by_a_timeline_and_inherit() {
    let numbers = r#"<SegmentTemplate timescale="1000" duration="2500" initialization="$RepresentationID$/i.mp4"
        media="$RepresentationID$/$Bandwidth$-$Number%03d$.m4s$$"/><Representation id="v1" bandwidth="900"/>"#;
    assert_eq!(
        pieces(numbers).unwrap(),
        ["/a/v1/i.mp4 header", "/a/v1/900-001.m4s$ 2.5", "/a/v1/900-002.m4s$ 2.5", "/a/v1/900-003.m4s$ 2.5"]
    );
    let times = r#"<SegmentTemplate timescale="10" initialization="i" startNumber="7"/>
        <Representation id="v1"><SegmentTemplate media="$Time$_$Number$"><SegmentTimeline><S t="5" d="20" r="1"/>
        <S d="15"/></SegmentTimeline></SegmentTemplate></Representation>"#;
    assert_eq!(pieces(times).unwrap(), ["/a/i header", "/a/5_7 2", "/a/25_8 2", "/a/45_9 1.5"]);
    let until_the_end = r#"<Representation id="v1"><SegmentTemplate timescale="10" media="$Time$"><SegmentTimeline>
        <S t="0" d="20" r="-1"/><S t="40" d="10" r="-1"/></SegmentTimeline></SegmentTemplate></Representation>"#;
    assert_eq!(pieces(until_the_end).unwrap(), ["/a/0 2", "/a/20 2", "/a/40 1", "/a/50 1"]);
    let ended = r#"<Representation id="v1"><SegmentTemplate duration="1" startNumber="3" endNumber="4" media="$Number$"/>
        </Representation>"#;
    assert_eq!(pieces(ended).unwrap(), ["/a/3 1", "/a/4 1"]);
}

#[test]
fn lists_name_files_or_ranges_of_one() {
    let files = r#"<Representation id="v"><BaseURL>https://cdn.example/x/</BaseURL><SegmentList timescale="10" duration="30">
        <Initialization sourceURL="i"/><SegmentURL media="1"/><SegmentURL media="/2"/></SegmentList></Representation>"#;
    assert_eq!(pieces(files).unwrap(), ["/x/i header", "/x/1 3", "/2 3"]);
    let ranges = r#"<Representation id="v"><BaseURL>v.mp4</BaseURL><SegmentList><Initialization range="0-99"/>
        <SegmentURL mediaRange="100-199"/><SegmentURL mediaRange="200-200"/></SegmentList></Representation>"#;
    assert_eq!(pieces(ranges).unwrap(), ["/a/v.mp4[0+100] header", "/a/v.mp4[100+100] 0", "/a/v.mp4[200+1] 0"]);
}

#[test]
fn a_file_with_an_index_is_one_piece() {
    let set = r#"<Representation id="v"><BaseURL>v.mp4</BaseURL><SegmentBase indexRange="100-200">
        <Initialization range="0-99"/></SegmentBase></Representation>"#;
    assert_eq!(pieces(set).unwrap(), ["/a/v.mp4 6"]);
}

#[test]
fn live_protected_and_composed_manifests_are_refused() {
    let base = Url::parse("https://v.example/").unwrap();
    let live = parse(r#"<MPD type="dynamic"><Period/></MPD>"#, &base);
    assert_eq!(live.unwrap_err().code(), "live");
    for periods in ["", "<Period/><Period/>", r#"<Period href="https://ads.example/"/>"#] {
        let error = parse(&format!("<MPD>{periods}</MPD>"), &base).unwrap_err();
        assert_eq!(error.code(), "platform_changed", "{periods}");
    }
    let drm = r#"<ContentProtection schemeIdUri="urn:mpeg:dash:mp4protection:2011" value="cenc"/>"#;
    let stream = "<BaseURL>v.mp4</BaseURL>";
    assert!(refused(&format!("{drm}<Representation>{stream}</Representation>")).contains("DRM"));
    assert!(refused(&format!("<Representation>{stream}{drm}</Representation>")).contains("DRM"));
    let period = description(&format!("{drm}<AdaptationSet><Representation>{stream}</Representation></AdaptationSet>"));
    assert!(period.unwrap().streams().unwrap_err().operator_text().contains("DRM"));
    let clear = format!("<Representation>{stream}{drm}</Representation><Representation>{stream}</Representation>");
    assert_eq!(pieces(&clear).unwrap(), ["/a/v.mp4 6"]);
}

#[test]
fn what_does_not_tell_its_segments_is_refused() {
    let template = |attributes: &str, inside: &str| {
        format!(r#"<Representation id="v"><SegmentTemplate {attributes}>{inside}</SegmentTemplate></Representation>"#)
    };
    for (set, why) in [
        (String::new(), "without streams"),
        (r#"<Representation id="v"/>"#.to_owned(), "without segments"),
        (template(r#"duration="1""#, ""), "no names"),
        (template(r#"media="$Number$""#, ""), "no duration"),
        (template(r#"media="$Number$" duration="0""#, ""), "no duration"),
        (template(r#"media="$Number$" duration="1" timescale="1000000000""#, ""), "too many"),
        (template(r#"media="$Number$" duration="1" endNumber="18446744073709551615""#, ""), "too many"),
        (template(r#"media="$Number" duration="1""#, ""), "does not end"),
        (template(r#"media="$Number%5x$" duration="1""#, ""), "unknown parts"),
        (template(r#"media="$Number%0999d$" duration="1""#, ""), "unknown format"),
        (template(r#"media="$SubNumber$" duration="1""#, ""), "unknown parts"),
        (template(r#"media="$Number$" initialization="$Time$" duration="1""#, ""), "unknown parts"),
        (template(r#"media="file:///etc/$Number$" duration="1""#, ""), "not the web's"),
        (template(r#"media="$Time$""#, "<SegmentTimeline/>"), "without segments"),
        (template(r#"media="$Time$""#, r#"<SegmentTimeline><S d="0"/></SegmentTimeline>"#), "too many"),
        (template(r#"media="$Time$""#, r#"<SegmentTimeline><S d="1" r="99999999"/></SegmentTimeline>"#), "too many"),
        (r#"<Representation id="v"><SegmentList/></Representation>"#.to_owned(), "without a list"),
        (r#"<Representation id="v"><SegmentList><SegmentURL/></SegmentList></Representation>"#.to_owned(), "nowhere"),
        (
            r#"<Representation><SegmentList><SegmentURL mediaRange="9-3"/></SegmentList></Representation>"#.to_owned(),
            "range that is none",
        ),
    ] {
        let said = refused(&set);
        assert!(said.contains(why), "{set}: {said}");
    }
}
