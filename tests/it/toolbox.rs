//! The real tools, called as the bot calls them (`Tools::run`), against the stand-in web: what the stories about hazards
//! and failures share.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use boss_bot::{
    model::{Options, PlatformId, Progress, Resource, ResourceKind, Result, Tool},
    net::{Egress, Scope, Sessions},
    platforms::CliTool,
    settings::Settings,
    tools::{ToolJob, ToolOutput, Tools},
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::world::{bot::tools_dir, tls::Authority, web::Web};

/// Bytes a file may have, unless a story says otherwise.
const MAX_BYTES: u64 = 50 * 1024 * 1024;

/// Name of the variable that turns warm processes off (`TOOLS_WARM=false`) in a whole run of stories.
pub const FRESH_ONLY: &str = "BOSS_BOT_TEST_FRESH_TOOLS";

/// The stand-in web, our tools behind the guarded egress, and a folder for jobs.
pub struct Toolbox {
    pub web: Web,
    pub tools: Arc<Tools>,
    pub jobs: PathBuf,
    settings: Settings,
    _folder: TempDir,
}

impl Toolbox {
    /// With the settings of a test: no waiting for retries, no patience.
    pub async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// With a change to the settings.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let authority = Authority::new();
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, authority.pem()).unwrap();
        let web = Web::start(&authority).await;
        let mut settings = Settings::default();
        settings.network.proxy = Some(web.proxy_url().parse().unwrap());
        settings.network.ca_file = Some(ca);
        settings.tools.dir = tools_dir();
        settings.gallery_dl.retries = 0;
        settings.gallery_dl.timeout = Duration::from_secs(10);
        settings.downloads.timeout = Duration::from_secs(60);
        // The story that runs others once more, without a warm process.
        settings.tools.warm = std::env::var_os(FRESH_ONLY).is_none();
        change(&mut settings);
        let tools = Arc::new(Tools::new(&settings, Egress::new(&settings.network).unwrap()));
        let jobs = folder.path().join("jobs");
        std::fs::create_dir(&jobs).unwrap();
        Self { web, tools, jobs, settings, _folder: folder }
    }

    /// Other tools for what follows: with a further change to the settings.
    pub fn change(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
        self.tools = Arc::new(Tools::new(&self.settings, Egress::new(&self.settings.network).unwrap()));
    }

    /// Runs yt-dlp as for a routed link: with exactly these extractors.
    pub async fn yt_dlp(&self, link: &str, extractors: &[&'static str]) -> Result<ToolOutput> {
        self.run(&Ask { extractors: extractors.to_vec(), ..Ask::new(Tool::YtDlp, link) }).await
    }

    /// Runs gallery-dl on a link.
    pub async fn gallery_dl(&self, link: &str) -> Result<ToolOutput> {
        self.run(&Ask::new(Tool::GalleryDl, link)).await
    }

    /// Runs either.
    pub async fn run(&self, ask: &Ask) -> Result<ToolOutput> {
        self.run_until(ask, &CancellationToken::new()).await
    }

    /// Runs either until it ends or is cancelled.
    pub async fn run_until(&self, ask: &Ask, cancel: &CancellationToken) -> Result<ToolOutput> {
        let dir = tempfile::Builder::new().prefix("job-").tempdir_in(&self.jobs).unwrap().keep();
        let url = Url::parse(&ask.link).unwrap();
        let mut resource = Resource::new(PlatformId("test"), ask.kind, "1", url.clone());
        resource.item = ask.item;
        let call = CliTool {
            tool: ask.tool,
            url,
            extractors: ask.extractors.clone(),
            args: ask.args.clone(),
            why: "the story says so",
        };
        let scope = Scope { platform: "test", domains: &[], login: &[], link: Some(&resource.canonical) };
        let cookies = Sessions::new(&self.settings).for_tool(scope)?;
        let job = ToolJob {
            cookies: cookies.as_ref(),
            resource: &resource,
            call: &call,
            options: &ask.options,
            max_bytes: ask.max_bytes,
            prefer_below: ask.prefer_below,
            dir: &dir,
            progress: &ask.progress,
            cancel,
        };
        self.tools.run(&job).await
    }

    /// Every file in all job folders, with its path.
    pub fn left(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.jobs.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    }

    /// The processes that work in any job's folder.
    pub fn at_work(&self) -> Vec<String> {
        let jobs = self.jobs.canonicalize().unwrap();
        std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter(|entry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&jobs)))
            .filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok())
            .filter(|line| !line.is_empty())
            .map(|line| line.replace('\0', " "))
            .collect()
    }
}

/// One call of a tool.
pub struct Ask {
    pub tool: Tool,
    pub link: String,
    pub kind: ResourceKind,
    pub extractors: Vec<&'static str>,
    pub args: Vec<String>,
    pub options: Options,
    pub max_bytes: u64,
    pub prefer_below: Option<u64>,
    pub item: Option<usize>,
    pub progress: Progress,
}

impl Ask {
    pub fn new(tool: Tool, link: &str) -> Self {
        Self {
            tool,
            link: link.to_owned(),
            kind: ResourceKind::Post,
            extractors: vec!["generic"],
            args: Vec::new(),
            options: Options::default(),
            max_bytes: MAX_BYTES,
            prefer_below: None,
            item: None,
            progress: Progress::ignored(),
        }
    }

    pub fn args(mut self, args: &[&str]) -> Self {
        self.args = args.iter().map(|arg| (*arg).to_owned()).collect();
        self
    }
}

/// A listener that must not be connected to.
pub struct Forbidden {
    pub port: u16,
    visits: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Forbidden {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let visits = Arc::new(AtomicUsize::new(0));
        let count = visits.clone();
        let task = tokio::spawn(async move {
            while let Ok((_, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, visits, task }
    }

    pub fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}

impl Drop for Forbidden {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The code of a failure.
pub fn code(result: &Result<ToolOutput>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(error) => error.code(),
    }
}

/// Fails with the whole error unless the code is the expected one.
#[track_caller]
pub fn assert_code(result: &Result<ToolOutput>, expected: &str) {
    assert_eq!(code(result), expected, "{result:?}");
}

/// The only file of a result.
#[track_caller]
pub fn only(result: &Result<ToolOutput>) -> &Path {
    match result {
        Ok(output) if output.files.len() == 1 => &output.files[0],
        other => panic!("not one file: {other:?}"),
    }
}
