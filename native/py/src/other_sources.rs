//! Binding of sources that are not BGP peers, and of what BGP originates from them.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use routing_core::prefix::Ip;
use routing_core::rib::engine::OtherPath;
use routing_core::rib::nexthop::{Hop, SetKind};
use routing_core::rib::originate::Kinds;
use routing_core::rib::source::Kind;

use crate::engine::{prefix, Engine, PyPrefix};

#[pymethods]
impl Engine {
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
            let instance = e.core.sources[source as usize].instance;
            let hop = Hop {
                ncp: e.core.hops.name_id(ncp),
                port: e.core.hops.name_id(port),
                role: u8::from(local),
                ..Hop::to(instance, Ip::None)
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
            let instance = e.core.sources[source as usize].instance;
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
                    ..Hop::to(instance, addr)
                });
            }
            if kind != SetKind::Via {
                hops.push(Hop::to(instance, Ip::None));
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

    #[pyo3(signature = (afi, prefixes, *, instance = 0))]
    fn set_networks(
        &self,
        py: Python<'_>,
        afi: u16,
        prefixes: Vec<PyPrefix>,
        instance: u16,
    ) -> PyResult<()> {
        let instance = self.instance(py, instance)?;
        let list = prefixes.iter().map(prefix).collect::<PyResult<Vec<_>>>()?;
        self.with(py, |e| match afi {
            1 => e.set_networks::<u32>(instance, &list),
            _ => e.set_networks::<u128>(instance, &list),
        });
        Ok(())
    }

    #[pyo3(signature = (protocols, *, instance = 0))]
    fn set_redistribute(
        &self,
        py: Python<'_>,
        protocols: Vec<String>,
        instance: u16,
    ) -> PyResult<()> {
        let instance = self.instance(py, instance)?;
        let kind = |name: &String| match name.as_str() {
            "connected" => Ok(Kind::Connected),
            "static" => Ok(Kind::Static),
            _ => Err(PyValueError::new_err(format!("not redistributed: {name}"))),
        };
        let kinds = protocols.iter().map(kind).collect::<PyResult<Vec<_>>>()?;
        self.with(py, |e| e.set_redistribute(instance, Kinds::of(&kinds)));
        Ok(())
    }
}
