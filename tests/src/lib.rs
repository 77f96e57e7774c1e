//! What the tests share: fixtures, devices, and the naive run that everything faster is held against.

pub mod fixtures;
pub mod naive;
pub mod oracle;
