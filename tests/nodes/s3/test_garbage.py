"""Garbage collection and verification of objects: removal leaves nothing, including parts of uploads."""

from __future__ import annotations

import uuid
from typing import Any

from click.testing import CliRunner, Result

from moorage.cli.main import main
from tests.api.ecr.pushing import MINIMUM, begin, push, send_part
from tests.nodes.s3.conftest import S3Server
from tests.support.http_client import Docker
from tests.support.images import image, layer


def run(server: S3Server, *words: str) -> Result:
    """Run `moorage` on this server's data folder and bucket, in this process."""
    environment = {
        **server.settings,
        **server.store.environment,
        "MOORAGE_BLOBS": server.store.setting(server.prefix),
    }
    return CliRunner().invoke(main, [*words, "--data", str(server.data)], env=environment)


def test_garbage_leaves_no_object_and_no_part(s3_server: S3Server, ecr: Any) -> None:
    kept, gone = image([layer(seed=1), layer(seed=2)]), image([layer(seed=2), layer(seed=3)])
    for name in ("garbage/a", "garbage/doomed"):
        ecr.create_repository(repositoryName=name)
    for each in (kept, gone):
        push(ecr, "garbage/a", each)
    ecr.batch_delete_image(repositoryName="garbage/a", imageIds=[{"imageDigest": gone.manifest.digest}])
    upload = begin(ecr, "garbage/doomed")
    for number in range(2):
        send_part(ecr, "garbage/doomed", upload, number * MINIMUM, bytes(MINIMUM))
    assert s3_server.store.uploads(s3_server.prefix) != []
    ecr.delete_repository(repositoryName="garbage/doomed")

    collected = run(s3_server, "collect", "--grace", "0")

    assert collected.exit_code == 0, collected.output
    assert len(s3_server.store.keys(s3_server.prefix)) == len(kept.blobs)
    assert s3_server.store.uploads(s3_server.prefix) == []


def test_objects_without_a_row_are_removed_and_those_that_an_upload_may_need_stay(
    s3_server: S3Server, ecr: Any, http: Docker
) -> None:
    ecr.create_repository(repositoryName="garbage/left")
    store, bucket, prefix = s3_server.store, s3_server.store.client(), f"{s3_server.prefix}/blobs"
    under_way = begin(ecr, "garbage/left")
    remaining = [f"{prefix}/{upload[:2]}/{upload}-{16 * 'a'}" for upload in (str(uuid.uuid4()), under_way)]
    for key in remaining:
        bucket.put_object(Bucket=store.bucket, Key=key, Body=b"of nobody")
        bucket.create_multipart_upload(Bucket=store.bucket, Key=key)
    foreign = f"{prefix}/README"
    bucket.put_object(Bucket=store.bucket, Key=foreign, Body=b"of somebody")

    collected = run(s3_server, "collect", "--grace", "0")

    assert "unknown upload 1, unknown blob 1 (9 bytes)" in collected.output
    assert {remaining[1], foreign} <= set(store.keys(s3_server.prefix))
    assert store.uploads(s3_server.prefix) == remaining[1:]
    assert remaining[0] not in store.keys(s3_server.prefix)
    canceled = http.request("DELETE", f"/v2/garbage/left/blobs/uploads/{under_way}")
    assert canceled.status == 204, canceled
    run(s3_server, "collect", "--grace", "0")
    assert store.uploads(s3_server.prefix) == []
    assert remaining[1] not in store.keys(s3_server.prefix)


def test_a_damaged_object_is_found_and_repaired_by_the_next_push(s3_server: S3Server, ecr: Any, http: Docker) -> None:
    ecr.create_repository(repositoryName="garbage/b")
    pushed = push(ecr, "garbage/b", image([layer(seed=4)]), "v1")
    path = f"/v2/garbage/b/blobs/{pushed.blobs[1].digest}"
    held = run(s3_server, "why", pushed.blobs[1].digest).output
    key = held.partition("stored as ")[2].strip()
    store, content = s3_server.store, b"x" * len(pushed.blobs[1].content)
    store.client().put_object(Bucket=store.bucket, Key=f"{s3_server.prefix}/{key}", Body=content)

    found = run(s3_server, "verify")

    assert found.exit_code == 3
    assert found.output.startswith(f"damaged blob {pushed.blobs[1].digest}: its bytes have the digest")
    assert http.head(path).status == 404
    http.push("garbage/b", pushed, "v1")
    assert run(s3_server, "verify").output.startswith(
        f"unknown object {key}: no row references it; the sweep will remove it"
    )
    run(s3_server, "collect", "--grace", "0")
    assert run(s3_server, "verify").output == "Verified: 0 findings, 0 of them not repaired.\n"
    assert http.head(path).status == 200


def test_a_damaged_object_is_repaired_from_a_copy_of_the_bucket_and_unknown_objects_are_reported(
    s3_server: S3Server, ecr: Any, http: Docker
) -> None:
    ecr.create_repository(repositoryName="garbage/c")
    pushed = push(ecr, "garbage/c", image([layer(seed=5)]), "v1")
    store, bucket, prefix = s3_server.store, s3_server.store.client(), s3_server.prefix
    for key in store.keys(prefix):
        original = {"Bucket": store.bucket, "Key": key}
        bucket.copy_object(Bucket=store.bucket, Key=key.replace(prefix, f"copy-of-{prefix}", 1), CopySource=original)
    held = run(s3_server, "why", pushed.blobs[1].digest).output
    key = f"{prefix}/{held.partition('stored as ')[2].strip()}"
    bucket.put_object(Bucket=store.bucket, Key=key, Body=b"x" * len(pushed.blobs[1].content))
    stray = f"blobs/00/00{str(uuid.uuid4())[2:]}-{16 * 'a'}"
    bucket.put_object(Bucket=store.bucket, Key=f"{prefix}/{stray}", Body=b"of nobody")

    repaired = run(s3_server, "verify", "--repair-from", store.setting(f"copy-of-{prefix}"))

    assert repaired.exit_code == 0, repaired.output
    assert f"damaged blob {pushed.blobs[1].digest}: its bytes have the digest" in repaired.output
    assert "; repaired from blobs/" in repaired.output
    assert f"unknown object {stray}: no row references it; the sweep will remove it" in repaired.output
    assert http.get(f"/v2/garbage/c/blobs/{pushed.blobs[1].digest}").status in {200, 307}
    run(s3_server, "collect", "--grace", "0")
    assert run(s3_server, "verify").output == "Verified: 0 findings, 0 of them not repaired.\n"


def test_an_unreadable_copy_is_rejected_before_anything_is_read(s3_server: S3Server) -> None:
    for wrong in ("s3://B?x=1", "/no/such/folder"):
        refused = run(s3_server, "verify", "--repair-from", wrong)
        assert refused.exit_code == 2
        assert "--repair-from" in refused.output
