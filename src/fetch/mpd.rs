//! Reading DASH manifests (ISO/IEC 23009-1): which streams there are, and which pieces make up each.
//!
//! Pure. The XML is read by `dash_mpd_core`; what the attributes amount to is worked out here.

use dash_mpd_core::{
    AdaptationSet, BaseURL, Initialization, MPD, Period, Representation, SegmentList, SegmentTemplate, SegmentTimeline,
};
use url::Url;

use super::pieces::{Part, Piece, Span};
use crate::model::{Error, Kind, Result};

/// More segments than a day of video has in segments of one second: a manifest can claim billions in one line.
const MAX_SEGMENTS: u64 = 100_000;

/// A manifest of one period that has ended.
#[derive(Debug, Clone)]
pub struct Description {
    /// Seconds, where told.
    pub seconds: Option<f64>,
    base: Url,
    period: Period,
}

/// One stream of a manifest, with all that is said about it at the levels above.
#[derive(Debug, Clone)]
pub struct Stream<'a> {
    /// What it has in common with others.
    pub set: &'a AdaptationSet,
    /// What is its own.
    pub representation: &'a Representation,
    period: &'a Period,
    base: Url,
    seconds: Option<f64>,
}

/// Reads a manifest. `base`: where it came from.
///
/// # Errors
/// `live` for one that is still running, `platform_changed` for what is no manifest, and for one of several periods: those
/// are put together from different recordings.
pub fn parse(xml: &str, base: &Url) -> Result<Description> {
    let mpd: MPD = dash_mpd_core::parse(xml).map_err(|_| odd("that does not parse"))?;
    if mpd.mpdtype.as_deref() == Some("dynamic") {
        return Err(Error::new(Kind::Live, "a DASH manifest of a live stream"));
    }
    let base = joined(base, &mpd.base_url)?;
    let mut periods = mpd.periods.into_iter();
    let (Some(period), None) = (periods.next(), periods.next()) else {
        return Err(odd("without exactly one period"));
    };
    if period.href.is_some() {
        return Err(odd("whose period is elsewhere"));
    }
    let seconds = mpd.mediaPresentationDuration.or(period.duration).map(|told| told.as_secs_f64());
    Ok(Description { seconds: seconds.filter(|seconds| *seconds > 0.0), base, period })
}

impl Description {
    /// Its streams, those under DRM left out.
    ///
    /// # Errors
    /// `platform_changed` when all are under DRM, or when there are none.
    pub fn streams(&self) -> Result<Vec<Stream<'_>>> {
        let mut found = Vec::new();
        let mut protected = !self.period.ContentProtection.is_empty();
        let of_period = joined(&self.base, &self.period.BaseURL)?;
        for set in &self.period.adaptations {
            let of_set = joined(&of_period, &set.BaseURL)?;
            for representation in &set.representations {
                if !(set.ContentProtection.is_empty() && representation.ContentProtection.is_empty()) {
                    protected = true;
                    continue;
                }
                let base = joined(&of_set, &representation.BaseURL)?;
                found.push(Stream { set, representation, period: &self.period, base, seconds: self.seconds });
            }
        }
        match (found.is_empty(), protected) {
            (true, true) => Err(odd("of streams that are protected by DRM")),
            (true, false) => Err(odd("without streams")),
            (false, _) if !self.period.ContentProtection.is_empty() => Err(odd("of streams that are protected by DRM")),
            (false, _) => Ok(found),
        }
    }
}

