//! Wiring: settings become services. The only place that knows all the parts.

use std::sync::Arc;

use crate::{
    jobs::Jobs, media::Media, model::Result, net::Egress, platforms::Registry, settings::Settings, strategy::Strategy,
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
    /// The runner of requests.
    pub jobs: Jobs,
}

impl App {
    /// Builds everything. Touches no network and starts no process.
    ///
    /// # Errors
    /// When the network settings are not usable (a missing CA file).
    pub fn new(_settings: Settings) -> Result<Self> {
        todo!()
    }
}
