//! The systems of schools and the hub as processes of their own, with nothing between them but sockets, and a database: what
//! a school registers is told to a front-end once, whoever falls sick, dies or comes back meanwhile.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chrono::Datelike as _;
use clb_hub::runtime::SystemClock;
use hub_entities::id::EventId;
use hub_entities::time::{Clock as _, brussels_day};
use sea_orm::{DatabaseConnection, DbBackend};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::database::{TestDatabase, both_databases};
use crate::support::front::Front;
use crate::support::look::{list, meddle, number, until};
use crate::support::process::{Folder, Provider, Serving};

const NAME: &str = "https://issuer.example";
const AUDIENCE: &str = "https://hub.example/graphql";
const WORKER: &str = "worker";

/// OneRoster and Smartschool of two schools with 40 pupils each, in one process; killed when this is dropped.
struct Schools {
    child: Child,
    /// Where they are told what happens at the schools.
    control: String,
    /// How many half-days have which letter, before anything happens.
    letters: serde_json::Value,
}

impl Schools {
    /// Starts them; `folder` gets `register.toml`.
    fn start(folder: &Folder) -> Self {
        // `cargo test --test it` alone builds no example.
        let cargo = Command::new("cargo")
            .args(["build", "--quiet", "--workspace", "--example", "systems"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(cargo.unwrap().success());
        let systems = Path::new(env!("CARGO_BIN_EXE_clb-hub")).with_file_name("examples/systems");
        let mut child = Command::new(systems)
            .arg(folder.at("."))
            .args(["--schools", "2", "--pupils", "40"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It says so once it is there.
        let told = BufReader::new(child.stdout.take().unwrap()).lines().next();
        assert!(told.is_some(), "nobody there");
        let ready = std::fs::read_to_string(folder.at("ready")).unwrap();
        let lines: Vec<&str> = ready.lines().collect();
        let there: serde_json::Value = serde_json::from_str(lines[2]).unwrap();
        Self {
            child,
            control: lines[1].strip_prefix("http://").unwrap().to_owned(),
            letters: there["letters"].clone(),
        }
    }

    /// Something happens there.
    async fn tell(&self, what: &str) {
        let mut stream = TcpStream::connect(&self.control).await.unwrap();
        let request = format!("GET {what} HTTP/1.1\r\nhost: schools\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 204"), "{what}: {answer}");
    }
}

impl Drop for Schools {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two schools, their hub and somebody of their CLB.
struct Scene {
    schools: Schools,
    folder: Folder,
    provider: Provider,
    look: DatabaseConnection,
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let provider = Provider::new(NAME, AUDIENCE).await;
        let folder = Folder::installed(&database.url, NAME, AUDIENCE, &provider.keys);
        let schools = Schools::start(&folder);
        let add = |name: &str, text: &str| {
            let before = std::fs::read_to_string(folder.at(name)).unwrap();
            std::fs::write(folder.at(name), before + text).unwrap();
        };
        add("clb-hub.toml", "[sources]\nnetworks = [\"127.0.0.1/32\"]\n");
        let register: toml::Table = std::fs::read_to_string(folder.at("register.toml"))
            .unwrap()
            .parse()
            .unwrap();
        let clb = register["clb"][0]["institution_number"].as_str().unwrap();
        let worker = format!(
            "\n[[principal]]\nissuer = \"{NAME}\"\nsubject = \"{WORKER}\"\nrole = \"clb_worker\"\ndiscipline = \"social_worker\"\nclb = \"{clb}\"\n"
        );
        add("register.toml", &worker);
        folder.run(&["register", "register.toml", "--config", "clb-hub.toml"]);
        let look = sea_orm::Database::connect(&database.url).await.unwrap();
        Self {
            schools,
            folder,
            provider,
            look,
        }
    }

    /// Reads everything that is new, by hand.
    fn sync(&self) {
        let mut command = self.folder.command(&["sync", "--config", "clb-hub.toml"]);
        let output = command.envs(SECRET).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
    }

    /// What the doctor says of the sources, sick or not.
    fn doctor(&self) -> String {
        let mut command = self.folder.command(&["doctor", "--config", "clb-hub.toml"]);
        let output = command.envs(SECRET).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// It is everyone's turn, whenever it would have been. SQLite keeps a moment as the text that it is compared by.
    async fn hurry(&self) {
        let before = match self.look.get_database_backend() {
            DbBackend::Sqlite => "'2025' || substr(due_at, 5)",
            _ => "due_at - interval '1 year'",
        };
        meddle(&self.look, &format!("update pull_turn set due_at = {before}")).await;
    }

    /// The key at its school of a pupil whose absences count wherever it is: between 7 and 15 years old.
    async fn pupil(&self, school: &str) -> String {
        let this_year = brussels_day(SystemClock.now()).year();
        let text = format!(
            "select r.source_key from record r join school s on s.id = r.school_id
             where s.institution_number = '{school}' and r.birth_date between '{}-01-01' and '{}-12-31'
             order by r.source_key limit 1",
            this_year - 15,
            this_year - 8
        );
        list(&self.look, &text).await.remove(0)
    }

    /// The front-end comes back for so many more events, over this replica, while everyone is read again and again.
    async fn hears(&self, front: &mut Front, at: &Serving, all: usize) {
        let token = self.provider.token(WORKER);
        for _ in 0..40 {
            if front.told.len() >= all {
                return;
            }
            self.hurry().await;
            let left = all - front.told.len();
            front.visit(&at.address, &token, left, Duration::from_secs(3)).await;
        }
        panic!("in vain: it was told {} of {all}; {}", front.told.len(), at.log());
    }
}

const SECRET: [(&str, &str); 1] = [("CLB_HUB__SECRETS__DEMO", "measurement")];

/// What says nothing of an absence: late is present (L), as are work placement (W) and `|`; G is no school (`school-apis.md`
/// §0.2). It is not stored.
const SAYS_NOTHING: [&str; 4] = ["L", "W", "G", "|"];

both_databases!(
    what_a_school_registers_is_told_once_whoever_dies,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        // Two systems of each school, joined by the number in the school's register: nothing is lost between them.
        scene.sync();
        let letters = scene.schools.letters.as_object().unwrap();
        let stored = letters
            .iter()
            .filter(|(letter, _)| !SAYS_NOTHING.contains(&letter.as_str()));
        let stored: i64 = stored.map(|(_, count)| count.as_i64().unwrap()).sum();
        assert!(stored > 0, "{letters:?}");
        assert_eq!(number(&scene.look, "select count(*) from absence").await, stored);
        assert_eq!(number(&scene.look, "select count(*) from record").await, 80);
        assert_eq!(number(&scene.look, "select count(*) from quarantine").await, 0);
        let runs = number(&scene.look, "select count(*) from sync_run").await;
        scene.sync();
        assert_eq!(
            number(&scene.look, "select count(*) from sync_run").await,
            runs,
            "nothing was new"
        );
        let doctor = scene.doctor();
        for line in [
            "ok     970001/oneroster: reachable",
            "ok     970001/oneroster: changes: the source tells what has changed; everything is read once a day all the same",
            "ok     970001/oneroster: users: may be read",
            "ok     970001/oneroster: demographics: may be read",
            "ok     970001/oneroster: pulled: roster",
            "ok     970002/smartschool: reachable",
            "ok     970002/smartschool: pulled: absences",
        ] {
            assert!(doctor.lines().any(|told| told == line), "{line}\n{doctor}");
        }
        assert!(!doctor.contains("WRONG  9700"), "{doctor}");

        let serve = || scene.folder.serve(&SECRET);
        // SQLite is of one process.
        let mut replicas = match database.backend {
            Backend::Sqlite => vec![serve()],
            Backend::Postgres => vec![serve(), serve()],
        };
        until("turns", async || {
            number(&scene.look, "select count(*) from pull_turn").await == 4
        })
        .await;
        let (mut front, token) = (Front::default(), scene.provider.token(WORKER));
        assert!(
            front
                .visit(&replicas[0].address, &token, 0, Duration::from_secs(3))
                .await
        );
        let (first, second) = (scene.pupil("970001").await, scene.pupil("970002").await);
        scene.schools.tell(&format!("/says/1/{second}/5/B")).await;
        scene.hears(&mut front, &replicas[0], 1).await;

        // One school answers nobody any more, the other only with errors, and the hub dies while it waits for them.
        scene.schools.tell("/sick/2").await;
        scene.schools.tell(&format!("/says/0/{first}/5/B")).await;
        scene.schools.tell(&format!("/says/1/{second}/1/Z")).await;
        scene.hurry().await;
        let waits = "select count(*) from pull_turn where failures > 0";
        until("a fault", async || number(&scene.look, waits).await > 0).await;
        replicas.clear();
        let doctor = scene.doctor();
        for school in ["970001", "970002"] {
            let wrong = format!("WRONG  {school}/oneroster: ");
            assert!(doctor.lines().any(|told| told.starts_with(&wrong)), "{doctor}");
        }
        scene.schools.tell("/well").await;
        let again = serve();
        scene.hears(&mut front, &again, 3).await;

        let happened: Vec<EventId> = list(&scene.look, "select id from outbox order by position").await;
        assert_eq!(front.told, happened);
        let text = "select e.kind || ' ' || e.half_days || ' ' || s.institution_number from outbox e
                    join record r on r.pupil_id = e.pupil_id join school s on s.id = r.school_id order by 1";
        let expected = [
            "signal.raised 5 970001",
            "signal.raised 5 970002",
            "signal.withdrawn 5 970002",
        ];
        assert_eq!(list::<String>(&scene.look, text).await, expected);
        let standing = "select count(*) from signal where state = 'raised'";
        assert_eq!(
            (
                number(&scene.look, standing).await,
                number(&scene.look, "select count(*) from signal").await
            ),
            (1, 2)
        );
    }
);
