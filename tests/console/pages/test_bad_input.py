"""Pages with what is unusual: many tags, long names, slow answers, missing scripts, frames, and a server that stops."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from playwright.sync_api import Browser, Page, Route, expect

from tests.conftest import StartServer
from tests.support.chromium import require_accessible, sign_in_by_link, watched_page
from tests.support.databases import engine_of
from tests.support.http_client import Docker
from tests.support.images import image
from tests.support.server import Server
from tests.support.waiting import wait_until

TAGS = 5000


def has_no_scroll_bar(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def add_tags(server: Server, digest: str, names: Sequence[str]) -> None:
    """Tag an image as so many pushes would."""

    def add(tx: Any) -> None:
        for name in names:
            tx.run(
                "INSERT INTO tag (repository_id, name, image_id, tagged_at, image_status)"
                " SELECT repository_id, :name, id, pushed_at, status FROM image WHERE digest = :digest",
                name=name,
                digest=digest,
            )

    engine_of(server.data).transact(add)


def test_of_5000_tags_some_are_shown_and_others_when_they_are_wanted(
    signed_in: Page, server: Server, docker: Docker, repository: str
) -> None:
    pushed = image(seed=5)
    docker.push(repository, pushed, "first")
    add_tags(server, pushed.manifest.digest, [f"tag-{number:04}" for number in range(TAGS - 1)])
    signed_in.goto(f"/console/repositories/{repository}")
    row = signed_in.get_by_role("row").filter(has_text="first")
    expect(row.get_by_role("button", name="4,996")).to_be_visible()
    assert row.locator("bdi").count() < 20

    row.get_by_role("button", name="4,996").click()
    expect(row.get_by_role("button", name="4,896")).to_be_visible()
    require_accessible(signed_in)
    assert has_no_scroll_bar(signed_in)


def test_names_of_the_greatest_length_are_shown_whole(signed_in: Page, ecr: Any) -> None:
    name = f"{'long-' * 20}name/{'x' * 150}"[:256]
    ecr.create_repository(repositoryName=name)
    signed_in.goto(f"/console/repositories?prefix={name[:20]}")

    expect(signed_in.get_by_role("link", name=name)).to_be_visible()
    assert has_no_scroll_bar(signed_in)
    signed_in.goto(f"/console/repositories/{name}")
    expect(signed_in.get_by_role("heading", level=1, name=name)).to_be_visible()
    assert has_no_scroll_bar(signed_in)
    ecr.delete_repository(repositoryName=name)


def test_text_from_right_to_left_changes_nothing_beside_it(signed_in: Page, docker: Docker, repository: str) -> None:
    text = "\u202eمرفأ exe.innocent"
    pushed = image(seed=6, extra={"annotations": {"org.opencontainers.image.title": text}})
    docker.push(repository, pushed, "v1")
    signed_in.goto(f"/console/repositories/{repository}/-/images/{pushed.manifest.digest}")

    isolated = signed_in.locator("bdi").filter(has_text="exe.innocent").first
    expect(isolated).to_be_visible()
    assert isolated.evaluate("element => getComputedStyle(element).unicodeBidi") == "isolate"


def test_a_slow_answer_shows_grey_lines_and_nothing_jumps(signed_in: Page, ecr: Any) -> None:
    ecr.create_repository(repositoryName="slow/app")
    held: list[Route] = []
    signed_in.route("**/console/api/", lambda route: held.append(route))  # noqa: PLW0108 - playwright marks it
    signed_in.goto("/console/repositories")
    header = signed_in.get_by_role("columnheader", name="URI")
    expect(header).to_be_visible()
    wait_until(lambda: signed_in.evaluate("true") and bool(held))
    assert signed_in.locator("tbody tr").count() == 10
    require_accessible(signed_in)
    before = header.bounding_box()

    signed_in.unroute("**/console/api/")  # what was held goes on
    expect(signed_in.get_by_role("rowheader").get_by_role("link").first).to_be_visible()
    after = header.bounding_box()
    assert before is not None
    assert after is not None
    assert (before["y"], before["height"]) == (after["y"], after["height"])


def test_a_script_that_is_gone_offers_to_load_the_page_again(signed_in: Page) -> None:
    signed_in.route("**/assets/Users-*.js", lambda route: route.fulfill(status=404, body="404 page not found"))
    signed_in.get_by_role("link", name="Users", exact=True).click()
    expect(signed_in.get_by_role("button", name="Reload")).to_be_visible()
    expect(signed_in.get_by_role("link", name="Repositories").first).to_be_visible()
    signed_in.unroute("**/assets/Users-*.js")

    signed_in.get_by_role("button", name="Reload").click()
    expect(signed_in.get_by_role("heading", level=1, name="Users")).to_be_visible()


@contextmanager
def page_with(markup: str) -> Iterator[str]:
    """The address of a page of another site. Chromium would not let a page that a test makes up reach this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(markup.encode())

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002 - the name that its class has

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{other.server_port}/"
        other.shutdown()
        thread.join()


def test_pages_of_other_sites_cannot_frame_the_console(chromium: Browser, server: Server) -> None:
    address = f"http://localhost:{server.port}/console/"
    context = chromium.new_context()
    page = context.new_page()
    with page_with(f'<iframe src="{address}" title="x"></iframe>') as framing:
        with page.expect_event("requestfailed", lambda request: request.url == address) as failed:
            page.goto(framing)
        assert failed.value.failure == "net::ERR_BLOCKED_BY_RESPONSE"
    context.close()


def test_a_server_that_drains_answers_until_it_stops(chromium: Browser, fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--drain", "1h"])
    assert server.process is not None
    with watched_page(chromium, f"http://localhost:{server.port}") as page:
        sign_in_by_link(page, server.moorage("console").strip())
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not server.is_ready())

        page.get_by_role("button", name="Refresh").click()
        expect(page.get_by_text("There are no repositories yet")).to_be_visible()
        server.stop()
        page.get_by_role("button", name="Refresh").click()
        expect(page.get_by_text("The server does not answer at the moment").first).to_be_visible()
