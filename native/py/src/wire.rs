//! Binding of the wire format: framing and decoding.

use std::collections::BTreeMap;
use std::panic::catch_unwind;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use routing_core::prefix::{Addr, Ip, Prefix};
use routing_core::rib::value::attributes_value;
use routing_core::wire::boundary;
use routing_core::wire::framer::{self, Item, Notification};
use routing_core::wire::refusal::{Demands, Refusal};
use routing_core::wire::role::Role;
use routing_core::wire::terms::{Confederation, Terms};
use routing_core::wire::update::{self, Change, WITHDRAW};

use crate::values::to_python;

#[pyclass(module = "native", frozen)]
pub struct Updates {
    pub bytes: Vec<u8>,
    count: usize,
}

impl Updates {
    pub fn new(bytes: Vec<u8>, count: usize) -> Self {
        Updates { bytes, count }
    }
}

#[pymethods]
impl Updates {
    fn __len__(&self) -> usize {
        self.count
    }
    #[getter]
    fn nbytes(&self) -> usize {
        self.bytes.len()
    }
}

type Note<'py> = (u8, u8, Bound<'py, PyBytes>);

fn note<'py>(py: Python<'py>, n: &Option<Notification>) -> Option<Note<'py>> {
    n.as_ref()
        .map(|n| (n.code, n.subcode, PyBytes::new(py, &n.data)))
}

#[pyclass(module = "native")]
pub struct Framer(framer::Framer);

#[pymethods]
impl Framer {
    #[new]
    #[pyo3(signature = (max_message = 4096))]
    fn new(max_message: usize) -> Self {
        Framer(framer::Framer::new(max_message))
    }
    #[getter]
    fn max_message(&self) -> usize {
        self.0.max_message
    }
    #[setter]
    fn set_max_message(&mut self, n: usize) {
        self.0.max_message = n;
    }
    fn feed(&mut self, py: Python<'_>, data: &[u8]) -> PyResult<Framed> {
        let framed = self.0.feed(data);
        let items = PyList::empty(py);
        for item in framed.items {
            match item {
                Item::Updates { bytes, count } => items.append(Updates::new(bytes, count))?,
                Item::Other(kind, body) => items.append((kind, PyBytes::new(py, &body)))?,
            }
        }
        Ok(Framed {
            items: items.unbind(),
            keepalives: framed.keepalives,
            updates: framed.updates,
            error: framed.error,
        })
    }
}

#[pyclass(module = "native", frozen)]
pub struct Framed {
    #[pyo3(get)]
    items: Py<PyList>,
    #[pyo3(get)]
    keepalives: usize,
    #[pyo3(get)]
    updates: usize,
    error: Option<Notification>,
}

#[pymethods]
impl Framed {
    #[getter]
    fn error<'py>(&self, py: Python<'py>) -> Option<Note<'py>> {
        note(py, &self.error)
    }
}

#[pyclass(module = "native")]
#[derive(Default)]
pub struct Boundary(boundary::Boundary);

#[pymethods]
impl Boundary {
    #[new]
    fn new() -> Self {
        Self::default()
    }
    #[getter]
    fn tail<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.tail())
    }
    fn passed(&mut self, data: &[u8]) {
        self.0.passed(data);
    }
}

/// By its code (RFC 9234 4.1).
pub fn role(code: Option<u8>) -> PyResult<Option<Role>> {
    let Some(code) = code else { return Ok(None) };
    let role = Role::of(code).ok_or_else(|| PyValueError::new_err("role: 0 to 4 (RFC 9234)"))?;
    Ok(Some(role))
}

#[pyclass(module = "native", frozen)]
pub struct SessionTerms(pub Terms);

#[pymethods]
impl SessionTerms {
    #[new]
    #[pyo3(signature = (*, peer_asn, local_asn, four_octet_as, families, add_path_receive = Vec::new(), max_message = 4096, local_router_id = vec![0, 0, 0, 0], cluster_id = None, aigp = false, extended_next_hop = Vec::new(), role = None, enforce_first_as = false, allow_own_as = 0, max_as_path = None, max_attributes = None, confederation = None))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        peer_asn: u32,
        local_asn: u32,
        four_octet_as: bool,
        families: Vec<(u16, u8)>,
        add_path_receive: Vec<(u16, u8)>,
        max_message: usize,
        local_router_id: Vec<u8>,
        cluster_id: Option<Vec<u8>>,
        aigp: bool,
        extended_next_hop: Vec<(u16, u8)>,
        role: Option<u8>,
        enforce_first_as: bool,
        allow_own_as: usize,
        max_as_path: Option<u16>,
        max_attributes: Option<usize>,
        confederation: Option<(u32, u32)>,
    ) -> PyResult<Self> {
        let _ = max_message; // the framer's business; kept here so that one object describes a session
        if families.iter().any(|f| !matches!(f, (1, 1) | (2, 1))) {
            return Err(PyValueError::new_err(
                "families: only IPv4 and IPv6 unicast, (1, 1) and (2, 1)",
            ));
        }
        Ok(SessionTerms(Terms {
            peer_asn,
            local_asn,
            confederation: confederation.map(|(id, member)| Confederation { id, member }),
            local_router_id: u32::from_octets(&local_router_id),
            cluster_id: u32::from_octets(cluster_id.as_ref().unwrap_or(&local_router_id)),
            four_octet_as,
            families: families
                .into_iter()
                .map(|f| (f.0, f.1, add_path_receive.contains(&f)))
                .collect(),
            aigp,
            extended_next_hop,
            role: self::role(role)?,
            demands: Demands {
                first_as: enforce_first_as,
                own_as: allow_own_as,
                as_path: max_as_path.unwrap_or(u16::MAX),
                attributes: max_attributes.unwrap_or(usize::MAX),
            },
        }))
    }
}

