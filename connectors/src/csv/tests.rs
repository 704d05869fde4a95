use super::*;
use proptest::prelude::*;

type Outcome = (Vec<Vec<String>>, Vec<(u64, u32, &'static str)>);

fn all(bytes: &[u8]) -> Outcome {
    let mut reader = Reader::new(bytes, None);
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    loop {
        match reader.next_record() {
            Ok(Some(record)) => rows.push(record.iter().map(str::to_owned).collect()),
            Ok(None) => break,
            Err(trouble) => faults.push((trouble.line, trouble.column, trouble.rule)),
        }
    }
    (rows, faults)
}

fn rows(bytes: &[u8]) -> Vec<Vec<String>> {
    let (rows, faults) = all(bytes);
    assert_eq!(faults, []);
    rows
}

#[test]
fn every_line_end_and_delimiter_reads_the_same() {
    let wanted = [["id", "name"], ["1", "Zoë"], ["2", "Al"]];
    for text in [
        "id,name\r\n1,Zoë\r\n2,Al\r\n",
        "id,name\n1,Zoë\n2,Al",
        "id,name\r1,Zoë\r2,Al\r",
        "id;name\n1;Zoë\n2;Al",
        "id\tname\n1\tZoë\n2\tAl",
        "\u{FEFF}id,name\n\n\"1\",\"Zoë\"\n2,Al",
    ] {
        assert_eq!(rows(text.as_bytes()), wanted, "{text:?}");
    }
}

#[test]
fn every_encoding_reads_the_same() {
    let text = "id,name\r\n1,Zoë\r\n2,Al\r\n";
    let wanted = [["id", "name"], ["1", "Zoë"], ["2", "Al"]];
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(rows(&little), wanted);
    assert_eq!(rows(&big), wanted);
    assert_eq!(rows(&[&[0xFF, 0xFE], little.as_slice()].concat()), wanted);
    assert_eq!(rows(&[&[0xFE, 0xFF], big.as_slice()].concat()), wanted);
    assert_eq!(rows(b"id,name\r\n1,Zo\xEB\r\n2,Al\r\n"), wanted);
}

#[test]
fn two_encodings_in_one_file_are_a_fault() {
    let (rows, faults) = all(b"id,name\n1,Zo\xC3\xAB\n2,Zo\xEB\n3,Al\n");
    assert_eq!(rows.len(), 3);
    assert_eq!(faults, [(3, 0, "csv.encoding")]);
}

#[test]
fn quotes_are_read_or_refused() {
    assert_eq!(
        rows(b"a,b\n\"x, \"\"y\"\"\",\"two\r\nlines\"\n"),
        [["a", "b"], ["x, \"y\"", "two\nlines"]]
    );
    assert_eq!(all(b"a,b\n1,5\" pipe\n2,3\n").1, [(2, 2, "csv.quote")]);
    assert_eq!(all(b"a,b\n\"1\"x,2\n2,3\n").1, [(2, 1, "csv.quote")]);
    assert_eq!(all(b"a,b\n1,\"open\n2,3\n").1, [(2, 2, "csv.unclosed_quote")]);
}

#[test]
fn nul_and_endless_fields_are_faults_with_a_line() {
    assert_eq!(all(b"a,b\n1,x\0y\n2,3\n").1, [(2, 0, "csv.control_character")]);
    let mut long = b"a,b\n1,".to_vec();
    long.resize(10 * 1024 * 1024, b'x');
    assert_eq!(all(&long).1, [(2, 0, "csv.too_long")]);
}

#[test]
fn invisible_letters_leave_a_name() {
    assert_eq!(clean_name("\u{FEFF}source\u{200B}dId\u{A0} "), "sourcedId");
}

proptest! {
    #[test]
    fn any_bytes_end_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..4_000)) {
        let _seen = all(&bytes);
    }

    #[test]
    fn what_was_written_by_the_rules_comes_back(cells in proptest::collection::vec(proptest::collection::vec("[a-zë,;\" ]{1,8}", 3), 1..20)) {
        let mut text = String::from("a,b,c\r\n");
        for row in &cells {
            let quoted: Vec<_> = row.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
            text.push_str(&quoted.join(","));
            text.push_str("\r\n");
        }
        prop_assert_eq!(rows(text.as_bytes()).split_off(1), cells);
    }
}
