//! A disk that is full: told to the member, survived by the process, and over when there is room again.
//!
//! The disk is a real one, if small: a tmpfs that only the bot sees, because it is mounted in a namespace of its own and goes with
//! it. Making one takes root, or a system that lets everybody have namespaces; elsewhere these stories are left out, and say so.

use std::{
    fs::File,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use super::{arrives, general};
use crate::world::{bot::Bot, media, stage::World};

/// The size of the disk.
const SIZE: &str = "4m";

/// A bot for which the folder `small` in the world's is a small disk.
struct Cramped {
    bot: Bot,
    ballast: PathBuf,
}

/// How to get a namespace for mounts, here. `None`: not at all.
fn unshare() -> Option<Vec<&'static str>> {
    let as_root = vec!["unshare", "--mount"];
    let as_somebody = vec!["unshare", "--user", "--map-root-user", "--mount"];
    [as_root, as_somebody].into_iter().find(|program| {
        let tried = Command::new(program[0]).args(&program[1..]).arg("true").output();
        tried.is_ok_and(|tried| tried.status.success())
    })
}

impl Cramped {
    /// `None`: not on this system.
    async fn start(world: &World, env: &[(&str, &str)]) -> Option<Self> {
        let Some(mut program) = unshare() else {
            eprintln!("left out: this system gives us no namespace for mounts");
            return None;
        };
        let small = world.dir().join("small");
        std::fs::create_dir(&small).unwrap();
        let mount = format!("mount -t tmpfs -o size={SIZE} tmpfs '{}' && exec \"$@\"", small.display());
        program.extend(["sh", "-c", mount.as_str(), "sh"]);
        world.discord.expect_another_bot();
        let mut bot = Bot::start_by(&program, world.dir(), &["run"], world.env(env));
        bot.during(world.discord.ready()).await;
        // What it sees, seen from here.
        let inside = Path::new("/proc").join(bot.pid().to_string()).join("root");
        let ballast = inside.join(small.strip_prefix("/").unwrap()).join("ballast");
        Some(Self { bot, ballast })
    }

    /// Leaves no room at all.
    fn fill(&self) {
        let mut file = File::create(&self.ballast).unwrap();
        let full = loop {
            if let Err(full) = file.write_all(&[0; 4096]) {
                break full;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull);
    }

    fn make_room(&self) {
        std::fs::remove_file(&self.ballast).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_for_files_the_member_hears_why_and_it_works_again_when_there_is_some() {
    let world = World::start().await;
    let downloads = world.dir().join("small/downloads");
    let env = [("DOWNLOAD_DIR", downloads.to_str().unwrap())];
    let Some(mut cramped) = Cramped::start(&world, &env).await else { return };
    let clip = media::small_video(1901);
    let small = world.web.file("files.example", "/small.mp4", &clip);
    let large = world.web.file("files.example", "/large.mp4", &media::padded_video(8_000_000, 1902));
    let (ann, general) = (world.discord.user("ann"), general(&world));
    // More than there is room for, and then no room at all.
    let refused = ann.slash(&general, "download", json!({"url": large})).await;
    cramped.bot.during(refused.says("❌ There is no room left on my disk")).await;
    cramped.fill();
    let refused = ann.says(&general, &format!("$download {small}")).await;
    cramped.bot.during(refused.says("❌ There is no room left on my disk")).await;
    assert!(cramped.bot.log().text().contains("disk_full"), "{}", cramped.bot.log().text());
    cramped.make_room();
    let call = ann.slash(&general, "download", json!({"url": small})).await;
    assert_eq!(cramped.bot.during(arrives(&call, &[clip])).await.len(), 1);
    let (status, _) = cramped.bot.stop().await;
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_for_the_database_commands_are_refused_and_what_is_under_way_waits_for_some() {
    let world = World::start().await;
    let url = format!("sqlite:{}", world.dir().join("small/jobs.db").display());
    let Some(mut cramped) = Cramped::start(&world, &[("DATABASE_URL", &url)]).await else { return };
    let clip = media::small_video(1903);
    let link = world.web.file("files.example", "/waits.mp4", &clip);
    let (ann, general, log) = (world.discord.user("ann"), general(&world), cramped.bot.log().clone());
    world.web.hold_downloads();
    let call = ann.slash(&general, "download", json!({"url": link})).await;
    cramped.bot.during(world.web.wait_for_held_downloads(1)).await;
    cramped.fill();
    world.web.release();
    cramped.bot.during(log.line("that it waits", |line| line.contains("cannot be written down now"))).await;
    assert!(log.text().contains("there is no room left for the database"), "{}", log.text());
    let refused = ann.slash(&general, "download", json!({"url": link})).await;
    cramped.bot.during(refused.says("my notes can't be written")).await;
    cramped.make_room();
    assert_eq!(cramped.bot.during(arrives(&call, std::slice::from_ref(&clip))).await.len(), 1);
    let again = ann.says(&general, &format!("$download {link}")).await;
    assert_eq!(cramped.bot.during(arrives(&again, &[clip])).await.len(), 1);
    let (status, _) = cramped.bot.stop().await;
    assert!(status.success(), "{status}");
}
