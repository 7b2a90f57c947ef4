//! The knobs of one instance: how its paths are compared and what is made of the outcome. Each table holds a copy.

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Compare MED whichever the neighbouring AS.
    pub always_compare_med: bool,
    /// A path without MED counts as one with the highest.
    pub missing_med_as_worst: bool,
    pub as_path_ignore: bool,
    /// Off: external paths that tie so far are not told apart by router id (RFC 5004).
    pub compare_router_id: bool,
    pub prefer_oldest: bool,
    pub default_local_pref: u32,
    /// Most paths used at once, by the kind of the best one; 1 is no multipath.
    pub multipath_ebgp: usize,
    pub multipath_ibgp: usize,
    /// Multipath members may differ in their AS_PATH.
    pub multipath_relax: bool,
    /// Members weigh as their link bandwidth says.
    pub weighted: bool,
    pub backup: bool,
    pub resolve_via_default: bool,
    /// New prefixes are told under our own next hop once every box has them.
    pub advertise_installed: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            always_compare_med: false,
            missing_med_as_worst: false,
            as_path_ignore: false,
            compare_router_id: true,
            prefer_oldest: false,
            default_local_pref: 100,
            multipath_ebgp: 1,
            multipath_ibgp: 1,
            multipath_relax: false,
            weighted: true,
            backup: false,
            resolve_via_default: true,
            advertise_installed: false,
        }
    }
}

/// A value as the user gives it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Setting {
    Switch(bool),
    Number(i64),
}

impl Options {
    /// Nothing is used beside the best path.
    pub fn best_alone(&self) -> bool {
        self.multipath_ebgp == 1 && self.multipath_ibgp == 1 && !self.backup
    }

    /// Most paths used at once where the best one is external or internal.
    pub fn multipath(&self, ebgp: bool) -> usize {
        if ebgp {
            self.multipath_ebgp
        } else {
            self.multipath_ibgp
        }
    }

    /// Sets one option by name; the fault, where there is none of this name or the value is out of its range.
    pub fn set(&mut self, name: &str, value: Setting) -> Result<(), String> {
        let most = 64; // members of one next-hop group
        match name {
            "always_compare_med" => switch(&mut self.always_compare_med, value),
            "missing_med_as_worst" => switch(&mut self.missing_med_as_worst, value),
            "as_path_ignore" => switch(&mut self.as_path_ignore, value),
            "compare_router_id" => switch(&mut self.compare_router_id, value),
            "prefer_oldest" => switch(&mut self.prefer_oldest, value),
            "advertise_installed" => switch(&mut self.advertise_installed, value),
            "multipath_relax" => switch(&mut self.multipath_relax, value),
            "weighted" => switch(&mut self.weighted, value),
            "backup" => switch(&mut self.backup, value),
            "resolve_via_default" => switch(&mut self.resolve_via_default, value),
            "default_local_pref" => {
                number(value, 0, u32::MAX.into()).map(|n| self.default_local_pref = n as u32)
            }
            "multipath_ebgp" => number(value, 1, most).map(|n| self.multipath_ebgp = n as usize),
            "multipath_ibgp" => number(value, 1, most).map(|n| self.multipath_ibgp = n as usize),
            _ => return Err(format!("no option {name}")),
        }
        .map_err(|why| format!("{name}: {why}"))
    }
}

fn switch(option: &mut bool, value: Setting) -> Result<(), String> {
    match value {
        Setting::Switch(on) => {
            *option = on;
            Ok(())
        }
        Setting::Number(_) => Err("either True or False".into()),
    }
}

fn number(value: Setting, least: i64, most: i64) -> Result<i64, String> {
    match value {
        Setting::Number(n) if (least..=most).contains(&n) => Ok(n),
        _ => Err(format!("a number from {least} to {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_set_by_name_and_within_its_range_only() {
        let mut o = Options::default();
        assert_eq!(o.set("multipath_ebgp", Setting::Number(64)), Ok(()));
        assert_eq!(
            o.set("default_local_pref", Setting::Number(4_294_967_295)),
            Ok(())
        );
        assert_eq!(o.set("backup", Setting::Switch(true)), Ok(()));
        let set = Options {
            multipath_ebgp: 64,
            default_local_pref: u32::MAX,
            backup: true,
            ..Options::default()
        };
        assert_eq!(o, set);
        for (name, value) in [
            ("multipath_ebgp", Setting::Number(0)),
            ("multipath_ibgp", Setting::Number(65)),
            ("default_local_pref", Setting::Number(-1)),
            ("default_local_pref", Setting::Number(1 << 32)),
            ("multipath_ebgp", Setting::Switch(true)),
            ("backup", Setting::Number(1)),
            ("multipath", Setting::Number(2)),
        ] {
            let fault = o.set(name, value);
            assert!(fault.is_err_and(|text| text.contains(name)), "{name}");
        }
        assert_eq!(o, set);
    }
}
