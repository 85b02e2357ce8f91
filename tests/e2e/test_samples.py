"""Each sample is started and asked over HTTP. What needs the index, or a Python that this host lacks, skips aloud."""

import base64
import os
import socket

import pytest

from helpers.census import is_exposed, listeners
from helpers.interpreters import find_interpreter
from helpers.waiting import wait_for

SAMPLES = os.path.join(os.path.dirname(__file__), "..", "..", "samples")
PROJECTS = os.path.join(os.path.dirname(__file__), "..", "projects")

# name: needs the index, needs this Python (None: any), words of the home page
TABLE = {
    "wsgi": (False, None, b"Hello"),
    "flask": (True, None, b"Hello"),
    "django": (True, None, b"Hello"),
    "tornado": (True, None, b"Hello"),
    "tornado-wsgi": (True, "3.8", b"Hello"),
    "functions": (True, None, b""),
    "handbook": (True, "3.10", b"hi"),
    "custom-run": (True, None, b"Hello"),
    "hardcoded-3000": (False, None, b"Hello"),
}


def needed_python(directory):
    path = os.path.join(directory, ".python-version")
    return open(path).read().split()[0] if os.path.exists(path) else None


def has_python(version):
    return find_interpreter(".".join(version.split(".")[:2])) is not None


def test_table_names_every_sample():
    assert sorted(TABLE) == sorted(
        name for name in os.listdir(SAMPLES) if os.path.isdir(os.path.join(SAMPLES, name)))


def test_each_has_a_readme():
    for name in TABLE:
        assert os.path.getsize(os.path.join(SAMPLES, name, "README.md")) > 40


def test_bare_samples_carry_no_python_version():
    for name in ("flask", "wsgi", "django"):
        assert needed_python(os.path.join(SAMPLES, name)) is None


@pytest.mark.parametrize("name", TABLE)
def test_sample(name, up, index, copy_project):
    online, _, words = TABLE[name]
    directory = copy_project(os.path.join(SAMPLES, name))
    version = needed_python(directory)
    if version and not has_python(version):
        pytest.skip("samples/%s needs Python %s, which this host lacks" % (name, version))
    if online and not index:
        pytest.skip("samples/%s needs pip's index, which cannot be reached" % name)
    instance = up(directory)
    instance.wait_healthy(limit=300)
    status, body = instance.http("/")
    assert status == 200
    assert words.lower() in body.lower()


def three_at_once(place, port, env=None):
    """Of three projects, which have this port written in."""
    roots = [place.copy_project(os.path.join(SAMPLES, "hardcoded-3000")) for _ in range(3)]
    for root in roots if port != 3000 else []:
        text = (root / "server.py").read_text()
        (root / "server.py").write_text(text.replace("3000", str(port)).replace("8125", str(port + 1)))
    return [place.up(root, env=env) for root in roots]


def exposed(place):
    """What other machines could reach of all that runs, as the host sees it."""
    return {each for each in listeners(place.census.look()) if is_exposed(each[0])}


@pytest.mark.contract("P-92", "P-133")
def test_P_92_three_at_once_with_the_port_written_in(place):
    instances = three_at_once(place, 3000)
    for instance in instances:
        instance.wait_healthy()
        assert b"Hello from port 3000" in instance.http("/").body
    seen = listeners(place.census.look())
    apps = {address for address, port in seen if port == 3000 and address.startswith("127.77.")}
    assert len(apps) == 3 and exposed(place) == set(), seen
    assert {(address, 8125) for address in apps} <= seen
    for instance in instances:  # each counts its own requests alone: the second is counted after the first
        before = int(instance.http("/").body.split()[-2])
        wait_for(lambda: int(instance.http("/").body.split()[-2]) >= before + 1, "the count", 5)
    assert exposed(place) == set()


def test_without_the_broker_the_same_is_seen_from_outside(place):
    """The counter-test: one is on 0.0.0.0, for all of the net; the others cannot start."""
    port = 20000 + os.getpid() % 5000 * 2
    instances = three_at_once(place, port, env={"LEANLOCAL_SANDBOX_DENY": "notify"})
    wait_for(lambda: {("0.0.0.0", port), ("0.0.0.0", port + 1)} <= exposed(place), "the app on 0.0.0.0", 60,
             lambda: "\n\n".join(instance.text for instance in instances))
    wait_for(lambda: sum("Address already in use" in instance.text for instance in instances) == 2,
             "the others to be refused", 60, lambda: "\n\n".join(instance.text for instance in instances))


@pytest.mark.parametrize("name, version", [("sdk-27", "2.7"), ("sdk-38", "3.8"), ("sdk-newest", None)])
@pytest.mark.contract("P-87", "P-88", "P-104", "P-114", "P-302")
def test_P_104_sdk_is_healthy_through_its_ping(name, version, up, index, copy_project):
    directory = copy_project(os.path.join(PROJECTS, name))
    version = needed_python(directory) or version
    if version and not has_python(version):
        pytest.skip("%s needs Python %s, which this host lacks" % (name, version))
    if not index:
        pytest.skip("%s needs pip's index, which cannot be reached" % name)
    instance = up(directory)
    instance.wait_healthy(limit=300)
    status, body = instance.http("/__engine/1/ping")
    assert status == 200 and b"cpython-" in body  # P-114
    instance.wait_line(r"/__engine/1/ping 200")


@pytest.mark.contract("P-190", "P-192")
def test_functions_sample_answers_a_cloud_function(up, index, copy_project):
    directory = copy_project(os.path.join(SAMPLES, "functions"))
    version = needed_python(directory)
    if not index or (version and not has_python(version)):
        pytest.skip("needs pip's index and Python %s" % version)
    instance = up(directory)
    instance.wait_healthy(limit=300)
    import json
    variables = json.loads(instance.run("env", directory, "--format", "json").stdout)
    status, body = instance.http("/1.1/functions/hello", data=b"{}", headers={
        "Content-Type": "application/json", "X-LC-Id": variables["LEANCLOUD_APP_ID"],
        "X-LC-Key": variables["LEANCLOUD_APP_KEY"]})
    assert status == 200 and b"result" in body
    echo_websocket(instance)


def echo_websocket(instance):
    with socket.create_connection((instance.address, instance.port), timeout=10) as link:
        key = base64.b64encode(os.urandom(16)).decode()
        link.sendall(("GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                      "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                      "Sec-WebSocket-Version: 13\r\n\r\n" % key).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += link.recv(4096)
        assert b" 101 " in head.split(b"\r\n")[0], head
        mask = os.urandom(4)
        text = b"hello"
        link.sendall(bytes([0x81, 0x80 | len(text)]) + mask
                     + bytes(byte ^ mask[i % 4] for i, byte in enumerate(text)))
        answer = head.split(b"\r\n\r\n", 1)[1]
        while len(answer) < 2 + len(text):
            answer += link.recv(4096)
        assert answer.endswith(text)
