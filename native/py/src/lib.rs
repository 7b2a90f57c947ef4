//! The thin binding: types cross here, logic lives in `routing-core`.
use pyo3::prelude::*;

mod agent;

#[pymodule]
fn _native(m: &Bound<'_, PyModule>) -> PyResult<()> {
    agent::register(m)?;
    Ok(())
}
