//! PostgreSQL, new for whoever starts it: superuser `postgres`, without a password unless one is asked for, on loopback
//! only.
//!
//! `fsync` is on unless a setting says otherwise, as where it matters. PostgreSQL refuses to run as root; there it
//! runs as `nobody`, from links to its files in its own temporary directory, because the cache of root is closed to
//! others and PostgreSQL finds its libraries beside its program.

use crate::data::Data;
use crate::place::Set;
use crate::server::{Plan, Server};
use crate::{port, variable, wire};
use anyhow::{Context, Result};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::ops::Deref;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

const NAME: &str = "PostgreSQL";
/// `nobody` and its group, the same numbers on every Linux.
const NOBODY: u32 = 65_534;
/// The second database.
const CHECKPOINTS: &str = "checkpoints";
/// An immediate shutdown: PostgreSQL ends its children and gives its shared memory back.
const END: &str = "QUIT";
const FAST_SHUTDOWN: &str = "INT";
/// Enough for the pools of several test processes.
const MAX_CONNECTIONS: &str = "300";

/// A running PostgreSQL 18; dereferences to its [`Server`] for faults.
pub struct Postgres {
    server: Server,
    url: String,
}

impl Postgres {
    /// One with default settings.
    ///
    /// # Errors
    /// It was not fetched, or does not come up: then with the end of its log.
    pub fn start() -> Result<Self> {
        Self::with(&[])
    }

    /// One with settings of `postgresql.conf`, such as `("synchronous_commit", "off")`.
    ///
    /// # Errors
    /// As [`start`](Self::start); an unknown setting is named in the log.
    pub fn with(settings: &[(&str, &str)]) -> Result<Self> {
        Self::init(settings, None)
    }

    /// One that lets nobody in without a password (SCRAM-SHA-256); it stands in [`url`](Self::url).
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn with_password(password: &str) -> Result<Self> {
        Self::init(&[], Some(password))
    }

    fn init(settings: &[(&str, &str)], password: Option<&str>) -> Result<Self> {
        let home = Set::Postgres.find()?;
        port::retrying(|| {
            let mut data = Data::new(NAME, END)?;
            let programs = Programs::prepare(&home, &data)?;
            let mut initdb = programs.initdb();
            match password {
                None => initdb.arg("--auth=trust"),
                Some(password) => {
                    let file = data.write("password", password)?;
                    initdb.arg("--auth=scram-sha-256").arg("--pwfile").arg(file)
                }
            };
            data.prepare("initdb", &mut initdb)?;
            data.prepare("postgres --single", &mut programs.second_database())?;
            let address = data.port()?;
            let plan = programs.plan(address, settings);
            let user = password.map_or_else(|| "postgres".to_owned(), |word| format!("postgres:{word}"));
            Ok(Self {
                server: Server::start(plan, data)?,
                url: format!("postgres://{user}@{address}/postgres"),
            })
        })
    }

    /// One that stands up from a base backup: a copy of the folder `cluster` of another one's data directory. Settings
    /// such as `restore_command` and `recovery_target_time` say up to where; it answers when it has come there.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn recovering(base: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let home = Set::Postgres.find()?;
        let to_the_end = [("hot_standby", "off"), ("recovery_target_action", "promote")];
        let settings = [&to_the_end[..], settings].concat();
        port::retrying(|| {
            let mut data = Data::new(NAME, END)?;
            let programs = Programs::prepare(&home, &data)?;
            data.prepare(
                "cp",
                Command::new("cp").arg("-R").arg(base).arg(&programs.cluster),
            )?;
            data.write("cluster/recovery.signal", "")?;
            let mut own = Command::new("chmod");
            data.prepare("chmod", own.args(["-R", "u=rwX,go="]).arg(&programs.cluster))?;
            if programs.as_nobody {
                let mut give = Command::new("chown");
                let whose = format!("{NOBODY}:{NOBODY}");
                data.prepare("chown", give.args(["-R", &whose]).arg(&programs.cluster))?;
            }
            let address = data.port()?;
            Ok(Self {
                server: Server::start(programs.plan(address, &settings), data)?,
                url: format!("postgres://postgres@{address}/postgres"),
            })
        })
    }

    /// The one of this test process, or the runner's. Make your own database in it.
    ///
    /// # Panics
    /// There is none and none could be started.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| match env::var(variable::POSTGRES) {
            Ok(url) => Self {
                server: Server::given(NAME),
                url,
            },
            Err(_) => match Self::start() {
                Ok(own) => Self {
                    server: own.server.for_all(),
                    ..own
                },
                Err(error) => panic!("{error:#}"),
            },
        })
    }

    /// For the superuser, database `postgres`.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// For the superuser, a second database of a server that was started here: where a product keeps its checkpoints.
    #[must_use]
    pub fn checkpoints_url(&self) -> String {
        let server = self
            .url
            .rsplit_once('/')
            .map_or(self.url.as_str(), |(server, _)| server);
        format!("{server}/{CHECKPOINTS}")
    }
}

