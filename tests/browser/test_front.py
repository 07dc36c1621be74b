"""A web page attacks the emulator of the laptop stack in a real browser, by its address and by DNS rebinding.

The browser's own protection of private networks, which not every browser has, is off.
"""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.emulator import Emulator, Keys
from tests.support import attack

ROOT = Path(__file__).parents[2]
PORT = 24566
ATTACKER = "attacker.example"
FLAGS = [
    f"--host-resolver-rules=MAP {ATTACKER} 127.0.0.1",
    "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests,PrivateNetworkAccessSendPreflights",
]
# Sends each request as any page may, and returns what the page gets to know of the answer.
SEND = """async ([address, requests]) => {
    const answers = [];
    for (const {path, body} of requests) {
        const answer = await fetch(address + path, {method: 'POST', mode: 'MODE', body: body || undefined});
        answers.push([answer.type, answer.status]);
    }
    return answers;
}"""


class Page(http.server.BaseHTTPRequestHandler):
    """The attacker's server."""

    def do_GET(self) -> None:
        body = b"<!doctype html><title>Free songs</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Log nothing."""


@pytest.fixture(scope="module")
def attacker() -> Iterator[str]:
    """The address of the attacker's page."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{ATTACKER}:{server.server_address[1]}/"
        server.shutdown()


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keys.random()


@pytest.fixture(scope="module")
def emulator(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an emulator in which nothing is deployed."""
    python = ROOT / ".tools" / "emulator" / "bin" / "python"
    running = Emulator(ROOT, python, tmp_path_factory.mktemp("emulator"), PORT)
    try:
        yield running.start(keys)
    finally:
        running.stop()


@pytest.fixture(scope="module")
def page(launch: Any) -> Iterator[Any]:
    with launch(FLAGS) as browser:
        yield browser.new_page()


def roles(port: int, keys: Keys) -> list[str]:
    """The roles in the emulator, as its owner sees them."""
    iam = boto3.client(
        "iam",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
    )
    return [role["RoleName"] for role in iam.list_roles()["Roles"]]


def requests(marker: Path) -> list[dict[str, str]]:
    return [{"path": sent.path, "body": sent.body} for sent in [*attack.run_code(marker), attack.RESET]]


def test_a_page_does_not_run_code(page, attacker, emulator, keys, tmp_path):
    page.goto(attacker)
    marker = tmp_path / "taken"
    script = SEND.replace("MODE", "no-cors")
    answers = page.evaluate(script, [f"http://127.0.0.1:{emulator}", requests(marker)[:3]])
    assert answers == [["opaque", 0]] * 3  # they were sent, and the page cannot see what came back
    assert roles(emulator, keys) == []
    assert not marker.exists()


def test_a_page_whose_name_becomes_this_machine_does_not_run_code(page, emulator, keys, tmp_path):
    """The page comes from the attacker's server; then its name resolves to this machine (DNS rebinding)."""
    origin = f"http://{ATTACKER}:{emulator}"
    page.route(f"{origin}/", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.goto(f"{origin}/")
    page.unroute(f"{origin}/")
    marker = tmp_path / "taken"
    answers = page.evaluate(SEND.replace("MODE", "same-origin"), [origin, requests(marker)])
    assert answers == [["basic", 403]] * 4
    assert roles(emulator, keys) == []
    assert not marker.exists()


def test_a_form_does_not_reach_it(page, attacker, emulator, keys, tmp_path):
    page.goto(attacker)
    create, *_ = requests(tmp_path / "taken")
    form = """([action]) => new Promise(resolve => {
        const frame = Object.assign(document.createElement('iframe'), {name: 'away', onload: resolve});
        const form = Object.assign(document.createElement('form'), {method: 'POST', action, target: 'away'});
        document.body.append(frame, form);
        form.submit();
    })"""
    page.evaluate(form, [f"http://127.0.0.1:{emulator}{create['path']}"])
    page.wait_for_timeout(500)
    assert roles(emulator, keys) == []
