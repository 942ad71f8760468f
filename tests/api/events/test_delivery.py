"""Delivery of events: signed, in order, and again until the receiver accepts them."""

from __future__ import annotations

import base64
import time
from typing import Any

from tests.api.ecr.pushing import push, put
from tests.api.events.conftest import Hook, Webhooks, verify
from tests.conftest import StartServer
from tests.faults.durability.promises import check_p12_secrets_stay_secret
from tests.support.aws import aws_client
from tests.support.databases import engine_of
from tests.support.images import image
from tests.support.ports import free_port
from tests.support.receiver import Message, Receiver, receiving
from tests.support.server import Server
from tests.support.waiting import wait_until


def tags(messages: list[Message]) -> list[str]:
    return [message.detail["image-tag"] for message in messages]


def test_a_message_is_signed_with_its_id_and_time(ecr: Any, repository: str, receiver: Receiver, hook: Hook) -> None:
    push(ecr, repository, image(seed=1), "v1")

    (message,) = receiver.wait_for(1)

    verify(message, hook.secret, message.event["id"])
    assert message.path == "/hook?from=moorage"
    assert message.headers["content-type"] == "application/json"


def test_a_receiver_that_fails_is_tried_again_and_gets_everything_in_order(
    ecr: Any, repository: str, receiver: Receiver, hook: Hook, webhooks: Webhooks
) -> None:
    receiver.answers.extend([500] * 1000)
    pushed = push(ecr, repository, image(seed=1), "v1")
    wait_until(lambda: receiver.messages)
    for tag in ("v2", "v3"):
        put(ecr, repository, pushed, tag)

    waiting = webhooks("list")
    receiver.answers.clear()
    webhooks("retry", hook.id)  # Do not wait for the next attempt.

    assert "3 waiting\t0 failed" in waiting
    assert tags(receiver.wait_for(3)) == ["v1", "v2", "v3"]
    failed, again = receiver.messages[:2]
    assert failed.headers["webhook-id"] == again.headers["webhook-id"]


def test_a_rejected_event_fails_and_is_sent_again_by_hand(
    ecr: Any, repository: str, receiver: Receiver, hook: Hook, webhooks: Webhooks
) -> None:
    receiver.answers.extend([200, 422, 302])
    pushed = push(ecr, repository, image(seed=1), "v1")
    for tag in ("v2", "v3", "v4"):
        put(ecr, repository, pushed, tag)

    assert tags(receiver.wait_for(2)) == ["v1", "v4"]
    wait_until(lambda: "0 waiting\t2 failed" in webhooks("list"))
    second, third = webhooks("failed", hook.id).splitlines()
    assert second.endswith("the receiver answered 422")
    assert third.endswith("the receiver answered 302")
    assert all("redirected" not in message.path for message in receiver.messages)

    assert webhooks("retry", hook.id, second.split("\t")[0]) == "1 failed events wait again.\n"
    assert tags(receiver.wait_for(3)) == ["v1", "v4", "v2"]
    assert webhooks("retry", hook.id) == "1 failed events wait again.\n"
    assert tags(receiver.wait_for(4)) == ["v1", "v4", "v2", "v3"]
    wait_until(lambda: "0 waiting\t0 failed" in webhooks("list"))


def test_a_webhook_gets_only_its_events(ecr: Any, repository: str, receiver: Receiver, webhooks: Webhooks) -> None:
    deletions = webhooks.add(receiver.url, "--events", "delete")
    pushed = push(ecr, repository, image(seed=1), "v1")
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": pushed.manifest.digest}])

    (message,) = receiver.wait_for(1)
    webhooks("remove", deletions.id)

    assert message.detail["action-type"] == "DELETE"


def test_a_slow_receiver_delays_neither_pushes_nor_other_repositories(
    ecr: Any, new_repository: Any, receiver: Receiver, hook: Hook
) -> None:
    """The receiver answers nothing until it has a message of each repository. A sender gives up after 30 seconds."""
    receiver.hold()
    names = [new_repository() for _ in range(3)]
    started = time.monotonic()
    for name in names:
        push(ecr, name, image(seed=1), "v1")
    pushed = time.monotonic() - started

    wait_until(lambda: all(any(f'"{name}"'.encode() in body for body in receiver.arrived) for name in names))
    receiver.release()

    assert pushed < 60
    receiver.wait_for(2 * len(names))


