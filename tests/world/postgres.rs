//! A private PostgreSQL server from the installed programs: one a test process, in a folder of its own, reached by a socket in
//! it and by nothing else. Every test gets a database of its own; one that restarts its server has a server of its own.
//!
//! The server belongs to a shell that waits for the end of its input, which this process holds open. So it ends with the
//! process, however that ends, and takes its folder along.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::Duration,
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// Where Debian and Ubuntu keep the programs of each version, outside of PATH.
const DEBIAN: &str = "/usr/lib/postgresql";

/// Starting takes a second; a busy machine may need more.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the shell does: `$1` is the folder of the programs, `$2` ours. It hears `stop`, which is what PostgreSQL calls a fast
/// shutdown, and `start`.
const KEEPER: &str = r#"
serve() {
  "$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c full_page_writes=off -c max_connections=200 </dev/null &
  pid=$!
}
end() {
  [ -z "$pid" ] || { kill -INT "$pid"; wait "$pid"; pid=; }
}
serve "$1" "$2"
while read -r word; do
  case "$word" in
    stop) end; echo "the server is down" >&2 ;;
    start) serve "$1" "$2" ;;
  esac
done
end
rm -rf "$2"
"#;

/// What it says when the server serves, and when it has ended.
const READY: &str = "ready to accept connections";
const DOWN: &str = "the server is down";

/// A running server.
#[derive(Debug)]
pub struct Server {
    dir: PathBuf,
    /// Ends when its input does, that is, when this is dropped or with this process.
    _keeper: Child,
    orders: ChildStdin,
    /// Hears [`READY`] and [`DOWN`].
    heard: Mutex<mpsc::Receiver<&'static str>>,
}

static SERVER: OnceLock<Server> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The address of a fresh, empty database.
pub async fn database() -> String {
    let server = tokio::task::spawn_blocking(|| SERVER.get_or_init(Server::start)).await.expect("a server");
    server.database().await
}

impl Server {
    /// The address of a fresh, empty database on it.
    pub async fn database(&self) -> String {
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&self.url("postgres")).await.expect("the server lets us in");
        let create = format!("CREATE DATABASE {name}");
        sqlx::query(AssertSqlSafe(create)).execute(&mut connection).await.expect("a fresh database");
        connection.close().await.expect("a clean end");
        self.url(&name)
    }

    fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=tester", self.dir.display())
    }

    /// Ends it as a service manager does: everybody's connection is cut. Comes back when it has ended.
    pub fn stop(&mut self) {
        self.orders.write_all(b"stop\n").expect("the keeper hears");
        self.hears(DOWN);
    }

    /// Starts it again, with everything it had. Comes back when it serves.
    pub fn start_again(&mut self) {
        self.orders.write_all(b"start\n").expect("the keeper hears");
        self.hears(READY);
    }

    fn hears(&self, what: &str) {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let said = heard.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("PostgreSQL: waited for {what:?}"));
        assert_eq!(said, what, "PostgreSQL");
    }

    /// Starts one.
    pub fn start() -> Self {
        let programs = programs();
        // Short, because a socket's path may have 107 bytes.
        let dir = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").expect("a folder").keep();
        let owner = owner();
        if let Some((user, group)) = owner {
            chown(&dir, Some(user), Some(group)).expect("the folder is given to the server's user");
        }
        let run = |program: &Path| {
            let mut command = Command::new(program);
            command.current_dir(&dir).env_remove("PGDATA").env("LC_ALL", "C");
            if let Some((user, group)) = owner {
                command.uid(user).gid(group);
            }
            command
        };
        let made = run(&programs.join("initdb"))
            .args(["--auth=trust", "--username=tester", "--encoding=UTF8", "--no-locale", "--no-sync", "-D"])
            .arg(dir.join("data"))
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut keeper = run(Path::new("/bin/sh"))
            .args(["-c", KEEPER, "keeper"])
            .args([&programs, &dir])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("a shell");
        let lines = BufReader::new(keeper.stderr.take().expect("its words")).lines();
        let orders = keeper.stdin.take().expect("its input");
        let (says, heard) = mpsc::channel();
        std::thread::spawn(move || {
            let (mut said, mut served) = (String::new(), false);
            for line in lines.map_while(Result::ok) {
                served |= line.contains(READY);
                for word in [READY, DOWN] {
                    if line.contains(word) {
                        let _ = says.send(word);
                    }
                }
                // A server that does not start says why.
                if said.len() < 10_000 {
                    said.push_str(&line);
                    said.push('\n');
                }
            }
            if !served {
                eprintln!("the PostgreSQL server has ended:\n{said}");
            }
        });
        let server = Self { dir, _keeper: keeper, orders, heard: Mutex::new(heard) };
        server.hears(READY);
        server
    }
}

/// Where `initdb` and `postgres` are.
fn programs() -> PathBuf {
    let told = Command::new("pg_config").arg("--bindir").output().ok();
    let told = told.map(|told| PathBuf::from(String::from_utf8_lossy(&told.stdout).trim()));
    let versions = fs::read_dir(DEBIAN).into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let mut found: Vec<PathBuf> = versions.collect();
    let number = |path: &PathBuf| path.parent().and_then(|dir| dir.file_name()?.to_str()?.parse::<u32>().ok());
    found.sort_by_key(|path| std::cmp::Reverse(number(path)));
    told.into_iter()
        .chain(found)
        .find(|dir| dir.join("initdb").is_file() && dir.join("postgres").is_file())
        .expect("PostgreSQL's server programs are needed: `scripts/prerequisites test` installs them")
}

/// The server refuses to run as root: then it runs as the user that came with it.
fn owner() -> Option<(u32, u32)> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let user = |name| nix::unistd::User::from_name(name).ok().flatten();
    let user = user("postgres").or_else(|| user("nobody")).expect("a user that is not root");
    Some((user.uid.as_raw(), user.gid.as_raw()))
}
