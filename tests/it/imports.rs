//! `clb-hub import`, the binary itself, for what schools export: a OneRoster package in a folder and in a zip, bulk and
//! delta, half-days as CSV and in the text format of Informat, numbers carried in, files with a fault in them, and files
//! that are made to do harm (R51, R53). The binary goes by the real day, so they are of the school year that it is.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use chrono::NaiveDate;
use hub_entities::category::Categories;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::database::{Backend, TestDatabase, both_databases, run_test};
use crate::support::look::{everything, list};
use crate::support::package::Package;
use crate::support::process::{Folder, running_year, whole_days};
use crate::support::world::World;

/// A school with a source of files, and the binary beside its files.
struct Scene {
    world: World,
    folder: Folder,
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;
        let clb = world.clb("114711").await;
        world.school("123456", clb, Categories::default_agreement()).await;
        // Nobody signs in here.
        let keys = "http://127.0.0.1:1/keys";
        let folder = Folder::installed(&database.url, "https://issuer.example", "https://hub.example", keys);
        Self { world, folder }
    }

    /// Whether it succeeded, and what it said.
    fn import_for(&self, school: &str, arguments: &[&str]) -> (bool, String) {
        let command = ["import", "--school", school, "--config", "clb-hub.toml"];
        let output = tokio::task::block_in_place(|| self.folder.output(&[&command, arguments].concat()));
        let said = [&output.stdout[..], &output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    /// What a run did, which must succeed.
    fn imported(&self, arguments: &[&str]) -> String {
        let (succeeded, said) = self.import_for("123456", arguments);
        assert!(succeeded, "{said}");
        let told = said.lines().find(|line| line.starts_with("done: "));
        let told = told.unwrap_or_else(|| panic!("{said}"));
        told.split("; categories").next().unwrap().to_owned()
    }

    /// What is said of a file that must be refused: for each fault its file, line, column and rule.
    fn refused(&self, arguments: &[&str]) -> Vec<String> {
        let (succeeded, said) = self.import_for("123456", arguments);
        assert!(!succeeded, "{said}");
        let faults = said.lines().filter(|line| line.starts_with("error "));
        let words = |line: &str| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
        faults.map(words).collect()
    }

    async fn enrolled(&self) -> Vec<String> {
        let text = "select r.source_key from record r join enrolment e on e.record_id = r.id
                    where e.ends_on is null order by r.source_key";
        list(&self.world.look, text).await
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.at(name), text).unwrap();
    }
}

/// These pupils, each with an own number and a register number, each in the class.
fn package(numbers: std::ops::Range<usize>) -> Package {
    let (begins, born) = (running_year().first_day(), running_year().0 - 14);
    let rows = |row: &dyn Fn(usize) -> String| numbers.clone().map(row).collect();
    Package {
        year: running_year(),
        users: rows(&|n| {
            format!(
                "p{n:02},,,true,s1,student,u{n},{{stamnummer:00000001{n:02}}},Test,Leerling,,{},,,,,,",
                700 + n
            )
        }),
        demographics: rows(&|n| format!("p{n:02},,,{born}-05-01,female,,,,,,,,,,,")),
        enrollments: rows(&|n| format!("e{n:02},,,k,s1,p{n:02},student,,{begins},")),
        ..Package::default()
    }
}

