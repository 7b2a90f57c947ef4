//! Binding of the agent's model. Arguments are read and results made under the GIL; the model is locked and worked on without it.
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};

use pyo3::conversion::FromPyObjectOwned;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBytes, PyDict, PyList};
use routing_core::agent::{self, Peer, Refused, RouteView};
use routing_core::digest::{ShardSet, SHARDS};

#[pyclass(frozen, module = "native._native")]
struct AgentFib {
    model: Mutex<agent::AgentFib>,
}

impl AgentFib {
    /// Do `work` on the model without the GIL.
    fn with<R: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut agent::AgentFib) -> R + Send,
    ) -> R {
        py.detach(|| {
            let mut model: MutexGuard<'_, _> = self
                .model
                .lock()
                .expect("a call on this model panicked before");
            work(&mut model)
        })
    }
}

fn refused(error: Refused) -> PyErr {
    PyValueError::new_err(error.0)
}

/// A row as tuple or, from msgpack, list.
fn column<'py, T: FromPyObjectOwned<'py>>(row: &Bound<'py, PyAny>, at: usize) -> PyResult<T> {
    row.get_item(at)?.extract().map_err(Into::into)
}

fn address<const N: usize>(bytes: Option<PyBackedBytes>) -> PyResult<Option<[u8; N]>> {
    match bytes {
        Some(bytes) if !bytes.is_empty() => match <[u8; N]>::try_from(&bytes[..]) {
            Ok(address) => Ok(Some(address)),
            Err(_) => Err(PyValueError::new_err(format!(
                "a fabric address of {} bytes, not {N}",
                bytes.len()
            ))),
        },
        _ => Ok(None),
    }
}

type Failures<'py> = Vec<(u32, Bound<'py, PyBytes>, u8, i32, String)>;

fn failure_rows(py: Python<'_>, failures: Vec<agent::Failure>) -> Failures<'_> {
    failures
        .into_iter()
        .map(|(table, address, len, errno, text)| {
            (table, PyBytes::new(py, &address), len, errno, text)
        })
        .collect()
}

fn route_dict<'py>(py: Python<'py>, view: &RouteView) -> PyResult<Bound<'py, PyDict>> {
    let members = PyList::empty(py);
    for member in &view.members {
        let dict = PyDict::new(py);
        dict.set_item("id", member.id)?;
        dict.set_item("gateway", member.gateway.as_deref())?;
        dict.set_item("port", member.port.as_deref())?;
        dict.set_item("weight", member.weight)?;
        dict.set_item("onlink", member.onlink)?;
        dict.set_item("blackhole", member.blackhole)?;
        members.append(dict)?;
    }
    let dict = PyDict::new(py);
    dict.set_item("prefix", &view.prefix)?;
    dict.set_item("nhg", view.nhg)?;
    dict.set_item("state", view.state.name())?;
    dict.set_item("errno", view.errno)?;
    dict.set_item("kernel_group", view.kernel_group)?;
    dict.set_item("members", members)?;
    Ok(dict)
}

#[pymethods]
impl AgentFib {
    #[new]
    #[pyo3(signature = (*, ncp, table = 254, protocol = 201, metric = 50, id_base = 0x2000_0000))]
    fn new(ncp: &str, table: u32, protocol: u8, metric: u32, id_base: u32) -> Self {
        Self {
            model: Mutex::new(agent::AgentFib::new(ncp, table, protocol, metric, id_base)),
        }
    }

    fn set_port(&self, py: Python<'_>, name: &str, ifindex: u32, up: bool) {
        self.with(py, |model| model.set_port(name, ifindex, up));
    }

    fn remove_port(&self, py: Python<'_>, name: &str) {
        self.with(py, |model| model.remove_port(name));
    }

    fn set_fabric(
        &self,
        py: Python<'_>,
        port: Option<&str>,
        peers: HashMap<String, Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let peers: Vec<(String, Peer)> = peers
            .into_iter()
            .map(|(name, row)| {
                Ok((
                    name,
                    Peer {
                        v4: address(column(&row, 0)?)?,
                        v6: address(column(&row, 1)?)?,
                    },
                ))
            })
            .collect::<PyResult<_>>()?;
        self.with(py, |model| model.set_fabric(port, &peers));
        Ok(())
    }

    #[pyo3(signature = (*, wide, backup))]
    fn set_weights(&self, py: Python<'_>, wide: bool, backup: bool) {
        self.with(py, |model| model.set_weights(wide, backup));
    }

