//! Durations in the form of ISO 8601 that Java reads: days to seconds, such as `P1DT2H3M4.5S`.

use core::time::Duration;

/// Seconds of a unit, by its letter, the largest first.
const DATE_UNITS: &[(char, u64)] = &[('D', 86_400)];
const TIME_UNITS: &[(char, u64)] = &[('H', 3_600), ('M', 60), ('S', 1)];

/// The duration that the text stands for. Negative ones are refused.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let text = text.strip_prefix('+').unwrap_or(text).to_ascii_uppercase();
    let text = text.strip_prefix('P')?;
    let (date, time) = match text.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None if text.is_empty() => return None,
        None => (text, ""),
    };
    sum(date, DATE_UNITS)?.checked_add(sum(time, TIME_UNITS)?)
}

/// Numbers with their units, each unit at most once and in order.
fn sum(mut text: &str, units: &[(char, u64)]) -> Option<Duration> {
    let mut total = Duration::ZERO;
    for (letter, seconds) in units {
        let Some((number, rest)) = text.split_once(*letter) else { continue };
        let number = number.strip_prefix('+').unwrap_or(number);
        let (whole, fraction) = match number.split_once(['.', ',']) {
            Some((whole, fraction)) if *letter == 'S' => (whole, nanoseconds(fraction)?),
            Some(_) => return None,
            None => (number, Duration::ZERO),
        };
        let part = Duration::from_secs(digits(whole)?.checked_mul(*seconds)?);
        total = total.checked_add(part)?.checked_add(fraction)?;
        text = rest;
    }
    text.is_empty().then_some(total)
}

fn nanoseconds(fraction: &str) -> Option<Duration> {
    if fraction.len() > 9 {
        return None;
    }
    let padded = format!("{fraction:0<9}");
    Some(Duration::from_nanos(digits(&padded)?))
}

fn digits(text: &str) -> Option<u64> {
    let only_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_java_reads() {
        for (text, millis) in [
            ("PT1H", 3_600_000),
            ("pt1h", 3_600_000),
            ("P1D", 86_400_000),
            ("P1DT2H3M4.5S", 93_784_500),
            ("+PT+1,001S", 1_001),
            ("PT1.S", 1_000),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "P",
            "PT",
            "1h",
            "PT1",
            "PT1S1H",
            "P1H",
            "PT-1S",
            "-PT1S",
            "PT1.5H",
            "PT99999999999999999999S",
            "PT1.0000000000S",
            "P1Y",
            "PTS",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
