//! Binding of what people and tests ask.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use routing_core::prefix::AnyPrefix;
use routing_core::rib::criteria::Criteria;
use routing_core::rib::query::Page;
use routing_core::wire::communities::Community;

use crate::engine::{prefix, Engine, PyPrefix};
use crate::leaks::kinds;
use crate::values::{list, to_python};
use crate::wire::ip;

type AnyPy<'py> = Bound<'py, PyAny>;
type BytesPrefix<'py> = (Bound<'py, PyBytes>, u8);

fn bytes(py: Python<'_>, p: AnyPrefix) -> BytesPrefix<'_> {
    match p {
        AnyPrefix::V4(p) => (PyBytes::new(py, &p.addr.to_be_bytes()), p.len),
        AnyPrefix::V6(p) => (PyBytes::new(py, &p.addr.to_be_bytes()), p.len),
    }
}

#[pymethods]
impl Engine {
    fn counts<'py>(&self, py: Python<'py>) -> PyResult<AnyPy<'py>> {
        let v = self.with(py, |e| e.counts());
        to_python(py, v)
    }

    fn memory<'py>(&self, py: Python<'py>) -> PyResult<AnyPy<'py>> {
        let v = self.with(py, |e| e.memory());
        to_python(py, v)
    }

    fn source_counts<'py>(&self, py: Python<'py>, source: u32) -> PyResult<Bound<'py, PyDict>> {
        self.source(py, source)?;
        let (n, kept) = self.with(py, |e| {
            let s = &e.core.sources[source as usize];
            (s.paths, s.kept)
        });
        let d = PyDict::new(py);
        d.set_item("ipv4", n[0])?;
        d.set_item("ipv6", n[1])?;
        d.set_item("ipv4_stale", kept[0].stale())?;
        d.set_item("ipv6_stale", kept[1].stale())?;
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
    ) -> PyResult<Option<BytesPrefix<'py>>> {
        let (i, a) = (self.instance(py, instance)?, ip(&address)?);
        let found = self.with(py, |e| e.longest_match(i, a));
        Ok(found.map(|p| bytes(py, p)))
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

    #[pyo3(signature = (prefix, *, instance = 0))]
    fn covering<'py>(
        &self,
        py: Python<'py>,
        prefix: PyPrefix,
        instance: u16,
    ) -> PyResult<Bound<'py, PyList>> {
        let (i, p) = (self.instance(py, instance)?, self::prefix(&prefix)?);
        let rows = self.with(py, |e| e.covering(i, p));
        list(py, rows)
    }

    #[pyo3(signature = (
        afi, *, instance = 0, after = None, limit = 100, best_only = true, within = None, protocols = Vec::new(), source = None,
        communities = Vec::new(), as_in_path = None, origin_as = None, neighbor_as = None
    ))]
    #[allow(clippy::too_many_arguments)]
    fn query<'py>(
        &self,
        py: Python<'py>,
        afi: u16,
        instance: u16,
        after: Option<PyPrefix>,
        limit: usize,
        best_only: bool,
        within: Option<PyPrefix>,
        protocols: Vec<String>,
        source: Option<u32>,
        communities: Vec<String>,
        as_in_path: Option<u32>,
        origin_as: Option<u32>,
        neighbor_as: Option<u32>,
    ) -> PyResult<(Bound<'py, PyList>, Option<BytesPrefix<'py>>)> {
        let i = self.instance(py, instance)?;
        let community = |text: &String| {
            Community::parse(text)
                .ok_or_else(|| PyValueError::new_err(format!("no community: {text:?}")))
        };
        let criteria = Criteria {
            within: within.as_ref().map(prefix).transpose()?,
            protocols: kinds(&protocols)?,
            source,
            communities: communities.iter().map(community).collect::<PyResult<_>>()?,
            as_in_path,
            origin_as,
            neighbor_as,
        };
        let page = Page {
            after: after.as_ref().map(prefix).transpose()?,
            limit,
            best_only,
        };
        let (rows, last) = self.with(py, |e| e.query(i, afi, &criteria, &page));
        Ok((list(py, rows)?, last.map(|p| bytes(py, p))))
    }

    fn next_hops<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let rows = self.with(py, |e| e.next_hop_rows());
        list(py, rows)
    }

    fn groups<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let rows = self.with(py, |e| e.group_rows());
        list(py, rows)
    }
}
