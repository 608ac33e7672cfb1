use super::*;
use crate::model::Progress;

fn read<'a>(progress: &'a Progress, lines: &[&str]) -> Reader<'a> {
    let mut reader = Reader::new(progress);
    for line in lines {
        reader.line(Line::Out(line));
    }
    reader
}

#[test]
fn lines_become_metadata_files_and_progress() {
    let (progress, receiver) = Progress::new();
    let mut reader = read(
        &progress,
        &[
            "[youtube] Extracting URL: https://x/",
            r#"BB-SEEN {"id": "a", "live_status": "not_live"}"#,
            r#"BB-META {"id": "a", "requested_formats": [{"filesize": 100}, {"filesize_approx": 50.5}]}"#,
            r#"BB-LOAD {"status": "downloading", "downloaded_bytes": 40, "total_bytes": 100}"#,
        ],
    );
    assert_eq!(*receiver.borrow(), Phase::Downloading { done: 40, total: Some(150) });
    reader.line(Line::Out(r#"BB-LOAD {"status": "finished", "downloaded_bytes": 100, "total_bytes": 100}"#));
    reader.line(Line::Out(r#"BB-LOAD {"status": "downloading", "downloaded_bytes": 7, "total_bytes": 50}"#));
    assert_eq!(*receiver.borrow(), Phase::Downloading { done: 107, total: Some(150) });
    reader.line(Line::Out(r#"BB-FILE "/j/001.mp4""#));
    assert_eq!(reader.files, [PathBuf::from("/j/001.mp4")]);
    assert_eq!(reader.infos.len(), 1);
    assert_eq!(reader.seen, Seen { began: true, ..Seen::default() });
    // What it says while all is well may hold a stranger's title: it is no explanation of anything.
    assert_eq!(reader.words, "");
}

#[test]
fn without_sizes_the_total_is_that_of_the_part() {
    let (progress, receiver) = Progress::new();
    let mut reader = read(&progress, &[r#"BB-META {"id": "a"}"#]);
    reader.line(Line::Out(r#"BB-LOAD {"status": "downloading", "downloaded_bytes": 1, "total_bytes_estimate": 9.5}"#));
    assert_eq!(*receiver.borrow(), Phase::Downloading { done: 1, total: Some(9) });
    reader.line(Line::Out(r#"BB-LOAD {"status": "downloading", "downloaded_bytes": 2}"#));
    assert_eq!(*receiver.borrow(), Phase::Downloading { done: 2, total: None });
}

#[test]
fn live_and_coming_streams_are_seen() {
    let progress = Progress::ignored();
    assert!(read(&progress, &[r#"BB-SEEN {"live_status": "is_live"}"#]).seen.live);
    assert!(read(&progress, &[r#"BB-SEEN {"is_live": true}"#]).seen.live);
    assert!(read(&progress, &[r#"BB-SEEN {"live_status": "is_upcoming"}"#]).seen.upcoming);
    assert_eq!(read(&progress, &[r#"BB-SEEN {"live_status": "was_live"}"#]).seen, Seen::default());
}

#[test]
fn what_explains_a_failure_is_kept() {
    let progress = Progress::ignored();
    let mut reader = read(
        &progress,
        &[
            "[download] File is larger than max-filesize (9 bytes > 1 bytes). Aborting.",
            "[download] Private video does not pass filter (!is_live), skipping ..",
        ],
    );
    reader.line(Line::Err("ERROR: [x] 1: odd"));
    assert_eq!(
        reader.words,
        "[download] File is larger than max-filesize (9 bytes > 1 bytes). Aborting.\nERROR: [x] 1: odd"
    );
}
