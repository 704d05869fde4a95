use proptest::prelude::*;

use super::*;

fn born(text: &str) -> Option<String> {
    let number: NationalNumber = text.parse().expect("a valid number");
    number.birth_date().map(|day| day.to_string())
}

/// Check numbers worked out by hand from the published rule; the first two are published examples.
#[test]
fn the_checksum_of_both_centuries() {
    assert_eq!(born("93051822361").as_deref(), Some("1993-05-18"));
    assert_eq!(born("00012556777").as_deref(), Some("2000-01-25"));
    assert_eq!(born("93051822390").as_deref(), Some("2093-05-18"));
    assert_eq!(born("15050012461"), None, "day 00, born in 2015");
}

#[test]
fn a_remainder_of_nothing_is_written_97() {
    // 930518090 is 97 times 9592970.
    assert_eq!(born("93051809097").as_deref(), Some("1993-05-18"));
    assert_eq!(
        "93051809000".parse::<NationalNumber>(),
        Err(NationalNumberError::Checksum)
    );
}

#[test]
fn separators_do_not_matter() {
    for text in ["93.05.18-223.61", "93/05/18 223 61", " 93051822361\n", "930518-223-61"] {
        assert_eq!(text.parse::<NationalNumber>(), "93051822361".parse(), "`{text}`");
    }
}

#[test]
fn bis_numbers() {
    let bis = |text: &str| {
        let number: NationalNumber = text.parse().expect("a valid number");
        (number.is_bis(), number.birth_date().map(|day| day.to_string()))
    };
    assert_eq!(bis("93051822361"), (false, Some("1993-05-18".to_owned())));
    assert_eq!(bis("85452112386"), (true, Some("1985-05-21".to_owned())), "month + 40");
    assert_eq!(bis("85252112343"), (true, Some("1985-05-21".to_owned())), "month + 20");
}

/// Dates that no calendar has are real numbers: the birth date is then not certain, and that is all.
#[test]
fn dates_that_are_none() {
    assert_eq!(born("15000012327"), None, "00-00, born in 2015");
    assert_eq!(born("15310012350"), None, "month 31 is a BIS month, day 00");
    assert_eq!(born("15053212174"), None, "day 32: the day was used up");
    assert_eq!(born("85002112362"), None, "month 00");
}

#[test]
fn what_is_refused() {
    use NationalNumberError::{Checksum, Form, Sequence};
    for (text, error) in [
        ("", Form),
        ("9305182236", Form),
        ("930518223610", Form),
        ("9305182236x", Form),
        ("٩٣٠٥١٨٢٢٣٦١", Form),
        ("93051822362", Checksum),
        ("39051822361", Checksum),
        ("00000000097", Sequence),
    ] {
        assert_eq!(text.parse::<NationalNumber>(), Err(error), "`{text}`");
    }
}

fn bytes(first: &str, second: &str) -> [u8; 32] {
    let half = |hex: &str| u128::from_str_radix(hex, 16).expect("hex").to_be_bytes();
    [half(first), half(second)].concat().try_into().expect("32 bytes")
}

/// Computed outside this code: HMAC-SHA-256, key 00 01 … 1f, over the prefix and `93051822361`.
#[test]
fn the_blind_index_is_hmac_sha_256() {
    let mut key = [0; 32];
    for (byte, value) in key.iter_mut().zip(0..) {
        *byte = value;
    }
    let number: NationalNumber = "93.05.18-223.61".parse().expect("a valid number");
    let index = number.blind_index(&BlindIndexKey::new(key));
    let value = bytes("2b1fa8e8ea4fb878161f4d34e4460d87", "23b8e05e7bc85ac7f75c192ac0b0b1e5");
    assert_eq!(index.as_bytes(), &value);
    assert_eq!(BlindIndex::from_bytes(*index.as_bytes()), index);
    assert_ne!(number.blind_index(&BlindIndexKey::new([7; 32])), index);
}

#[test]
fn nothing_shows_itself() {
    let number: NationalNumber = "93051822361".parse().expect("a valid number");
    let key = BlindIndexKey::new([0x41; 32]);
    let shown = format!("{number:?} {key:?} {:?}", number.blind_index(&key));
    assert_eq!(shown, "NationalNumber(…) BlindIndexKey(…) BlindIndex(…)");
    for error in ["93051822362", "9305182", "00000000097"].map(str::parse::<NationalNumber>) {
        let told = error.expect_err("refused").to_string();
        assert!(told.bytes().all(|byte| !byte.is_ascii_digit()), "{told}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,20}", digits in "[0-9 ./-]{9,18}") {
        for text in [text, digits] {
            if let Ok(number) = text.parse::<NationalNumber>() {
                let _certain_or_not = number.birth_date();
                let _either = number.is_bis();
            }
        }
    }

    #[test]
    fn what_is_composed_reads_back(days in 0_u64..73_000, sequence in 0_u16..1100) {
        let day = NaiveDate::from_ymd_opt(1900, 1, 1).expect("a date") + chrono::Days::new(days);
        let number = NationalNumber::compose(day, sequence);
        prop_assert_eq!(number.is_some(), (1..=998).contains(&sequence));
        if let Some(number) = number {
            prop_assert_eq!(number.birth_date(), Some(day));
            prop_assert!(!number.is_bis());
        }
    }

    /// What the rule is for: one wrong digit is noticed, unless the other century explains it.
    #[test]
    fn one_wrong_digit_is_noticed_within_a_century(
        days in 0_u64..36_000, sequence in 1_u16..998, at in 0_usize..9, other in b'0'..=b'9',
    ) {
        let day = NaiveDate::from_ymd_opt(1900, 1, 1).expect("a date") + chrono::Days::new(days);
        let right = NationalNumber::compose(day, sequence).expect("a number");
        let mut digits = right.digits;
        prop_assume!(digits[at] != other);
        digits[at] = other;
        let text = std::str::from_utf8(&digits).expect("digits");
        if let Ok(wrong) = text.parse::<NationalNumber>() {
            prop_assert_ne!(wrong.born_from_2000, right.born_from_2000);
        }
    }
}
