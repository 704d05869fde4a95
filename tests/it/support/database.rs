//! A database of its own for each test, on each of the two.
//!
//! On both a template is migrated once, and each test gets a copy of it, gone when the test ends: files in a temporary
//! folder on SQLite. `CLB_HUB_TEST_POSTGRES` names the server (with the
//! right to create databases); without it the PostgreSQL half is skipped, aloud, unless
//! `CLB_HUB_TEST_REQUIRE` or `CI` is set: then it fails.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use clb_hub::keys::file_vault::FileVault;
use clb_hub::store::{Db, Options, SecretDb, Secrets};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use sqlx::{Connection, Executor, PgConnection};
use tokio::sync::OnceCell;

/// Which of the two databases a test is running on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// A database that only this test knows. Call [`TestDatabase::remove`] at the end, or use
/// [`both_databases!`], which does so even when the test fails.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    /// Which of the two.
    pub(crate) backend: Backend,
    /// How it is opened: `Db::open(&Options::new(&database.url))`.
    pub(crate) url: String,
    /// The secrecy store that belongs to it: another file, or a schema of the same database in a role of its own.
    pub(crate) apart: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// The folder goes when this is dropped.
    Folder(tempfile::TempDir),
    Server {
        server: String,
        name: String,
    },
}

impl TestDatabase {
    /// A migrated database; `None` if this machine has no such server and that is no fault.
    pub(crate) async fn migrated(backend: Backend) -> Option<Self> {
        match backend {
            Backend::Sqlite => {
                let database = Self::in_folder();
                database.copy_of(files().await);
                Some(database)
            }
            Backend::Postgres => {
                let server = server()?;
                let template = template(&server).await;
                Some(Self::on_server(server, Some(&template)).await)
            }
        }
    }

    /// A database without any table; `None` if this machine has no such server and that is no fault.
    pub(crate) async fn empty(backend: Backend) -> Option<Self> {
        match backend {
            Backend::Sqlite => Some(Self::in_folder()),
            Backend::Postgres => {
                let server = server()?;
                template(&server).await; // makes the roles
                let database = Self::on_server(server, None).await;
                for right in [
                    format!("grant create, usage on schema public to {OWNER}"),
                    format!(
                        "do $$ begin execute format('grant create on database %I to {OWNER}', current_database()); end $$"
                    ),
                ] {
                    run(&database.url, &right).await;
                }
                Some(database)
            }
        }
    }

    /// Opens it once more, as another replica would.
    pub(crate) async fn open(&self) -> Db {
        Db::open(&Options::new(self.url.as_str())).await.unwrap()
    }

    /// Opens the secrecy store, as one that serves does.
    pub(crate) async fn open_apart(&self) -> SecretDb {
        SecretDb::open(&SecretDb::options(self.apart.as_str())).await.unwrap()
    }

    /// The secrecy store with a key of its own, and where the key lies.
    pub(crate) async fn secrets_in(&self) -> (SecretDb, Secrets, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        FileVault::make_first(folder.path()).unwrap();
        // The vault looks into its folder whenever it seals: the folder stays as long as the process.
        let folder = folder.keep();
        let vault = FileVault::open(&folder).unwrap();
        let apart = self.open_apart().await;
        let secrets = Secrets::new(apart.clone(), std::sync::Arc::new(vault));
        (apart, secrets, folder)
    }

    /// Looks into the secrecy store past every rule.
    pub(crate) async fn look_apart(&self) -> DatabaseConnection {
        let mut options = sea_orm::ConnectOptions::new(match self.backend {
            Backend::Sqlite => self.apart.as_str(),
            Backend::Postgres => self.url.as_str(),
        });
        options.set_schema_search_path("secrecy").max_connections(2);
        sea_orm::Database::connect(options).await.unwrap()
    }

    /// The same database in this role, where it has roles.
    pub(crate) fn as_role(&self, role: &str) -> String {
        match self.backend {
            Backend::Sqlite => self.url.clone(),
            Backend::Postgres => as_role(&self.url, role),
        }
    }

    /// Takes it away again.
    pub(crate) async fn remove(self) {
        if let Place::Server { server, name } = self.place {
            run(&server, &format!("drop database \"{name}\" with (force)")).await;
        }
    }

