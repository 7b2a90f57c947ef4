//! Binding of BGP peers as sources, and of what stays of them between two sessions.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use routing_core::rib::engine::Engine as Core;
use routing_core::rib::source::{Kind, Source};

use crate::engine::{number, Engine};
use crate::wire::ip;

/// Where a peer is, by name.
fn placed(e: &mut Core, peer: Source, ncp: &str, port: &str) -> Source {
    let hops = &mut e.core.hops;
    let port = hops.name_id(port);
    let ncp = if port == 0 { 0 } else { hops.name_id(ncp) };
    Source { ncp, port, ..peer }
}

fn default_distance(ebgp: bool) -> u32 {
    if ebgp {
        20
    } else {
        200
    }
}

fn ipv4(afi: u16) -> PyResult<bool> {
    match afi {
        1 => Ok(true),
        2 => Ok(false),
        _ => Err(PyValueError::new_err(format!("no table of AFI {afi}"))),
    }
}

#[pymethods]
impl Engine {
    #[pyo3(signature = (*, address, asn, router_id, ebgp, member = false, client = false, import_accept = true, distance = None, weight = 0, instance = 0, ncp = "", port = ""))]
    #[allow(clippy::too_many_arguments)]
    fn add_peer(
        &self,
        py: Python<'_>,
        address: Vec<u8>,
        asn: u32,
        router_id: Vec<u8>,
        ebgp: bool,
        member: bool,
        client: bool,
        import_accept: bool,
        distance: Option<u32>,
        weight: u16,
        instance: u16,
        ncp: &str,
        port: &str,
    ) -> PyResult<u32> {
        self.instance(py, instance)?;
        let peer = Source {
            import_accept,
            ebgp,
            member,
            client,
            asn,
            router_id: number(&router_id)?,
            address: ip(&address)?,
            distance: distance.unwrap_or(default_distance(ebgp)),
            weight,
            ..Source::own(Kind::Bgp, instance)
        };
        Ok(self.with(py, |e| {
            let peer = placed(e, peer, ncp, port);
            e.add_source(peer)
        }))
    }

    #[pyo3(signature = (source, *, address, asn, router_id, ebgp, member = false, client = false, import_accept = true, distance = None, weight = 0, ncp = "", port = ""))]
    #[allow(clippy::too_many_arguments)]
    fn renew_peer(
        &self,
        py: Python<'_>,
        source: u32,
        address: Vec<u8>,
        asn: u32,
        router_id: Vec<u8>,
        ebgp: bool,
        member: bool,
        client: bool,
        import_accept: bool,
        distance: Option<u32>,
        weight: u16,
        ncp: &str,
        port: &str,
    ) -> PyResult<()> {
        self.peer(py, source)?;
        let was = self.with(py, |e| {
            let peer = &e.core.sources[source as usize];
            (peer.ebgp, peer.member)
        });
        if was != (ebgp, member) {
            let why = "a peer of another AS does not come back as one of ours, nor the other way";
            return Err(PyValueError::new_err(why));
        }
        let peer = Source {
            import_accept,
            ebgp,
            member,
            client,
            asn,
            router_id: number(&router_id)?,
            address: ip(&address)?,
            distance: distance.unwrap_or(default_distance(ebgp)),
            weight,
            ..Source::own(Kind::Bgp, 0)
        };
        self.with(py, |e| {
            let peer = placed(e, peer, ncp, port);
            e.renew_peer(source, peer);
        });
        Ok(())
    }

    #[pyo3(signature = (source, *, afi, paths))]
    fn set_limit(&self, py: Python<'_>, source: u32, afi: u16, paths: Option<u32>) -> PyResult<()> {
        self.peer(py, source)?;
        let family = usize::from(!ipv4(afi)?);
        self.with(py, |e| {
            e.core.sources[source as usize].most[family] = paths.unwrap_or(u32::MAX);
        });
        Ok(())
    }

    #[pyo3(signature = (source, *, afi))]
    fn mark_stale(&self, py: Python<'_>, source: u32, afi: u16) -> PyResult<()> {
        self.peer(py, source)?;
        match ipv4(afi)? {
            true => self.with(py, |e| e.mark_stale::<u32>(source)),
            false => self.with(py, |e| e.mark_stale::<u128>(source)),
        }
        Ok(())
    }

    #[pyo3(signature = (source, *, afi))]
    fn sweep_stale(&self, py: Python<'_>, source: u32, afi: u16) -> PyResult<()> {
        self.peer(py, source)?;
        match ipv4(afi)? {
            true => self.with(py, |e| e.sweep_stale::<u32>(source)),
            false => self.with(py, |e| e.sweep_stale::<u128>(source)),
        }
        Ok(())
    }

    #[pyo3(signature = (source, *, afi, on))]
    fn set_long_lived(&self, py: Python<'_>, source: u32, afi: u16, on: bool) -> PyResult<()> {
        self.peer(py, source)?;
        match ipv4(afi)? {
            true => self.with(py, |e| e.set_long_lived::<u32>(source, on)),
            false => self.with(py, |e| e.set_long_lived::<u128>(source, on)),
        }
        Ok(())
    }
}

impl Engine {
    fn peer(&self, py: Python<'_>, source: u32) -> PyResult<()> {
        self.source(py, source)?;
        let kind = self.with(py, |e| e.core.sources[source as usize].kind);
        if kind != Kind::Bgp {
            return Err(PyValueError::new_err(format!("source {source} is no peer")));
        }
        Ok(())
    }
}