/// The same package in a zip.
fn zipped(package: &Package, path: &Path) {
    let mut zip = ZipWriter::new(File::create(path).unwrap());
    for (name, text) in package.files() {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
}

both_databases!(what_schools_export_is_imported, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    // A class, forty pupils and their places in it.
    package(0..40).write(&scene.folder.at("whole"));
    assert_eq!(
        scene.imported(&["whole"]),
        "done: 81 rows, 81 changed, 0 unchanged, 0 in quarantine, 0 ended; 0 signals raised, 0 withdrawn"
    );
    zipped(&package(0..40), &scene.folder.at("whole.zip"));
    assert_eq!(
        scene.imported(&["whole.zip"]),
        "done: 81 rows, 0 changed, 81 unchanged, 0 in quarantine, 0 ended; 0 signals raised, 0 withdrawn"
    );
    // One has left, one has come; the class is named again.
    let at = "2026-10-01T08:00:00.000Z";
    let mut delta = package(40..41);
    delta.mode = "delta";
    for rows in [&mut delta.users, &mut delta.demographics, &mut delta.enrollments] {
        for row in rows {
            *row = row.replacen(",,,", &format!(",active,{at},"), 1);
        }
    }
    delta.users.push(format!(
        "p00,tobedeleted,{at},true,s1,student,u0,,Test,Leerling,,700,,,,,,"
    ));
    delta.write(&scene.folder.at("delta"));
    assert_eq!(
        scene.imported(&["delta"]),
        "done: 4 rows, 3 changed, 1 unchanged, 0 in quarantine, 0 ended; 0 signals raised, 0 withdrawn"
    );
    let enrolled: Vec<String> = (1..41).map(|n| format!("p{n:02}")).collect();
    assert_eq!(scene.enrolled().await, enrolled);

    // Five half-days B of one pupil, and one of somebody whom no roster names.
    let [first, second, third, fourth] = whole_days();
    scene.write(
        "absences.csv",
        &format!(
            "pupil,date,part,code\r\n701,{first},AM,B\r\n701,{first},PM,B\r\n701,{second},AM,B\r\n\
             701,{third},AM,B\r\n701,{third},PM,B\r\n999,{third},PM,B\r\n"
        ),
    );
    assert_eq!(
        scene.imported(&["absences.csv"]),
        "done: 6 rows, 5 changed, 0 unchanged, 1 in quarantine, 0 ended; 1 of the 2 pupils named are in the roster; \
         1 signals raised, 0 withdrawn"
    );
    // The afternoon of the third day was no B; and another pupil's morning of the fourth was.
    let block = |day: NaiveDate| day.format("%d%m%y").to_string();
    scene.write(
        "day.txt",
        &format!(
            "{}T6\r\nZ\r\n0000000101\r\n{}T1\r\nB\r\n0000000102\r\n",
            block(third),
            block(fourth)
        ),
    );
    assert_eq!(
        scene.imported(&["day.txt"]),
        "done: 2 rows, 2 changed, 0 unchanged, 0 in quarantine, 0 ended; 2 of the 2 pupils named are in the roster; \
         0 signals raised, 1 withdrawn"
    );
    // The same as another system writes it: a day a row, and dates as one writes them here.
    scene.write(
        "columns.toml",
        "pupil = 'Stamnr'\nkey = 'stamnummer'\ndate = 'Datum'\ndate_format = '%d/%m/%Y'\n\
         [parts]\nam_code = 'VM'\npm_code = 'NM'\n",
    );
    let written = |day: NaiveDate| day.format("%d/%m/%Y").to_string();
    scene.write(
        "days.csv",
        &format!(
            "Stamnr;Datum;VM;NM\r\n0000000101;{};B;B\r\n0000000102;{};B;\r\n",
            written(third),
            written(fourth)
        ),
    );
    assert_eq!(
        scene.imported(&["days.csv", "--columns", "columns.toml"]),
        "done: 3 rows, 1 changed, 2 unchanged, 0 in quarantine, 0 ended; 2 of the 2 pupils named are in the roster; \
         1 signals raised, 0 withdrawn"
    );

    // Most of them are gone: a person must look first.
    package(1..11).write(&scene.folder.at("few"));
    let (succeeded, said) = scene.import_for("123456", &["few"]);
    assert!(!succeeded && said.contains("held: it would end too many"), "{said}");
    assert_eq!(scene.enrolled().await, enrolled);
    let told = scene.imported(&["few", "--approve"]);
    assert!(told.contains("30 ended"), "{told}");
    assert_eq!(scene.enrolled().await, enrolled[..10]);
});

