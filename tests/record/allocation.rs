//! What decompression allocates when the input is hostile.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;

use millstream::record::{
    BatchHeader, Codec, Compression, DecompressError, HEADER_BYTES, Invalid, Rules, TimestampRule,
    Validation, compress, decompress, validate,
};
use millstream::types::Timestamp;

/// Counts the bytes that a thread has allocated, now and at most.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread's counters are gone before its last allocations are.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: every request goes to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's own promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's own promise.
        unsafe { System.dealloc(memory, layout) }
    }

    // Growing counts as what it adds. Where memory cannot grow in place, old and new exist at
    // once for the time of the copy.
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: the caller's own promise.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that `work` had allocated at one time.
fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = work();
    (result, (PEAK.get() - before) as usize)
}

const LIMIT: usize = 1 << 20;
/// What a decoder may need for itself.
const STATE_BYTES: usize = 128 * 1024;

#[test]
fn a_bomb_stays_within_the_limit() {
    let zeros = vec![0; 64 << 20];
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let mut bomb = Vec::new();
        compress(Compression::new(codec), &zeros, &mut bomb);
        let (result, peak) = peak_of(|| decompress(codec, &bomb, LIMIT, &mut Vec::new()));
        assert_eq!(result, Err(DecompressError::TooLarge), "{codec}");
        assert!(peak <= LIMIT + STATE_BYTES, "{codec}: {peak} bytes of {}", bomb.len());
    }
    // One block of Snappy that is all it announces, which is more than the limit.
    let block = snap::raw::Encoder::new().compress_vec(&zeros).expect("enough room");
    let (result, peak) = peak_of(|| decompress(Codec::Snappy, &block, LIMIT, &mut Vec::new()));
    assert_eq!((result, peak), (Err(DecompressError::TooLarge), 0));
}

#[test]
fn small_input_gets_little_memory_however_much_it_announces() {
    // An LZ4 frame of blocks of 4 MiB, with a block of three bytes.
    let lz4 = b"\x04\x22\x4d\x18\x60\x70\x73\x03\0\0\0\x10aa\0\0\0\0";
    // A zstd frame of 1 GiB: 8-byte content size, single segment.
    let zstd = b"\x28\xb5\x2f\xfd\xe0\0\0\0\x40\0\0\0\0\x01\0\0";
    // A zstd frame with a window of 2 GiB and no content size.
    let window = b"\x28\xb5\x2f\xfd\x00\xa8\x01\0\0";
    let snappy = b"\xff\xff\xff\xff\x0f\0a";
    let framed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\x7f\xff\xff\xff\0";
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0\0\0\0\0\xff\xff\xff\xff";
    let inputs: [(Codec, &[u8]); 6] = [
        (Codec::Lz4, lz4),
        (Codec::Zstd, zstd),
        (Codec::Zstd, window),
        (Codec::Snappy, snappy),
        (Codec::Snappy, framed),
        (Codec::Gzip, gzip),
    ];
    let virtual_before = virtual_kib();
    for (codec, input) in inputs {
        let ((), peak) = peak_of(|| {
            let _ = decompress(codec, input, 1 << 31, &mut Vec::new());
        });
        assert!(peak <= STATE_BYTES, "{codec}: {peak} bytes for {input:?}");
    }
    // The zstd library allocates with malloc, unseen above. Other tests' threads need some, too.
    let grown = virtual_kib().saturating_sub(virtual_before);
    assert!(grown < 1 << 20, "{grown} KiB of address space");
}

/// The most address space that the process has had.
fn virtual_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"));
    let words = line.expect("a peak of the address space").trim();
    words.trim_end_matches(" kB").parse().expect("a number of KiB")
}

#[test]
fn a_header_that_announces_much_allocates_nothing() {
    let rules = Rules {
        bytes_max: usize::MAX,
        section_bytes_max: usize::MAX,
        zstd_allowed: true,
        transactional_allowed: true,
        keys_required: true,
        timestamps: TimestampRule::LogAppendTime,
        validation: Validation::Full,
        now: Timestamp::NONE,
    };
    let mut bytes = [0; HEADER_BYTES + 20];
    bytes[8..12].copy_from_slice(&i32::MAX.to_be_bytes());
    bytes[16] = 2;
    bytes[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
    let (error, peak) = peak_of(|| validate(&bytes, &rules).err());
    assert_eq!((error, peak), (Some(Invalid::Incomplete), 0));
    let length = (bytes.len() - 12) as u32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[23..27].copy_from_slice(&(i32::MAX - 1).to_be_bytes());
    let mut header = BatchHeader::decode(&bytes).expect("a whole header");
    header.crc = millstream::record::crc32c(&bytes[21..]);
    bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
    let (error, peak) = peak_of(|| validate(&bytes, &rules).err());
    assert_eq!((error, peak), (Some(Invalid::RecordCount), 0));
}
