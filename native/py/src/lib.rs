//! The thin binding: types cross here, logic lives in `routing-core`.

use pyo3::prelude::*;

mod agent;
mod engine;
mod export;
mod fib;
mod leaks;
mod mrt;
mod other_sources;
mod peers;
mod queries;
mod values;
mod watch;
mod wire;

#[pymodule]
fn _native(m: &Bound<'_, PyModule>) -> PyResult<()> {
    wire::register(m)?;
    mrt::register(m)?;
    engine::register(m)?;
    agent::register(m)
}
