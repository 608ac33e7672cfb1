//! `make demo-cluster`: one box to many, shown on one machine. A PostgreSQL server, an S3-compatible store, one gateway and three
//! workers, each with a folder of its own; twelve members who ask at the same moment; and one worker that is killed on the way. Prints what happened
//! and what each member got. Ends by itself; the files stay in the folder it names.
//!
//! ```text
//! members ── world::discord ──gateway──► boss-bot run --role gateway ──► PostgreSQL ◄── boss-bot worker × 3 ──► world::web, S3
//!                  ▲                                                                          │
//!                  └──────────────────────────────── REST ────────────────────────────────────┘
//! ```

#[path = "../../tests/world/mod.rs"]
mod world;

#[path = "../demo/show.rs"]
#[allow(dead_code, reason = "the other demo tells more of each link")]
mod show;

use std::{
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use boss_bot::{
    jobs::store::{Filter, JobRow, JobStore, State},
    settings::DatabaseUrl,
};
use secrecy::SecretString;
use serde_json::json;
use show::{BY_TOOLS, seconds};
use world::{
    bot::Bot,
    discord::{Channel, Conversation},
    media,
    postgres::Server,
    s3::S3,
    samples::{Sample, Samples},
    stage::World,
};

/// Who asks for the samples, in their order.
const MEMBERS: [&str; 12] = ["ann", "bea", "cem", "dora", "eli", "fay", "gus", "hana", "ivo", "jun", "kim", "lou"];

const WORKERS: [&str; 3] = ["worker-1", "worker-2", "worker-3"];

/// Short, so that the killed worker's jobs are soon another one's.
const LEASE: (&str, &str) = ("DATABASE_LEASE_SECONDS", "3");

/// Between two looks at the database for the worker of a job.
const LOOK: Duration = Duration::from_millis(20);

/// The processes, and what they share.
struct Cluster {
    store: JobStore,
    gateway: Bot,
    workers: Vec<(&'static str, Bot)>,
    /// What one worker has loaded and made lies here for the others.
    s3: S3,
    /// Last: it outlives its users.
    _server: Server,
}

impl Cluster {
    async fn start(world: &World) -> Self {
        let server = tokio::task::spawn_blocking(Server::start).await.expect("a PostgreSQL server");
        let database = server.database().await;
        let s3 = S3::start().await;
        let shared = s3.settings();
        let own = [("DATABASE_URL", database.as_str()), LEASE, ("MAX_CONCURRENT_DOWNLOADS", "2")];
        let mut env = [&own[..], &[("LOG_LEVEL", "info"), ("LOG_FORMAT", "json")], BY_TOOLS].concat();
        env.extend(shared.iter().map(|(name, value)| (*name, value.as_str())));
        let gateway = world.gateway(&env).await;
        let mut workers = Vec::new();
        for name in WORKERS {
            workers.push((name, world.worker(name, &env).await));
        }
        let url = DatabaseUrl::Postgres(SecretString::from(database));
        let store = JobStore::open(&url).await.expect("the database");
        Self { store, gateway, workers, s3, _server: server }
    }

    /// The jobs, as the database has them.
    async fn jobs(&self) -> Vec<JobRow> {
        self.store.list(Filter::default()).await.expect("the jobs")
    }

    /// Whose job a row is, or was last: its worker's name begins with its process id.
    fn worker_of(&self, job: &JobRow) -> Option<usize> {
        let pid: i32 = job.worker.as_deref()?.split('-').next()?.parse().ok()?;
        self.workers.iter().position(|(_, worker)| worker.pid() == pid)
    }

    fn name_of(&self, job: &JobRow) -> &'static str {
        self.worker_of(job).map_or("nobody", |index| self.workers[index].0)
    }
}

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(demo())
}

async fn demo() -> ExitCode {
    let out = show::fresh("target/demo-cluster");
    println!("Making the sample media (about a minute the first time) …");
    let world = World::start().await;
    let samples = Samples::install(&world.web);
    let channel = world.discord.guild("Harbour Cats", 0).channel("general");
    println!("Starting PostgreSQL, an S3-compatible store, one gateway and {} workers …\n", WORKERS.len());
    let mut cluster = Cluster::start(&world).await;

    let begun = Instant::now();
    let asked = ask(&world, &channel, &samples).await;
    println!("{:>8}  {} members ask at the same moment", seconds(begun.elapsed()), asked.len());
    kill_one(&mut cluster, &asked, &samples.reddit_video, begun).await;

    println!("\nWhat each of them got:\n");
    let mut as_expected = true;
    for (turn, one) in asked.iter().enumerate() {
        as_expected &= tell(&cluster, one, turn, &out).await;
    }
    let again: Vec<JobRow> = cluster.jobs().await.into_iter().filter(|job| job.attempts > 1).collect();
    println!(
        "\n{} jobs were taken over from the killed worker. All of it took {}.",
        again.len(),
        seconds(begun.elapsed())
    );
    let shared = cluster.s3.objects().len();
    println!("The S3 store holds {shared} objects, by which any worker answers those links again.");
    as_expected &= shared > 0;
    let clean = stop(cluster).await;
    println!("The files are in {}/", out.display());
    if as_expected && clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A member, and what that one asked for.
struct Asked<'a> {
    member: &'static str,
    sample: Sample<'a>,
    call: Conversation,
}

