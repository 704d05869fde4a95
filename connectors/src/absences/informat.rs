//! The text import format of Informat: blocks of half-day, letter, pupils.
//!
//! `DDMMYYT<hour>`, then perhaps a line with a letter, then one pupil number of ten digits a line.
//! The lesson hour gives the part: T1 is the morning and T6 the afternoon by the vendor's default;
//! other hours are taken by the same border (below 6 is morning) and told as a warning.

use std::io::Read;

use chrono::NaiveDate;
use hub_entities::time::{HalfDay, Part};

use super::AbsenceRow;
use crate::csv::Lines;
use crate::report::{Report, Severity, note};

/// The letter that Informat itself shows for "unknown".
const NO_LETTER: &str = "-";

struct Block {
    at: HalfDay,
    letter: String,
    pupils: u64,
}

pub(super) fn read<E>(
    input: &mut dyn Read,
    file: &str,
    report: &mut Report,
    each: &mut dyn FnMut(AbsenceRow<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut lines = Lines::new(input);
    let mut block: Option<Block> = None;
    // Behind a block head that cannot be read, pupils belong nowhere; one fault says enough.
    let mut lost = false;
    while !report.is_full() {
        let range = match lines.advance() {
            Ok(Some(range)) => range,
            Ok(None) => break,
            Err(trouble) => {
                note(report, file, trouble, Severity::Error);
                break;
            }
        };
        let line = lines.number();
        let Ok(text) = std::str::from_utf8(lines.bytes(range)) else {
            report.error(file, line, 0, "csv.encoding");
            continue;
        };
        let text = text.trim();
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if text.is_empty() {
            report.error(file, line, 0, "row.blank_line");
        } else if text.as_bytes().get(6).is_some_and(|mark| matches!(mark, b'T' | b't')) {
            let head = head(text);
            lost = head.is_none();
            block = head.map(|(at, _)| Block {
                at,
                letter: NO_LETTER.to_owned(),
                pupils: 0,
            });
            match head {
                Some((_, true)) => {}
                Some((_, false)) => report.warn(file, line, 1, "row.lesson_hour"),
                None => report.error(file, line, 1, "row.block_head"),
            }
        } else if digits && text.len() == 10 {
            match &mut block {
                Some(block) => {
                    block.pupils += 1;
                    each(AbsenceRow {
                        line,
                        pupil_key: text,
                        at: block.at,
                        letter: &block.letter,
                        deleted: false,
                    })?;
                }
                None if lost => {}
                None => report.error(file, line, 1, "row.block_head"),
            }
        } else if digits {
            report.error(file, line, 1, "row.pupil_number");
        } else {
            match &mut block {
                Some(block) if block.pupils == 0 && block.letter == NO_LETTER && text.chars().count() <= 3 => {
                    text.clone_into(&mut block.letter);
                }
                None if lost => {}
                _ => report.error(file, line, 1, "row.enum"),
            }
        }
    }
    Ok(())
}

/// The half-day of `DDMMYYT<hour>`, and whether the hour is one of the two defaults.
fn head(text: &str) -> Option<(HalfDay, bool)> {
    let number = |range: std::ops::Range<usize>| -> Option<u32> {
        let digits = text.get(range)?;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| digits.parse().ok())?
    };
    let day = NaiveDate::from_ymd_opt(2000 + i32::try_from(number(4..6)?).ok()?, number(2..4)?, number(0..2)?)?;
    let hour = number(7..text.len())?;
    if !(1..=12).contains(&hour) {
        return None;
    }
    let part = if hour < 6 { Part::Am } else { Part::Pm };
    Some((HalfDay::new(day, part), matches!(hour, 1 | 6)))
}
