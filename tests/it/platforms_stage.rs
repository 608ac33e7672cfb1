//! What the stories about platforms share: the real extractors, tools and downloads against the stand-in web.

use std::{path::PathBuf, sync::Arc};

use boss_bot::{
    fetch::{Download, Fetcher},
    media::Media,
    model::{MediaMetadata, Options, Progress, Resource, ResourceKind, Result, Tool},
    net::{Egress, Jar, Session, Sessions},
    platforms::{self, ExtractContext, Registry, parse_link},
    settings::{PlatformSettings, Settings},
    tools::{ToolJob, Tools},
};
use tokio_util::sync::CancellationToken;

use crate::world::{stage, tls::Authority, web::Web};

/// The services that platform files work with, against a stand-in web.
pub struct Stage {
    pub web: Web,
    pub settings: Settings,
    pub options: Options,
    /// The operator's session for the in-process path.
    pub cookies: Option<Arc<Jar>>,
    registry: Registry,
    egress: Egress,
    tools: Arc<Tools>,
    dir: tempfile::TempDir,
}

impl Stage {
    pub async fn set() -> Self {
        Self::with(|_| {}).await
    }

    /// With settings changed.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let authority = Authority::new();
        let web = Web::start(&authority).await;
        let dir = tempfile::tempdir().unwrap();
        let mut settings = stage::settings(&authority, &web, dir.path());
        change(&mut settings);
        let egress = Egress::new(&settings.network).unwrap();
        let registry = Registry::standard(&settings);
        let tools = Arc::new(Tools::new(&settings, egress.clone()));
        Self { web, settings, options: Options::default(), cookies: None, registry, egress, tools, dir }
    }

    /// Sets parameters of a platform.
    pub fn params(settings: &mut Settings, platform: &str, params: &[(&str, &str)]) {
        let params = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        settings.platforms.insert(platform.to_owned(), PlatformSettings { params, ..PlatformSettings::default() });
    }

    /// What the link is, short links followed.
    pub async fn resource(&self, link: &str) -> Resource {
        let mut url = parse_link(link).unwrap();
        for _ in 0..4 {
            let resource = self.registry.route(&url).unwrap().resource;
            if resource.kind != ResourceKind::ShortLink {
                return resource;
            }
            url = self.egress.client().resolve(&resource.canonical).await.unwrap();
        }
        panic!("{link} leads nowhere");
    }

    /// In process.
    pub async fn api(&self, link: &str) -> Result<MediaMetadata> {
        let resource = self.resource(link).await;
        let platform = self.registry.get(resource.platform.0).unwrap();
        let none = PlatformSettings::default();
        let session = self.cookies.clone().map(|jar| Session::new(self.egress.client(), jar));
        let context = ExtractContext {
            platform: resource.platform,
            session: session.as_ref(),
            client: self.egress.client(),
            settings: self.settings.platforms.get(resource.platform.0).unwrap_or(&none),
            options: &self.options,
        };
        platform.extractor().unwrap().extract(&resource, &context).await
    }

    /// By a tool, as the platform's plan calls it.
    pub async fn cli(&self, link: &str, tool: Tool) -> Result<(MediaMetadata, Vec<PathBuf>)> {
        let resource = self.resource(link).await;
        let platform = self.registry.get(resource.platform.0).unwrap();
        let call = platform.cli(&resource).into_iter().find(|call| call.tool == tool).unwrap();
        let (progress, cancel) = (Progress::ignored(), CancellationToken::new());
        let dir = self.folder();
        let scope = platforms::scope(platform, Some(&resource));
        let cookies = Sessions::new(&self.settings).for_tool(scope).unwrap();
        let job = ToolJob {
            cookies: cookies.as_ref(),
            resource: &resource,
            call: &call,
            options: &self.options,
            max_bytes: self.settings.downloads.max_file_bytes,
            prefer_below: None,
            dir: &dir,
            progress: &progress,
            cancel: &cancel,
        };
        let mut output = self.tools.run(&job).await?;
        platform.refine(&resource, tool, &output.raw, &mut output.metadata);
        Ok((output.metadata, output.files))
    }

    /// Loads what an extractor found.
    pub async fn download(&self, metadata: &MediaMetadata) -> Result<Vec<PathBuf>> {
        let media = Media::new(self.settings.compression.clone(), self.tools.clone());
        let fetcher = Fetcher::new(self.egress.client(), &self.settings.downloads);
        let (progress, cancel) = (Progress::ignored(), CancellationToken::new());
        let dir = self.folder();
        let download = Download {
            key: None,
            metadata,
            options: &self.options,
            limit: None,
            media: &media,
            dir: &dir,
            progress: &progress,
            cancel: &cancel,
        };
        let paths = fetcher.download(download).await?;
        let left = std::fs::read_dir(&dir).unwrap().count();
        assert_eq!(left, paths.len(), "only the files themselves stay behind");
        Ok(paths)
    }

    fn folder(&self) -> PathBuf {
        tempfile::Builder::new().tempdir_in(self.dir.path()).unwrap().keep()
    }
}

/// Without what differs by path rather than by post: how and when it was loaded, and by which addresses.
pub fn comparable(metadata: &MediaMetadata) -> MediaMetadata {
    let mut metadata = metadata.clone();
    metadata.download_method = None;
    metadata.download_timestamp = None;
    metadata.quality = None;
    metadata.platform_data.clear();
    for item in &mut metadata.items {
        item.renditions.clear();
    }
    metadata
}
