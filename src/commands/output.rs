//! What the subcommands print: results to standard output, everything else to standard error.

use std::io::{self, BufWriter, Write};

use super::Exit;
use crate::{model, settings::SettingsError};

/// Writes to standard output through a buffer. A reader that has gone (`| head`) ends the program quietly.
pub(super) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Exit {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Ok(()) => Exit::Ok,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Ok,
        Err(error) => {
            eprintln!("boss-bot: {error}");
            Exit::Failure
        }
    }
}

/// Says why the settings cannot be used.
pub(super) fn refuse(error: &SettingsError) -> Exit {
    warn(&error.warnings);
    eprintln!("boss-bot: {error}");
    eprintln!("Correct them, then try again; `boss-bot config check` looks at the settings only.");
    Exit::Settings
}

/// Says what looks like a mistake.
pub(super) fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("boss-bot: warning: {warning}");
    }
}

/// Says that something a setting names cannot be used.
pub(super) fn unusable(error: &model::Error) -> Exit {
    eprintln!("boss-bot: {}", error.operator_text());
    Exit::Settings
}

/// Bytes for people, counted as Discord counts.
pub(super) fn size(bytes: u64) -> String {
    const KIB: f64 = 1024.0;
    let bytes = bytes as f64;
    match bytes {
        _ if bytes >= KIB * KIB * KIB => format!("{:.1} GB", bytes / KIB / KIB / KIB),
        _ if bytes >= KIB * KIB => format!("{:.1} MB", bytes / KIB / KIB),
        _ if bytes >= KIB => format!("{:.0} KB", bytes / KIB),
        _ => format!("{bytes:.0} B"),
    }
}
