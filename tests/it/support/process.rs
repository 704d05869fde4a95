//! The binary itself, in a folder of its own, as an operator calls it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use chrono::NaiveDate;
use clb_hub::auth::demo_issuer::{DemoIssuer, LIFETIME};
use clb_hub::auth::profile::Profile;
use clb_hub::runtime::{SystemClock, SystemIds, new_signing_key};
use hub_entities::id::Ids;
use hub_entities::law::Laws;
use hub_entities::operation::Actor;
use hub_entities::time::{Clock, Part, SchoolYear, brussels_day};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The school year that it is by the clock of this machine, which the binary goes by.
pub(crate) fn running_year() -> SchoolYear {
    SchoolYear::of(brussels_day(SystemClock.now()))
}

/// Its first days with lessons in the morning and in the afternoon.
pub(crate) fn whole_days<const N: usize>() -> [NaiveDate; N] {
    let calendar = Laws::embedded().unwrap().calendar(running_year());
    let afternoons = calendar.iter().filter(|at| at.part == Part::Pm);
    let days: Vec<NaiveDate> = afternoons.take(N).map(|at| at.day).collect();
    days.try_into().unwrap()
}

/// An identity provider that is not the hub's: it signs, and tells its keys over HTTP.
pub(crate) struct Provider {
    issuer: DemoIssuer,
    /// Where its keys are.
    pub(crate) keys: String,
}

impl Provider {
    /// One that says this of itself, and names the hub so.
    pub(crate) async fn new(name: &str, audience: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        // Beside what is said of the issuer, under the path of its address.
        let path: Vec<&str> = name.split('/').skip(3).chain(["jwks"]).collect();
        let keys = format!("http://{}/{}", listener.local_addr().unwrap(), path.join("/"));
        let issuer = DemoIssuer::new(name, audience, &new_signing_key().unwrap()).unwrap();
        let routes = issuer.routes();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { issuer, keys }
    }

    /// An access token for this subject, from now on.
    pub(crate) fn token(&self, subject: &str) -> String {
        self.token_for(subject, LIFETIME + Profile::MAX_SKEW)
    }

    /// One that was made some time ago, and is good for this long: the skew of the clocks is spent.
    pub(crate) fn token_for(&self, subject: &str, left: Duration) -> String {
        let made = SystemClock.now() - LIFETIME - Profile::MAX_SKEW + left;
        let id = SystemIds::new().unwrap().next(made);
        self.issuer.mint(subject, made, id).unwrap()
    }
}

/// A folder from which the binary is called.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// One with a configuration for this database and this provider, and its keys made.
    pub(crate) fn installed(database: &str, name: &str, audience: &str, keys: &str) -> Self {
        let folder = Self::new();
        let config = format!(
            "[server]\naddress = \"127.0.0.1:0\"\n[database]\nurl = \"{database}\"\n[issuers.test]\nissuer = \"{name}\"\n\
             audience = \"{audience}\"\njwks_url = \"{keys}\"\n[keys]\ncursor_file = \"cursor.key\"\n"
        );
        std::fs::write(folder.at("clb-hub.toml"), config).unwrap();
        folder.run(&["keys", "--config", "clb-hub.toml"]);
        folder
    }

    /// A file in it.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The names of what is in it, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// The binary, to be called with these arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clb-hub"));
        command.current_dir(self.path()).args(arguments);
        command
    }

    /// What a command said, whether or not it succeeded.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed; what it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {told}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts `serve`, and waits until it says where it listens.
    pub(crate) fn serve(&self, environment: &[(&str, &str)]) -> Serving {
        let mut child = self
            .command(&["serve", "--config", "clb-hub.toml"])
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&log);
        let (told, address) = mpsc::channel();
        let reading = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once("127.0.0.1:") {
                    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
                    let _ = told.send(format!("127.0.0.1:{port}"));
                }
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        // The sender goes with the thread: a server that ends without a word does not hang the test.
        let address = address.recv();
        let mut serving = Serving {
            child,
            address: String::new(),
            log,
            reading: Some(reading),
        };
        serving.address = address.unwrap_or_else(|_ended| panic!("it serves nothing: {}", serving.log()));
        serving
    }
}

/// `serve` under way; killed when it is dropped.
pub(crate) struct Serving {
    child: Child,
    /// Where it listens.
    pub(crate) address: String,
    log: Arc<Mutex<String>>,
    reading: Option<std::thread::JoinHandle<()>>,
}

impl Serving {
    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// How many files, sockets among them, it has open.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))
            .unwrap()
            .count()
    }

    /// Tells it to stop (SIGTERM), as a supervisor does.
    pub(crate) fn terminate(&self) {
        let mut kill = Command::new("kill");
        kill.args(["-TERM", &self.child.id().to_string()]);
        assert!(kill.status().unwrap().success());
    }

    /// Waits for its end; what it logged until then.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        self.reading.take().unwrap().join().unwrap();
        (status, self.log())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The value of one metric of a process; `None` when it has none such.
pub(crate) async fn metric(address: &str, name: &str) -> Option<f64> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /metrics HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let value = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
    answer.lines().find_map(value)
}

/// The subject of someone in a world: the id of its principal.
pub(crate) fn subject(viewer: &Actor) -> String {
    match viewer {
        Actor::Principal { id, .. } => id.to_string(),
        _ => panic!("a viewer is a principal"),
    }
}
