//! Binding of the MRT reader.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use routing_core::wire::mrt::{Peer, Reader};

use crate::wire::Updates;

#[pyclass(module = "native")]
pub struct MrtReader {
    data: Py<PyBytes>,
    reader: Reader,
}

#[pymethods]
impl MrtReader {
    #[new]
    fn new(data: Py<PyBytes>) -> Self {
        MrtReader {
            data,
            reader: Reader::default(),
        }
    }

    #[pyo3(signature = (max_records = 10_000))]
    fn read(
        &mut self,
        py: Python<'_>,
        max_records: usize,
    ) -> PyResult<Option<Vec<(u32, Updates)>>> {
        if max_records == 0 {
            return Err(PyValueError::new_err("max_records is at least 1"));
        }
        let (reader, data) = (&mut self.reader, self.data.bind(py).as_bytes());
        let runs = py
            .detach(|| reader.read(data, max_records))
            .map_err(|e| PyValueError::new_err(format!("{} at offset {}", e.what, e.offset)))?;
        let rows = runs.map(|runs| {
            runs.into_iter()
                .map(|r| (r.peer, Updates::new(r.bytes, r.count)))
        });
        Ok(rows.map(Iterator::collect))
    }

    #[getter]
    fn peers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let out = PyList::empty(py);
        for peer in &self.reader.peers {
            out.append(row(py, peer)?)?;
        }
        Ok(out)
    }

    #[getter]
    fn skipped(&self) -> u64 {
        self.reader.skipped
    }
}

fn row<'py>(py: Python<'py>, peer: &Peer) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    d.set_item("address", PyBytes::new(py, &peer.address.to_bytes()))?;
    d.set_item("asn", peer.asn)?;
    let id = peer.router_id.map(|id| PyBytes::new(py, &id.to_be_bytes()));
    d.set_item("router_id", id)?;
    d.set_item("local_asn", peer.local_asn)?;
    d.set_item("four_octet_as", peer.four_octet_as)?;
    d.set_item("add_path", peer.add_path)?;
    Ok(d)
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<MrtReader>()
}
