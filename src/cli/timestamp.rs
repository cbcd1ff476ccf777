//! Points in time as people write them (RFC 3339).

use core::fmt::Write as _;

use crate::types::Timestamp;

const DAY_SECONDS: i64 = 86_400;

/// Reads `2026-01-31T12:00:00Z`, with a fraction or an offset such as `+02:00`, or a date alone.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let mut part = |len: usize| number(parts.next()?, len);
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) {
        return None;
    }
    if !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let millis = time.map_or(Some(0), time_of_day)?;
    Some(Timestamp::new(days_since_epoch(year, month, day) * DAY_SECONDS * 1000 + millis))
}

/// Digits only, and so many of them.
fn number(text: &str, len: usize) -> Option<i64> {
    let digits = text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// The milliseconds since midnight UTC, which an offset may bring below zero.
fn time_of_day(text: &str) -> Option<i64> {
    let zone_at = text.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = text.split_at(zone_at);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    let mut part = || number(parts.next()?, 2);
    let (hour, minute, second) = (part()?, part()?, part()?);
    // A leap second counts as the first of the next minute.
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let millis: i64 = format!("{fraction:0<3}")[..3].parse().ok()?;
    let offset = match zone.split_at(1) {
        ("Z" | "z", "") => 0,
        (sign @ ("+" | "-"), zone) => {
            let (hours, minutes) = zone.split_once(':')?;
            let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 60 + minutes) * if sign == "+" { 60 } else { -60 }
        }
        _ => return None,
    };
    Some((hour * 3600 + minute * 60 + second - offset) * 1000 + millis)
}

fn days_of(year: i64, month: i64) -> i64 {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Counts years from March, so that the leap day comes last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Writes a time in UTC with milliseconds; `-` for none.
pub(super) fn format(timestamp: Timestamp) -> String {
    let millis = timestamp.get();
    if timestamp == Timestamp::NONE {
        return "-".to_owned();
    }
    let days = millis.div_euclid(DAY_SECONDS * 1000);
    let of_day = millis.rem_euclid(DAY_SECONDS * 1000);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T");
    let written = write!(text, "{hour:02}:{minute:02}:{second:02}.{:03}Z", of_day % 1000);
    written.expect("writing to a string");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_rfc_3339() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59.999Z", 951_868_799_999),
            ("2026-11-21T03:09:00+01:00", 1_795_226_940_000),
            ("2026-11-21t03:09:00.5-01:30", 1_795_235_940_500),
            ("2026-11-21", 1_795_219_200_000),
            ("1969-12-31T23:59:59.123456Z", -877),
        ] {
            assert_eq!(parse(text), Some(Timestamp::new(millis)), "{text}");
            let again = parse(&format(Timestamp::new(millis)));
            assert_eq!(again, Some(Timestamp::new(millis)), "{text}");
        }
        assert_eq!(format(Timestamp::new(951_868_799_999)), "2000-02-29T23:59:59.999Z");
        assert_eq!(format(Timestamp::NONE), "-");
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "2026-1-1",
            "2026-11-21T03:09Z",
            "2026-11-21T03:09:00",
            "2026-11-21T24:00:00Z",
            "2026-11-21T03:09:00.Z",
            "2026-11-21T03:09:00+0100",
            "2026-11-21T03:09:00Zulu",
            "+026-11-21",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
