//! With what a reply is signed: Alipay's key, or the key of the certificate that it names.

use rsa::RsaPrivateKey;

use crate::faults::FaultKind;
use crate::keys;
use crate::world::World;

/// Who signs a reply.
pub(crate) struct Signer {
    pub(crate) key: &'static RsaPrivateKey,
    /// The certificate that the reply names; none in key mode.
    certificate_sn: Option<String>,
}

impl Signer {
    /// Who signs for this app.
    pub(crate) fn of(world: &mut World, app_id: Option<&str>) -> Self {
        let certificates = app_id
            .and_then(|app_id| world.apps.get(app_id))
            .is_some_and(|app| app.options.certificates);
        if !certificates {
            return Self {
                key: keys::alipay_key(),
                certificate_sn: None,
            };
        }
        let leaf = world.alipay_certificates.current();
        Self {
            key: leaf.key,
            certificate_sn: Some(leaf.sn.clone()),
        }
    }

    /// The SN that the reply carries.
    pub(crate) fn named(&self, faults: &[FaultKind]) -> Option<String> {
        let injected = faults.iter().rev().find_map(|fault| match fault {
            FaultKind::CertificateSn { sn } => Some(sn.clone()),
            _ => None,
        });
        match injected {
            Some(sn) if self.certificate_sn.is_some() => sn,
            _ => self.certificate_sn.clone(),
        }
    }
}
