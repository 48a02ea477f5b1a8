//! The middleware: codes the answers of the service inside.

mod future;
mod layer;
mod service;
mod shared;

pub use future::ResponseFuture;
pub use layer::CompressLayer;
pub use service::Compress;
