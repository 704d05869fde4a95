use super::*;

type Seen = (u64, String, String, Part, String, bool);

fn read(format: &AbsenceFormat, text: &[u8]) -> (Vec<Seen>, Report) {
    let mut rows = Vec::new();
    let report = AbsenceReader::new(text, "absences.csv", format)
        .read::<std::convert::Infallible>(&mut |row| {
            rows.push((
                row.line,
                row.pupil_key.into(),
                row.at.day.to_string(),
                row.at.part,
                row.letter.into(),
                row.deleted,
            ));
            Ok(())
        })
        .expect("nothing is refused");
    (rows, report)
}

fn seen(line: u64, pupil: &str, day: &str, part: Part, letter: &str, deleted: bool) -> Seen {
    (line, pupil.into(), day.into(), part, letter.into(), deleted)
}

#[test]
fn the_default_map_reads_half_days() {
    let (rows, report) = read(
        &AbsenceFormat::Csv(Box::default()),
        b"part,pupil,code,date\r\nVM,12,B,2026-09-14\r\nnm, 12 ,\" B\",2026-09-14\r\nPM,13,,2026-09-15\r\n",
    );
    assert!(report.faults.is_empty(), "{report}");
    assert_eq!(
        rows,
        [
            seen(2, "12", "2026-09-14", Part::Am, "B", false),
            seen(3, "12", "2026-09-14", Part::Pm, "B", false),
            seen(4, "13", "2026-09-15", Part::Pm, "", false),
        ]
    );
}

#[test]
fn a_map_reads_day_rows_and_deletions() {
    let map: ColumnMap = toml::from_str(
        "pupil = 'Stamnr'\nkey = 'stamnummer'\ndate = 'Datum'\ndate_format = '%d/%m/%Y'\n\
         [parts]\nam_code = 'VM'\npm_code = 'NM'\n[delete]\ncolumn = 'Actie'\nvalue = 'wis'\n",
    )
    .expect("a map");
    assert_eq!(map.key, PupilKey::Stamnummer);
    let (rows, report) = read(
        &AbsenceFormat::Csv(Box::new(map)),
        b"Stamnr;Datum;VM;NM;Actie\n7;14/09/2026;B;;\n8;14/09/2026;;;WIS\n",
    );
    assert!(
        report.usable() && report.names("csv.bare_lf") && report.names("csv.delimiter"),
        "{report}"
    );
    assert_eq!(
        rows,
        [
            seen(2, "7", "2026-09-14", Part::Am, "B", false),
            seen(3, "8", "2026-09-14", Part::Am, "", true),
            seen(3, "8", "2026-09-14", Part::Pm, "", true),
        ]
    );
}

/// Brussels is an hour ahead of UTC, two from the last Sunday of March to the last of October, both at 01:00 UTC.
#[test]
fn a_moment_counts_on_its_day_in_brussels() {
    let days = |format: &str, texts: &[&str]| {
        let map = ColumnMap {
            date_format: format.to_owned(),
            ..ColumnMap::default()
        };
        let rows: Vec<String> = texts.iter().map(|text| format!("1,{text},AM,B\r\n")).collect();
        let file = format!("pupil,date,part,code\r\n{}", rows.concat());
        let (rows, report) = read(&AbsenceFormat::Csv(Box::new(map)), file.as_bytes());
        assert!(report.faults.is_empty(), "{format}: {report}");
        rows.into_iter().map(|row| row.2).collect::<Vec<_>>()
    };
    // The first and the last second of the school days around both changes, and of a change itself, in three zones.
    assert_eq!(
        days(
            "%+",
            &[
                "2026-10-22T22:00:00Z",
                "2026-10-23T21:59:59.999Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T22:59:59+00:00",
                "2026-10-25T23:00:00.000Z",
                "2026-10-26T17:59:59-05:00",
                "2027-03-26T12:00:00+13:00",
                "2027-03-26T23:59:59+01:00",
                "2027-03-27T23:00:00Z",
                "2027-03-28T21:59:59Z",
                "2027-03-28T22:00:00Z",
                "2027-03-29T23:59:59+02:00",
            ]
        ),
        [
            "2026-10-23",
            "2026-10-23",
            "2026-10-25",
            "2026-10-25",
            "2026-10-26",
            "2026-10-26",
            "2027-03-26",
            "2027-03-26",
            "2027-03-28",
            "2027-03-28",
            "2027-03-29",
            "2027-03-29",
        ]
    );
    assert_eq!(days("%d/%m/%Y %H:%M %z", &["25/10/2026 23:00 +0000"]), ["2026-10-26"]);
    // Seconds since 1970 are counted in UTC.
    assert_eq!(days("%s", &["1792969200"]), ["2026-10-26"]);
    // Where nothing says where the clock hangs, the day is what is written; so it is where a day has a zone and no time.
    assert_eq!(days("%Y-%m-%dT%H:%M:%S", &["2026-10-25T23:30:00"]), ["2026-10-25"]);
    assert_eq!(days("%Y-%m-%d%z", &["2026-10-25-05:00"]), ["2026-10-25"]);
}

