//! Binding of the engine: every call releases the GIL before it takes the engine's lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyList};
use routing_core::prefix::{AnyPrefix, Ip, Prefix};
use routing_core::rib::engine::{Engine as Core, OtherPath};
use routing_core::rib::nexthop::{Hop, SetKind};
use routing_core::rib::options::Setting;
use routing_core::rib::source::{Kind, Source};
use routing_core::rib::update_encode::ExportTerms;

use crate::fib::FibDelta;
use crate::values::to_python;
use crate::wire::{decode_counted, ip, Changes, SessionTerms, Updates};

type AnyPy<'py> = Bound<'py, PyAny>;
type PyPrefix = (Vec<u8>, u8);

#[pyclass(module = "native", frozen)]
pub struct Engine(Mutex<Core>);

impl Engine {
    /// A panic inside the RIB leaves it in an unknown state: `routingd` ends the process on this error (architecture.md).
    fn lock(&self) -> MutexGuard<'_, Core> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<R: Send>(&self, py: Python<'_>, f: impl FnOnce(&mut Core) -> R + Send) -> R {
        py.detach(|| f(&mut self.lock()))
    }

    fn source(&self, py: Python<'_>, source: u32) -> PyResult<()> {
        let n = self.with(py, |e| e.core.sources.len());
        if source == 0 || source as usize >= n {
            return Err(PyValueError::new_err(format!("no source {source}")));
        }
        Ok(())
    }

    fn add_other(&self, py: Python<'_>, kind: Kind) -> u32 {
        self.with(py, |e| {
            e.add_source(Source {
                kind,
                instance: 0,
                up: true,
                import_accept: true,
                ebgp: false,
                asn: 0,
                router_id: 0,
                address: Ip::None,
                distance: if kind == Kind::Connected { 0 } else { 1 },
                weight: 0,
                paths: [0; 2],
            })
        })
    }
}

fn prefix(p: &PyPrefix) -> PyResult<AnyPrefix> {
    AnyPrefix::from_bytes(&p.0, p.1).ok_or_else(|| {
        PyValueError::new_err("a prefix is (4 or 16 address bytes, length within them)")
    })
}

