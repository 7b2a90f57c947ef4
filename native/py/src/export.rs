//! Binding of what peers are told.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use routing_core::prefix::Ip;
use routing_core::rib::export_terms::{ExportTerms, Ourselves};
use routing_core::wire::as_path_edit::{PathEdit, PrivateAs};

use crate::engine::{number, prefix, Engine, PyPrefix};
use crate::values::list;
use crate::wire::ip;

fn private_as(word: Option<&str>) -> PyResult<PrivateAs> {
    match word {
        None => Ok(PrivateAs::Kept),
        Some("remove") => Ok(PrivateAs::Removed),
        Some("replace") => Ok(PrivateAs::Replaced),
        Some(_) => Err(PyValueError::new_err(
            "private_as: \"remove\" or \"replace\"",
        )),
    }
}

#[pymethods]
impl Engine {
    #[pyo3(signature = (*, peer_source, afi, safi, ebgp, local_asn, peer_asn, next_hop_self, local_address, local_link, four_octet_as, max_message = 4096, extended_next_hop = false, aigp = false, role = None, member = false, client = false, cluster_id = None, llgr = false, next_hop_unchanged = false, private_as = None, as_override = false, shared = Vec::new(), add_path = 0))]
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
        aigp: bool,
        role: Option<u8>,
        member: bool,
        client: bool,
        cluster_id: Option<Vec<u8>>,
        llgr: bool,
        next_hop_unchanged: bool,
        private_as: Option<&str>,
        as_override: bool,
        shared: Vec<PyPrefix>,
        add_path: u8,
    ) -> PyResult<u32> {
        self.source(py, peer_source)?;
        let path_edit = PathEdit::new(self::private_as(private_as)?, as_override, peer_asn);
        let role = crate::wire::role(role)?;
        let address = ip(&local_address)?;
        let link = Ip::from_bytes(&local_link.unwrap_or_default());
        let mut ourselves = Ourselves {
            address,
            link_local: match (address, link) {
                (Ip::V6(_), Ip::V6(link)) => link,
                _ => 0,
            },
            shared: shared.iter().map(prefix).collect::<PyResult<_>>()?,
            peer: Ip::None,
        };
        let shape = ourselves.shape();
        let cluster_id = cluster_id.map(|id| number(&id)).transpose()?;
        let terms = |router_id, default_local_pref| ExportTerms {
            afi,
            safi,
            ebgp,
            member,
            client,
            cluster_id: cluster_id.unwrap_or(router_id),
            local_asn,
            next_hop_self,
            next_hop_unchanged,
            path_edit,
            ourselves: shape,
            four_octet_as,
            max_message,
            extended_next_hop,
            aigp,
            role,
            llgr,
            add_path,
            default_local_pref,
        };
        Ok(self.with(py, |e| {
            let instance = usize::from(e.core.sources[peer_source as usize].instance);
            let options = e.instances[instance].v4.options;
            ourselves.peer = e.core.sources[peer_source as usize].address;
            e.export_open(
                peer_source,
                terms(e.router_id, options.default_local_pref),
                ourselves,
            )
        }))
    }

    fn export_again(&self, py: Python<'_>, consumer: u32) {
        self.with(py, |e| e.export_again(consumer));
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
    ) -> Option<(Bound<'py, PyBytes>, usize)> {
        let (data, updates) = self.with(py, |e| e.export_read(consumer, max_routes))?;
        Some((PyBytes::new(py, &data), updates))
    }

    fn export_backlog(&self, py: Python<'_>, consumer: u32) -> usize {
        self.with(py, |e| e.export_backlog(consumer))
    }

    fn export_count(&self, py: Python<'_>, consumer: u32) -> usize {
        self.with(py, |e| e.export_count(consumer))
    }

    fn export_groups<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let rows = self.with(py, |e| e.export_groups());
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
}
