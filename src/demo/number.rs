//! National numbers with a right checksum for people who do not exist.
//!
//! The hub's own `NationalNumber` can be read and indexed, never printed; a school's file needs the
//! digits. So they are composed here, outside the ring of laws, and read back there in a test.

/// The eleven digits of a national or BIS number (rijksregisternummer; `domain.md` §6.1): the six
/// date digits, a sequence number and 97 minus the remainder of the nine digits, which are
/// preceded by a 2 for births from 2000 on.
pub(super) fn compose(born_2000_or_later: bool, six: &str, sequence: u16) -> String {
    let nine = format!("{six}{sequence:03}");
    let counted: u64 = nine.parse().unwrap_or_default();
    let counted = if born_2000_or_later {
        counted + 2_000_000_000
    } else {
        counted
    };
    format!("{nine}{:02}", 97 - counted % 97)
}

#[cfg(test)]
mod tests {
    use super::compose;

    #[test]
    fn the_published_examples_come_out() {
        // domain.md §6.1
        assert_eq!(compose(false, "930518", 223), "93051822361");
        assert_eq!(compose(true, "930518", 223), "93051822390");
        assert_eq!(compose(true, "000125", 567), "00012556777");
    }
}
