//! How Tenantry's stores compare with hand-written statements, and how they grow.
//!
//! `cargo xtask bench` starts a Postgres that keeps its promises (`fsync` and `synchronous_commit` on), runs the program of this
//! crate against it, and prints one table for each store; `docs/benchmarks.md` says what the rows mean.
//!
//! # What is measured, and against what
//!
//! A figure in microseconds says more about a machine than about a library. So each operation is measured together with its
//! *floor*: what somebody would write who needs this one thing and nothing else, over the same driver, the same kind of
//! connection and our very tables, with every statement prepared ([`floor`]). The goals are ratios to it.
//!
//! # Why not criterion
//!
//! A ratio is only worth something when both of its ends met the same machine. Criterion takes all samples of one function and
//! then all of the next, and what it says of a disk's flush at one minute is no measure for the next minute. Here the two
//! take turns, in short blocks and in either order ([`measure`]); a ratio is made within each pair of neighbouring blocks, and the
//! median of these is the run's. A run whose floor was restless, or lies far from that of the other runs, is thrown away and made
//! again. What is reported is the median of at least three runs.
//!
//! Criterion has its place beside that: `cargo bench -p tenantry-bench` runs the same operations as criterion groups, for whoever
//! changes something in a store and wants to see the effect of just that. The ratios of its figures are not those of the tables.
//!
//! # What is asked
//!
//! The same data for all stores ([`world`]): for a size of n, n organizations with one member each, n users, n tuples, and one
//! more organization that has n members. It is written in bulk, and compared, row by row, with what an import of the same rows
//! writes ([`fill`]).
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench talks to the person who runs it")]
#![allow(clippy::doc_markdown, reason = "SQLite is a name, not an item")]

pub mod figures;
pub mod fill;
pub mod floor;
pub mod interrupt;
pub mod machine;
pub mod measure;
pub mod report;
pub mod rows;
pub mod scene;
pub mod sides;
pub mod world;
