"""The operating screens, each with an action whose effect the operating API shows afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from moorage.metadata.garbage import verification_results
from moorage.metadata.garbage.verification_results import FindingRow
from tests.api.services.calls import allow, client_of, person_with
from tests.support.chromium import require_accessible, sign_in_by_link, take_picture, watched_page
from tests.support.databases import engine_of
from tests.support.http_client import Docker
from tests.support.images import image
from tests.support.server import Server


@pytest.fixture
def moorage(server: Server) -> Any:
    return client_of(server, "moorage")


@pytest.fixture
def rows(server: Server) -> Any:
    """Runs a function in a transaction of the shared server's database."""
    return engine_of(server.data).transact


def show(page: Page, screen: str, heading: str) -> None:
    page.emulate_media(reduced_motion="reduce")  # axe measures the colours of a dialog that is half shown.
    page.goto(f"/console/operating/{screen}")
    expect(page.get_by_role("heading", name=heading, level=1).first).to_be_visible()


def choose(page: Page, name: str) -> None:
    page.get_by_role("row").filter(has_text=name).get_by_role("radio").check()


def test_the_status_shows_the_version_the_disks_and_the_traffic(signed_in: Page, moorage: Any) -> None:
    show(signed_in, "status", "Status")

    expect(signed_in.get_by_text(moorage.get_server_status()["version"], exact=True).first).to_be_visible()
    expect(signed_in.get_by_role("application", name="Requests of the last hour")).to_be_visible()
    expect(signed_in.get_by_role("table", name="Disks").get_by_text("Layers")).to_be_visible()
    require_accessible(signed_in)
    take_picture(signed_in, "status")


@pytest.fixture
def verified(rows: Any) -> Iterator[None]:
    """A verification that found a damaged layer."""

    def add(tx: Any) -> None:
        verification_results.begin(tx, 1, resume=False)
        finding = FindingRow(0, "damaged blob", f"sha256:{'a' * 64}", "has 3 bytes instead of 4", False)
        verification_results.add(tx, finding, is_unrepaired=True)
        verification_results.complete(tx, 2)

    rows(add)
    yield
    rows(lambda tx: tx.run("DELETE FROM verification_run"))
    rows(lambda tx: tx.run("DELETE FROM verification_finding"))


@pytest.mark.usefixtures("verified")
def test_what_the_last_verification_found_is_shown(signed_in: Page) -> None:
    show(signed_in, "status", "Status")

    expect(signed_in.get_by_text("Findings: 1, not repaired: 1")).to_be_visible()
    finding = signed_in.get_by_role("table", name="Findings of the last verification").get_by_role("row").last
    expect(finding).to_contain_text("Damaged layer")
    expect(finding).to_contain_text("has 3 bytes instead of 4")
    require_accessible(signed_in)


def of_tests(moorage: Any) -> list[tuple[str, str]]:
    return [(job["key"], job["status"]) for job in moorage.list_jobs()["jobs"] if job["kind"] == "of-pages"]


@pytest.fixture
def dead_jobs(rows: Any) -> Iterator[None]:
    """Two dead jobs of a kind that no worker process runs."""

    def add(tx: Any) -> None:
        for key in ("first", "second"):
            tx.run(
                "INSERT INTO job (kind, key, payload, state, due_at, attempts, last_error)"
                " VALUES ('of-pages', :key, '{}', 'dead', 4102444800000000, 3, 'broken')",
                key=key,
            )

    rows(add)
    yield
    rows(lambda tx: tx.run("DELETE FROM job WHERE kind = 'of-pages'"))


@pytest.mark.usefixtures("dead_jobs")
def test_a_dead_job_is_dropped_and_another_one_run_again(signed_in: Page, moorage: Any) -> None:
    show(signed_in, "jobs", "Jobs")
    signed_in.get_by_role("button", name="Dead").click()
    choose(signed_in, "first")
    require_accessible(signed_in)
    signed_in.get_by_role("button", name="Drop").click()
    signed_in.get_by_role("dialog").get_by_role("button", name="Drop").click()
    expect(signed_in.get_by_text("Dropped: of-pages first")).to_be_visible()
    choose(signed_in, "second")
    signed_in.get_by_role("button", name="Run now").click()
    expect(signed_in.get_by_text("Runs now: of-pages second")).to_be_visible()

    assert of_tests(moorage) == [("second", "WAITING")]


@pytest.fixture
def webhook(server: Server, rows: Any) -> Iterator[str]:
    """The id of a webhook with two failed events."""
    webhook_id = server.moorage("webhook", "add", "http://127.0.0.1:9/pages").split()[0]

    def add(tx: Any) -> None:
        for event in ("event-1", "event-2"):
            tx.run(
                "INSERT INTO delivery (webhook_id, stream, event_id, body, recorded_at, error)"
                " VALUES (:id, 'stream', :event, :body, 7000000, 'refused')",
                id=webhook_id,
                event=event,
                body=json.dumps({"detail-type": "ECR Image Action"}),
            )

    rows(add)
    yield webhook_id
    server.moorage("webhook", "remove", webhook_id)


