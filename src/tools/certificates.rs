//! The roots the tools trust when the operator adds one of their own (`NETWORK_CA_FILE`).
//!
//! Both tools take one file that replaces their own roots, so the extra root is appended to a copy of the usual ones.

use std::path::{Path, PathBuf};

use crate::model::{Error, Result};

/// Where distributions keep the roots as one file: Debian and Alpine, Fedora, openSUSE, the BSDs.
const SYSTEM: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Writes the usual roots and `extra` into `to`. `environment` is the tools' Python environment, whose certifi serves
/// where the system has no roots.
///
/// # Errors
/// `internal` when the extra root cannot be read or the bundle not be written.
pub(super) fn bundle(extra: &Path, environment: &Path, to: &Path) -> Result<()> {
    let added = std::fs::read(extra)
        .map_err(|error| Error::internal(format!("NETWORK_CA_FILE {} cannot be read: {error}", extra.display())))?;
    let usual = SYSTEM.iter().map(PathBuf::from).chain(certifi(environment)).find(|path| path.is_file());
    let mut roots = match usual {
        Some(path) => std::fs::read(path)?,
        None => Vec::new(),
    };
    roots.push(b'\n');
    roots.extend_from_slice(&added);
    Ok(std::fs::write(to, roots)?)
}

fn certifi(environment: &Path) -> Option<PathBuf> {
    std::fs::read_dir(environment.join("lib"))
        .ok()?
        .flatten()
        .map(|entry| entry.path().join("site-packages/certifi/cacert.pem"))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extra_root_joins_the_usual_ones() {
        let dir = tempfile::tempdir().unwrap();
        let (extra, to) = (dir.path().join("extra.pem"), dir.path().join("bundle.pem"));
        std::fs::write(&extra, "EXTRA ROOT").unwrap();
        let certifi = dir.path().join("lib/python3.11/site-packages/certifi");
        std::fs::create_dir_all(&certifi).unwrap();
        std::fs::write(certifi.join("cacert.pem"), "-----BEGIN CERTIFICATE-----").unwrap();
        bundle(&extra, dir.path(), &to).unwrap();
        let bundle = std::fs::read_to_string(to).unwrap();
        assert!(bundle.contains("-----BEGIN CERTIFICATE-----") && bundle.ends_with("EXTRA ROOT"));
    }

    #[test]
    fn a_missing_extra_root_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = bundle(Path::new("/nowhere.pem"), dir.path(), &dir.path().join("x")).unwrap_err();
        assert!(error.operator_text().contains("NETWORK_CA_FILE"), "{error}");
    }
}
