"""The client's signatures are those of botocore."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from unittest import mock

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from moorage.bench.signing import AccessKey, signed_headers

KEY = AccessKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-west-3")


@pytest.mark.parametrize("body", [b"{}", b'{"repositoryName":"team/app"}', b"x" * 100_000])
def test_a_signature_is_the_one_that_botocore_makes(body: bytes) -> None:
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "host": "127.0.0.1:5000",
        "x-amz-target": "Registry.PutImage",
    }
    moment = datetime(2026, 11, 24, 3, 4, 5, tzinfo=UTC)
    theirs = AWSRequest(method="POST", url="http://127.0.0.1:5000/", data=body, headers=headers)
    with mock.patch.object(auth, "get_current_datetime", return_value=moment.replace(tzinfo=None)):
        auth.SigV4Auth(Credentials(KEY.identifier, KEY.secret), "ecr", KEY.region).add_auth(theirs)

    ours = signed_headers(KEY, headers, hashlib.sha256(body).hexdigest(), moment.timestamp())

    assert ours["x-amz-date"] == theirs.headers["X-Amz-Date"]
    assert ours["authorization"] == theirs.headers["Authorization"]


def test_a_secret_is_not_shown() -> None:
    assert KEY.secret not in repr(KEY)