both_databases!(
    a_fault_is_told_by_its_place_and_changes_nothing,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        package(0..40).write(&scene.folder.at("whole"));
        scene.imported(&["whole"]);
        let before = everything(database, &scene.world.look).await;

        let mut faulty = package(0..40);
        faulty.users[3] = faulty.users[3]
            .replace("true", "perhaps")
            .replace(",student,", ",pupil,");
        faulty.demographics[1] = "p01,,,soon,female,,,,,,,,,,,".to_owned();
        faulty.enrollments[2] = "e02,,,k,s1,nobody,student,,2026-09-01,".to_owned();
        faulty.write(&scene.folder.at("faulty"));
        zipped(&faulty, &scene.folder.at("faulty.zip"));
        let places = [
            "demographics.csv 3 4 row.date",
            "demographics.csv 5 1 reference.target_absent",
            "enrollments.csv 4 6 reference.target_absent",
            "enrollments.csv 5 6 reference.target_absent",
            "users.csv 5 6 row.enum",
        ];
        for path in ["faulty", "faulty.zip"] {
            let mut found = scene.refused(&[path]);
            found.sort();
            assert_eq!(found, places, "{path}");
        }
        scene.write(
            "absences.csv",
            "pupil,date,part,code\r\n701,2026-09-01,AM,B\r\n701,31/09/2026,PM,B\r\n701,2026-09-02,noon,B\r\n701\r\n",
        );
        assert_eq!(
            scene.refused(&["absences.csv"]),
            [
                "absences.csv 3 2 row.date",
                "absences.csv 4 3 row.enum",
                "absences.csv 5 2 row.width"
            ]
        );
        scene.write(
            "day.txt",
            "030926T6\r\nB\r\n0000000101\r\n12\r\n310926T1\r\n0000000101\r\n",
        );
        assert_eq!(
            scene.refused(&["day.txt"]),
            ["day.txt 4 1 row.pupil_number", "day.txt 5 1 row.block_head"]
        );
        // A school that nobody registered, and a file that is not there.
        let (succeeded, said) = scene.import_for("999999", &["whole"]);
        assert!(
            !succeeded && said.contains("school 999999 has no source `files`"),
            "{said}"
        );
        assert!(!scene.import_for("123456", &["nothing.zip"]).0);
        assert_eq!(everything(database, &scene.world.look).await, before);
    }
);

// The letters of the one tenant are its own: what it calls B counts there, and not at its neighbour.
both_databases!(a_letter_means_what_its_tenant_says, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let clb = scene.world.clb("114711").await;
    let neighbour = scene.world.school("123457", clb, Categories::default_agreement());
    neighbour.await;
    scene.write(
        "register.toml",
        "[[source]]\nschool = \"123456\"\nname = \"own\"\nletters = \"school\"\noverrides = { R = \"B\" }\n\
         [[source]]\nschool = \"123457\"\nname = \"own\"\nletters = \"school\"\n",
    );
    let register = ["register", "register.toml", "--config", "clb-hub.toml"];
    tokio::task::block_in_place(|| scene.folder.run(&register));
    let [first, second, third] = whole_days();
    scene.write(
        "absences.csv",
        &format!(
            "pupil,date,part,code\r\n701,{first},AM,R\r\n701,{first},PM,R\r\n701,{second},AM,R\r\n\
             701,{second},PM,R\r\n701,{third},AM,R\r\n"
        ),
    );
    for (school, raised) in [("123456", 1), ("123457", 0)] {
        let roster = Package {
            school,
            ..package(0..2)
        };
        roster.write(&scene.folder.at(school));
        for path in [school, "absences.csv"] {
            let (succeeded, said) = scene.import_for(school, &[path, "--source", "own"]);
            assert!(succeeded, "{said}");
            let told = format!("; {} signals raised", if path == school { 0 } else { raised });
            assert!(said.contains(&told), "{school}: {said}");
        }
    }
    // Each by the source that was named, and none by the one that is named when nothing is said.
    let text = "select o.name || ' ' || count(*) from sync_run r join source o on o.id = r.source_id group by o.name";
    assert_eq!(list::<String>(&scene.world.look, text).await, ["own 4"]);
});

