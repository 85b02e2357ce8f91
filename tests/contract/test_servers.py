"""Servers of their own kinds below the port broker: pre-forked ones, and services that an app starts beside itself."""

import pytest

from helpers.census import is_exposed, listeners
from helpers.interpreters import patch_version

WSGI = """import os
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("%s of %s" % (os.environ["KIND"], os.getpid())).encode()]
"""
BIND = "--bind 0.0.0.0:3000 --workers 2 --worker-tmp-dir /tmp wsgi"
# The dual-stack address with SO_REUSEPORT, threads, and uWSGI's processes without its router; with it, and with
# greenlets: test_the_documented_uwsgi_line.
SERVERS = {
    "sync": "gunicorn --reuse-port " + BIND.replace("0.0.0.0", "[::]"),
    "gthread": "gunicorn -k gthread --threads 2 " + BIND,
    "uwsgi": "uwsgi --http-socket :3000 --master --processes 2 --wsgi-file wsgi.py --disable-logging",
}


def seen_from_outside(place):
    return {each for each in listeners(place.census.look()) if is_exposed(each[0])}


@pytest.mark.slow
@pytest.mark.needs_index
@pytest.mark.contract("P-85", "P-92")
def test_pre_forked_servers(place, project, up):
    root = project({"wsgi.py": WSGI, "requirements.txt": "pyuwsgi\ngevent\ngunicorn>=21,<26\n",
                    ".python-version": patch_version("3.11") + "\n",
                    "leanengine.yaml": "run: KIND=sync exec %s\n" % SERVERS["sync"]})
    instance = up(root)
    instance.wait_healthy(limit=300)
    for kind, line in SERVERS.items():
        (root / "leanengine.yaml").write_text("run: KIND=%s exec %s\n" % (kind, line))
        instance.wait_until(lambda kind=kind: instance.http("/").body.startswith(kind.encode()), 60)
        workers = {instance.http("/").body for _ in range(30)}
        assert all(each.startswith(kind.encode()) for each in workers), workers
        seen = listeners(place.census.look())
        assert [each for each in seen if each[1] == 3000 and "127.77." in each[0]], seen
        assert seen_from_outside(place) == set(), kind


# A service of the app's own, as a Redis or a socket server would be: what it answers is its instance's alone, by each
# name that people write, while an old and a new instance are there at once.
OWN = """
import socket, threading
MARK = b"one"
def serve(port, mark):
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind(("127.0.0.1", port))
    door.listen(50)
    while True:
        link, _ = door.accept()
        link.sendall(mark)
        link.close()
for port in (6379, 8001):
    threading.Thread(target=serve, args=(port, MARK), daemon=True).start()
def ask(host, port):
    for _ in range(500):
        try:
            with socket.create_connection((host, port), 5) as link:
                return link.recv(9)
        except ConnectionRefusedError:  # the thread has not begun yet
            pass
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b" ".join([MARK, ask("127.0.0.1", 6379), ask("localhost", 8001), ask("0.0.0.0", 6379)])]
"""


@pytest.mark.contract("P-133")
def test_own_services_stay_apart_while_instances_change(place, project, up):
    root = project({"wsgi.py": OWN, "requirements.txt": ""})
    instance = up(root)
    instance.wait_healthy()
    before = b"one"
    for now in (b"two", b"three"):
        (root / "wsgi.py").write_text(OWN.replace('b"one"', repr(now)))
        bodies = set()
        instance.wait_until(lambda bodies=bodies, now=now: bodies.add(instance.http("/").body) or
                            b" ".join([now] * 4) in bodies, 30)
        assert bodies <= {b" ".join([before] * 4), b" ".join([now] * 4)}, bodies
        before = now
    assert seen_from_outside(place) == set()
    assert "P-216" not in instance.text  # what is the app's own is told of as no service of this machine
