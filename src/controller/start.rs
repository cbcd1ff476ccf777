//! A broker has started.

use super::{Answer, Decision, features};
use crate::metadata::{Broker, Image, MetadataRecord};
use crate::types::BrokerEpoch;

pub(super) fn decide(image: &Image, broker: &Broker, unclean: bool) -> Decision {
    let before = image.brokers.get(&broker.id).map_or(0, |known| known.epoch.get());
    let epoch = BrokerEpoch::new(before + 1);
    let mut records = vec![MetadataRecord::Broker(Broker { epoch, ..broker.clone() })];
    records.extend(features::missing(image));
    if unclean {
        records.push(MetadataRecord::LeaderEpochs { leader: broker.id });
    }
    Decision { records, answer: Answer::Started }
}
