//! One file a command. Each has its arguments, checks them, calls [`crate::engine`] and draws the answer.

pub mod compare;
pub mod demo;
pub mod doctor;
pub mod edit;
pub mod export;
pub mod figure;
pub mod lab;
pub mod merge;
pub mod models;
pub mod report;
mod retrace;
pub mod serve;
pub mod shards;
pub mod slurm;
pub mod study;
pub mod sweep;
pub mod trace;
pub mod train;
pub mod verify;

#[cfg(test)]
mod tests;