#[pyclass(module = "native", frozen)]
pub struct Changes(pub update::Changes);

fn rows<'py, A: Addr>(
    py: Python<'py>,
    c: &update::Changes,
    list: &[Change<A>],
    out: &Bound<'py, PyList>,
) -> PyResult<()> {
    for change in list {
        let row = PyDict::new(py);
        let Prefix { addr, len } = change.prefix;
        row.set_item("afi", A::AFI)?;
        row.set_item("safi", 1)?;
        row.set_item("prefix", (PyBytes::new(py, &addr.wrap().to_bytes()), len))?;
        row.set_item("path_id", change.path_id)?;
        if change.attrs == WITHDRAW {
            row.set_item("op", "withdraw")?;
            row.set_item("attributes", py.None())?;
        } else {
            let b = &c.blocks[change.attrs as usize];
            let block = &c.arena[b.start as usize..b.end as usize];
            let value = attributes_value(block, b.next_hop.ip, b.next_hop.link_local);
            row.set_item("op", "announce")?;
            row.set_item("attributes", to_python(py, value)?)?;
        }
        out.append(row)?;
    }
    Ok(())
}

#[pymethods]
impl Changes {
    #[getter]
    fn updates(&self) -> u32 {
        self.0.updates
    }
    #[getter]
    fn announced(&self) -> u32 {
        self.0.announced
    }
    #[getter]
    fn withdrawn(&self) -> u32 {
        self.0.withdrawn
    }
    #[getter]
    fn refused(&self) -> BTreeMap<&'static str, u32> {
        let counts = Refusal::NAMES.into_iter().zip(self.0.refused);
        counts.filter(|count| count.1 > 0).collect()
    }
    #[getter]
    fn end_of_rib(&self) -> Vec<(u16, u16)> {
        let list = self.0.end_of_rib.iter();
        list.map(|f| (f.0, u16::from(f.1))).collect()
    }
    #[getter]
    fn faults<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let out = PyList::empty(py);
        for found in &self.0.faults {
            let f = &found.fault;
            let row = PyDict::new(py);
            row.set_item("code", f.code)?;
            row.set_item("disposition", f.disposition as u8)?;
            row.set_item("subcode", f.subcode)?;
            row.set_item("rfc", f.rfc)?;
            row.set_item("count", found.count)?;
            row.set_item("bytes", PyBytes::new(py, &found.attribute))?;
            row.set_item("message", PyBytes::new(py, &found.message))?;
            out.append(row)?;
        }
        Ok(out)
    }
    #[getter]
    fn error<'py>(&self, py: Python<'py>) -> Option<Note<'py>> {
        note(py, &self.0.error)
    }
    fn rows<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let out = PyList::empty(py);
        rows(py, &self.0, &self.0.v4, &out)?;
        rows(py, &self.0, &self.0.v6, &out)?;
        Ok(out)
    }
}

/// Decoding is pure, so a panic in it is one peer's affair: its session gets an UPDATE Message Error (RFC 4271 4.5: subcode 0,
/// unspecific) and nothing of this read is applied.
pub fn decode_counted(bytes: &[u8], terms: &Terms) -> update::Changes {
    let mut changes =
        catch_unwind(|| update::decode(bytes, terms)).unwrap_or_else(|_| update::Changes {
            error: Some(Notification::new(3, 0, &[])),
            ..update::Changes::default()
        });
    changes.count();
    changes
}

#[pyfunction]
fn decode(py: Python<'_>, updates: &Updates, terms: &SessionTerms) -> Changes {
    Changes(py.detach(|| decode_counted(&updates.bytes, &terms.0)))
}

pub fn ip(bytes: &[u8]) -> PyResult<Ip> {
    match Ip::from_bytes(bytes) {
        Ip::None => Err(PyValueError::new_err("an address has 4 or 16 bytes")),
        ip => Ok(ip),
    }
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Updates>()?;
    m.add_class::<Framer>()?;
    m.add_class::<Framed>()?;
    m.add_class::<Boundary>()?;
    m.add_class::<SessionTerms>()?;
    m.add_class::<Changes>()?;
    m.add_function(wrap_pyfunction!(decode, m)?)
}