impl Stream<'_> {
    /// The address of the file that it is, if it is one: with or without an index in it.
    pub fn file(&self) -> Option<&Url> {
        let in_segments = self.template().is_some() || self.list().is_some();
        (!in_segments && !self.representation.BaseURL.is_empty()).then_some(&self.base)
    }

    /// What is to be loaded, in order.
    ///
    /// # Errors
    /// `platform_changed` when the manifest does not tell.
    pub fn pieces(&self) -> Result<Vec<Piece>> {
        if let Some(url) = self.file() {
            return Ok(vec![Piece::segment(Part::at(url.clone()), self.seconds.unwrap_or_default())]);
        }
        if let Some(template) = self.template() {
            return self.by_template(&template);
        }
        self.by_list(self.list().ok_or_else(|| odd("of streams without segments"))?)
    }

    /// The template in force: what the representation does not say, the set says; what that does not, the period.
    fn template(&self) -> Option<SegmentTemplate> {
        let levels = [&self.representation.SegmentTemplate, &self.set.SegmentTemplate, &self.period.SegmentTemplate];
        levels.into_iter().flatten().cloned().reduce(|own, above| SegmentTemplate {
            media: own.media.or(above.media),
            initialization: own.initialization.or(above.initialization),
            Initialization: own.Initialization.or(above.Initialization),
            startNumber: own.startNumber.or(above.startNumber),
            endNumber: own.endNumber.or(above.endNumber),
            timescale: own.timescale.or(above.timescale),
            // Either way of counting replaces the other.
            duration: own.duration.or(above.duration.filter(|_| own.SegmentTimeline.is_none())),
            SegmentTimeline: own.SegmentTimeline.or(above.SegmentTimeline.filter(|_| own.duration.is_none())),
            presentationTimeOffset: own.presentationTimeOffset.or(above.presentationTimeOffset),
            ..own
        })
    }

    fn list(&self) -> Option<&SegmentList> {
        let levels = [&self.representation.SegmentList, &self.set.SegmentList, &self.period.SegmentList];
        levels.into_iter().flatten().next()
    }

    fn by_template(&self, template: &SegmentTemplate) -> Result<Vec<Piece>> {
        let media = template.media.as_deref().ok_or_else(|| odd("whose segments have no names"))?;
        let timescale = template.timescale.filter(|scale| *scale > 0).unwrap_or(1);
        let first = template.startNumber.unwrap_or(1);
        let mut pieces = Vec::new();
        if let Some(name) = &template.initialization {
            pieces.push(Piece::header(Part::at(self.named(name, None)?)));
        } else {
            pieces.extend(self.header(template.Initialization.as_ref())?);
        }
        let times = match (&template.SegmentTimeline, template.duration) {
            (Some(timeline), _) => self.timeline(timeline, timescale, template.presentationTimeOffset.unwrap_or(0))?,
            (None, Some(ticks)) if ticks.is_finite() && ticks > 0.0 => {
                self.even(ticks, timescale, template.endNumber.map(|last| last.saturating_sub(first) + 1))?
            }
            _ => return Err(odd("whose segments have no duration")),
        };
        for (number, (time, ticks)) in (first..).zip(times) {
            let url = self.named(media, Some((number, time)))?;
            pieces.push(Piece::segment(Part::at(url), ticks / timescale as f64));
        }
        Ok(pieces)
    }

    /// Start and length of each segment, in ticks.
    fn timeline(&self, timeline: &SegmentTimeline, timescale: u64, offset: u64) -> Result<Vec<(u64, f64)>> {
        let end = self.seconds.map(|seconds| offset.saturating_add((seconds * timescale as f64).ceil() as u64));
        let mut all = Vec::new();
        let mut now = 0_u64;
        for (index, run) in timeline.segments.iter().enumerate() {
            now = run.t.unwrap_or(now);
            let count = match run.r.unwrap_or(0) {
                repeats @ 0.. => repeats.unsigned_abs() + 1,
                // Until the next run, or the end.
                _ => {
                    let until = timeline.segments.get(index + 1).and_then(|next| next.t).or(end);
                    let until = until.ok_or_else(|| odd("whose segments have no end"))?;
                    until.saturating_sub(now).div_ceil(run.d.max(1))
                }
            };
            if run.d == 0 || all.len() as u64 + count > MAX_SEGMENTS {
                return Err(odd("of too many segments"));
            }
            for _ in 0..count {
                all.push((now, run.d as f64));
                now = now.saturating_add(run.d);
            }
        }
        if all.is_empty() { Err(odd("without segments")) } else { Ok(all) }
    }

    /// Segments of the same length: `told` of them, or as many as the duration holds.
    fn even(&self, ticks: f64, timescale: u64, told: Option<u64>) -> Result<Vec<(u64, f64)>> {
        let count = match (told, self.seconds) {
            (Some(count), _) => count,
            // A little less, so that 6.0000001 s are three segments of 2 s, not four.
            (None, Some(seconds)) => ((seconds * timescale as f64 / ticks) - 1e-4).ceil().max(1.0) as u64,
            (None, None) => return Err(odd("whose segments have no end")),
        };
        if count > MAX_SEGMENTS {
            return Err(odd("of too many segments"));
        }
        Ok((0..count).map(|index| ((index as f64 * ticks) as u64, ticks)).collect())
    }

    fn by_list(&self, list: &SegmentList) -> Result<Vec<Piece>> {
        let timescale = list.timescale.filter(|scale| *scale > 0).unwrap_or(1);
        let seconds = list.duration.map_or(0.0, |ticks| ticks as f64 / timescale as f64);
        if list.href.is_some() || list.segment_urls.is_empty() || list.segment_urls.len() as u64 > MAX_SEGMENTS {
            return Err(odd("without a list of segments"));
        }
        let mut pieces = Vec::from_iter(self.header(list.Initialization.as_ref())?);
        for segment in &list.segment_urls {
            let part = self.part(segment.media.as_deref(), segment.mediaRange.as_deref())?;
            pieces.push(Piece::segment(part, seconds));
        }
        Ok(pieces)
    }

    fn header(&self, header: Option<&Initialization>) -> Result<Option<Piece>> {
        let part = |header: &Initialization| self.part(header.sourceURL.as_deref(), header.range.as_deref());
        Ok(header.map(part).transpose()?.map(Piece::header))
    }

    /// `range`: `first-last`. Without an address it is the file that the base names.
    fn part(&self, address: Option<&str>, range: Option<&str>) -> Result<Part> {
        let url = match address {
            Some(address) => join(&self.base, address)?,
            None if range.is_some() => self.base.clone(),
            None => return Err(odd("with a segment that is nowhere")),
        };
        let span = |range: &str| {
            let (first, last) = range.split_once('-')?;
            let (first, last) = (first.trim().parse::<u64>().ok()?, last.trim().parse::<u64>().ok()?);
            Span::new(first, last.checked_sub(first)?.checked_add(1)?)
        };
        let span = range.map(|range| span(range).ok_or_else(|| odd("with a range that is none"))).transpose()?;
        Ok(Part { url, span, key: None })
    }

    /// Fills in a name's `$identifiers$` (ISO/IEC 23009-1, 5.3.9.4.4). `segment`: its number and time; headers have none.
    fn named(&self, name: &str, segment: Option<(u64, u64)>) -> Result<Url> {
        let mut filled = String::with_capacity(name.len() + 16);
        let mut parts = name.split('$');
        filled.push_str(parts.next().unwrap_or_default());
        while let Some(identifier) = parts.next() {
            let Some(text) = parts.next() else { return Err(odd("with a name that does not end")) };
            let (what, width) = match identifier.split_once("%0") {
                Some((what, format)) => {
                    let width = format.strip_suffix('d').and_then(|digits| digits.parse::<usize>().ok());
                    (what, width.filter(|width| *width <= 20).ok_or_else(|| odd("with a name of unknown format"))?)
                }
                None => (identifier, 1),
            };
            let number = match (what, segment) {
                ("", _) => {
                    filled.push('$');
                    None
                }
                ("RepresentationID", _) => {
                    filled.push_str(self.representation.id.as_deref().unwrap_or_default());
                    None
                }
                ("Bandwidth", _) => Some(self.representation.bandwidth.unwrap_or_default()),
                ("Number", Some((number, _))) => Some(number),
                ("Time", Some((_, time))) => Some(time),
                _ => return Err(odd("with a name of unknown parts")),
            };
            if let Some(number) = number {
                filled.push_str(&format!("{number:0width$}"));
            }
            filled.push_str(text);
        }
        join(&self.base, &filled)
    }
}

fn odd(what: &str) -> Error {
    Error::platform_changed(format!("a DASH manifest {what}"))
}

/// The address below which the next level's addresses lie.
fn joined(base: &Url, element: &[BaseURL]) -> Result<Url> {
    element.first().map_or_else(|| Ok(base.clone()), |element| join(base, element.base.trim()))
}

fn join(base: &Url, address: &str) -> Result<Url> {
    let url = base.join(address).map_err(|_| odd("with an address that is none"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(odd("with an address that is not the web's"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests;