fn number(bytes: &[u8]) -> PyResult<u32> {
    match Ip::from_bytes(bytes) {
        Ip::V4(a) => Ok(a),
        _ => Err(PyValueError::new_err("a router id has 4 bytes")),
    }
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (*, router_id, asn, digest_key, seed = 0))]
    fn new(router_id: Vec<u8>, asn: u32, digest_key: Vec<u8>, seed: u64) -> PyResult<Self> {
        let _ = seed; // hash tables are seeded from the system; nothing visible depends on their order
        let key: [u8; 16] = digest_key
            .try_into()
            .map_err(|_| PyValueError::new_err("digest_key has 16 bytes"))?;
        Ok(Engine(Mutex::new(Core::new(number(&router_id)?, asn, key))))
    }

    fn add_connected_source(&self, py: Python<'_>) -> u32 {
        self.add_other(py, Kind::Connected)
    }

    fn add_static_source(&self, py: Python<'_>) -> u32 {
        self.add_other(py, Kind::Static)
    }

    #[pyo3(signature = (*, address, asn, router_id, ebgp, import_accept = true, distance = None, weight = 0))]
    #[allow(clippy::too_many_arguments)]
    fn add_peer(
        &self,
        py: Python<'_>,
        address: Vec<u8>,
        asn: u32,
        router_id: Vec<u8>,
        ebgp: bool,
        import_accept: bool,
        distance: Option<u32>,
        weight: u16,
    ) -> PyResult<u32> {
        let source = Source {
            kind: Kind::Bgp,
            instance: 0,
            up: true,
            import_accept,
            ebgp,
            asn,
            router_id: number(&router_id)?,
            address: ip(&address)?,
            distance: distance.unwrap_or(if ebgp { 20 } else { 200 }),
            weight,
            paths: [0; 2],
        };
        Ok(self.with(py, |e| e.add_source(source)))
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
            self.lock().apply(source, &c);
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

    #[pyo3(signature = (source, prefix, ncp, port, *, local = false, metric = 0))]
    #[allow(clippy::too_many_arguments)]
    fn put_connected(
        &self,
        py: Python<'_>,
        source: u32,
        prefix: PyPrefix,
        ncp: &str,
        port: &str,
        local: bool,
        metric: u32,
    ) -> PyResult<()> {
        self.source(py, source)?;
        let p = self::prefix(&prefix)?;
        self.with(py, |e| {
            let hop = Hop {
                ncp: e.core.hops.name_id(ncp),
                port: e.core.hops.name_id(port),
                role: u8::from(local),
                ..Hop::to(0, Ip::None)
            };
            let path = OtherPath {
                kind: SetKind::Connected,
                hops: vec![hop],
                distance: 0,
                metric,
                tag: 0,
            };
            e.put_path(source, p, path);
        });
        Ok(())
    }

    fn delete(&self, py: Python<'_>, source: u32, prefix: PyPrefix) -> PyResult<()> {
        self.source(py, source)?;
        let p = self::prefix(&prefix)?;
        self.with(py, |e| e.delete_path(source, p));
        Ok(())
    }

    #[pyo3(signature = (source, prefix, next_hops, *, kind = "via", distance = 1, metric = 0, tag = 0))]
    #[allow(clippy::too_many_arguments)]
    fn put_static(
        &self,
        py: Python<'_>,
        source: u32,
        prefix: PyPrefix,
        next_hops: Vec<Bound<'_, PyDict>>,
        kind: &str,
        distance: u32,
        metric: u32,
        tag: u32,
    ) -> PyResult<()> {
        self.source(py, source)?;
        let p = self::prefix(&prefix)?;
        let kind = match kind {
            "via" => SetKind::Via,
            "blackhole" => SetKind::Blackhole,
            "unreachable" => SetKind::Unreachable,
            other => return Err(PyValueError::new_err(format!("no such kind: {other}"))),
        };
        let mut rows = Vec::new();
        for h in &next_hops {
            let name = |key: &str| -> PyResult<String> {
                let v: Option<Option<String>> =
                    h.get_item(key)?.map(|v| v.extract()).transpose()?;
                Ok(v.flatten().unwrap_or_default())
            };
            let address: Option<Vec<u8>> =
                h.get_item("address")?.map(|v| v.extract()).transpose()?;
            let weight: Option<u16> = h.get_item("weight")?.map(|v| v.extract()).transpose()?;
            let addr = Ip::from_bytes(&address.unwrap_or_default());
            let (ncp, port) = (name("ncp")?, name("port")?);
            if addr == Ip::None && port.is_empty() {
                return Err(PyValueError::new_err("a next hop has an address or a port"));
            }
            rows.push((addr, ncp, port, weight.unwrap_or(1)));
        }
        if (kind == SetKind::Via) == rows.is_empty() {
            return Err(PyValueError::new_err(
                "\"via\" has next hops, the other kinds have none",
            ));
        }
        self.with(py, |e| {
            let mut hops: Vec<Hop> = Vec::new();
            for (addr, ncp, port, weight) in rows {
                let port = e.core.hops.name_id(&port);
                hops.push(Hop {
                    ncp: if port == 0 {
                        0
                    } else {
                        e.core.hops.name_id(&ncp)
                    },
                    port,
                    weight,
                    ..Hop::to(0, addr)
                });
            }
            if kind != SetKind::Via {
                hops.push(Hop::to(0, Ip::None));
            }
            let path = OtherPath {
                kind,
                hops,
                distance,
                metric,
                tag,
            };
            e.put_path(source, p, path);
        });
        Ok(())
    }

    fn set_networks(&self, py: Python<'_>, afi: u16, prefixes: Vec<PyPrefix>) -> PyResult<()> {
        let list = prefixes.iter().map(prefix).collect::<PyResult<Vec<_>>>()?;
        let four = list
            .iter()
            .filter_map(|p| match p {
                AnyPrefix::V4(p) => Some(*p),
                AnyPrefix::V6(_) => None,
            })
            .collect::<Vec<Prefix<u32>>>();
        let six = list
            .iter()
            .filter_map(|p| match p {
                AnyPrefix::V6(p) => Some(*p),
                AnyPrefix::V4(_) => None,
            })
            .collect::<Vec<Prefix<u128>>>();
        self.with(py, |e| match afi {
            1 => e.set_networks_v4(&four),
            _ => e.set_networks_v6(&six),
        });
        Ok(())
    }

    fn fib_open(&self, py: Python<'_>) -> u32 {
        self.with(py, Core::fib_open)
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
                    let a = &hops.adjacencies[id as usize];
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

    fn fib_snapshot_state(&self, py: Python<'_>, consumer: u32) -> (bool, u64, u64) {
        self.with(py, |e| e.fib_state(consumer))
    }

    #[pyo3(signature = (*, peer_source, afi, safi, ebgp, local_asn, peer_asn, next_hop_self, local_address, local_link, four_octet_as, max_message = 4096, extended_next_hop = false))]
    #[allow(clippy::too_many_arguments)]
    fn export_open(
        &self,
        py: Python<'_>,
        peer_source: u32,
        afi: u16,
        safi: u8,
        ebgp: bool,
        local_asn: u32,
        peer_asn: u32,
        next_hop_self: bool,
        local_address: Vec<u8>,
        local_link: Option<Vec<u8>>,
        four_octet_as: bool,
        max_message: usize,
        extended_next_hop: bool,
    ) -> PyResult<u32> {
        self.source(py, peer_source)?;
        let _ = peer_asn; // peers of different AS share bytes
        let terms = ExportTerms {
            afi,
            safi,
            ebgp,
            local_asn,
            next_hop_self,
            local_address: ip(&local_address)?,
            local_link: match Ip::from_bytes(&local_link.unwrap_or_default()) {
                Ip::V6(a) => a,
                _ => 0,
            },
            four_octet_as,
            max_message,
            extended_next_hop,
        };
        Ok(self.with(py, |e| e.export_open(peer_source, terms)))
    }

    fn export_close(&self, py: Python<'_>, consumer: u32) {
        self.with(py, |e| e.export_close(consumer));
    }

    #[pyo3(signature = (consumer, max_routes = 8192))]
    fn export_read<'py>(
        &self,
        py: Python<'py>,
        consumer: u32,
        max_routes: usize,
    ) -> Option<Bound<'py, PyBytes>> {
        self.with(py, |e| e.export_read(consumer, max_routes))
            .map(|b| PyBytes::new(py, &b))
    }

    fn export_backlog(&self, py: Python<'_>, consumer: u32) -> usize {
        self.with(py, |e| e.export_backlog(consumer))
    }

    fn export_count(&self, py: Python<'_>, consumer: u32) -> usize {
        self.with(py, |e| e.export_count(consumer))
    }

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

    fn lookup<'py>(&self, py: Python<'py>, prefix: PyPrefix) -> PyResult<Option<AnyPy<'py>>> {
        let p = self::prefix(&prefix)?;
        let v = self.with(py, |e| e.lookup(p));
        v.map(|v| to_python(py, v)).transpose()
    }

    fn longest_match<'py>(
        &self,
        py: Python<'py>,
        address: Vec<u8>,
    ) -> PyResult<Option<(Bound<'py, PyBytes>, u8)>> {
        let a = ip(&address)?;
        let found = self.with(py, |e| e.longest_match(a));
        Ok(found.map(|p| match p {
            AnyPrefix::V4(p) => (PyBytes::new(py, &p.addr.to_be_bytes()), p.len),
            AnyPrefix::V6(p) => (PyBytes::new(py, &p.addr.to_be_bytes()), p.len),
        }))
    }

    fn page<'py>(
        &self,
        py: Python<'py>,
        afi: u16,
        cursor: usize,
        limit: usize,
    ) -> PyResult<(Bound<'py, PyList>, Option<usize>)> {
        let (rows, next) = self.with(py, |e| e.page(afi, cursor, limit));
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

    fn adj_rib_out<'py>(
        &self,
        py: Python<'py>,
        consumer: u32,
        limit: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let rows = self.with(py, |e| e.adj_rib_out(consumer, limit));
        list(py, rows)
    }

    /// False once a call has panicked: the tables can no longer be trusted.
    #[getter]
    fn healthy(&self) -> bool {
        !self.0.is_poisoned()
    }
}

fn list<'py>(
    py: Python<'py>,
    rows: Vec<routing_core::rib::value::Value>,
) -> PyResult<Bound<'py, PyList>> {
    let out = PyList::empty(py);
    for row in rows {
        out.append(to_python(py, row)?)?;
    }
    Ok(out)
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Engine>()?;
    m.add_class::<FibDelta>()
}
