//! The table that a stream of UPDATEs leaves behind, and how two of them differ.

use std::rc::Rc;

use crate::attributes::{Attributes, NEXT_HOP};
use crate::hashing::Map;
use crate::update::{self, Prefix};
use crate::wire::{messages, UPDATE};

/// How a router tells on what it was told.
#[derive(Default)]
pub struct Rewrite {
    pub prepend: Option<u32>,
    pub next_hop: Option<[u8; 4]>,
    pub next_hop_ipv6: Option<[u8; 16]>,
    /// Attributes that do not count.
    pub ignore: Vec<u8>,
}

impl Rewrite {
    fn apply(&self, attributes: &mut Attributes, ipv6: bool) {
        if let Some(asn) = self.prepend {
            attributes.prepend(asn);
        }
        match (self.next_hop, self.next_hop_ipv6) {
            (Some(address), _) if !ipv6 => attributes.set(NEXT_HOP, &address),
            (_, Some(address)) if ipv6 => attributes.set(NEXT_HOP, &address),
            _ => (),
        }
        self.ignore.iter().for_each(|code| attributes.remove(*code));
    }
}

/// Attribute sets numbered: equal sets have equal numbers in all tables that share this.
#[derive(Default)]
pub struct Sets {
    numbers: Map<Rc<Attributes>, u32>,
    list: Vec<Rc<Attributes>>,
}

impl Sets {
    fn number(&mut self, attributes: Attributes) -> u32 {
        if let Some(known) = self.numbers.get(&attributes) {
            return *known;
        }
        let number = self.list.len() as u32;
        let kept = Rc::new(attributes);
        self.list.push(kept.clone());
        self.numbers.insert(kept, number);
        number
    }
}

#[derive(Default)]
pub struct Table {
    routes: Map<Prefix, u32>,
    /// Where in the stream the message ends that changed the table last; None where none did.
    pub changed: Option<usize>,
}

pub fn fold(stream: &[u8], sets: &mut Sets, rewrite: &Rewrite) -> Result<Table, String> {
    let mut table = Table::default();
    // A prefix with its share of the attributes takes about so many octets in an UPDATE.
    table.routes.reserve(stream.len() / 16);
    for message in messages(stream) {
        let (kind, body, end) = message?;
        if kind != UPDATE {
            continue;
        }
        let told = update::read(body)
            .map_err(|error| format!("UPDATE that ends at octet {end}: {error}"))?;
        // RFC 4271 4.3: what is in both fields of one message counts as announced.
        for prefix in &told.withdrawn {
            if table.routes.remove(prefix).is_some() {
                table.changed = Some(end);
            }
        }
        for (mut attributes, prefixes) in told.reached {
            rewrite.apply(&mut attributes, prefixes.iter().any(Prefix::is_ipv6));
            let number = sets.number(attributes);
            for prefix in prefixes {
                if table.routes.insert(prefix, number) != Some(number) {
                    table.changed = Some(end);
                }
            }
        }
    }
    Ok(table)
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Of the first table.
    pub prefixes: usize,
    pub missing: usize,
    pub extra: usize,
    pub different: usize,
    /// Three in words.
    pub examples: Vec<String>,
}

impl Difference {
    pub fn is_none(&self) -> bool {
        self.missing + self.extra + self.different == 0
    }

    fn example(&mut self, text: impl FnOnce() -> String) {
        if self.examples.len() < 3 {
            self.examples.push(text());
        }
    }
}

