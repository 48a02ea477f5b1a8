#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod answer;
mod body;
mod choose;
mod codec;
mod coding;
mod compress;
mod config;
mod eligible;
mod error;
mod fields;
mod keep;
mod media_type;
mod metrics;
mod negotiate;
mod replay;
mod whole;

pub use answer::Answer;
pub use choose::choose;
pub use coding::Coding;
pub use compress::{Compress, CompressLayer, ResponseFuture};
pub use config::{Config, Levels};
pub use error::BuildError;
pub use fields::{set_coded, set_vary};
pub use whole::encode;
