//! A file of recordings: an end or the place of what is malformed, and UPDATEs that decode.
#![no_main]

use libfuzzer_sys::fuzz_target;
use routing_core::wire::mrt::Reader;
use routing_core::wire::terms::Terms;
use routing_core::wire::update::decode;

fuzz_target!(|data: &[u8]| {
    let mut reader = Reader::default();
    let mut rounds = 0;
    while let Ok(Some(runs)) = reader.read(data, 3) {
        rounds += 1;
        assert!(rounds <= data.len() + 1, "it does not end");
        for run in runs {
            let peer = &reader.peers[run.peer as usize];
            let terms = Terms {
                peer_asn: peer.asn,
                local_asn: 65001,
                four_octet_as: peer.four_octet_as,
                families: vec![(1, 1, peer.add_path), (2, 1, peer.add_path)],
                ..Terms::default()
            };
            let changes = decode(&run.bytes, &terms);
            assert!(changes.updates as usize <= run.count);
        }
    }
});
