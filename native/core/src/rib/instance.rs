//! Network instances: a table per address family each, apart from all others but for leaks.

use super::engine::Engine;
use super::table::Table;
use crate::prefix::{Addr, AnyPrefix, Prefix};

pub struct Instance {
    pub v4: Table<u32>,
    pub v6: Table<u128>,
}

/// An address family, as the way to its table in an instance.
pub trait Family: Addr {
    fn table(i: &Instance) -> &Table<Self>;
    fn table_mut(i: &mut Instance) -> &mut Table<Self>;
    /// The prefix, if it is of this family.
    fn narrow(p: AnyPrefix) -> Option<Prefix<Self>>;
    fn wide(p: Prefix<Self>) -> AnyPrefix;
}

impl Family for u32 {
    fn table(i: &Instance) -> &Table<u32> {
        &i.v4
    }
    fn table_mut(i: &mut Instance) -> &mut Table<u32> {
        &mut i.v4
    }
    fn narrow(p: AnyPrefix) -> Option<Prefix<u32>> {
        match p {
            AnyPrefix::V4(p) => Some(p),
            AnyPrefix::V6(_) => None,
        }
    }
    fn wide(p: Prefix<u32>) -> AnyPrefix {
        AnyPrefix::V4(p)
    }
}

impl Family for u128 {
    fn table(i: &Instance) -> &Table<u128> {
        &i.v6
    }
    fn table_mut(i: &mut Instance) -> &mut Table<u128> {
        &mut i.v6
    }
    fn narrow(p: AnyPrefix) -> Option<Prefix<u128>> {
        match p {
            AnyPrefix::V6(p) => Some(p),
            AnyPrefix::V4(_) => None,
        }
    }
    fn wide(p: Prefix<u128>) -> AnyPrefix {
        AnyPrefix::V6(p)
    }
}

impl Instance {
    pub fn new(number: u16, fib: bool) -> Self {
        let id = u32::from(number) << 8;
        Instance {
            v4: Table::new(id | 1, fib),
            v6: Table::new(id | 2, fib),
        }
    }
}

impl Engine {
    /// A new, empty instance; with `fib` its routes go to the NCPs, those that read already included. `None` when the numbers are used up.
    pub fn add_instance(&mut self, fib: bool) -> Option<u16> {
        let number = u16::try_from(self.instances.len()).ok()?;
        let mut instance = Instance::new(number, fib);
        self.fib_join(&mut instance);
        self.instances.push(instance);
        Some(number)
    }
}
