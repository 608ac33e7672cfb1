//! The durable queue on real databases of both kinds: SQLite in a file, and PostgreSQL on a server of the tests' own. Each
//! test has one body for both.

mod again;
mod database;
mod files;
mod history;
mod leases;
mod line;
mod migrations;
mod place;
mod queue;
mod same;
