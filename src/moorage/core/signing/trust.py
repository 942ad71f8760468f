"""What verifiers of Notation need to trust signing profiles: a trust store and a trust policy, as files.

Notary Project specification, "Trust Store and Trust Policy". The files belong into the folder of Notation's
configuration, for example ~/.config/notation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from moorage.core.signing import profiles
from moorage.domain.names import Registry
from moorage.domain.signing.certificates import identity_of
from moorage.domain.signing.errors import SigningError
from moorage.domain.signing.profiles import ACTIVE, ProfileName
from moorage.metadata.database import Transaction
from moorage.metadata.signing import profiles as rows
from moorage.metadata.signing.profiles import ProfileVersion

POLICY_FILE: Final = "trustpolicy.json"


@dataclass(frozen=True, slots=True)
class Trust:
    """The certificates of a trust store by file name, all roots of the account, and the trust policy."""

    certificates: Mapping[str, bytes]
    policy: Mapping[str, Any]

    def policy_text(self) -> str:
        return msgspec.json.format(msgspec.json.encode(self.policy), indent=2).decode() + "\n"


def trust_in(tx: Transaction, registry: Registry, names: Sequence[str], scopes: Sequence[str]) -> Trust:
    """The trust in these profiles, or in all active ones. Raises SigningError."""
    if names:
        chosen = [profiles.get(tx, ProfileName.parse(registry, name)) for name in names]
    else:
        chosen = rows.page(tx, registry, "", profiles.PROFILE_LIMIT, [ACTIVE])
    if not chosen:
        raise SigningError(f"account {registry.account} has no active signing profile in {registry.region}")
    store = f"moorage-{registry.account}"
    policy = {
        "version": "1.0",
        "trustPolicies": [
            {
                "name": store,
                "registryScopes": list(scopes) or ["*"],
                "signatureVerification": {"level": "strict"},
                "trustStores": [f"signingAuthority:{store}"],
                "trustedIdentities": [one for version in chosen for one in _identities(tx, version)],
            }
        ],
    }
    folder = f"truststore/x509/signingAuthority/{store}"
    roots = rows.roots_of(tx, registry.account)
    return Trust({f"{folder}/{root.id}.crt": profiles.pem_of(root) for root in roots}, policy)


def _identities(tx: Transaction, current: ProfileVersion) -> Iterator[str]:
    """How a policy names a profile: AWS Signer's plugin compares its ARN, and Notation the subject of certificates."""
    modes = {version.needs_plugin for version in profiles.versions(tx, current.profile)}
    if False in modes:
        yield identity_of(current.profile)
    if True in modes:
        yield current.profile.arn