def test_failed_events_of_a_webhook_are_shown_and_sent_again(signed_in: Page, moorage: Any, webhook: str) -> None:
    show(signed_in, "webhooks", "Webhooks")
    choose(signed_in, webhook)
    choose(signed_in, "event-2")
    require_accessible(signed_in)
    signed_in.get_by_role("button", name="Show the event").click()
    expect(signed_in.get_by_role("dialog").get_by_text("ECR Image Action")).to_be_visible()
    signed_in.get_by_role("dialog").get_by_role("button", name="Close").click()
    signed_in.get_by_role("button", name="Send again", exact=True).click()
    expect(signed_in.get_by_text("Events that are sent to http://127.0.0.1:9/pages again: 1")).to_be_visible()
    assert [event["eventId"] for event in moorage.list_failed_events(webhookId=webhook)["failedEvents"]] == ["event-1"]

    signed_in.get_by_role("button", name="Send all again").click()
    expect(signed_in.get_by_text("No event failed.")).to_be_visible()
    assert moorage.list_failed_events(webhookId=webhook)["failedEvents"] == []


def test_audit_records_are_searched_and_opened(signed_in: Page, ecr: Any) -> None:
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.delete_repository(repositoryName="pages/unknown")
    show(signed_in, "audit", "Audit log")
    signed_in.get_by_role("textbox", name="Event").fill("DeleteRepository")
    signed_in.get_by_label("Only requests that failed").check()
    signed_in.get_by_role("button", name="Search").click()
    row = signed_in.get_by_role("row").filter(has_text="pages/unknown")
    expect(row.get_by_text("RepositoryNotFoundException", exact=True)).to_be_visible()
    expect(signed_in.get_by_text("Succeeded")).to_have_count(0)
    require_accessible(signed_in)
    take_picture(signed_in, "audit")

    row.get_by_role("button", name="Open the record").click()
    expect(signed_in.get_by_role("dialog").get_by_text('"DeleteRepository"')).to_be_visible()
    require_accessible(signed_in)


def test_usage_is_shown_by_repository_and_by_account(signed_in: Page, moorage: Any, docker: Docker, ecr: Any) -> None:
    name = "a/first"  # on the first page, whatever other tests have created
    ecr.create_repository(repositoryName=name)
    docker.push(name, image(seed=1), "v1")
    show(signed_in, "usage", "Usage")
    expect(signed_in.get_by_text(name, exact=True).first).to_be_visible()
    require_accessible(signed_in)
    signed_in.get_by_role("button", name="Whole server").click()

    (account,) = moorage.list_usage()["accounts"]
    accounts = signed_in.get_by_role("table", name="By account")
    expect(accounts.get_by_role("row").filter(has_text=account["registryId"])).to_be_visible()
    expect(signed_in.get_by_role("columnheader", name="In no other repository")).to_be_visible()


def test_garbage_is_shown_and_collected(signed_in: Page, moorage: Any) -> None:
    show(signed_in, "garbage", "Garbage")
    expect(signed_in.get_by_role("table", name="Garbage").get_by_role("columnheader", name="Reason")).to_be_visible()
    require_accessible(signed_in)
    signed_in.get_by_role("button", name="Collect now").click()
    require_accessible(signed_in)
    with signed_in.expect_response(
        lambda answer: answer.request.headers.get("x-amz-target") == "Moorage_V1.StartCollection"
    ) as answered:
        signed_in.get_by_role("dialog").get_by_role("button", name="Collect now").click()

    # A collection may be running at this moment; then the dialog says so.
    assert answered.value.status == 200 or "ConflictException" in answered.value.text()


def test_a_session_of_another_browser_is_ended(
    signed_in: Page, chromium: Browser, server: Server, moorage: Any
) -> None:
    with watched_page(chromium, f"http://localhost:{server.port}", user_agent="other browser") as other:
        sign_in_by_link(other, server.moorage("console").strip())
        show(signed_in, "sessions", "Console sessions")
        expect(signed_in.get_by_text("This session")).to_be_visible()
        choose(signed_in, "other browser")
        require_accessible(signed_in)
        signed_in.get_by_role("button", name="End", exact=True).click()
        signed_in.get_by_role("dialog").get_by_role("button", name="End", exact=True).click()
        expect(signed_in.get_by_text("Ended:")).to_be_visible()

        other.get_by_role("button", name="Refresh").click()
        expect(other.get_by_text("Your session has ended")).to_be_visible()
    sessions = moorage.list_console_sessions()["sessions"]
    assert "other browser" not in [session.get("userAgent") for session in sessions]


def test_a_refusal_is_shown_in_its_own_part_only(page: Page, server: Server, webhook: str) -> None:
    person = person_with(server, allow("moorage:ListWebhooks"))
    page.goto("/console/operating/webhooks")
    page.get_by_label("Access key ID").fill(person.key)
    page.get_by_label("Secret access key").fill(person.secret)
    page.get_by_role("button", name="Sign in").click()
    choose(page, webhook)

    expect(page.get_by_text("The action moorage:ListFailedEvents is not allowed for you here.")).to_be_visible()
    expect(page.get_by_role("table", name="Webhooks").get_by_text(webhook)).to_be_visible()
    require_accessible(page)
