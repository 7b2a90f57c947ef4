//! UPDATEs under every kind of terms: a verdict, never more out than the input can say, canonical attribute sets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use routing_core::wire::attributes;
use routing_core::wire::update::{decode, WITHDRAW};
use routing_fuzz::{terms, updates};

fuzz_target!(|data: &[u8]| {
    let Some((terms, rest)) = terms(data) else {
        return;
    };
    let bytes = updates(rest);
    let mut changes = decode(&bytes, &terms);
    changes.count();
    let told = changes.v4.len() + changes.v6.len();
    assert!(told <= bytes.len());
    assert_eq!(told, (changes.announced + changes.withdrawn) as usize);
    // Two octets of an AS number become four, OTC may be added
    assert!(changes.arena.len() <= 2 * bytes.len() + 7 * changes.updates as usize);
    let used = changes.v4.iter().map(|c| c.attrs);
    let used = used.chain(changes.v6.iter().map(|c| c.attrs));
    assert!(used
        .filter(|&a| a != WITHDRAW)
        .all(|a| (a as usize) < changes.blocks.len()));
    for block in &changes.blocks {
        let set = &changes.arena[block.start as usize..block.end as usize];
        let codes: Vec<u8> = attributes::iter(set).map(|a| a.1).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
        assert!(block.next_hop.is_host());
    }
    if let Some(error) = &changes.error {
        assert_eq!(error.code, 3); // UPDATE Message Error (RFC 4271 6.3)
    }
    for finding in &changes.faults {
        assert!(
            finding.count > 0 && finding.attribute.len() <= 256 && finding.message.len() <= 4096
        );
    }
});