pub fn compare(found: &Table, wanted: &Table, sets: &Sets) -> Difference {
    let words = |number: u32| &sets.list[number as usize];
    let mut difference = Difference {
        prefixes: found.routes.len(),
        ..Difference::default()
    };
    for (prefix, number) in &wanted.routes {
        match found.routes.get(prefix) {
            Some(same) if same == number => (),
            Some(other) => {
                difference.different += 1;
                difference.example(|| {
                    format!(
                        "{prefix}: found {}, wanted {}",
                        words(*other),
                        words(*number)
                    )
                });
            }
            None => {
                difference.missing += 1;
                difference.example(|| format!("{prefix}: missing, wanted {}", words(*number)));
            }
        }
    }
    // Counted without a second look at every prefix: what was found and not wanted is what is left.
    difference.extra = found.routes.len() + difference.missing - wanted.routes.len();
    if difference.extra > 0 && difference.examples.len() < 3 {
        for (prefix, number) in found
            .routes
            .iter()
            .filter(|(prefix, _)| !wanted.routes.contains_key(*prefix))
            .take(3)
        {
            difference.example(|| format!("{prefix}: not wanted, found {}", words(*number)));
        }
    }
    difference
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{message, KEEPALIVE};

    /// An UPDATE: 10.N.0.0/16 for each N with this MED, through 10.9.0.2, from AS 65100.
    fn announce(blocks: &[u8], med: u8) -> Vec<u8> {
        let list = [
            &[
                0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfe, 0x4c, 0x40, 3, 4, 10, 9, 0, 2,
            ][..],
            &[0x80, 4, 4, 0, 0, 0, med],
        ]
        .concat();
        message(
            UPDATE,
            &[&[0, 0, 0, list.len() as u8][..], &list, &nlri(blocks)].concat(),
        )
    }

    fn withdraw(blocks: &[u8]) -> Vec<u8> {
        message(
            UPDATE,
            &[&[0, blocks.len() as u8 * 3][..], &nlri(blocks), &[0, 0]].concat(),
        )
    }

    fn nlri(blocks: &[u8]) -> Vec<u8> {
        blocks.iter().flat_map(|block| [16, 10, *block]).collect()
    }

    fn differ(found: &[Vec<u8>], wanted: &[Vec<u8>], rewrite: &Rewrite) -> Difference {
        let mut sets = Sets::default();
        let own = Rewrite {
            ignore: rewrite.ignore.clone(),
            ..Rewrite::default()
        };
        let found = fold(&found.concat(), &mut sets, &own).unwrap();
        let wanted = fold(&wanted.concat(), &mut sets, rewrite).unwrap();
        compare(&found, &wanted, &sets)
    }

    #[test]
    fn only_what_is_left_counts_and_not_how_it_came() {
        let way = [
            announce(&[1, 2], 5),
            message(KEEPALIVE, &[]),
            withdraw(&[1, 3]),
            announce(&[4], 5),
            announce(&[2], 6),
            announce(&[2], 5),
        ];
        assert_eq!(
            differ(&way, &[announce(&[4, 2], 5)], &Rewrite::default()),
            Difference {
                prefixes: 2,
                ..Difference::default()
            }
        );
    }

    #[test]
    fn each_way_to_differ_is_counted() {
        let difference = differ(
            &[announce(&[1, 2], 5), announce(&[7], 5)],
            &[announce(&[1, 3, 4], 5), announce(&[2], 6)],
            &Rewrite::default(),
        );
        assert_eq!(
            (
                difference.prefixes,
                difference.missing,
                difference.extra,
                difference.different
            ),
            (3, 2, 1, 1)
        );
        assert_eq!(difference.examples.len(), 3);
        assert!(!difference.is_none());
        let extra = differ(
            &[announce(&[1, 2], 5)],
            &[announce(&[1], 5)],
            &Rewrite::default(),
        );
        assert_eq!(
            extra.examples,
            ["10.2.0.0/16: not wanted, found path 65100; origin 0; next hop 10.9.0.2; MED 5"]
        );
    }

    #[test]
    fn a_router_in_between_is_counted_in() {
        let told = [
            &[
                0x40, 1, 1, 0, 0x40, 2, 10, 2, 2, 0, 0, 0xfd, 0xe9, 0, 0, 0xfe, 0x4c, 0x40, 3, 4,
                10, 9, 1, 1,
            ][..],
            &[],
        ]
        .concat();
        let told = message(
            UPDATE,
            &[&[0, 0, 0, told.len() as u8][..], &told, &nlri(&[1])].concat(),
        );
        let mut rewrite = Rewrite {
            prepend: Some(65001),
            next_hop: Some([10, 9, 1, 1]),
            ignore: vec![4],
            ..Rewrite::default()
        };
        assert!(differ(std::slice::from_ref(&told), &[announce(&[1], 5)], &rewrite).is_none());
        rewrite.ignore.clear();
        assert_eq!(differ(&[told], &[announce(&[1], 5)], &rewrite).different, 1);
    }

    #[test]
    fn the_last_change_is_the_last_message_that_changed_something() {
        let stream = [
            announce(&[1], 5),
            withdraw(&[1]),
            withdraw(&[1]),
            announce(&[1], 5),
            announce(&[1], 5),
        ];
        let ends: Vec<usize> = (1..=5).map(|n| stream[..n].concat().len()).collect();
        let mut sets = Sets::default();
        for (count, last) in [
            (1, Some(ends[0])),
            (3, Some(ends[1])),
            (5, Some(ends[3])),
            (0, None),
        ] {
            let table = fold(&stream[..count].concat(), &mut sets, &Rewrite::default()).unwrap();
            assert_eq!(table.changed, last);
        }
    }
}
