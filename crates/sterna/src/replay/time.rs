//! Times of a recording: milliseconds since 1970, or ISO 8601.

/// Milliseconds since 1970 of an ISO 8601 date, or date and time (`2000-01-31`, `2000-01-31T12:00:00.5Z`,
/// `2000-01-31 12:00+01:00`). Without a zone it is UTC.
pub(super) fn parse_iso(text: &str) -> Option<i64> {
    let (date, clock) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let days_ms = parse_date(date)? * 86_400_000;
    match clock {
        None => Some(days_ms),
        Some(clock) => {
            let (clock, zone_minutes) = split_zone(clock)?;
            Some(days_ms + parse_clock(clock)? - zone_minutes * 60_000)
        }
    }
}

/// A number of exactly so many digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// Days since 1970-01-01 of a date in the Gregorian calendar.
fn parse_date(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let (year, month, day) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month_index = usize::try_from(month - 1).ok()?;
    if parts.next().is_some() || !(1..=*lengths.get(month_index)?).contains(&day) {
        return None;
    }
    // Leap days before this year, counted from year 1; 719162 days lie before 1970.
    let before = year - 1;
    let days_of_years = before * 365 + before / 4 - before / 100 + before / 400;
    let days_of_months: i64 = lengths[..month_index].iter().sum();
    Some(days_of_years + days_of_months + day - 1 - 719_162)
}

/// A clock time, and how many minutes its zone is ahead of UTC.
fn split_zone(text: &str) -> Option<(&str, i64)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = text.find(['+', '-']) else { return Some((text, 0)) };
    let (clock, zone) = text.split_at(at);
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let zone = zone[1..].replacen(':', "", 1);
    let zone = if zone.len() == 2 { zone + "00" } else { zone };
    let number = digits(&zone, 4)?;
    Some((clock, sign * (number / 100 * 60 + number % 100)))
}

/// Milliseconds since midnight of `hh:mm`, `hh:mm:ss` or `hh:mm:ss.fraction`.
fn parse_clock(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = whole.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |second| digits(second, 2))?;
    let milli = parse_fraction(fraction)?;
    let is_time = hour < 24 && minute < 60 && second <= 60 && parts.next().is_none();
    is_time.then_some(((hour * 60 + minute) * 60 + second) * 1_000 + milli)
}

/// Milliseconds of the digits behind the point of a second; further digits are cut off.
fn parse_fraction(text: &str) -> Option<i64> {
    digits(text, text.len().max(1))?;
    digits(&format!("{text:0<3}")[..3], 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_milliseconds_since_1970() {
        for (text, time_ms) in [
            ("1970-01-01", 0),
            ("1969-12-31", -86_400_000),
            ("2000-02-29", 951_782_400_000),
            ("2000-03-01", 951_868_800_000),
            ("2010-03-01T00:00:00Z", 1_267_401_600_000),
            ("2026-11-22T13:14:15.678Z", 1_795_353_255_678),
            ("2026-11-22t13:14:15.6789012z", 1_795_353_255_678),
            ("2026-11-22 13:14", 1_795_353_240_000),
            ("2026-11-22T14:14:15+01:00", 1_795_353_255_000),
            ("2026-11-22T05:44:15-0730", 1_795_353_255_000),
            ("2026-11-22T14:14:15.5+01", 1_795_353_255_500),
        ] {
            assert_eq!(parse_iso(text), Some(time_ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2000",
            "2000-13-01",
            "2000-00-01",
            "1900-02-29",
            "2000-01-32",
            "2000-01-00",
            "2000-1-1",
            "+200-01-01",
            "2000-01-01-01",
            "2000-01-01T",
            "2000-01-01T24:00",
            "2000-01-01T10:61",
            "2000-01-01T10:00:00:00",
            "2000-01-01T10:00:00.",
            "2000-01-01T10:00:00.1x",
            "2000-01-01T10:00+1",
            "2000-01-01T10:00+01:0a",
            "Jan 1 2000",
        ] {
            assert_eq!(parse_iso(text), None, "{text:?}");
        }
    }
}
