//! Whether this process is well: checks in the background, answers from what they left.

mod check;
mod config;
mod registry;
mod report;
mod service;

pub use check::Check;
pub use config::Config;
pub use registry::{Health, HealthBuilder, StartError};
pub use report::{CheckReport, Report, Status};
pub use service::HealthService;
