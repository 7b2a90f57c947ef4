//! Binding of network instances and of leaks between them.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use routing_core::rib::leak::{Range, Rule};
use routing_core::rib::source::Kind;

use crate::engine::{prefix, Engine};

/// Protocols by their names.
pub fn kinds(names: &[String]) -> PyResult<Vec<Kind>> {
    let kind = |name: &String| {
        Kind::named(name).ok_or_else(|| PyValueError::new_err(format!("no protocol {name:?}")))
    };
    names.iter().map(kind).collect()
}

#[pymethods]
impl Engine {
    #[pyo3(signature = (*, fib = true))]
    fn add_instance(&self, py: Python<'_>, fib: bool) -> PyResult<u16> {
        self.with(py, |e| e.add_instance(fib))
            .ok_or_else(|| PyValueError::new_err("no instance number left"))
    }

    #[pyo3(signature = (*, source, target, protocols = Vec::new(), prefixes = Vec::new()))]
    fn add_leak(
        &self,
        py: Python<'_>,
        source: u16,
        target: u16,
        protocols: Vec<String>,
        prefixes: Vec<(Vec<u8>, u8, u8, u8)>,
    ) -> PyResult<u32> {
        self.instance(py, source)?;
        self.instance(py, target)?;
        if source == target {
            return Err(PyValueError::new_err("a leak joins two instances"));
        }
        let range = |(address, length, least, greatest)| {
            Ok(Range {
                top: prefix(&(address, length))?,
                least,
                greatest,
            })
        };
        let rule = Rule {
            protocols: kinds(&protocols)?,
            prefixes: prefixes.into_iter().map(range).collect::<PyResult<_>>()?,
        };
        Ok(self.with(py, |e| e.add_leak(source, target, rule)))
    }

    fn remove_leak(&self, py: Python<'_>, leak: u32) -> PyResult<()> {
        if self.with(py, |e| e.remove_leak(leak)) {
            Ok(())
        } else {
            Err(PyValueError::new_err(format!("no leak {leak}")))
        }
    }
}
