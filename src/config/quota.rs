//! Quotas of users, clients and addresses: which there are, and which values they may have.

use super::definition::Definition;
use super::definitions;

/// Checks a quota's value as Kafka does.
///
/// # Errors
/// Why it cannot be, in words.
pub fn check_quota(definition: &Definition, value: f64) -> Result<(), String> {
    let name = definition.name;
    if value <= 0.0 || value.is_nan() {
        return Err(format!("{name}={value}: expected a number above 0"));
    }
    let Some((_, most)) = definition.kind.whole_range() else { return Ok(()) };
    if value.fract() != 0.0 {
        return Err(format!("{name}={value}: expected a whole number"));
    }
    // The largest of 64 bits is not exact here; what is above it by less is none the worse.
    if value > most as f64 {
        return Err(format!("{name}={value}: expected at most {most}"));
    }
    Ok(())
}

/// The quota of that name, of addresses or else of users and clients.
pub fn quota(name: &str, of_address: bool) -> Option<&'static Definition> {
    let table = match of_address {
        true => definitions::address_quotas(),
        false => definitions::client_quotas(),
    };
    table.iter().find(|definition| definition.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fit_their_quotas() {
        let check = |name, of_address, value| {
            check_quota(quota(name, of_address).unwrap(), value).map_err(|problem| {
                problem.split_once("expected ").unwrap().1.split(' ').next().unwrap().to_owned()
            })
        };
        assert_eq!(check("producer_byte_rate", false, 1000.0), Ok(()));
        assert_eq!(check("producer_byte_rate", false, 1000.5), Err("a".to_owned()));
        assert_eq!(check("producer_byte_rate", false, 1e30), Err("at".to_owned()));
        assert_eq!(check("request_percentage", false, 0.5), Ok(()));
        for value in [0.0, -1.0, f64::NAN] {
            assert_eq!(check("request_percentage", false, value), Err("a".to_owned()));
        }
        assert_eq!(check("connection_creation_rate", true, 5.0), Ok(()));
        assert_eq!(check("connection_creation_rate", true, 3e9), Err("at".to_owned()));
        assert!(quota("producer_byte_rate", true).is_none());
    }
}
