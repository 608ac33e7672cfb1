//! A real S3 server (`s3s-fs`, which checks signatures) over a folder, that can be told to refuse.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    error_handling::HandleError,
    extract::{Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use s3s::{HttpError, auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// The bucket that is there.
const BUCKET: &str = "boss-bot";
const KEY: &str = "stand-in-key";
/// The one secret that it takes.
pub const SECRET: &str = "stand-in-secret";

/// What S3 says when it is overloaded.
const SLOW_DOWN: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>SlowDown</Code></Error>";

/// A running server. It ends and vanishes with this.
pub struct S3 {
    address: SocketAddr,
    dir: tempfile::TempDir,
    state: Arc<Told>,
    _task: AbortOnDropHandle<()>,
}

/// What it is told to do, and what it was asked.
#[derive(Default)]
struct Told {
    refuses: AtomicBool,
    asked: Mutex<Vec<String>>,
}

impl S3 {
    /// Starts one with an empty bucket.
    pub async fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("stand-in-s3-").tempdir().expect("a folder");
        std::fs::create_dir(dir.path().join(BUCKET)).expect("a bucket");
        let mut service = S3ServiceBuilder::new(FileSystem::new(dir.path()).expect("a folder of buckets"));
        service.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let broken = |error: HttpError| async move { (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:?}")) };
        let state = Arc::new(Told::default());
        let router = Router::new()
            .fallback_service(HandleError::new(service.build(), broken))
            .layer(from_fn_with_state(state.clone(), listen));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { address, dir, state, _task: AbortOnDropHandle::new(task) }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The settings of a bot that uses it; members reach it, too.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("S3_URL", self.url()),
            ("S3_BUCKET", BUCKET.into()),
            ("S3_ACCESS_KEY_ID", KEY.into()),
            ("S3_SECRET_ACCESS_KEY", SECRET.into()),
            ("S3_PUBLIC_URL", self.url()),
        ]
    }

    /// From now on it answers as if it were overloaded, or no longer.
    pub fn refuses(&self, refuses: bool) {
        self.state.refuses.store(refuses, Ordering::SeqCst);
    }

    /// What it was asked so far: method and path, such as `PUT /boss-bot/links/…`.
    pub fn asked(&self) -> Vec<String> {
        self.state.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The objects that it holds.
    pub fn objects(&self) -> Vec<PathBuf> {
        let mut all = Vec::new();
        let mut folders = vec![self.dir.path().join(BUCKET)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() { folders.push(entry.path()) } else { all.push(entry.path()) }
            }
        }
        all.sort();
        all
    }

    /// The folder of its objects.
    pub fn bucket(&self) -> PathBuf {
        Path::new(self.dir.path()).join(BUCKET)
    }
}

async fn listen(State(told): State<Arc<Told>>, request: Request, next: Next) -> Response {
    let asked = format!("{} {}", request.method(), request.uri().path());
    told.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    if told.refuses.load(Ordering::SeqCst) {
        return (StatusCode::SERVICE_UNAVAILABLE, SLOW_DOWN).into_response();
    }
    next.run(request).await
}
