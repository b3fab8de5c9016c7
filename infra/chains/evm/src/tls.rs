//! Whom to believe over TLS: this machine's authorities, or exactly those of `ca_file`.
//!
//! Refuses: a `ca_file` that cannot be read or holds no certificate, one beside a plain `http` address, and `https` on a
//! machine that trusts nobody.

use std::error::Error as StdError;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use crate::connect::ConnectError;
use crate::options::Options;

/// How TLS is spoken to this address.
pub(crate) fn config(options: &Options, url: &Url) -> Result<ClientConfig, ConnectError> {
    let roots = match (&options.ca_file, url.scheme()) {
        (Some(file), "https") => read(file)?,
        (Some(_), _) => {
            return Err(refused(
                "the url is not https, so no certificate is shown; use https or leave it out".to_owned(),
            ));
        }
        (None, "https") => of_this_machine()?,
        // Nothing is ever verified on a plain connection.
        (None, _) => RootCertStore::empty(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| ConnectError::Url("this build speaks no version of TLS"))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn refused(problem: String) -> ConnectError {
    ConnectError::Option {
        name: "ca_file",
        problem,
    }
}

fn read(file: &Path) -> Result<RootCertStore, ConnectError> {
    let shown = file.display();
    let unreadable =
        |error: &dyn StdError| refused(format!("{shown} cannot be read as PEM certificates: {error}"));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|e| unreadable(&e))? {
        let certificate = certificate.map_err(|e| unreadable(&e))?;
        roots.add(certificate).map_err(|e| unreadable(&e))?;
    }
    if roots.is_empty() {
        return Err(refused(format!(
            "{shown} holds no certificate; give the PEM file of the authority that signed the node's"
        )));
    }
    Ok(roots)
}

fn of_this_machine() -> Result<RootCertStore, ConnectError> {
    let mut roots = RootCertStore::empty();
    let (_, ignored) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if ignored > 0 {
        tracing::debug!(ignored, "some of this machine's authorities cannot be read");
    }
    if roots.is_empty() {
        return Err(refused(
            "this machine trusts no authority; install its CA certificates, or name the node's own"
                .to_owned(),
        ));
    }
    Ok(roots)
}

/// What is wrong with the node's certificate, when that is why an exchange failed.
pub(crate) fn problem(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(rustls::Error::InvalidCertificate(why)) = cause.downcast_ref() {
            return Some(format!(
                "the node's certificate is not trusted ({why}); name the authority that signed it as ca_file, and the \
                 host that it was made for in the url"
            ));
        }
        next = match cause.downcast_ref::<std::io::Error>() {
            // An I/O error leaves what it wraps out of its causes.
            Some(wrapper) => wrapper.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
            None => cause.source(),
        };
    }
    None
}