/// Everybody asks, by slash and by prefix in turn.
async fn ask<'a>(world: &World, channel: &Channel, samples: &'a Samples) -> Vec<Asked<'a>> {
    let mut asked = Vec::new();
    for (turn, (sample, member)) in samples.all().into_iter().zip(MEMBERS).enumerate() {
        let user = world.discord.user(member);
        let call = if turn.is_multiple_of(2) {
            user.slash(channel, "download", json!({"url": sample.link})).await
        } else {
            user.says(channel, &format!("$download {}", sample.link)).await
        };
        asked.push(Asked { member, sample, call });
    }
    asked
}

/// Waits until a video is being made to fit, and kills the worker that does it.
async fn kill_one(cluster: &mut Cluster, asked: &[Asked<'_>], link: &str, begun: Instant) {
    let Some(one) = asked.iter().find(|one| one.sample.link == link) else { return };
    one.call.says("Compressing").await;
    let (job, victim) = loop {
        let running = cluster.jobs().await.into_iter().filter(|job| job.state == State::Running);
        let found = running
            .filter(|job| job.request["url"] == link)
            .find_map(|job| Some((job.id.clone(), cluster.worker_of(&job)?)));
        match found {
            Some(found) => break found,
            None => tokio::time::sleep(LOOK).await,
        }
    };
    let (name, worker) = &mut cluster.workers[victim];
    println!(
        "{:>8}  {name} compresses {} for {}, and is killed: kill -9 {}",
        seconds(begun.elapsed()),
        one.sample.name,
        one.member,
        worker.pid()
    );
    worker.kill().await;
    let heir = loop {
        match cluster.store.get(&job).await.expect("the database") {
            Some(job) if job.attempts > 1 => break cluster.name_of(&job),
            _ => tokio::time::sleep(LOOK).await,
        }
    };
    println!("{:>8}  {heir} takes that over", seconds(begun.elapsed()));
}

/// Waits for what a member got and prints it. False: it is not what it should be.
async fn tell(cluster: &Cluster, one: &Asked<'_>, turn: usize, out: &Path) -> bool {
    show::answers(&one.call, one.sample.files).await;
    // The end is written down a moment after the files are there.
    let job = loop {
        let jobs = cluster.jobs().await;
        match jobs.into_iter().find(|job| job.request["url"] == one.sample.link && job.state.is_final()) {
            Some(job) => break job,
            None => tokio::time::sleep(LOOK).await,
        }
    };
    let messages = one.call.messages();
    let again = if job.attempts > 1 { format!(", attempt {}", job.attempts) } else { String::new() };
    println!("{:<5} {} · {}{again}", one.member, one.sample.name, cluster.name_of(&job));
    let files = show::keep(&messages, out, turn);
    for file in &files {
        println!("      {file}");
    }
    let mut hashes: Vec<String> =
        messages.iter().flat_map(|message| &message.attachments).map(|file| media::sha256(file.path())).collect();
    if let (Some(message), true) = (messages.first(), files.is_empty()) {
        println!("      {}", show::first_line(&message.content));
    }
    hashes.sort();
    hashes.dedup();
    let right = files.len() == one.sample.files && hashes.len() == files.len();
    if !right {
        println!(
            "      NOT AS EXPECTED: {} files, {} different, instead of {}",
            files.len(),
            hashes.len(),
            one.sample.files
        );
    }
    right
}

/// Stops everybody as a service manager does. False: somebody did not end well.
async fn stop(mut cluster: Cluster) -> bool {
    cluster.store.close().await;
    let mut clean = true;
    for (name, bot) in
        cluster.workers.iter_mut().map(|(name, bot)| (*name, bot)).chain([("gateway", &mut cluster.gateway)])
    {
        // The killed one is gone already.
        if bot.has_ended() {
            continue;
        }
        let (status, took) = bot.stop().await;
        println!("{name} stopped {} after SIGTERM, {status}.", seconds(took));
        clean &= status.success();
    }
    clean
}
