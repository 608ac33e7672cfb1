//! A certificate authority of the world's own, and TLS for any host name by it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// The authority: make one a world, hand its [`Authority::pem`] to clients as an extra root.
#[derive(Clone)]
pub struct Authority {
    inner: Arc<Inner>,
}

struct Inner {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
    made: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    /// A fresh authority.
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key pair");
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, "boss-bot test world");
        let pem = params.self_signed(&key).expect("a self-signed certificate").pem();
        let inner = Inner { pem, issuer: Issuer::new(params, key), made: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// The root certificate.
    pub fn pem(&self) -> &str {
        &self.inner.pem
    }

    /// TLS for whatever name the client asks for (and, without a name, for `127.0.0.1`). HTTP/1.1 only.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }

    fn certificate(&self, host: &str) -> Arc<CertifiedKey> {
        let mut made = self.inner.made.lock().expect("the lock");
        made.entry(host.to_owned())
            .or_insert_with(|| {
                let key = KeyPair::generate().expect("a key pair");
                let params = CertificateParams::new(vec![host.to_owned()]).expect("parameters");
                let certificate = params.signed_by(&key, &self.inner.issuer).expect("a certificate");
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
                let key = rustls::crypto::ring::sign::any_supported_type(&key).expect("a signing key");
                Arc::new(CertifiedKey::new(vec![CertificateDer::from(certificate.der().to_vec())], key))
            })
            .clone()
    }
}

impl ResolvesServerCert for Authority {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.certificate(hello.server_name().unwrap_or("127.0.0.1")))
    }
}
