"""The client's side of Signature Version 4, for the benchmark's ECR requests.

Written apart from `moorage.aws.sigv4` on purpose: a mistake that signer and verifier share would measure nothing.
Source: "Create a signed AWS API request", AWS IAM User Guide.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key pair and the region of the registry that it is used for."""

    identifier: str
    secret: str
    region: str

    def __repr__(self) -> str:
        return f"AccessKey({self.identifier!r}, '***', {self.region!r})"


def signed_headers(
    key: AccessKey, headers: dict[str, str], payload_sha256: str, at: float | None = None
) -> dict[str, str]:
    """The headers with `x-amz-date` and `authorization` added, for `POST /` to the service `ecr`.

    `headers` has lower-case names and contains `host`; `at` is epoch seconds, now where it is missing.
    """
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
    signed = {**headers, "x-amz-date": moment}
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name].strip()}\n" for name in sorted(signed))
    canonical = f"POST\n/\n\n{lines}\n{names}\n{payload_sha256}"
    scope = f"{moment[:8]}/{key.region}/ecr/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    secret = b"AWS4" + key.secret.encode()
    for step in (*scope.split("/"), to_sign):
        secret = hmac.digest(secret, step.encode(), "sha256")
    signature = secret.hex()
    credential = f"Credential={key.identifier}/{scope}"
    signed["authorization"] = f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature={signature}"
    return signed
