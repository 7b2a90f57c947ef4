//! Pieces of the core, each alone, for counting their instructions (`bench/instructions.py`). As it is (`cargo test`) it runs every
//! piece on a small table; callgrind counts inside `counted_alone` only.
//!
//!     instructions [PREFIXES [PIECE]]
//!
//! With arguments it prints a line for each stretch that counts: the piece, a tab, and how many prefixes that was.

mod agent;
mod rib;
mod table;

use std::hint::black_box;

use table::Table;

/// What callgrind is told to count: `--toggle-collect`, and `--dump-after` for a file a stretch.
#[inline(never)]
fn counted_alone(work: &mut dyn FnMut()) {
    work();
    black_box(&work); // so that `work` is called from here and not jumped to
}

/// One piece at work.
struct Meter<'a> {
    piece: &'a str,
    aloud: bool,
}

impl Meter<'_> {
    /// Runs what is to be counted, which does so many prefixes.
    fn count<R>(&self, prefixes: usize, work: impl FnOnce() -> R) -> R {
        let mut work = Some(work);
        let mut out = None;
        counted_alone(&mut || out = work.take().map(|work| work()));
        if self.aloud {
            println!("{}\t{prefixes}", self.piece);
        }
        out.expect("it has run")
    }
}

type Piece = fn(&Meter<'_>, &Table);

const PIECES: [(&str, Piece); 17] = [
    ("frame", rib::frame),
    ("decode", rib::decode_runs),
    ("insert, new", rib::insert_new),
    ("insert, second path", rib::insert_second),
    ("insert, tenth path", rib::insert_tenth),
    ("insert, said again", rib::insert_again),
    ("withdraw", rib::withdraw),
    ("select of ten", rib::select_of_ten),
    ("lose the best", rib::lose_the_best),
    ("move a next hop", rib::move_next_hop),
    ("export", rib::export_log),
    ("export, whole table", rib::export_table),
    ("export, shared", rib::export_shared),
    ("columns", rib::columns),
    ("agent, columns", agent::take_columns),
    ("agent, netlink", agent::write_netlink),
    ("agent, answers", agent::take_answers),
];

fn main() {
    // cargo says --bench
    let given: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let prefixes = given
        .first()
        .map_or(1000, |n| n.parse().expect("a number of prefixes"));
    let mut found = false;
    for (family, afi) in [("IPv4", 1), ("IPv6", 2)] {
        let table = Table::new(afi, prefixes);
        for (name, piece) in PIECES {
            let name = format!("{family} {name}");
            if given.get(1).is_none_or(|wanted| *wanted == name) {
                found = true;
                let meter = Meter {
                    piece: &name,
                    aloud: !given.is_empty(),
                };
                piece(&meter, &table);
            }
        }
    }
    assert!(found, "no such piece");
}
