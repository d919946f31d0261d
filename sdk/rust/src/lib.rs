//! Client for Ramet: runs untrusted code in virtual machines that fork in milliseconds.
//!
//! ```no_run
//! # #[cfg(feature = "blocking")]
//! # fn main() -> ramet::Result<()> {
//! let sandbox = ramet::Sandbox::new()?;
//! println!("{}", sandbox.run("print(1 + 1)")?);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "blocking"))]
//! # fn main() {}
//! ```
#![forbid(unsafe_code)]
#[cfg(not(any(feature = "async", feature = "blocking")))]
compile_error!("ramet needs one of its features 'blocking' and 'async'.");

#[cfg(feature = "async")]
pub mod aio;
#[cfg(feature = "blocking")]
mod blocking;
mod error;
mod events;
mod model;
mod options;
mod surface;

#[cfg(feature = "blocking")]
pub use blocking::{Client, Sandbox};
pub use error::{ApiError, Error, Result};
pub use model::{CommandResult, ExecResult, FileInfo, Output, ProcessInfo, RunResult, SandboxInfo, Saved, Template};
pub use options::{ClientOptions, Command, CommandOptions, ExecOptions, RunOptions, SandboxOptions};
