//! Binding of one stretch of the FIB stream.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use routing_core::rib::fib;

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