#[test]
fn an_unknown_key_in_a_map_is_refused() {
    assert!(toml::from_str::<ColumnMap>("pupl = 'x'").is_err());
    let map: ColumnMap = toml::from_str("key = { userId = 'wisa' }").expect("a map");
    assert_eq!(map.key, PupilKey::UserId("wisa".into()));
}

#[test]
fn a_row_that_cannot_be_read_is_a_fault_with_its_place() {
    let (rows, report) = read(
        &AbsenceFormat::Csv(Box::default()),
        b"pupil,date,part,code\r\nx,2026-09-14,AM\r\nx,2026-02-30,AM,B\r\n,2026-09-14,AM,B\r\nx,2026-09-14,soon,B\r\nx,26-09-14,AM,B\r\n",
    );
    assert!(rows.is_empty());
    let places: Vec<_> = report
        .faults
        .iter()
        .map(|fault| (fault.line, fault.column, fault.rule))
        .collect();
    assert_eq!(
        places,
        [
            (2, 4, "row.width"),
            (3, 2, "row.date"),
            (4, 1, "row.blank_required"),
            (5, 3, "row.enum"),
            (6, 2, "row.date"),
        ]
    );
}

#[test]
fn a_file_without_a_column_of_the_map_is_refused() {
    for header in [
        "date,part,code",
        "pupil,part,code",
        "pupil,date,code",
        "pupil,date,part",
    ] {
        let (rows, report) = read(
            &AbsenceFormat::Csv(Box::default()),
            format!("{header}\r\nx,2026-09-14,AM\r\n").as_bytes(),
        );
        assert!(rows.is_empty() && !report.usable(), "{header}");
        assert_eq!(report.faults[0].rule, "schema.missing_header", "{header}");
    }
}

#[test]
fn informat_blocks_are_read() {
    let (rows, report) = read(
        &AbsenceFormat::InformatText,
        b"140926T1\r\nB\r\n0000000017\r\n0000000025\r\n150926T6\r\n0000000017\r\n",
    );
    assert!(report.faults.is_empty(), "{report}");
    assert_eq!(
        rows,
        [
            seen(3, "0000000017", "2026-09-14", Part::Am, "B", false),
            seen(4, "0000000025", "2026-09-14", Part::Am, "B", false),
            seen(6, "0000000017", "2026-09-15", Part::Pm, "-", false),
        ]
    );
}

#[test]
fn informat_faults_have_a_place() {
    let (rows, report) = read(
        &AbsenceFormat::InformatText,
        b"0000000017\n310226T1\n0000000017\n140926T3\n\n123\n0000000025\nB\n",
    );
    assert_eq!(rows, [seen(7, "0000000025", "2026-09-14", Part::Am, "-", false)]);
    let places: Vec<_> = report.faults.iter().map(|fault| (fault.line, fault.rule)).collect();
    assert_eq!(
        places,
        [
            (1, "row.block_head"),
            (2, "row.block_head"),
            (4, "row.lesson_hour"),
            (5, "row.blank_line"),
            (6, "row.pupil_number"),
            (8, "row.enum"),
        ]
    );
}
