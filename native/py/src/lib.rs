//! The thin binding: types cross here, logic lives in `routing-core`.

use pyo3::prelude::*;

mod agent;
mod engine;
mod fib;
mod mrt;
mod values;
mod wire;

#[pymodule]
fn _native(m: &Bound<'_, PyModule>) -> PyResult<()> {
    wire::register(m)?;
    mrt::register(m)?;
    engine::register(m)?;
    agent::register(m)
}
