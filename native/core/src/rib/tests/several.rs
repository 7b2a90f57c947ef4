//! What peers that take several paths cost the others.

use super::fixture::{engine, export, export_several, Said};
use crate::rib::engine::Engine;
use crate::rib::export_terms::ALL_PATHS;
use crate::rib::source::Kind;

fn records(e: &Engine) -> usize {
    e.instances[0].v4.rib_log.len()
}

fn second_best_comes_and_goes(e: &mut Engine, other: u32) {
    let said = Said {
        as_path: &[65001, 65002],
        ..Said::default()
    };
    e.announce(other, "203.0.113.0/24", "10.0.0.1", said);
    e.withdraw(other, "203.0.113.0/24");
    e.settled();
}

#[test]
fn changes_of_other_paths_than_the_best_are_records_only_while_somebody_takes_several() {
    let mut e = engine();
    let connected = e.source(Kind::Connected, 0);
    e.connect(connected, "10.0.0.0/24");
    let (best, other, reader) = (
        e.source(Kind::Bgp, 0),
        e.source(Kind::Bgp, 0),
        e.source(Kind::Bgp, 0),
    );
    let said = Said {
        as_path: &[65001],
        ..Said::default()
    };
    e.announce(best, "203.0.113.0/24", "10.0.0.1", said);
    let plain = export(&mut e, reader);
    while e.export_read(plain, 10).is_some() {}
    second_best_comes_and_goes(&mut e, other);
    assert_eq!(records(&e), 0);
    let several = export_several(&mut e, reader, ALL_PATHS);
    while e.export_read(several, 10).is_some() {}
    second_best_comes_and_goes(&mut e, other);
    assert_eq!(records(&e), 1);
    // To whom takes one path it says nothing
    assert_eq!(e.export_read(plain, 10), Some((Vec::new(), 0)));
    assert!(e.export_read(several, 10).is_some_and(|(_, n)| n > 0));
    assert_eq!(records(&e), 0);
    e.export_close(several);
    second_best_comes_and_goes(&mut e, other);
    assert_eq!(records(&e), 0);
}

#[test]
fn peers_that_take_as_many_paths_share_their_bytes() {
    let mut e = engine();
    let connected = e.source(Kind::Connected, 0);
    e.connect(connected, "10.0.0.0/24");
    let givers = [e.source(Kind::Bgp, 0), e.source(Kind::Bgp, 0)];
    let readers = [e.source(Kind::Bgp, 0), e.source(Kind::Bgp, 0)];
    let readers = readers.map(|r| export_several(&mut e, r, ALL_PATHS));
    for (giver, path) in givers.into_iter().zip([[65001], [65002]]) {
        let said = Said {
            as_path: &path,
            ..Said::default()
        };
        e.announce(giver, "203.0.113.0/24", "10.0.0.1", said);
    }
    let told = readers.map(|r| e.export_read(r, 10));
    assert_eq!(told[0], told[1]);
    assert_eq!(e.export_groups().len(), 1);
    let one = export_several(&mut e, givers[0], 1);
    assert_eq!(e.export_groups().len(), 2);
    assert_ne!(e.export_read(one, 10), told[0]);
}
