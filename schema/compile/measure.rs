//! What follows from a whole file: which structs borrow, and how small they can be.

use std::collections::BTreeMap;

use super::tree::{Context, Field, Kind, Struct, Type};

/// Fills in `borrows` and `bytes_min`.
pub fn measure(structs: &mut [Struct], places: &BTreeMap<String, usize>) {
    let measured: Vec<(bool, usize)> = structs
        .iter()
        .map(|found| {
            let smallest = found.contexts.iter().flat_map(|context| {
                let versions = context.versions.first..=context.versions.last;
                versions.map(|version| bytes_min(found, version, *context, structs, places))
            });
            (borrows(found, structs, places), smallest.min().unwrap_or(0))
        })
        .collect();
    for (found, (borrows, bytes_min)) in structs.iter_mut().zip(measured) {
        found.borrows = borrows;
        found.bytes_min = bytes_min;
    }
}

fn borrows(found: &Struct, structs: &[Struct], places: &BTreeMap<String, usize>) -> bool {
    found.fields.iter().any(|field| match &field.kind {
        Kind::Array(_) | Kind::One(Type::String | Type::Bytes | Type::Records) => true,
        Kind::One(Type::Struct(name)) => borrows(&structs[places[name]], structs, places),
        Kind::One(_) => false,
    })
}

fn bytes_min(
    found: &Struct,
    version: i16,
    context: Context,
    structs: &[Struct],
    places: &BTreeMap<String, usize>,
) -> usize {
    let flexible = context.is_flexible(version);
    let present = |field: &&Field| field.tag.is_none() && field.versions.contains(version);
    let fields = found.fields.iter().filter(present).map(|field| {
        let compact = flexible && !field.classic;
        match &field.kind {
            Kind::Array(_) | Kind::One(Type::Bytes | Type::Records) if !compact => 4,
            Kind::One(Type::String) if !compact => 2,
            Kind::One(Type::Struct(name)) if field.nullable.is_none() => {
                bytes_min(&structs[places[name]], version, context, structs, places)
            }
            // A length, or the mark of a struct that is null.
            _ => field.width().unwrap_or(1),
        }
    });
    fields.sum::<usize>() + usize::from(flexible)
}
