//! Binding of the feed of best routes for monitors and other protocols.

use pyo3::prelude::*;
use pyo3::types::PyList;
use routing_core::rib::criteria::Criteria;

use crate::engine::{prefix, Engine, PyPrefix};
use crate::leaks::kinds;
use crate::values::list;

#[pymethods]
impl Engine {
    #[pyo3(signature = (afi, *, instance = 0, protocols = Vec::new(), within = None, initial = true))]
    fn watch_open(
        &self,
        py: Python<'_>,
        afi: u16,
        instance: u16,
        protocols: Vec<String>,
        within: Option<PyPrefix>,
        initial: bool,
    ) -> PyResult<u32> {
        let i = self.instance(py, instance)?;
        let criteria = Criteria {
            within: within.as_ref().map(prefix).transpose()?,
            protocols: kinds(&protocols)?,
            ..Criteria::default()
        };
        Ok(self.with(py, |e| e.watch_open(i, afi, criteria, initial)))
    }

    #[pyo3(signature = (consumer, max_routes = 256))]
    fn watch_read<'py>(
        &self,
        py: Python<'py>,
        consumer: u32,
        max_routes: usize,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        let rows = self.with(py, |e| e.watch_read(consumer, max_routes));
        rows.map(|rows| list(py, rows)).transpose()
    }

    fn watch_close(&self, py: Python<'_>, consumer: u32) {
        self.with(py, |e| e.watch_close(consumer));
    }
}
