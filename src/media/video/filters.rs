//! What is done to a picture before it is encoded, as an ffmpeg filter chain.

use super::budget::{DELAY, Picture};
use crate::media::probe::Video;

/// Everything that is done to the picture before it is encoded.
pub(super) fn chain(video: &Video, picture: &Picture) -> String {
    let mut chain = shaped(video, picture, 0);
    // A picture that starts after the sound is shown from the beginning.
    chain.push(if video.delay >= DELAY {
        format!("setpts='if(eq(N,0),0,PTS-STARTPTS+{:.3}/TB)'", video.delay)
    } else {
        "setpts=PTS-STARTPTS".to_owned()
    });
    chain.join(",")
}

/// The same for piece `number` from somewhere in the middle: it starts at its own beginning, and its inner labels are
/// its own.
pub(super) fn piece(video: &Video, picture: &Picture, number: usize) -> String {
    let mut chain = shaped(video, picture, number);
    chain.push("setpts=PTS-STARTPTS".to_owned());
    chain.join(",")
}

fn shaped(video: &Video, picture: &Picture, number: usize) -> Vec<String> {
    let mut chain = Vec::new();
    if video.interlaced {
        chain.push("bwdif=mode=send_frame".to_owned());
    }
    if let Some(fps) = picture.fps {
        chain.push(format!("fps={fps:.5}"));
    }
    if video.hdr {
        chain.push(
            "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv"
                .to_owned(),
        );
    }
    // RGB has no matrix of its own: choose the one that players assume.
    let matrix = if video.rgb { ":out_color_matrix=bt709" } else { "" };
    chain.push(format!("scale={}:{}:flags=bicubic:out_range=tv{matrix}", picture.width, picture.height));
    if video.alpha {
        // The picture over a copy of itself that is painted grey: the copy has every frame's time.
        chain.push(format!(
            "format=yuva444p,split[picture{number}][copy{number}];\
             [copy{number}]drawbox=color=0x808080@1:t=fill:replace=1[ground{number}];\
             [ground{number}][picture{number}]overlay=format=yuv444"
        ));
    }
    chain.push("setsar=1,format=yuv420p".to_owned());
    if video.hdr || video.rgb {
        // Of these the colours are known. A source that says nothing about its own stays without a label.
        chain.push("setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709".to_owned());
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_follow_the_picture() {
        let picture = Picture { width: 640, height: 360, fps: None };
        let plain = Video { height: 360, ..Video::default() };
        assert_eq!(
            chain(&plain, &picture),
            "scale=640:360:flags=bicubic:out_range=tv,setsar=1,format=yuv420p,setpts=PTS-STARTPTS"
        );
        let all = Video { delay: 0.5, interlaced: true, hdr: true, alpha: true, rgb: true, ..plain };
        let long = chain(&all, &Picture { fps: Some(30.0), ..picture });
        let order = ["bwdif", "fps=30", "tonemap", "scale=640", "overlay", "yuv420p", "bt709:color_prim", "setpts"];
        let places: Vec<_> =
            order.iter().map(|part| long.find(part).unwrap_or_else(|| panic!("{part}: {long}"))).collect();
        assert!(places.is_sorted(), "{long}");
        assert!(long.contains("0.500/TB") && !piece(&all, &picture, 1).contains("0.500/TB"));
    }
}
