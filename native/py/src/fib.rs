//! Binding of the FIB feed.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyList};
use routing_core::rib::engine::Engine as Core;
use routing_core::rib::fib;

use crate::engine::{Engine, PyPrefix};

type Any<'py> = Bound<'py, PyAny>;
/// Table, addresses, lengths, groups, operations.
type RouteColumns<'py> = (
    u32,
    Bound<'py, PyBytes>,
    Bound<'py, PyBytes>,
    Any<'py>,
    Any<'py>,
);

/// Number, NCP, port, gateway, kind.
pub type AdjacencyRow = (u32, String, String, Vec<u8>, u8);

#[pyclass(module = "native", frozen)]
pub struct FibDelta {
    #[pyo3(get)]
    adjacencies: Py<PyList>,
    #[pyo3(get)]
    groups: Py<PyList>,
    #[pyo3(get)]
    routes: Py<PyList>,
    #[pyo3(get)]
    dead_groups: Vec<u32>,
    #[pyo3(get)]
    dead_adjacencies: Vec<u32>,
    #[pyo3(get)]
    urgent: bool,
    #[pyo3(get)]
    count: usize,
}

impl FibDelta {
    pub fn new(py: Python<'_>, rows: Vec<AdjacencyRow>, d: fib::FibDelta) -> PyResult<Self> {
        let bytes = |b: &[u8]| PyBytes::new(py, b);
        let adjacencies = PyList::empty(py);
        for (id, ncp, port, gateway, kind) in rows {
            adjacencies.append((id, ncp, port, bytes(&gateway), kind))?;
        }
        let groups = PyList::empty(py);
        for g in d.groups {
            groups.append((g.id, bytes(&g.key), g.kind, bytes(&g.members)))?;
        }
        let routes = PyList::empty(py);
        for c in d.routes {
            let columns = (bytes(&c.dst), bytes(&c.plen), bytes(&c.group), bytes(&c.op));
            routes.append((c.table, columns.0, columns.1, columns.2, columns.3))?;
        }
        Ok(FibDelta {
            adjacencies: adjacencies.unbind(),
            groups: groups.unbind(),
            routes: routes.unbind(),
            dead_groups: d.dead_groups,
            dead_adjacencies: d.dead_adjacencies,
            urgent: d.urgent,
            count: d.count,
        })
    }
}

/// Which of these (table, address, length) the routes of a stretch are.
#[pyfunction]
pub fn routes_among<'py>(
    routes: Vec<RouteColumns<'py>>,
    keys: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyList>> {
    let found = PyList::empty(keys.py());
    if keys.is_empty() {
        return Ok(found);
    }
    for (table, dst, plen, ..) in &routes {
        let (dst, plen) = (dst.as_bytes(), plen.as_bytes());
        let width = dst.len().checked_div(plen.len()).unwrap_or(1).max(1);
        for (address, length) in dst.chunks_exact(width).zip(plen) {
            let key =
                (*table, PyBytes::new(keys.py(), address), *length).into_pyobject(keys.py())?;
            if keys.contains(&key)? {
                found.append(key)?;
            }
        }
    }
    Ok(found)
}

#[pymethods]
impl Engine {
    fn fib_open(&self, py: Python<'_>) -> u32 {
        self.with(py, Core::fib_open)
    }

    fn fib_resume<'py>(
        &self,
        py: Python<'py>,
        sums: Vec<(u32, PyBackedBytes)>,
    ) -> (u32, Vec<(u32, Bound<'py, PyBytes>)>) {
        let rows: Vec<(u32, &[u8])> = sums.iter().map(|(table, b)| (*table, &b[..])).collect();
        let (consumer, equal) = self.with(py, |e| e.fib_resume(&rows));
        let bits = equal
            .into_iter()
            .map(|(table, set)| (table, PyBytes::new(py, &set.0)));
        (consumer, bits.collect())
    }

    fn fib_close(&self, py: Python<'_>, consumer: u32) {
        self.with(py, |e| e.fib_close(consumer));
    }

    #[pyo3(signature = (consumer, max_routes = 8192))]
    fn fib_read(
        &self,
        py: Python<'_>,
        consumer: u32,
        max_routes: usize,
    ) -> PyResult<Option<FibDelta>> {
        let found = self.with(py, |e| {
            let delta = e.fib_read(consumer, max_routes)?;
            let hops = &e.core.hops;
            let rows = delta
                .adjacencies
                .iter()
                .map(|&id| {
                    let a = &hops.adjacencies[id];
                    let names = (hops.name(a.ncp).to_owned(), hops.name(a.port).to_owned());
                    (id, names.0, names.1, a.gateway.to_bytes(), a.kind as u8)
                })
                .collect::<Vec<_>>();
            Some((rows, delta))
        });
        found
            .map(|(rows, d)| FibDelta::new(py, rows, d))
            .transpose()
    }

    fn fib_reads(&self, py: Python<'_>, consumer: u32) -> u64 {
        self.with(py, |e| e.fib_reads(consumer))
    }

    fn fib_installed(&self, py: Python<'_>, consumer: u32, read: u64) {
        self.with(py, |e| e.fib_installed(consumer, read));
    }

    fn fib_wait(&self, py: Python<'_>, consumer: u32, wait: bool) {
        self.with(py, |e| e.fib_wait(consumer, wait));
    }

    fn fib_failed(
        &self,
        py: Python<'_>,
        consumer: u32,
        table: u32,
        prefix: PyPrefix,
        failed: bool,
    ) -> PyResult<()> {
        let prefix = crate::engine::prefix(&prefix)?;
        self.with(py, |e| e.fib_failed(consumer, table, prefix, failed));
        Ok(())
    }

    fn fib_snapshot_state(&self, py: Python<'_>, consumer: u32) -> (bool, u64, u64) {
        self.with(py, |e| e.fib_state(consumer))
    }
}