// It is told what such a file is: a CSV is taken for absences.
both_databases!(a_number_carried_in_raises, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    package(0..3).write(&scene.folder.at("whole"));
    scene.imported(&["whole"]);
    let begins = running_year().first_day();
    scene.write(
        "carried.csv",
        &format!("pupil,halfDays,begins,former\r\np01,5,{begins},\r\np02,4,{begins},\r\nnobody,5,{begins},\r\n"),
    );
    assert_eq!(
        scene.imported(&["carried.csv", "--kind", "carried-in"]),
        "done: 3 rows, 2 changed, 0 unchanged, 1 in quarantine, 0 ended; 2 of the 3 pupils named are in the roster; \
         1 signals raised, 0 withdrawn"
    );
    let raised = "select r.source_key || ' ' || s.kind || ' ' || s.half_days from signal s
        join record r on r.pupil_id = s.pupil_id where s.state = 'raised'";
    assert_eq!(list::<String>(&scene.world.look, raised).await, ["p01 truancy.5 5"]);
    assert!(!scene.import_for("123456", &["carried.csv"]).0, "these are no absences");
});

/// What the deflate of zlib makes of a mebibyte of zeros, ended so that another may follow: a few bytes over a thousand.
/// Python has it; it is done once.
const DEFLATED: &str = "import sys, zlib
packer = zlib.compressobj(9, zlib.DEFLATED, -15)
sys.stdout.buffer.write(packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH))";

/// Runs a command, and says in the last line of its errors how much memory it had at most, in KiB, and how long a processor
/// was at it, in milliseconds.
const MEASURED: &str = "import resource, subprocess, sys
run = subprocess.run(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_maxrss, round(1000 * (used.ru_utime + used.ru_stime)), file=sys.stderr)
sys.exit(run.returncode)";

/// One entry of an archive as its two directories have it.
struct Entry<'a> {
    name: &'a str,
    /// 0 as it is, 8 deflated.
    method: u16,
    packed: u32,
    unpacked: u32,
    at: u32,
}

impl Entry<'_> {
    /// What stands before its bytes.
    fn local(&self) -> Vec<u8> {
        let mut record = b"PK\x03\x04\x14\x00\x00\x00".to_vec();
        record.extend(self.method.to_le_bytes());
        record.extend([0; 8]);
        record.extend(self.packed.to_le_bytes());
        record.extend(self.unpacked.to_le_bytes());
        record.extend(u16::try_from(self.name.len()).unwrap().to_le_bytes());
        record.extend([0; 2]);
        record.extend(self.name.as_bytes());
        record
    }

    /// What stands in the directory at the end.
    fn central(&self) -> Vec<u8> {
        let mut record = b"PK\x01\x02\x14\x00\x14\x00\x00\x00".to_vec();
        record.extend(self.method.to_le_bytes());
        record.extend([0; 8]);
        record.extend(self.packed.to_le_bytes());
        record.extend(self.unpacked.to_le_bytes());
        record.extend(u16::try_from(self.name.len()).unwrap().to_le_bytes());
        record.extend([0; 12]);
        record.extend(self.at.to_le_bytes());
        record.extend(self.name.as_bytes());
        record
    }
}

/// The last record: how many entries it says there are, and the length and place of their directory.
fn last(entries: u16, length: u32, at: u32) -> Vec<u8> {
    let mut record = b"PK\x05\x06\x00\x00\x00\x00".to_vec();
    record.extend(entries.to_le_bytes());
    record.extend(entries.to_le_bytes());
    record.extend(length.to_le_bytes());
    record.extend(at.to_le_bytes());
    record.extend([0; 2]);
    record
}

/// Ten gibibytes of zeros in three files and some ten megabytes; each says this of its size.
fn zeros(path: &Path, says: impl Fn(u32) -> u32) {
    let deflated = std::process::Command::new("python3")
        .args(["-c", DEFLATED])
        .output()
        .unwrap();
    let (mebibyte, end) = (deflated.stdout, [0x03, 0x00]);
    let each: u32 = 3_414;
    let packed = each * u32::try_from(mebibyte.len()).unwrap() + 2;
    let mut file = BufWriter::new(File::create(path).unwrap());
    let (mut at, mut directory) = (0, Vec::new());
    for name in ["manifest.csv", "users.csv", "orgs.csv"] {
        let unpacked = says(each << 20);
        let entry = Entry {
            name,
            method: 8,
            packed,
            unpacked,
            at,
        };
        let local = entry.local();
        file.write_all(&local).unwrap();
        for _ in 0..each {
            file.write_all(&mebibyte).unwrap();
        }
        file.write_all(&end).unwrap();
        at += u32::try_from(local.len()).unwrap() + packed;
        directory.extend(entry.central());
    }
    file.write_all(&directory).unwrap();
    file.write_all(&last(3, u32::try_from(directory.len()).unwrap(), at))
        .unwrap();
    file.into_inner().unwrap().sync_all().unwrap();
}

