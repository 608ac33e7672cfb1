//! Wiring: settings become services. The only place that knows all the parts.

use std::sync::Arc;

use crate::{
    artifacts::Artifacts,
    cache::Cache,
    deliver::Store,
    jobs::{Jobs, Parts},
    media::Media,
    model::Result,
    net::{Bucket, Cassette, Egress},
    platforms::Registry,
    settings::Settings,
    strategy::Strategy,
    tools::Tools,
};

/// Every service, built once and handed to commands (Discord's and the command line's).
pub struct App {
    /// What the operator set.
    pub settings: Arc<Settings>,
    /// The guarded network.
    pub egress: Egress,
    /// The platforms.
    pub registry: Arc<Registry>,
    /// The external programs.
    pub tools: Arc<Tools>,
    /// Probing and fitting.
    pub media: Arc<Media>,
    /// Which paths to try.
    pub strategy: Arc<Strategy>,
    /// What platforms answered before.
    pub cache: Cache,
    /// What was loaded and made lately, if it is kept.
    pub artifacts: Option<Artifacts>,
    /// Where files go that are too large to be sent, if the operator has set it up.
    pub store: Option<Arc<Store>>,
    /// What several machines share, if the operator has set it up.
    pub bucket: Option<Bucket>,
    /// The runner of requests.
    pub jobs: Jobs,
}

impl App {
    /// Builds everything. Touches no network and starts no process.
    ///
    /// # Errors
    /// When the network settings are not usable (a missing CA file), or those of the bucket.
    pub fn new(settings: Settings) -> Result<Self> {
        Self::with_cassette(settings, None)
    }

    /// The same, recorded, or answered from a recording.
    ///
    /// # Errors
    /// As for [`App::new`].
    pub fn with_cassette(settings: Settings, cassette: Option<Cassette>) -> Result<Self> {
        let settings = Arc::new(settings);
        let egress = Egress::new(&settings.network)?;
        let egress = match cassette {
            Some(cassette) => egress.with_cassette(Arc::new(cassette)),
            None => egress,
        };
        let registry = Arc::new(Registry::standard(&settings));
        let tools = Arc::new(Tools::new(&settings, egress.clone()));
        let media = Arc::new(Media::new(settings.compression.clone(), tools.clone()));
        let strategy = Arc::new(Strategy::new(settings.clone(), registry.clone()));
        let cache = Cache::new(&settings.cache, &settings.tools.data_dir.join("cache"));
        let bucket = Bucket::new(&settings.bucket, &egress)?;
        let store = Store::new(&settings.store, bucket.as_ref()).map(Arc::new);
        let shared = bucket.clone().map(|bucket| (bucket, settings.bucket.max_bytes));
        let artifacts = Artifacts::new(&settings.artifacts, &settings.downloads.dir, shared);
        let jobs = Jobs::new(Parts {
            settings: settings.clone(),
            egress: egress.clone(),
            strategy: strategy.clone(),
            tools: tools.clone(),
            media: media.clone(),
            cache: cache.clone(),
            artifacts: artifacts.clone(),
            store: store.clone(),
        });
        Ok(Self { settings, egress, registry, tools, media, strategy, cache, artifacts, store, bucket, jobs })
    }
}

/// Probing and fitting alone, for files that are here already. Touches no network and starts no process.
///
/// # Errors
/// As for [`App::new`].
pub fn media(settings: &Settings) -> Result<Media> {
    let tools = Tools::new(settings, Egress::new(&settings.network)?);
    Ok(Media::new(settings.compression.clone(), Arc::new(tools)))
}
