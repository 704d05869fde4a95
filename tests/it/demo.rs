//! The demo as a process of its own: what it says, the lines to paste as a shell runs them, its bars on a terminal; its
//! schools' systems change, software pushes, and the hub tells without being asked to look.

mod dossiers;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::front::Events;
use crate::support::look::{list, number as number_of, until};
use crate::support::process::Folder;

/// The demo under way; killed when it is dropped.
struct Demo {
    child: Child,
    address: String,
    /// What it says it did, before it says how to ask.
    did: Vec<String>,
    /// How a dossier is told of.
    table: Vec<String>,
    /// Of each block to paste: who asks, and its lines as they are printed.
    to_paste: Vec<(String, String)>,
}

impl Demo {
    /// Starts it, and waits until it says where it listens.
    fn start(folder: &Folder, port: &str) -> Self {
        let mut command = folder.command(&["demo", "--folder", "demo", "--port", port]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (told, printed) = mpsc::channel();
        // It goes on reading: a pipe that nobody empties would hold the demo up.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = told.send(line);
            }
        });
        let mut demo = Self {
            child,
            address: String::new(),
            did: Vec::new(),
            table: Vec::new(),
            to_paste: Vec::new(),
        };
        let (mut persona, mut block) = (String::new(), Vec::new());
        while demo.to_paste.len() < 10 {
            let line = printed.recv().expect("it says how to ask");
            if line.is_empty() {
                continue;
            }
            if let Some(rest) = line.strip_prefix("listening on http://") {
                demo.address = rest.split('/').next().unwrap().to_owned();
            } else if let Some(name) = line.strip_prefix("# ") {
                name.clone_into(&mut persona);
            } else if demo.address.is_empty() {
                demo.did.push(line);
            } else if block.is_empty() && !line.starts_with("curl ") {
                demo.table.push(line);
            } else {
                let is_last = line.starts_with("  -d '");
                block.push(line);
                if is_last {
                    demo.to_paste
                        .push((persona.clone(), std::mem::take(&mut block).join("\n")));
                }
            }
        }
        demo
    }

    async fn ask(&self, token: &str, query: &str, variables: Value) -> Value {
        self.said(token, "", &json!({ "query": query, "variables": variables }))
            .await
    }

    /// The same for a purpose.
    async fn ask_for(&self, token: &str, purpose: &str, query: &str) -> Value {
        let header = format!("clb-purpose: {purpose}\r\n");
        self.said(token, &header, &json!({ "query": query })).await
    }

    async fn said(&self, token: &str, header: &str, body: &Value) -> Value {
        let body = body.to_string();
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             authorization: Bearer {token}\r\n{header}content-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let answer: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"].clone()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The nodes of a list.
fn nodes<'a>(data: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    let edges = data[list]["edges"].as_array().unwrap().iter();
    edges.map(|edge| &edge["node"])
}

/// By what the institution number of a school of the first CLB ends with: its software pushes, it has Smartschool alone,
/// or the two systems that are joined by a number.
fn way(institution_number: &str) -> &'static str {
    match institution_number {
        "990001" => "software",
        "990002" => "smartschool",
        _ => "pair",
    }
}

