//! Batches as text, word for word as `oracle/Oracle.java` prints them.

use std::fmt::Write as _;

use millstream::record::{BatchHeader, Batches, Record, TimestampType, crc32c};

/// The batches in `bytes` with their records, a line each.
pub(crate) fn describe(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut scratch = Vec::new();
    for batch in Batches::new(bytes) {
        if !batch.checksum_holds() {
            text.push_str("refused: checksum\n");
            continue;
        }
        text.push_str(&header(batch.header()));
        text.push('\n');
        match batch.records(16 << 20, &mut scratch) {
            Err(error) => writeln!(text, "refused: {error:?}"),
            Ok(records) => records.into_iter().try_for_each(|record| match record {
                Ok(record) => writeln!(text, "{}", line(&record)),
                Err(error) => writeln!(text, "refused: {error:?}"),
            }),
        }
        .expect("a string takes all");
    }
    text
}

fn header(header: &BatchHeader) -> String {
    let attributes = header.attributes;
    let codec = attributes.codec().map_or("unknown", |codec| codec.name());
    let horizon = match attributes.has_delete_horizon() {
        true => header.base_timestamp.to_string(),
        false => "none".to_owned(),
    };
    [
        "batch".to_owned(),
        format!("bytes={}", header.total_bytes()),
        format!("offsets={}..{}", header.base_offset, header.last_offset()),
        format!("next={}", header.next_offset()),
        format!("leader_epoch={}", header.leader_epoch),
        format!("crc={}", header.crc),
        format!("codec={codec}"),
        format!("append_time={}", attributes.timestamp_type() == TimestampType::LogAppendTime),
        format!("base_timestamp={}", header.base_timestamp),
        format!("max_timestamp={}", header.max_timestamp),
        format!("producer={}/{}", header.producer_id, header.producer_epoch),
        format!("sequences={}..{}", header.base_sequence, header.last_sequence()),
        format!("count={}", header.record_count),
        format!("transactional={}", attributes.is_transactional()),
        format!("control={}", attributes.is_control()),
        format!("horizon={horizon}"),
    ]
    .join(" ")
}

fn line(record: &Record<'_>) -> String {
    let mut words = vec![
        "record".to_owned(),
        format!("offset={}", record.offset),
        format!("timestamp={}", record.timestamp),
        format!("key={}", bytes(record.key)),
        format!("value={}", bytes(record.value)),
    ];
    for header in record.headers.iter() {
        words.push(format!("{}:{}", bytes(Some(header.key)), bytes(header.value)));
    }
    words.join(" ")
}

fn bytes(bytes: Option<&[u8]>) -> String {
    match bytes {
        None => "null".to_owned(),
        Some(bytes) if bytes.len() > 64 => format!("{}/{}", bytes.len(), crc32c(bytes)),
        Some(bytes) => bytes.iter().fold("x".to_owned(), |text, byte| format!("{text}{byte:02x}")),
    }
}