/// An empty file, whose first record stands there.
const fn empty(name: &str, at: u32) -> Entry<'_> {
    Entry {
        name,
        method: 0,
        packed: 0,
        unpacked: 0,
        at,
    }
}

/// A million empty files, of which the last record says that there are so many.
fn entries(path: &Path, says: u16) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let name = |n: u32| format!("{n:07}.csv");
    let (mut at, mut length) = (0_u32, 0_u32);
    for n in 0..1_000_000 {
        let local = empty(&name(n), 0).local();
        file.write_all(&local).unwrap();
        at += u32::try_from(local.len()).unwrap();
    }
    for n in 0..1_000_000 {
        let central = empty(&name(n), n * 41).central();
        file.write_all(&central).unwrap();
        length += u32::try_from(central.len()).unwrap();
    }
    file.write_all(&last(says, length, at)).unwrap();
    file.into_inner().unwrap();
}

// At the sizes and within the second that R51 names. The database is of no matter here, so one will do.
#[test]
fn bombs_are_refused_in_little_memory() {
    run_test(
        TestDatabase::migrated(Backend::Sqlite),
        async |database: &TestDatabase| {
            let scene = Scene::new(database).await;
            let measured = |path: &str| {
                let binary = env!("CARGO_BIN_EXE_clb-hub");
                let import = ["import", path, "--school", "123456", "--config", "clb-hub.toml"];
                let mut python = std::process::Command::new("python3");
                python
                    .current_dir(scene.folder.at(""))
                    .args(["-c", MEASURED, binary])
                    .args(import);
                let output = tokio::task::block_in_place(|| python.output()).unwrap();
                let said = String::from_utf8(output.stderr).unwrap();
                let used = said.lines().last().unwrap().split_once(' ').unwrap();
                let used: [u64; 2] = [used.0, used.1].map(|number| number.parse().unwrap());
                (output.status.success(), said, used)
            };
            zipped(&package(0..40), &scene.folder.at("whole.zip"));
            let (succeeded, said, [usual, _]) = measured("whole.zip");
            assert!(succeeded, "{said}");

            zeros(&scene.folder.at("zeros.zip"), |bytes| bytes);
            let size = std::fs::metadata(scene.folder.at("zeros.zip")).unwrap().len();
            assert!(size < 12_000_000, "{size}");
            // As much as may come out of what is packed, and less.
            zeros(&scene.folder.at("modest.zip"), |_| 170_000_000);
            zeros(&scene.folder.at("lying.zip"), |_| 1_000_000);
            entries(&scene.folder.at("many.zip"), 16_960);
            entries(&scene.folder.at("few.zip"), 1_000);
            let mut nested = ZipWriter::new(File::create(scene.folder.at("nested.zip")).unwrap());
            let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
            for place in 0..16 {
                nested.start_file(format!("lib {place}.zip"), stored).unwrap();
                nested
                    .write_all(&std::fs::read(scene.folder.at("zeros.zip")).unwrap()[..1 << 20])
                    .unwrap();
            }
            nested.finish().unwrap();
            let before = scene.folder.names();
            for (path, rule) in [
                ("zeros.zip", "package.ratio"),
                // What is read of these first is no CSV.
                ("modest.zip", "csv."),
                ("lying.zip", "csv."),
                ("many.zip", "package.too_many_entries"),
                ("few.zip", "package.malformed"),
                ("nested.zip", "package.nested_archive"),
            ] {
                let (succeeded, said, [most, took]) = measured(path);
                assert!(!succeeded && said.contains(rule), "{path}: {said}");
                assert!(
                    most < 64 * 1024,
                    "{path}: {most} KiB, and {usual} KiB for what is sound"
                );
                assert!(took <= 1_000, "{path}: {took} ms");
            }
            assert_eq!(scene.folder.names(), before, "something was unpacked");
        },
    );
}