    fn put_adjacencies(&self, py: Python<'_>, rows: Vec<Bound<'_, PyAny>>) -> PyResult<()> {
        type Row = (u32, PyBackedStr, PyBackedStr, PyBackedBytes, u8);
        let rows: Vec<Row> = rows
            .iter()
            .map(|row| {
                Ok((
                    column(row, 0)?,
                    column(row, 1)?,
                    column(row, 2)?,
                    column(row, 3)?,
                    column(row, 4)?,
                ))
            })
            .collect::<PyResult<_>>()?;
        let rows: Vec<agent::AdjacencyRow<'_>> = rows
            .iter()
            .map(|r| (r.0, &r.1[..], &r.2[..], &r.3[..], r.4))
            .collect();
        self.with(py, |model| model.put_adjacencies(&rows))
            .map_err(refused)
    }

    fn put_groups(&self, py: Python<'_>, rows: Vec<Bound<'_, PyAny>>) -> PyResult<()> {
        let rows: Vec<(u32, PyBackedBytes, u8, PyBackedBytes)> = rows
            .iter()
            .map(|row| {
                Ok((
                    column(row, 0)?,
                    column(row, 1)?,
                    column(row, 2)?,
                    column(row, 3)?,
                ))
            })
            .collect::<PyResult<_>>()?;
        let rows: Vec<agent::GroupRow<'_>> = rows
            .iter()
            .map(|r| (r.0, &r.1[..], r.2, &r.3[..]))
            .collect();
        self.with(py, |model| model.put_groups(&rows))
            .map_err(refused)
    }

    fn put_routes(
        &self,
        py: Python<'_>,
        table: u32,
        dst: &[u8],
        plen: &[u8],
        nhg: &[u8],
        op: &[u8],
    ) -> PyResult<Vec<(usize, &'static str)>> {
        self.with(py, |model| model.put_routes(table, dst, plen, nhg, op))
            .map_err(refused)
    }

    fn drop_groups(&self, py: Python<'_>, ids: Vec<u32>) {
        self.with(py, |model| model.drop_groups(&ids));
    }

    fn drop_adjacencies(&self, py: Python<'_>, ids: Vec<u32>) {
        self.with(py, |model| model.drop_adjacencies(&ids));
    }

