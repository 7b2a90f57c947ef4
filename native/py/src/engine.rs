//! Binding of the engine: every call releases the GIL before it takes the engine's lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict};
use routing_core::prefix::{AnyPrefix, Ip};
use routing_core::rib::engine::Engine as Core;
use routing_core::rib::options::Setting;
use routing_core::rib::source::{Kind, Source};
use routing_core::wire::refusal::Refusal;

use crate::fib::{routes_among, FibDelta};
use crate::wire::{decode_counted, Changes, SessionTerms, Updates};

pub type PyPrefix = (Vec<u8>, u8);

#[pyclass(module = "native", frozen)]
pub struct Engine(Mutex<Core>);

impl Engine {
    /// A panic inside the RIB leaves it in an unknown state: `routingd` ends the process on this error (architecture.md).
    fn lock(&self) -> MutexGuard<'_, Core> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn with<R: Send>(&self, py: Python<'_>, f: impl FnOnce(&mut Core) -> R + Send) -> R {
        py.detach(|| f(&mut self.lock()))
    }

    pub fn source(&self, py: Python<'_>, source: u32) -> PyResult<()> {
        let n = self.with(py, |e| e.core.sources.len());
        if source == 0 || source as usize >= n {
            return Err(PyValueError::new_err(format!("no source {source}")));
        }
        Ok(())
    }

    pub fn instance(&self, py: Python<'_>, instance: u16) -> PyResult<usize> {
        let n = self.with(py, |e| e.instances.len());
        if usize::from(instance) >= n {
            return Err(PyValueError::new_err(format!("no instance {instance}")));
        }
        Ok(instance.into())
    }

    fn add_other(&self, py: Python<'_>, kind: Kind, instance: u16) -> PyResult<u32> {
        self.instance(py, instance)?;
        Ok(self.with(py, |e| e.add_source(Source::own(kind, instance))))
    }
}

pub fn prefix(p: &PyPrefix) -> PyResult<AnyPrefix> {
    AnyPrefix::from_bytes(&p.0, p.1).ok_or_else(|| {
        PyValueError::new_err("a prefix is (4 or 16 address bytes, length within them)")
    })
}

pub fn number(bytes: &[u8]) -> PyResult<u32> {
    match Ip::from_bytes(bytes) {
        Ip::V4(a) => Ok(a),
        _ => Err(PyValueError::new_err("a router id has 4 bytes")),
    }
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (*, router_id, asn, digest_key, seed = 0, fib = true))]
    fn new(
        router_id: Vec<u8>,
        asn: u32,
        digest_key: Vec<u8>,
        seed: u64,
        fib: bool,
    ) -> PyResult<Self> {
        let _ = seed; // hash tables are seeded from the system; nothing visible depends on their order
        let key: [u8; 16] = digest_key
            .try_into()
            .map_err(|_| PyValueError::new_err("digest_key has 16 bytes"))?;
        let core = Core::new(number(&router_id)?, asn, key);
        Ok(Engine(Mutex::new(if fib {
            core
        } else {
            core.without_fib()
        })))
    }

    #[pyo3(signature = (*, instance = 0))]
    fn add_connected_source(&self, py: Python<'_>, instance: u16) -> PyResult<u32> {
        self.add_other(py, Kind::Connected, instance)
    }

    #[pyo3(signature = (*, instance = 0))]
    fn add_static_source(&self, py: Python<'_>, instance: u16) -> PyResult<u32> {
        self.add_other(py, Kind::Static, instance)
    }

    #[pyo3(signature = (*, instance = 0, **options))]
    fn set_options(
        &self,
        py: Python<'_>,
        instance: usize,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let mut settings = Vec::new();
        for (name, value) in options.into_iter().flatten() {
            let value = match value.cast::<PyBool>() {
                Ok(on) => Setting::Switch(on.is_true()),
                Err(_) => Setting::Number(value.extract().map_err(|_| {
                    PyValueError::new_err(format!("{name}: neither a bool nor a number in range"))
                })?),
            };
            settings.push((name.extract::<String>()?, value));
        }
        self.with(py, |e| {
            let tables = e.instances.get(instance);
            let mut o = tables.ok_or("no such instance")?.v4.options;
            for (name, value) in &settings {
                o.set(name, *value)?;
            }
            e.set_options(instance, o);
            Ok(())
        })
        .map_err(|why: String| PyValueError::new_err(why))
    }

    fn set_port(&self, py: Python<'_>, ncp: &str, port: &str, up: bool) {
        self.with(py, |e| e.set_port(ncp, port, up));
    }

    fn set_time(&self, py: Python<'_>, seconds: u32) {
        self.with(py, |e| e.set_time(seconds));
    }

    fn remove_source(&self, py: Python<'_>, source: u32) -> PyResult<()> {
        self.source(py, source)?;
        self.with(py, |e| e.remove_source(source));
        Ok(())
    }

    #[pyo3(signature = (budget = 4096))]
    fn step(&self, py: Python<'_>, budget: usize) -> bool {
        self.with(py, |e| e.step(budget))
    }

    fn receive(
        &self,
        py: Python<'_>,
        source: u32,
        updates: &Updates,
        terms: &SessionTerms,
    ) -> PyResult<Changes> {
        self.source(py, source)?;
        Ok(Changes(py.detach(|| {
            let mut c = decode_counted(&updates.bytes, &terms.0);
            c.refused[Refusal::TooManyPaths as usize] += self.lock().apply(source, &c);
            // only counts and faults go back
            c.arena = Vec::new();
            c.blocks = Vec::new();
            c.v4 = Vec::new();
            c.v6 = Vec::new();
            c
        })))
    }

    fn apply(&self, py: Python<'_>, source: u32, changes: &Changes) -> PyResult<()> {
        self.source(py, source)?;
        self.with(py, |e| e.apply(source, &changes.0));
        Ok(())
    }

    /// False once a call has panicked: the tables can no longer be trusted.
    #[getter]
    fn healthy(&self) -> bool {
        !self.0.is_poisoned()
    }
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Engine>()?;
    m.add_class::<FibDelta>()?;
    m.add_function(wrap_pyfunction!(routes_among, m)?)
}
