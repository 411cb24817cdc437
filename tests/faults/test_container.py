"""What only a container can be denied: memory, room in /tmp, a writable root, a known user, a network, capabilities."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.engine import Containers, bind, docker
from tests.serve.server import DEADLINE

pytestmark = pytest.mark.docker

NOTHING_ALLOWED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")
ASK = """
import json, sys, urllib.request
request = urllib.request.Request("http://127.0.0.1:8080/invocations", sys.argv[1].encode(),
                                 {"Content-Type": "application/json"})
print(urllib.request.urlopen(request, timeout=30).read().decode())
"""


@dataclass(frozen=True)
class Endpoint:
    """`serve` in a container, on a tiny model."""

    name: str

    @property
    def url(self) -> str:
        return f"http://{docker('port', self.name, '8080/tcp').stdout.split()[0]}"

    def state(self, field: str) -> str:
        return docker("inspect", f"--format={{{{.State.{field}}}}}", self.name).stdout.strip()

    def logs(self) -> str:
        done = docker("logs", self.name)
        return done.stdout + done.stderr

    def ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/ping", timeout=DEADLINE).status_code == 200
        except requests.ConnectionError:
            return False

    def post(self, body: bytes) -> tuple[int, str]:
        """Status and error code of POST /invocations; 0 when the connection broke."""
        headers = {"Content-Type": "application/json"}
        try:
            answer = requests.post(f"{self.url}/invocations", data=body, headers=headers, timeout=2 * DEADLINE)
        except requests.ConnectionError:
            return 0, ""
        document = answer.json()
        return answer.status_code, document["error"]["code"] if "error" in document else ""


@pytest.fixture
def endpoint(containers: Containers, base: Path) -> Callable[..., Endpoint]:
    """Starts `serve` with options of `docker run` and waits until it is ready."""

    def start(*options: str) -> Endpoint:
        mount = bind(base / "model", "/opt/ml/model", readonly=True)
        made = Endpoint(containers.start("serve", options=[mount, "--publish=127.0.0.1::8080", *options]))
        wait_for(made.ready, made)
        return made

    return start


def wait_for(event: Callable[[], bool], endpoint: Endpoint) -> None:
    end = time.monotonic() + 2 * DEADLINE
    while not event():
        assert endpoint.state("Running") == "true", endpoint.logs()
        assert time.monotonic() < end, endpoint.logs()
        time.sleep(0.05)


def body_of(size: int) -> bytes:
    """A body of `size` bytes that asks for little work: most of it is white space."""
    return b'["Hello!"]' + b" " * (size - 10)


def test_out_of_memory_fails_the_requests_that_took_it_and_no_others(endpoint: Callable[..., Endpoint]) -> None:
    """The kernel kills the worker, the largest process; it is replaced, and the container goes on."""
    served = endpoint("--memory=256m", "--memory-swap=256m")
    greedy = json.dumps(["a" for _ in range(2_000_000)]).encode()
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: served.post(greedy), range(8)))
    assert set(outcomes) <= {(0, ""), (200, ""), (503, "unavailable"), (503, "overloaded")}, outcomes
    assert (503, "unavailable") in outcomes or (0, "") in outcomes, "there was enough memory: the test tests nothing"
    wait_for(lambda: served.post(body_of(10)) == (200, ""), served)


def test_a_small_tmp_refuses_what_does_not_fit_and_serves_the_rest(endpoint: Callable[..., Endpoint]) -> None:
    served = endpoint("--tmpfs=/tmp:size=1m")
    assert served.post(body_of(100_000)) == (200, "")
    assert served.post(body_of(5 * 2**20)) == (500, "internal_error")  # nginx has nowhere to put it, and logs why
    assert "No space left on device" in served.logs()
    assert served.post(body_of(100_000)) == (200, "")
    assert served.ready()


def test_a_tmp_filled_up_while_serving_does_not_stop_small_requests(endpoint: Callable[..., Endpoint]) -> None:
    served = endpoint("--tmpfs=/tmp:size=2m")
    docker("exec", served.name, "sh", "-c", "head -c 3000000 /dev/zero > /tmp/full || true")
    assert served.post(body_of(100)) == (200, "")
    assert served.post(body_of(2**20))[0] == 500
    docker("exec", served.name, "rm", "/tmp/full")
    assert served.post(body_of(2**20)) == (200, "")


def test_a_full_tmp_at_the_start_is_said_in_one_sentence(containers: Containers, base: Path) -> None:
    mount = bind(base / "model", "/opt/ml/model", readonly=True)
    done = containers.run("serve", options=[mount, "--tmpfs=/tmp:size=4k"], timeout=2 * DEADLINE)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "/tmp" in done.stderr.splitlines()[-1] and "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_read_only_unknown_user_no_network_no_capabilities(containers: Containers, base: Path) -> None:
    mount = bind(base / "model", "/opt/ml/model", readonly=True)
    options = [mount, *NOTHING_ALLOWED, "--user=54321:54321", "--network=none", "--memory=512m"]
    served = Endpoint(containers.start("serve", options=options))

    def answers() -> bool:
        done = docker("exec", served.name, "python3", "-c", ASK, '["Hello!"]', check=False)
        return done.returncode == 0 and "translation" in done.stdout

    wait_for(answers, served)
    docker("stop", "--time=30", served.name)
    assert served.state("ExitCode") == "0", served.logs()
