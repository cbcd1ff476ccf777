use proptest::prelude::*;

use super::*;

const CODECS: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

fn compressed(compression: Compression, input: &[u8]) -> Vec<u8> {
    let mut out = b"before".to_vec();
    compress(compression, input, &mut out);
    assert_eq!(&out[..6], b"before");
    out.split_off(6)
}

fn decompressed(codec: Codec, input: &[u8], bytes_max: usize) -> Result<Vec<u8>, DecompressError> {
    let mut out = b"what was there before".to_vec();
    decompress(codec, input, bytes_max, &mut out).map(|()| out)
}

/// Bytes that compress, but not to nothing.
fn text(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| b"a log, a log, my kingdom"[(index * index / 7) % 24]).collect()
}

/// An LZ4 frame with these flags, block size and blocks, the rest filled in as the flags say.
fn lz4_frame(flags: u8, size: u8, blocks: &[(bool, &[u8])], content: &[u8]) -> Vec<u8> {
    let checksum = |bytes: &[u8]| twox_hash::XxHash32::oneshot(0, bytes);
    let mut descriptor = vec![0x40 | flags, size];
    if flags & 8 != 0 {
        descriptor.extend_from_slice(&(content.len() as u64).to_le_bytes());
    }
    let mut frame = vec![0x04, 0x22, 0x4d, 0x18];
    frame.extend_from_slice(&descriptor);
    frame.push((checksum(&descriptor) >> 8) as u8);
    for (stored, block) in blocks {
        let stored = u32::from(*stored) << 31;
        frame.extend_from_slice(&(block.len() as u32 | stored).to_le_bytes());
        frame.extend_from_slice(block);
        if flags & 0x10 != 0 {
            frame.extend_from_slice(&checksum(block).to_le_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    if flags & 4 != 0 {
        frame.extend_from_slice(&checksum(content).to_le_bytes());
    }
    frame
}

#[test]
fn numbers_names_and_levels_are_kafkas() {
    for (id, name) in (0..).zip(["none", "gzip", "snappy", "lz4", "zstd"]) {
        let codec = Codec::from_id(id).unwrap();
        assert_eq!((codec.id(), codec.to_string().as_str()), (id, name));
        assert_eq!(Codec::from_name(name), Some(codec));
    }
    assert_eq!(Codec::from_id(5), None);
    assert_eq!(Codec::from_name("brotli"), None);
    let exists = |codec, level| Compression::with_level(codec, level).is_some();
    assert!(exists(Codec::Gzip, -1) && exists(Codec::Gzip, 9) && exists(Codec::Lz4, 17));
    assert!(exists(Codec::Zstd, -131_072) && exists(Codec::Zstd, 22) && exists(Codec::None, 0));
    assert!(!exists(Codec::Gzip, 0) && !exists(Codec::Gzip, 10) && !exists(Codec::Snappy, 1));
    assert!(!exists(Codec::Lz4, 0) && !exists(Codec::Zstd, 23));
}

#[test]
fn every_level_of_every_codec_reads_back() {
    let input = text(200_000);
    for codec in CODECS {
        for level in [-131_072, -1, 1, 3, 6, 9, 17, 19] {
            let Some(compression) = Compression::with_level(codec, level) else { continue };
            let packed = compressed(compression, &input);
            assert!(level < -100 || packed.len() < input.len() / 2, "{compression:?}");
            assert_eq!(decompressed(codec, &packed, input.len()), Ok(input.clone()));
        }
    }
}

#[test]
fn the_limit_is_exact() {
    for codec in Codec::ALL {
        for bytes in [1, 100, 16 * 1024, 64 * 1024 + 1, 300_000] {
            let input = text(bytes);
            let packed = compressed(Compression::new(codec), &input);
            assert_eq!(decompressed(codec, &packed, bytes), Ok(input), "{codec}");
            for less in [0, bytes / 2, bytes - 1] {
                let error = decompressed(codec, &packed, less);
                assert_eq!(error, Err(DecompressError::TooLarge), "{codec} {bytes} {less}");
            }
        }
    }
}

#[test]
fn what_is_cut_off_or_goes_on_is_corrupt() {
    let input = text(1000);
    for codec in CODECS {
        let packed = compressed(Compression::new(codec), &input);
        for cut in 0..packed.len() {
            // Where a block of the Java framing ends, more may follow or not.
            if codec == Codec::Snappy && cut == 16 {
                continue;
            }
            let error = decompressed(codec, &packed[..cut], 1000);
            assert_eq!(error, Err(DecompressError::Corrupt), "{codec} cut at {cut}");
        }
        let longer = [&packed[..], b"xyz"].concat();
        assert_eq!(decompressed(codec, &longer, 1000), Err(DecompressError::Corrupt), "{codec}");
    }
}

#[test]
fn gzip_members_and_zstd_frames_may_follow_each_other() {
    let (one, two) = (text(50_000), text(70));
    for codec in [Codec::Gzip, Codec::Zstd] {
        let pack = |input: &[u8]| compressed(Compression::new(codec), input);
        let input = [pack(&one), pack(&two)].concat();
        assert_eq!(decompressed(codec, &input, 60_000), Ok([&one[..], &two].concat()));
        let empty_first = [pack(b""), pack(&one)].concat();
        assert_eq!(decompressed(codec, &empty_first, 60_000), Ok(one.clone()));
    }
}

#[test]
fn snappy_is_read_framed_and_bare() {
    let input = text(70_000);
    let framed = compressed(Compression::new(Codec::Snappy), &input);
    assert_eq!(&framed[..16], b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
    let blocks = input.chunks(32 * 1024).count();
    let mut at = 16;
    for _ in 0..blocks {
        at += 4 + u32::from_be_bytes(*framed[at..].first_chunk().unwrap()) as usize;
    }
    assert_eq!(at, framed.len());
    let bare = snap::raw::Encoder::new().compress_vec(&input).unwrap();
    assert_eq!(decompressed(Codec::Snappy, &bare, 70_000), Ok(input));
    // A block that announces 1 GiB.
    let bomb = [0x80, 0x80, 0x80, 0x80, 0x04, 0x00, b'x'];
    assert_eq!(decompressed(Codec::Snappy, &bomb, 1 << 30), Err(DecompressError::Corrupt));
}

#[test]
fn lz4_is_written_as_kafka_does() {
    let mut input = text(64 * 1024);
    let mut state = 1_u32;
    input.extend((0..1000).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    }));
    let packed = compressed(Compression::new(Codec::Lz4), &input);
    assert_eq!(&packed[..7], b"\x04\x22\x4d\x18\x60\x40\x82");
    // The second block does not compress and is stored.
    assert_eq!(&packed[packed.len() - 1008..][..4], (1000 | 1_u32 << 31).to_le_bytes());
    assert_eq!(decompressed(Codec::Lz4, &packed, input.len()), Ok(input));
}

#[test]
fn lz4_frames_of_other_clients_are_read_and_verified() {
    let input = text(3000);
    let block = lz4_flex::block::compress(&input);
    let blocks: [(bool, &[u8]); 2] = [(false, &block), (true, b"stored")];
    let content = [&input[..], b"stored"].concat();
    for flags in [0x20, 0x30, 0x28, 0x24, 0x3c] {
        for size in [0x40, 0x50, 0x60, 0x70] {
            let frame = lz4_frame(flags, size, &blocks, &content);
            assert_eq!(decompressed(Codec::Lz4, &frame, 4000), Ok(content.clone()));
        }
    }
    let frame = lz4_frame(0x3c, 0x40, &blocks, &content);
    for at in 0..frame.len() {
        let mut damaged = frame.clone();
        damaged[at] ^= 1;
        let result = decompressed(Codec::Lz4, &damaged, 4000);
        assert_eq!(result, Err(DecompressError::Corrupt), "byte {at}");
    }
}

#[test]
fn lz4_blocks_may_refer_to_those_before() {
    let first = text(50_000);
    let second = text(64 * 1024);
    let window = &[&first[..], &second].concat()[first.len() + second.len() - 65_536..];
    let one = lz4_flex::block::compress(&first);
    let two = lz4_flex::block::compress_with_dict(&second, &first);
    let three = lz4_flex::block::compress_with_dict(&first, window);
    let content = [&first[..], &second, &first].concat();
    let frame = lz4_frame(0, 0x40, &[(false, &one), (false, &two), (false, &three)], &content);
    assert_eq!(decompressed(Codec::Lz4, &frame, 200_000), Ok(content.clone()));
    let error = decompressed(Codec::Lz4, &frame, 150_000);
    assert_eq!(error, Err(DecompressError::TooLarge));
    let independent = lz4_frame(0x20, 0x40, &[(false, &one), (false, &two)], &content);
    let error = decompressed(Codec::Lz4, &independent, 200_000);
    assert_eq!(error, Err(DecompressError::Corrupt));
}

proptest! {
    #[test]
    fn any_bytes_read_back(input in proptest::collection::vec(any::<u8>(), 0..5000), repeat in 1_usize..30) {
        let input = input.repeat(repeat);
        for codec in Codec::ALL {
            let packed = compressed(Compression::new(codec), &input);
            prop_assert_eq!(decompressed(codec, &packed, input.len()), Ok(input.clone()));
        }
    }

    #[test]
    fn damaged_and_random_bytes_never_panic(
        input in proptest::collection::vec(any::<u8>(), 0..400),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
        bytes_max in 0_usize..10_000,
    ) {
        for codec in Codec::ALL {
            let mut packed = compressed(Compression::new(codec), &input);
            let _ = decompressed(codec, &input, bytes_max);
            if packed.is_empty() {
                continue;
            }
            let at = at.index(packed.len());
            packed[at] = byte;
            if let Ok(out) = decompressed(codec, &packed, bytes_max) {
                prop_assert!(out.len() <= bytes_max);
            }
        }
    }
}