    fn in_folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [url, apart] = FILES.map(|name| format!("sqlite://{}", folder.path().join(name).display()));
        Self {
            backend: Backend::Sqlite,
            url,
            apart,
            place: Place::Folder(folder),
        }
    }

    fn copy_of(&self, template: &Path) {
        if let Place::Folder(folder) = &self.place {
            for name in FILES {
                std::fs::copy(template.join(name), folder.path().join(name)).unwrap();
            }
        }
    }

    async fn on_server(server: String, template: Option<&str>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("clb_hub_test_{}_{number}", std::process::id());
        run(&server, &format!("drop database if exists \"{name}\" with (force)")).await;
        let copied = template.unwrap_or("template0");
        run(&server, &format!("create database \"{name}\" template \"{copied}\"")).await;
        let url = with_name(&server, &name);
        Self {
            backend: Backend::Postgres,
            apart: as_role(&url, SECRECY),
            url,
            place: Place::Server { server, name },
        }
    }
}

/// Runs one async test on both databases, each time on a migrated one of its own:
///
/// ```ignore
/// both_databases!(a_pupil_is_found, async |database: &TestDatabase| { … });
/// ```
///
/// `empty` before the name gives a database without tables. The database is removed at the end
/// whatever happens.
macro_rules! both_databases {
    (empty $name:ident, $test:expr) => {
        $crate::support::database::both_databases!(@ empty, $name, $test);
    };
    ($name:ident, $test:expr) => {
        $crate::support::database::both_databases!(@ migrated, $name, $test);
    };
    (@ $kind:ident, $name:ident, $test:expr) => {
        mod $name {
            use super::*;
            use $crate::support::database::{Backend, TestDatabase, run_test};

            #[test]
            fn on_sqlite() {
                run_test(TestDatabase::$kind(Backend::Sqlite), $test);
            }

            #[test]
            fn on_postgres() {
                run_test(TestDatabase::$kind(Backend::Postgres), $test);
            }
        }
    };
}
pub(crate) use both_databases;

/// Makes the database, runs the test on it, removes it, and only then lets the test's failure through.
pub(crate) fn run_test(database: impl Future<Output = Option<TestDatabase>>, test: impl AsyncFnOnce(&TestDatabase)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let Some(database) = runtime.block_on(database) else {
        eprintln!("SKIPPED: CLB_HUB_TEST_POSTGRES names no server; ./tests/run starts one");
        return;
    };
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(test(&database));
        runtime.block_on(ways_lead_to_the_counts(&database.url));
        runtime.block_on(contradictions_have_sides(&database.url));
    }));
    runtime.block_on(database.remove());
    if let Err(failure) = outcome {
        std::panic::resume_unwind(failure);
    }
}

/// Whatever a test did: beside each CLB stands exactly what was counted of the pupils it is or was competent for. A way
/// that is missing would hide a pupil from a sorted list.
async fn ways_lead_to_the_counts(url: &str) {
    let look = sea_orm::Database::connect(url).await.unwrap();
    if number(&look, "select count(*) from clb_tally").await.is_none() {
        return look.close().await.unwrap();
    }
    let should = "select distinct t.pupil_id, c.clb_id, t.school_year, t.half_days
         from tally t join competence c on c.pupil_id = t.pupil_id where t.half_days > 0";
    let is = "select pupil_id, clb_id, school_year, half_days from clb_tally";
    for (these, those) in [(should, is), (is, should)] {
        let text = format!("select count(*) from ({these} except {those}) as x");
        assert_eq!(
            number(&look, &text).await,
            Some(0),
            "clb_tally does not follow: {these}"
        );
    }
    look.close().await.unwrap();
}

/// Whatever a test did: each open contradiction is told to at least one school, and nothing else is.
async fn contradictions_have_sides(url: &str) {
    let look = sea_orm::Database::connect(url).await.unwrap();
    let open = "select pupil_id, day, part from conflict where resolved_at is null";
    let told = "select pupil_id, day, part from conflict_side";
    for (these, those) in [(open, told), (told, open)] {
        let text = format!("select count(*) from ({these} except {those}) as x");
        let left = number(&look, &text).await;
        assert!(matches!(left, None | Some(0)), "conflict_side does not follow: {these}");
    }
    look.close().await.unwrap();
}

/// The one number of a query; `None` if there is no such table.
async fn number(look: &DatabaseConnection, text: &str) -> Option<i64> {
    let asked = Statement::from_string(look.get_database_backend(), text);
    let found = look.query_one_raw(asked).await.ok()?;
    found.and_then(|row| row.try_get_by_index(0).ok())
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment where their server is"
)]
fn server() -> Option<String> {
    let told = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let server = told("CLB_HUB_TEST_POSTGRES");
    let required = told("CLB_HUB_TEST_REQUIRE").is_some() || told("CI").is_some();
    assert!(
        server.is_some() || !required,
        "CLB_HUB_TEST_POSTGRES names no server, and skipping is not allowed here; ./tests/run starts one"
    );
    server
}

/// The two stores on SQLite.
const FILES: [&str; 2] = ["hub.db", "secrecy.db"];