    #[pyo3(signature = (kept = Vec::new()))]
    fn snapshot_begin(&self, py: Python<'_>, kept: Vec<Bound<'_, PyAny>>) -> PyResult<()> {
        let set = |row: &Bound<'_, PyAny>| {
            let bits: PyBackedBytes = column(row, 1)?;
            let bits = <[u8; SHARDS / 8]>::try_from(&bits[..]).map_err(|_| {
                PyValueError::new_err(format!("shards as {} bytes, not 128", bits.len()))
            })?;
            Ok((column(row, 0)?, ShardSet(bits)))
        };
        let kept: Vec<(u32, ShardSet)> = kept.iter().map(set).collect::<PyResult<_>>()?;
        self.with(py, |model| model.snapshot_begin(&kept));
        Ok(())
    }

    fn shard_sums<'py>(&self, py: Python<'py>) -> Vec<(u32, Bound<'py, PyBytes>)> {
        let sums = self.with(py, |model| model.shard_sums());
        sums.into_iter()
            .map(|(table, sums)| (table, PyBytes::new(py, &sums.to_bytes())))
            .collect()
    }

    fn retry_failed(&self, py: Python<'_>) -> usize {
        self.with(py, |model| model.retry_failed())
    }

    #[pyo3(signature = (count, digest, sweep = true))]
    fn snapshot_end(
        &self,
        py: Python<'_>,
        count: u64,
        digest: u64,
        sweep: bool,
    ) -> (bool, u64, u64) {
        self.with(py, |model| model.snapshot_end(count, digest, sweep))
    }

    fn set_digest_key(&self, py: Python<'_>, key: &[u8]) -> PyResult<()> {
        let key = <[u8; 16]>::try_from(key).map_err(|_| {
            PyValueError::new_err(format!("a digest key of {} bytes, not 16", key.len()))
        })?;
        self.with(py, |model| model.set_digest_key(key));
        Ok(())
    }

    #[getter]
    fn unsaved(&self, py: Python<'_>) -> bool {
        self.with(py, |model| model.unsaved())
    }

    fn memory<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.with(py, agent::AgentFib::memory))
    }

    fn recall(&self, py: Python<'_>, memory: &[u8]) -> usize {
        self.with(py, |model| model.recall(memory))
    }

    fn adopt_nexthops(&self, py: Python<'_>, dump: &[u8]) -> usize {
        self.with(py, |model| model.adopt_nexthops(dump))
    }

    fn adopt_routes(&self, py: Python<'_>, dump: &[u8]) -> usize {
        self.with(py, |model| model.adopt_routes(dump))
    }

    fn audit_begin(&self, py: Python<'_>, routes: bool) {
        self.with(py, |model| model.audit_begin(routes));
    }

    fn audit_routes(&self, py: Python<'_>, dump: &[u8]) {
        self.with(py, |model| model.audit_routes(dump));
    }

    fn audit_doubtful(&self, py: Python<'_>) -> bool {
        self.with(py, |model| model.audit_doubtful())
    }

    fn audit_nexthops(&self, py: Python<'_>, dump: &[u8]) {
        self.with(py, |model| model.audit_nexthops(dump));
    }

    fn audit_end<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyDict>, Failures<'py>)> {
        let drift = self.with(py, agent::AgentFib::audit_end);
        let dict = PyDict::new(py);
        for (name, value) in drift.named() {
            dict.set_item(name, value)?;
        }
        dict.set_item("names", drift.names)?;
        Ok((dict, failure_rows(py, drift.failures)))
    }

    fn audit_abandon(&self, py: Python<'_>) {
        self.with(py, agent::AgentFib::audit_abandon);
    }

    fn nexthop_events(&self, py: Python<'_>, events: &[u8]) -> (usize, usize) {
        self.with(py, |model| model.nexthop_events(events))
    }

    #[pyo3(signature = (max_bytes = 262_144, position = 0))]
    fn next_batch<'py>(
        &self,
        py: Python<'py>,
        max_bytes: usize,
        position: u64,
    ) -> PyResult<Option<(Bound<'py, PyBytes>, u32, u32)>> {
        let batch = self.with(py, |model| model.next_batch(max_bytes, position));
        let batch = batch.map_err(|_| {
            PyRuntimeError::new_err("a batch is outstanding: batch_done comes first")
        })?;
        Ok(batch.map(|(bytes, first, last)| (PyBytes::new(py, &bytes), first, last)))
    }

    fn batch_done<'py>(&self, py: Python<'py>, replies: &[u8]) -> Failures<'py> {
        let failures = self.with(py, |model| model.batch_done(replies));
        failure_rows(py, failures)
    }

    #[getter]
    fn reached(&self, py: Python<'_>) -> u64 {
        self.with(py, |model| model.reached())
    }

    #[getter]
    fn pending(&self, py: Python<'_>) -> usize {
        self.with(py, agent::AgentFib::pending)
    }

    #[getter]
    fn installed(&self, py: Python<'_>) -> usize {
        self.with(py, agent::AgentFib::installed)
    }

    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = self.with(py, agent::AgentFib::counts);
        let dict = PyDict::new(py);
        for (name, value) in counts.named() {
            dict.set_item(name, value)?;
        }
        Ok(dict)
    }

    fn failed_by_errno(&self, py: Python<'_>) -> BTreeMap<u16, usize> {
        self.with(py, |model| model.failed_by_errno())
    }

    fn digest(&self, py: Python<'_>) -> (u64, u64) {
        self.with(py, |model| model.digest())
    }

    fn route<'py>(
        &self,
        py: Python<'py>,
        table: u32,
        prefix: (PyBackedBytes, u8),
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let view = self.with(py, |model| model.route(table, &prefix.0, prefix.1));
        view.map(|view| route_dict(py, &view)).transpose()
    }

    #[allow(clippy::type_complexity)]
    fn page<'py>(
        &self,
        py: Python<'py>,
        table: u32,
        cursor: u32,
        limit: usize,
    ) -> PyResult<(Vec<Bound<'py, PyDict>>, Option<u32>)> {
        let (rows, next) = self.with(py, |model| model.page(table, cursor, limit));
        Ok((
            rows.iter()
                .map(|view| route_dict(py, view))
                .collect::<PyResult<_>>()?,
            next,
        ))
    }
}

/// What one read of a netlink dump holds: (bytes of its whole messages, at its end, broken by a change, errno).
#[pyfunction]
fn netlink_dump_part(chunk: &[u8], sequence: u32) -> (usize, bool, bool, i32) {
    let part = agent::netlink::dump_part(chunk, sequence);
    (part.end, part.done, part.broken, part.errno)
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(netlink_dump_part, m)?)?;
    m.add_class::<AgentFib>()
}