impl Deref for Postgres {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// The programs as the user who will run them may start them.
struct Programs {
    home: PathBuf,
    cluster: PathBuf,
    as_nobody: bool,
}

impl Programs {
    fn prepare(home: &Path, data: &Data) -> Result<Self> {
        let cluster = data.path().join("cluster");
        let as_nobody = data.is_roots()?;
        if !as_nobody {
            return Ok(Self {
                home: home.to_path_buf(),
                cluster,
                as_nobody,
            });
        }
        let near = data.path().join("postgres");
        link_tree(home, &near)?;
        chown(data.path(), Some(NOBODY), Some(NOBODY)).context("cannot give the data directory to nobody")?;
        Ok(Self {
            home: near,
            cluster,
            as_nobody,
        })
    }

    /// Program and leading arguments.
    fn line(&self, program: &str) -> (PathBuf, Vec<OsString>) {
        let file = self.home.join("bin").join(program);
        if !self.as_nobody {
            return (file, Vec::new());
        }
        let user = format!("--reuid={NOBODY}");
        let group = format!("--regid={NOBODY}");
        let words = [user.as_str(), &group, "--clear-groups", "--"];
        let mut arguments: Vec<OsString> = words.iter().map(Into::into).collect();
        arguments.push(file.into());
        ("setpriv".into(), arguments)
    }

    fn initdb(&self) -> Command {
        let (program, arguments) = self.line("initdb");
        let mut initdb = Command::new(program);
        initdb.args(arguments).arg("-D").arg(&self.cluster);
        // An empty cluster need not survive a power cut; what tests write into it is synced.
        initdb.args([
            "--username=postgres",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        ]);
        initdb
    }

    /// Makes [`CHECKPOINTS`], without a server that answers.
    fn second_database(&self) -> Command {
        let (program, arguments) = self.line("postgres");
        let script = format!("echo 'CREATE DATABASE {CHECKPOINTS}' | exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh"]).arg(program).args(arguments);
        command
            .args(["--single", "-F", "-D"])
            .arg(&self.cluster)
            .arg("postgres");
        command
    }

    fn plan(&self, address: SocketAddr, settings: &[(&str, &str)]) -> Plan {
        let (program, mut arguments) = self.line("postgres");
        arguments.extend(["-D".into(), self.cluster.clone().into()]);
        let port = address.port().to_string();
        let ours = [
            ("listen_addresses", "127.0.0.1"),
            ("port", port.as_str()),
            ("unix_socket_directories", ""),
            ("max_connections", MAX_CONNECTIONS),
            ("log_line_prefix", "%m [%p] "),
        ];
        // The last of two equal names wins.
        for (name, value) in ours.iter().chain(settings) {
            arguments.extend(["-c".into(), format!("{name}={value}").into()]);
        }
        Plan {
            name: NAME,
            program,
            arguments,
            address,
            answers: wire::postgres,
            patience: Duration::from_secs(60),
            stop_signal: FAST_SHUTDOWN,
            end_signal: END,
        }
    }
}

/// A thousand files, none of them copied where both directories are on one file system.
fn link_tree(from: &Path, to: &Path) -> Result<()> {
    let cannot = |what: &Path| format!("cannot make {} available to nobody", what.display());
    fs::create_dir(to).with_context(|| cannot(from))?;
    for entry in fs::read_dir(from).with_context(|| cannot(from))? {
        let entry = entry.with_context(|| cannot(from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().with_context(|| cannot(&source))?;
        if kind.is_dir() {
            link_tree(&source, &target)?;
        } else if kind.is_symlink() {
            let aim = fs::read_link(&source).with_context(|| cannot(&source))?;
            std::os::unix::fs::symlink(aim, &target).with_context(|| cannot(&source))?;
        } else if fs::hard_link(&source, &target).is_err() {
            fs::copy(&source, &target).with_context(|| cannot(&source))?;
        }
    }
    Ok(())
}
