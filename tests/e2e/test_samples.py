"""Each sample is started and asked over HTTP. What needs the index, or a Python that this host lacks, skips aloud."""

import base64
import os
import socket

import pytest

from helpers.interpreters import find_interpreter

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
