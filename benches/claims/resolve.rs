//! What is known of an X post in process, against a fresh `yt-dlp -J` of the same post on the same stand-in.

use std::{path::PathBuf, process::Stdio, sync::Arc, time::Instant};

use boss_bot::{
    model::{Options, Progress, Tool},
    net::Egress,
    platforms::{ExtractContext, Registry, parse_link},
    settings::{PlatformSettings, Settings},
    tools::{ToolJob, Tools},
};
use nix::sys::{
    resource::{Usage, UsageWho, getrusage},
    time::TimeVal,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Line,
    world::{bot::tools_dir, media, platforms::Tweet, stage, tls::Authority, web::Web},
};

/// Calls of yt-dlp.
const FRESH: u32 = 10;
/// In process one costs less than the clock of `getrusage` can tell.
const IN_PROCESS: u32 = 2000;

/// The services a look at a post needs, against a stand-in web.
pub struct Bench {
    /// The stand-in.
    pub web: Web,
    settings: Settings,
    egress: Egress,
    registry: Registry,
    dir: tempfile::TempDir,
}

impl Bench {
    /// Starts the stand-in web.
    pub async fn start() -> Self {
        let authority = Authority::new();
        let web = Web::start(&authority).await;
        let dir = tempfile::tempdir().expect("a folder");
        let settings = stage::settings(&authority, &web, dir.path());
        let egress = Egress::new(&settings.network).expect("the network");
        let registry = Registry::standard(&settings);
        Self { web, settings, egress, registry, dir }
    }

    /// The tools, with a change to the settings.
    pub fn tools(&self, change: impl FnOnce(&mut Settings)) -> Arc<Tools> {
        let mut settings = self.settings.clone();
        change(&mut settings);
        Arc::new(Tools::new(&settings, self.egress.clone()))
    }

    /// Looks at a post by a tool, as the bot does.
    pub async fn look(&self, tools: &Tools, tool: Tool, link: &str) {
        let resource = self.registry.route(&parse_link(link).expect("a link")).expect("a platform").resource;
        let platform = self.registry.get(resource.platform.0).expect("its platform");
        let call = platform.cli(&resource).into_iter().find(|call| call.tool == tool).expect("a plan");
        let dir = tempfile::tempdir_in(self.dir.path()).expect("a folder");
        let options = Options { metadata_only: true, ..Options::default() };
        let job = ToolJob {
            resource: &resource,
            call: &call,
            options: &options,
            max_bytes: self.settings.downloads.max_file_bytes,
            prefer_below: None,
            cookies: None,
            dir: dir.path(),
            progress: &Progress::ignored(),
            cancel: &CancellationToken::new(),
        };
        let output = tools.run(&job).await.expect("metadata");
        assert_eq!(output.metadata.items.len(), 1);
    }

    /// Looks at a post in process.
    async fn resolve(&self, link: &str) {
        let resource = self.registry.route(&parse_link(link).expect("a link")).expect("a platform").resource;
        let platform = self.registry.get(resource.platform.0).expect("its platform");
        let (none, options) = (PlatformSettings::default(), Options::default());
        let context = ExtractContext {
            platform: resource.platform,
            session: None,
            client: self.egress.client(),
            settings: self.settings.platforms.get(resource.platform.0).unwrap_or(&none),
            options: &options,
        };
        let extractor = platform.extractor().expect("an extractor");
        let metadata = extractor.extract(&resource, &context).await.expect("metadata");
        assert_eq!(metadata.items.len(), 1);
    }

    /// `yt-dlp -J`, started as anybody would.
    async fn yt_dlp(&self, link: &str) {
        let certificate: PathBuf = self.dir.path().join("ca.pem");
        let output = tokio::process::Command::new(tools_dir().join("bin/python"))
            .args(["-I", "-m", "yt_dlp", "--ignore-config", "--no-cache-dir", "--compat-options", "no-certifi"])
            .args(["-J", "--proxy", &self.web.proxy_url(), "--", link])
            .env("SSL_CERT_FILE", certificate)
            .stdin(Stdio::null())
            .output()
            .await
            .expect("yt-dlp");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Resolves the same X post over and over, each way.
pub async fn measure() -> Vec<Line> {
    let bench = Bench::start().await;
    let link = bench.web.x().post(Tweet::video(&media::small_video(1)).by("ann", "Ann").text("look"));
    // What both do once in their life: connections here, compiled files of Python there.
    bench.resolve(&link).await;
    bench.yt_dlp(&link).await;

    let before = processor_seconds(UsageWho::RUSAGE_CHILDREN);
    let begun = Instant::now();
    for _ in 0..FRESH {
        bench.yt_dlp(&link).await;
    }
    let fresh_time = begun.elapsed().as_secs_f64() / f64::from(FRESH);
    let fresh_work = (processor_seconds(UsageWho::RUSAGE_CHILDREN) - before) / f64::from(FRESH);

    // The stand-in runs in this process too, so what it spends on answering counts against us.
    let before = processor_seconds(UsageWho::RUSAGE_SELF);
    let begun = Instant::now();
    for _ in 0..IN_PROCESS {
        bench.resolve(&link).await;
    }
    let own_time = begun.elapsed().as_secs_f64() / f64::from(IN_PROCESS);
    let own_work = (processor_seconds(UsageWho::RUSAGE_SELF) - before) / f64::from(IN_PROCESS);

    let (time, work) = (fresh_time / own_time, fresh_work / own_work);
    vec![
        Line {
            what: "resolve an X post: processor time, in process / yt-dlp -J",
            measured: format!("{:.2} / {:.0} ms: {work:.0}×", own_work * 1e3, fresh_work * 1e3),
            goal: "≥ 100× less",
            holds: Some(work >= 100.0),
        },
        Line {
            what: "resolve an X post: time, warm, in process / yt-dlp -J",
            measured: format!("{:.2} / {:.0} ms: {time:.0}×", own_time * 1e3, fresh_time * 1e3),
            goal: "≥ 50× less",
            holds: Some(time >= 50.0),
        },
    ]
}

fn processor_seconds(whose: UsageWho) -> f64 {
    let usage: Usage = getrusage(whose).expect("the usage");
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}
