//! Plain values of the core as Python objects.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use routing_core::rib::value::Value;

pub fn to_python<'py>(py: Python<'py>, v: Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match v {
        Value::Null => py.None().into_bound(py),
        Value::Bool(b) => b.into_pyobject(py)?.to_owned().into_any(),
        Value::Int(n) => n.into_pyobject(py)?.into_any(),
        Value::Unsigned(n) => n.into_pyobject(py)?.into_any(),
        Value::Text(s) => PyString::new(py, &s).into_any(),
        Value::List(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_python(py, item)?)?;
            }
            list.into_any()
        }
        Value::Map(fields) => {
            let dict = PyDict::new(py);
            for (key, value) in fields {
                dict.set_item(key, to_python(py, value)?)?;
            }
            dict.into_any()
        }
    })
}

/// Rows between which another thread may have the GIL: thousands of them must not hold up an event loop.
const STRETCH: usize = 64;

pub fn list<'py>(py: Python<'py>, rows: Vec<Value>) -> PyResult<Bound<'py, PyList>> {
    let out = PyList::empty(py);
    for (n, row) in rows.into_iter().enumerate() {
        if n % STRETCH == STRETCH - 1 {
            py.detach(|| ());
        }
        out.append(to_python(py, row)?)?;
    }
    Ok(out)
}