/// What a shell makes of a block that is to be pasted, beside the demo: the answer. The binary is here already, so it is not
/// asked of cargo.
fn pasted(folder: &Folder, block: &str) -> Value {
    let cargo = "cargo run -q --";
    assert_eq!(block.matches(cargo).count(), 1, "{block}");
    let mut shell = Command::new("sh");
    let block = block.replace(cargo, env!("CARGO_BIN_EXE_clb-hub"));
    let output = shell.current_dir(folder.at("")).args(["-c", &block]).output().unwrap();
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && wrong.is_empty(), "{block}: {wrong}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The blocks that are printed to be pasted show one question answered to four who may see different things.
fn answered_differently(folder: &Folder, demo: &Demo) {
    let question = |block: &str| block.lines().last().unwrap().to_owned();
    let four = &demo.to_paste[..4];
    let same = four.windows(2).all(|pair| question(&pair[0].1) == question(&pair[1].1));
    assert!(same, "{:?}", demo.to_paste);
    let blocks = four.iter();
    let seen: BTreeMap<&str, Value> = blocks
        .map(|(who, block)| (who.as_str(), pasted(folder, block)))
        .collect();
    let of = |persona: &str| {
        let answer = &seen[persona];
        assert_eq!(answer.get("errors"), None, "{persona}: {answer}");
        &answer["data"]
    };
    let [school, first, second] = ["school-client", "clb-worker", "other-clb-worker"].map(of);
    assert_eq!(school["viewer"]["role"], "SCHOOL_CLIENT");
    assert_eq!(first["viewer"]["role"], "CLB_WORKER");
    assert_eq!(second["viewer"]["role"], "CLB_WORKER");
    let count = |data: &Value, list: &str| data[list]["totalCount"].as_i64().unwrap();
    // One school of six of its CLB; and each of the 4,000 pupils has a CLB, a few that changed schools had two.
    let pupils = [school, first, second].map(|data| count(data, "pupils"));
    assert!(0 < pupils[0] && pupils[0] < pupils[1] && 0 < pupils[2], "{pupils:?}");
    assert!((3_900..4_100).contains(&(pupils[1] + pupils[2])), "{pupils:?}");
    let signals = [school, first, second].map(|data| count(data, "signals"));
    assert!(
        0 < signals[0] && signals[0] < signals[1] && 0 < signals[2],
        "{signals:?}"
    );
    // Those with the most half-days first: no two of the CLBs are one.
    let most = |data: &Value| nodes(data, "pupils").cloned().collect::<Vec<_>>();
    assert_eq!((most(first).len(), most(second).len()), (2, 2));
    assert!(most(first).iter().all(|pupil| !most(second).contains(pupil)));
    // Who runs the hub cannot even name a pupil: refused whole, without data.
    let refused = &seen["operator"];
    assert_eq!(refused.get("data"), None, "{refused}");
    assert!(refused["errors"].is_array(), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_comes_alive() {
    let folder = Folder::new();
    // A demo stays on its port: its personas are registered under its address. Not one of those that the system deals out, or
    // another test has it when the demo begins again.
    let free = |port: &u32| std::net::TcpListener::bind(format!("127.0.0.1:{port}")).is_ok();
    let own = std::process::id() % 5_000;
    let port = (20_000 + own..30_000).find(free).unwrap();
    let port = port.to_string();
    let summary = folder.run(&["demo", "--once", "--folder", "demo", "--port", &port]);
    let summary: Value = serde_json::from_str(&summary).unwrap();
    let number = |name: &str| summary[name].as_i64().unwrap();
    let counts = ["clbs", "schools", "pupils", "sources"].map(number);
    // Eight schools have two systems, two have one, and two have software.
    assert_eq!(counts, [2, 12, 4_000, 20], "{summary}");
    // Each by its name, and of each was read what it brings: rosters of ten schools, half-days of as many.
    let url = format!("sqlite://{}", folder.at("demo").join("hub.sqlite").display());
    let look = sea_orm::Database::connect(url).await.unwrap();
    let named = "select name || ' ' || count(*) from source where name in ('oneroster', 'smartschool') group by name
        order by name";
    assert_eq!(list::<String>(&look, named).await, ["oneroster 8", "smartschool 10"]);
    let read = "select o.name || ' ' || p.kind || ' ' || count(*) from pull p join source o on o.id = p.source_id
        where p.records > 0 group by o.name, p.kind order by 1";
    let expected = ["oneroster roster 8", "smartschool absences 10", "smartschool roster 2"];
    assert_eq!(list::<String>(&look, read).await, expected);
    let alone = "select count(*) from sync_run r join source o on o.id = r.source_id
        where r.kind = 'absences' and r.changed > 0 and o.name = 'smartschool'
        and not exists (select 1 from source other where other.school_id = o.school_id and other.name = 'oneroster')";
    let at_first = number_of(&look, alone).await;
    // Every pupil, and a place in a class.
    assert!(number("changed") > 8_000, "{summary}");
    // Whom Smartschool no longer lists waits for a roster that never names him: few have left.
    assert!(number("quarantined") < number("rows") / 50, "{summary}");
    assert_eq!(summary["dossier"], dossiers::summed_up());

    // Again in the same folder: the systems stand elsewhere now, and what they say is known.
    let demo = Demo::start(&folder, &port);
    let token = |persona: &str| folder.run(&["token", persona, "--folder", "demo"]).trim().to_owned();
    let [did] = demo.did.as_slice() else {
        panic!("{:?}", demo.did)
    };
    assert!(
        did.starts_with("2 CLBs, 12 schools with 20 sources, 4000 synthetic pupils; "),
        "{did}"
    );
    let standing = did.split_once("; standing at the CLBs: ").unwrap().1.split(" and ");
    let standing: Vec<i64> = standing.map(|count| count.parse().unwrap()).collect();
    assert!(standing.len() == 2 && standing.iter().all(|count| *count > 0), "{did}");
    tokio::task::block_in_place(|| answered_differently(&folder, &demo));
    // Made once, and asked for again.
    tokio::task::block_in_place(|| dossiers::told_side_by_side(&folder, &demo));
    dossiers::each_reads_the_own(&folder, &demo).await;
    let worker = token("clb-worker");
    let schools = "{ schools(first: 20) { edges { node { id institutionNumber } } } }";
    let schools = demo.ask(&worker, schools, Value::Null).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let ways: BTreeMap<String, &str> = nodes(&schools, "schools")
        .map(|school| (text(&school["id"]), way(school["institutionNumber"].as_str().unwrap())))
        .collect();

    // A stream tells that something has happened; what it was is read by the same cursor.
    let mut events = Events::follow(&demo.address, &worker, None).await.unwrap();
    let mut cursor = text(&events.next().await.unwrap()["data"]["signals"]["cursor"]);
    let mut heard = BTreeSet::new();
    // One school of this CLB has Smartschool alone, and few of its pupils are near a threshold: of it no signal is waited for.
    let ways_of = ["pair", "software"];
    let wanted: BTreeSet<_> = ways_of
        .iter()
        .flat_map(|way| [(*way, "RAISED"), (*way, "WITHDRAWN")])
        .collect();
    let question =
        "query($after: String!) { changes(first: 200, after: $after) { changes { kind schoolId } endCursor } }";
    let hears = async {
        while !wanted.is_subset(&heard) {
            assert!(events.next().await.is_some(), "the stream ended; so far {heard:?}");
            let page = demo.ask(&worker, question, json!({ "after": cursor })).await;
            cursor = text(&page["changes"]["endCursor"]);
            for change in page["changes"]["changes"].as_array().unwrap() {
                let kind = ["RAISED", "WITHDRAWN"].into_iter().find(|kind| change["kind"] == *kind);
                let way = change["schoolId"].as_str().and_then(|school| ways.get(school));
                heard.extend(way.copied().zip(kind));
            }
        }
    };
    // Something is told every few seconds, so that no word alone takes too long: all of it must not either.
    let all = tokio::time::timeout(Duration::from_mins(10), hears).await;
    assert!(all.is_ok(), "in vain; so far {heard:?}");
    // But the hub has noticed there as well that something happened.
    until("news of a school with Smartschool alone", async || {
        number_of(&look, alone).await > at_first
    })
    .await;
    look.close().await.unwrap();

    // Nothing failed on the way, and nobody had to let anything go on.
    let runs = "{ syncRuns(first: 100) { edges { node { state } } } }";
    let runs = demo.ask(&token("operator"), runs, Value::Null).await;
    for run in nodes(&runs, "syncRuns") {
        let state = run["state"].as_str().unwrap();
        assert!(!["HELD", "REFUSED", "FAILED"].contains(&state), "{runs}");
    }
}

/// Runs a command on a terminal of its own, a hundred columns wide, and hands on what is drawn on it.
const TERMINAL: &str = "import fcntl, os, pty, struct, sys, termios
def size(terminal):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 100, 0, 0))
child, terminal = pty.fork()
if child == 0:
    size(0)
    os.execv(sys.argv[1], sys.argv[1:])
while True:
    try:
        drawn = os.read(terminal, 65536)
    except OSError:
        break
    if not drawn:
        break
    sys.stdout.buffer.write(drawn)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))";

// Somebody looks at it: a bar for each source that is pulled and for what software brings, with how far it has come.
#[test]
fn the_demo_draws_bars_on_a_terminal() {
    let folder = Folder::new();
    let mut python = Command::new("python3");
    let demo = [env!("CARGO_BIN_EXE_clb-hub"), "demo", "--once", "--folder", "demo"];
    python.current_dir(folder.at("")).args(["-c", TERMINAL]).args(demo);
    let output = python.output().unwrap();
    let drawn = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{drawn}");
    // A bar is drawn over itself, again and again.
    let lines: BTreeSet<&str> = drawn.split(['\r', '\n']).filter(|line| line.contains('█')).collect();
    for name in ["990003/oneroster", "990002/smartschool", "school-client"] {
        assert!(lines.iter().any(|line| line.contains(name)), "{name}: {lines:?}");
    }
    assert!(drawn.contains("\"pupils\": 4000"), "and what came of it: {drawn}");
}