def test_a_crash_between_a_push_and_its_delivery_loses_nothing(fresh_server: StartServer) -> None:
    server, port = fresh_server(), free_port()
    hook = Webhooks(server).add(f"http://127.0.0.1:{port}/", "--events", "push")
    with aws_client(server) as ecr:
        ecr.create_repository(repositoryName="team/app")
        pushed = push(ecr, "team/app", image(seed=1), "v1")
        put(ecr, "team/app", pushed, "v2")
        server.kill()
        # The crash may have ended an attempt, whose lease would last a minute.
        engine_of(server.data).transact(lambda tx: tx.run("UPDATE job SET due_at = 0 WHERE lease IS NOT NULL"))
        with receiving(port) as receiver:
            server.start()
            Webhooks(server)("retry", hook.id)  # An attempt may have failed before the crash.
            assert tags(receiver.wait_for(2)) == ["v1", "v2"]
            for message in receiver.messages:
                verify(message, hook.secret, message.event["id"])


def test_a_server_stops_in_time_while_a_receiver_is_slow_and_delivers_later(
    fresh_server: StartServer,
) -> None:
    server = fresh_server()
    with receiving() as receiver, aws_client(server) as ecr:
        hook = Webhooks(server).add(receiver.url, "--events", "push")
        receiver.delay = 3600
        ecr.create_repository(repositoryName="team/app")
        push(ecr, "team/app", image(seed=1), "v1")
        wait_until(lambda: receiver.arrived)
        server.stop()
        receiver.delay = 0
        server.start()
        Webhooks(server)("retry", hook.id)

        assert tags(receiver.wait_for(1)) == ["v1"]


# --- The commands -----------------------------------------------------------------------------------------------


def test_the_test_command_shows_the_response(receiver: Receiver, hook: Hook, webhooks: Webhooks) -> None:
    assert webhooks("test", hook.id) == f"{receiver.url} answered 200\n"
    (message,) = receiver.messages
    verify(message, hook.secret, message.event["id"])
    assert message.event["detail-type"] == "Moorage Webhook Test"

    receiver.answers.append(500)
    refused = webhooks.run("test", hook.id)
    assert refused.exit_code == 1
    assert refused.stderr == f"Error: {receiver.url}: the receiver answered 500\n"


def test_the_test_command_fails_when_nothing_answers(webhooks: Webhooks) -> None:
    hook = webhooks.add(f"http://127.0.0.1:{free_port()}/")

    failed = webhooks.run("test", hook.id)
    webhooks("remove", hook.id)

    assert failed.exit_code == 1
    assert "Connection refused" in failed.stderr


def test_a_given_secret_is_used_and_never_shown(server: Server, receiver: Receiver, webhooks: Webhooks) -> None:
    secret = "whsec_" + base64.b64encode(b"thirty-two random bytes, really!").decode()
    hook = webhooks.add(receiver.url, "--secret", secret)
    webhooks("test", hook.id)
    listed = webhooks("list")
    check_p12_secrets_stay_secret(server, [secret])
    webhooks("remove", hook.id)

    assert hook.secret == ""
    verify(receiver.messages[0], secret, receiver.messages[0].event["id"])
    assert hook.id in listed
    assert secret not in listed
    assert hook.id not in webhooks("list")


def test_a_url_that_cannot_be_used_is_refused_in_words(webhooks: Webhooks) -> None:
    refused = webhooks.run("add", "https://user:password@example.org/")

    assert refused.exit_code == 1
    assert refused.stderr == (
        "Error: a URL with a user name or a fragment cannot be used; messages are signed instead\n"
    )
    assert "example.org" not in webhooks("list")


def test_a_webhook_that_does_not_exist_is_named(webhooks: Webhooks) -> None:
    assert "there is no webhook wh-0" in webhooks.run("retry", "wh-0").stderr
