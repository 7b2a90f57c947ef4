//! Binding of what people and tests ask.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use routing_core::prefix::AnyPrefix;

use crate::engine::{prefix, Engine, PyPrefix};
use crate::values::{list, to_python};
use crate::wire::ip;

type AnyPy<'py> = Bound<'py, PyAny>;

#[pymethods]
impl Engine {
    fn counts<'py>(&self, py: Python<'py>) -> PyResult<AnyPy<'py>> {
        let v = self.with(py, |e| e.counts());
        to_python(py, v)
    }

    fn source_counts<'py>(&self, py: Python<'py>, source: u32) -> PyResult<Bound<'py, PyDict>> {
        self.source(py, source)?;
        let n = self.with(py, |e| e.core.sources[source as usize].paths);
        let d = PyDict::new(py);
        d.set_item("ipv4", n[0])?;
        d.set_item("ipv6", n[1])?;
        Ok(d)
    }

    #[pyo3(signature = (prefix, *, instance = 0))]
    fn lookup<'py>(
        &self,
        py: Python<'py>,
        prefix: PyPrefix,
        instance: u16,
    ) -> PyResult<Option<AnyPy<'py>>> {
        let (i, p) = (self.instance(py, instance)?, self::prefix(&prefix)?);
        let v = self.with(py, |e| e.lookup(i, p));
        v.map(|v| to_python(py, v)).transpose()
    }

    #[pyo3(signature = (address, *, instance = 0))]
    fn longest_match<'py>(
        &self,
        py: Python<'py>,
        address: Vec<u8>,
        instance: u16,
    ) -> PyResult<Option<(Bound<'py, PyBytes>, u8)>> {
        let (i, a) = (self.instance(py, instance)?, ip(&address)?);
        let found = self.with(py, |e| e.longest_match(i, a));
        Ok(found.map(|p| match p {
            AnyPrefix::V4(p) => (PyBytes::new(py, &p.addr.to_be_bytes()), p.len),
            AnyPrefix::V6(p) => (PyBytes::new(py, &p.addr.to_be_bytes()), p.len),
        }))
    }

    #[pyo3(signature = (afi, cursor, limit, *, instance = 0))]
    fn page<'py>(
        &self,
        py: Python<'py>,
        afi: u16,
        cursor: usize,
        limit: usize,
        instance: u16,
    ) -> PyResult<(Bound<'py, PyList>, Option<usize>)> {
        let i = self.instance(py, instance)?;
        let (rows, next) = self.with(py, |e| e.page(i, afi, cursor, limit));
        Ok((list(py, rows)?, (next != 0).then_some(next)))
    }

    fn subtree<'py>(
        &self,
        py: Python<'py>,
        prefix: PyPrefix,
        limit: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let p = self::prefix(&prefix)?;
        let rows = self.with(py, |e| e.subtree(p, limit));
        list(py, rows)
    }

    fn groups<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let rows = self.with(py, |e| e.group_rows());
        list(py, rows)
    }
}
