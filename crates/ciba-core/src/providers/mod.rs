//! Presets for providers that are known by name.

pub mod idura;
