//! What a query or a monitor wants: criteria that all hold for one path.

use super::core::Core;
use super::infos::Info;
use super::instance::Family;
use super::source::Kind;
use super::table::{Path, Table};
use crate::prefix::{Addr, AnyPrefix, Prefix};
use crate::wire::communities::Community;
use crate::wire::{as_path, attributes, code};

/// Nothing named: anything will do. What is asked of communities and ASes holds of BGP's paths only.
#[derive(Clone, Debug, Default)]
pub struct Criteria {
    pub within: Option<AnyPrefix>,
    pub protocols: Vec<Kind>,
    pub source: Option<u32>,
    pub communities: Vec<Community>,
    pub as_in_path: Option<u32>,
    pub origin_as: Option<u32>,
    /// As MED is compared: 0 for a path without one.
    pub neighbor_as: Option<u32>,
}

impl Criteria {
    /// The part of a family's table that can hold for them, if any.
    pub fn area<A: Family>(&self) -> Option<Prefix<A>> {
        self.within.map_or(Some(Prefix::default()), A::narrow)
    }

    fn about_bgp(&self) -> bool {
        let asked = [self.as_in_path, self.origin_as, self.neighbor_as];
        !self.communities.is_empty() || asked.iter().any(Option::is_some)
    }

    /// What is asked of BGP's paths.
    fn hold_of(&self, info: &Info) -> bool {
        if info.kind != Kind::Bgp {
            return false;
        }
        let path = info.as_path();
        let of_code = |code| attributes::find(&info.attributes, code).unwrap_or(&[]);
        self.neighbor_as
            .is_none_or(|asn| info.summary.neighbor_as == asn)
            && self
                .as_in_path
                .is_none_or(|asn| as_path::contains(path, asn))
            && self
                .origin_as
                .is_none_or(|asn| as_path::origin(path) == Some(asn))
            && self.communities.iter().all(|c| match c {
                Community::Standard(v) => of_code(code::COMMUNITIES).chunks(4).any(|x| x == v),
                Community::Extended(v) => of_code(code::EXTENDED_COMMUNITIES)
                    .chunks(8)
                    .any(|x| x == v),
                Community::Large(v) => of_code(code::LARGE_COMMUNITIES).chunks(12).any(|x| x == v),
            })
    }
}

/// Judges paths; the attributes of an info are looked at once.
pub struct Judge<'a> {
    core: &'a Core,
    criteria: &'a Criteria,
    /// Per info: not judged yet, or whether the criteria hold for its attributes. Empty where none is about them.
    verdicts: Vec<Option<bool>>,
}

impl<'a> Judge<'a> {
    pub fn new(core: &'a Core, criteria: &'a Criteria) -> Self {
        let slots = if criteria.about_bgp() {
            core.infos.slots()
        } else {
            0
        };
        Judge {
            core,
            criteria,
            verdicts: vec![None; slots],
        }
    }

    pub fn holds<A: Addr>(&mut self, t: &Table<A>, at: u32, p: &Path) -> bool {
        let (core, c) = (self.core, self.criteria);
        if !core.lives(t, at, p)
            || c.source.is_some_and(|s| s != p.source)
            || !(c.protocols.is_empty() || c.protocols.contains(&core.infos[p.info].kind))
        {
            return false;
        }
        let Some(verdict) = self.verdicts.get_mut(p.info as usize) else {
            return true;
        };
        *verdict.get_or_insert_with(|| c.hold_of(&core.infos[p.info]))
    }
}
