"""A real browser opens a page full of phones' files over plain HTTP, where it sends no mark of its own."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import redis
from playwright.sync_api import sync_playwright

from portal import embedded
from tests.attacks.scene import unknown
from tests.edge.serving import ServedEdge, config_for, wait_for
from tests.edge.shelf import Shelf

pytestmark = [pytest.mark.once, pytest.mark.needs("chromium"), pytest.mark.timeout(300)]

IMAGES = 1000
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
NAMES = (
    "--host-resolver-rules=MAP *.example.org 127.0.0.1"  # names that a browser trusts no more than any other
)


@contextmanager
def a_web_server() -> Iterator[Callable[[str], str]]:
    """Somebody else's; takes a page and tells its address."""
    pages: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(pages[-1])

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def serve(page: str) -> str:
            pages.append(page.encode())
            return f"http://evil.example.org:{server.server_port}/"

        yield serve
        server.shutdown()


@pytest.mark.rule("G2", "T5")
@pytest.mark.parametrize("referrer", ["no-referrer", "unsafe-url"])
def test_a_page_with_a_thousand_images_of_phones_files_leaves_one_key(
    store_server: embedded.Store, store: "redis.Redis", referrer: str
) -> None:
    shelf = Shelf(store)
    shelf.complete()
    with (
        ServedEdge(config_for(store_server.url)) as edge,
        a_web_server() as served,
        sync_playwright() as playwright,
    ):
        host = f"http://phones.example.org:{edge.port}"
        paths = [f"/{unknown(number)}.cfg" for number in range(IMAGES // 2)]
        paths += [f"/d/{unknown(number)}{'a1' * 14}/x.cfg" for number in range(IMAGES // 2)]
        images = "".join(f'<img src="{host}{path}">' for path in paths)
        evil = served(f'<meta name="referrer" content="{referrer}">{images}')
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=program, args=[*FLAGS, NAMES])
        page = browser.new_page()
        answered: list[int] = []
        page.on("response", lambda response: answered.append(response.status))
        page.goto(evil, wait_until="load", timeout=120_000)
        browser.close()

        assert answered.count(404) >= IMAGES
        assert wait_for(lambda: shelf.failures("127.0.0.1")) == {("browser", "")}