/// The folder of the migrated files that the others are copies of: made once per build of the tests.
async fn files() -> &'static Path {
    static MADE: OnceCell<PathBuf> = OnceCell::const_new();
    let make = || async {
        let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sqlite-{:016x}", this_build()));
        if !made.exists() {
            let half = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            let [url, apart] = FILES.map(|name| format!("sqlite://{}", half.path().join(name).display()));
            migrate(&url, &apart).await;
            // Whole at once; where another process was quicker, its files are as good.
            if std::fs::rename(half.path(), &made).is_ok() {
                drop(half.keep());
            }
        }
        made
    };
    MADE.get_or_init(make).await
}

/// The migrated database that the others are copies of: made once per build of the tests, by
/// whichever test comes first.
async fn template(server: &str) -> String {
    let name = format!("clb_hub_template_{:016x}", this_build());
    let mut connection = PgConnection::connect(server).await.unwrap();
    // An arbitrary number, the same in each test process. Ends with the connection.
    connection.execute("select pg_advisory_lock(7236001)").await.unwrap();
    let made: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(&name)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    if !made {
        // Under another name until it is whole: a killed run leaves no half template behind.
        let half = format!("{name}_half");
        run(server, &format!("drop database if exists \"{half}\" with (force)")).await;
        run(server, &format!("create database \"{half}\" template template0")).await;
        roles(&mut connection).await;
        let url = with_name(server, &half);
        migrate(&url, &url).await;
        run(server, &format!("alter database \"{half}\" rename to \"{name}\"")).await;
    }
    connection.close().await.unwrap();
    name
}

/// The roles that a hub on PostgreSQL has, as an operator would make them; the server of a test is its superuser's.
pub(crate) const OWNER: &str = "clb_hub_test_owner";
pub(crate) const APP: &str = "clb_hub_test_app";
pub(crate) const SECRECY: &str = "clb_hub_test_secrecy";

/// Makes the roles, unless they are there. Whoever calls holds the lock of the template.
async fn roles(connection: &mut PgConnection) {
    for role in [OWNER, APP, SECRECY] {
        let there: bool = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)")
            .bind(role)
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        if !there {
            let made = format!("create role {role} login nosuperuser nobypassrls noinherit");
            connection.execute(sqlx::AssertSqlSafe(made)).await.unwrap();
        }
    }
}

/// Migrates both stores, and lets the roles in that serve.
async fn migrate(url: &str, apart: &str) {
    let db = Db::open(&Options::new(url)).await.unwrap();
    let apart = SecretDb::open(&SecretDb::options(apart)).await.unwrap();
    db.migrate().await.unwrap();
    apart.migrate().await.unwrap();
    db.let_in(&Options::new(as_role(url, APP))).await.unwrap();
    apart.let_in(&SecretDb::options(as_role(url, SECRECY))).await.unwrap();
    db.close().await.unwrap();
    apart.close().await.unwrap();
}

/// The same address in another role: `postgres://ROLE@host/name?options`.
fn as_role(url: &str, role: &str) -> String {
    match url
        .split_once("://")
        .and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?.1)))
    {
        Some((scheme, host)) => format!("{scheme}://{role}@{host}"),
        None => url.to_owned(),
    }
}

/// Tells one build of this binary from another: another build may have other migrations.
fn this_build() -> u64 {
    let binary = std::env::current_exe().unwrap();
    let mut hasher = DefaultHasher::new();
    binary.hash(&mut hasher);
    binary.metadata().unwrap().modified().unwrap().hash(&mut hasher);
    hasher.finish()
}

async fn run(server: &str, statement: &str) {
    let mut connection = PgConnection::connect(server).await.unwrap();
    connection
        .execute(sqlx::AssertSqlSafe(statement.to_owned()))
        .await
        .unwrap();
    connection.close().await.unwrap();
}

/// The same server, another database: `postgres://user@host/NAME?options`.
fn with_name(server: &str, name: &str) -> String {
    let (base, options) = server.split_once('?').unwrap_or((server, ""));
    let (scheme, rest) = base.split_once("://").unwrap();
    let host = rest.split('/').next().unwrap_or_default();
    let separator = if options.is_empty() { "" } else { "?" };
    format!("{scheme}://{host}/{name}{separator}{options}")
}

#[test]
fn another_database_of_the_same_server() {
    assert_eq!(
        with_name("postgres://hub@localhost/postgres?host=/tmp/x", "a"),
        "postgres://hub@localhost/a?host=/tmp/x"
    );
    assert_eq!(
        with_name("postgres://hub@localhost:5433", "a"),
        "postgres://hub@localhost:5433/a"
    );
}
