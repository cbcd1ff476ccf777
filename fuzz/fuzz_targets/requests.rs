#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut world = targets::world::World::new();
    targets::wire::requests(&mut world, data);
});
