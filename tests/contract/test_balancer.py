"""The load balancer and what stands before it (P-150 to P-163), by the real program in front of a real app."""

import gzip
import socket

import pytest

# Answers by path; tells what it got.
APP = '''
import json, os, socket, threading

NAME = os.environ["LEANCLOUD_APP_INSTANCE"]
ANSWERS = {
    "/text": (b"text/html; charset=utf-8", b"<p>hello</p>" * 400),
    "/short": (b"text/html", b"<p>hello</p>"),
    "/image": (b"image/png", b"0" * 4800),
}

def read_head(c):
    head = b""
    while b"\\r\\n\\r\\n" not in head:
        piece = c.recv(65536)
        if not piece:
            return None
        head += piece
    return head.partition(b"\\r\\n\\r\\n")

def answer(c, kind, body):
    c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Type: " + kind + b"\\r\\nETag: \\"e\\"\\r\\nConnection: close\\r\\n"
              b"Content-Length: " + str(len(body)).encode() + b"\\r\\n\\r\\n" + body)

def talk(c):
    got = read_head(c)
    if not got:
        return c.close()
    head, _, body = got
    line, _, fields = head.decode("latin-1").partition("\\r\\n")
    method, path, _ = line.split(" ")
    length = [f for f in fields.split("\\r\\n") if f.lower().startswith("content-length:")]
    left = int(length[0].split(":")[1]) - len(body) if length else 0
    while left > 0:
        piece = c.recv(65536)
        if not piece:
            return c.close()
        left -= len(piece)
    if path.startswith("/only/") and path != "/only/" + NAME:
        print("closing on", method, flush=True)
    elif path == "/quit":
        os._exit(3)
    elif path == "/hang":
        c.recv(1)  # until we are given up
        print("given up", flush=True)
    elif path == "/ws":
        c.sendall(b"HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\n")
        while True:
            data = c.recv(100)
            if not data:
                print("tunnel ended", flush=True)
                break
            c.sendall(data)
    elif path.startswith("/1.1/functions/"):
        names = ["hello"] if path.endswith("/_ops/metadatas") else "called"
        answer(c, b"application/json", json.dumps({"result": names}).encode())
    elif path in ANSWERS:
        answer(c, *ANSWERS[path])
    else:
        answer(c, b"application/json", json.dumps({
            "method": method, "path": path, "fields": fields.split("\\r\\n"), "name": NAME,
            "env": os.environ["LEANCLOUD_APP_ENV"]}).encode())
    c.close()

s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", 3000))
s.listen(100)
while True:
    threading.Thread(target=talk, args=(s.accept()[0],), daemon=True).start()
'''
FILES = {"wsgi.py": "", "requirements.txt": "", "app.py": APP, "leanengine.yaml": "run: python app.py\n"}
NAME, STAGING = {"Host": "app.localhost"}, {"Host": "stg-app.localhost:3000"}
SHORT = {"LEANLOCAL_GATEWAY_LIMITS": "response-ms=700,websocket-ms=700"}


@pytest.fixture
def balancer(project, up):
    instance = up(project(FILES), "--instances", "2", "--domain", "app.localhost,other.example.com",
                  "--client-ip", "203.0.113.9", "--proto", "https", "--https-redirect", env=SHORT)
    return instance.wait_healthy()


@pytest.fixture
def edge(project, up):
    instance = up(project(FILES), "--edge", "--https-redirect", "--client-ip", "203.0.113.9", "--group", "my-staging",
                  env=SHORT)
    return instance.wait_healthy()


def refused(answer, status, rule, words=""):
    assert answer.status == status, answer
    assert answer.headers["X-Leanlocal-Rule"] == rule
    assert words in answer.text and "(%s)" % rule in answer.text, answer.text


def fields_of(answer):
    return [each.split(": ", 1) for each in answer.json()["fields"]]


def value_of(answer, name):
    return [value for each, value in fields_of(answer) if each.lower() == name.lower()]


def raw(instance, request, until=None):
    """What comes back for these bytes, to the end or to these bytes."""
    with socket.create_connection((instance.address, instance.port), timeout=10) as s:
        s.sendall(request)
        got = b""
        while until is None or until not in got:
            piece = s.recv(65536)
            if not piece:
                break
            got += piece
        return got


@pytest.mark.contract("P-117", "P-150", "P-151", "P-152", "P-153", "P-155", "P-156", "P-157", "P-163")
def test_the_balancer(balancer):
    up = balancer

    def ask(path="/", headers=None, **more):
        return up.http(path, headers={**NAME, **(headers or {})}, **more)

    # P-163: bound names only, whatever the case and the port; P-117: the words for the others.
    for host in ("app.localhost", "APP.localhost:3000", "other.example.com"):
        assert up.http("/", headers={"Host": host}).json()["env"] == "development"
    for host in ("localhost:3000", up.address, "example.com"):
        refused(up.http("/", headers={"Host": host}), 404, "P-163", "Application not found")
    # P-151: https already, so nothing is redirected; answers are compressed if the client likes it.
    packed = ask("/text", {"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and packed.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["ETag"] == 'W/"e"' and gzip.decompress(packed.body) == b"<p>hello</p>" * 400
    for path, accept in (("/text", "br"), ("/short", "gzip"), ("/image", "gzip")):
        plain = ask(path, {"Accept-Encoding": accept})
        assert plain.headers["Content-Encoding"] is None and plain.headers["ETag"] == '"e"'
    # P-152: what the client forges is replaced, but X-Forwarded-For is its own.
    seen = ask("/", {"X-Real-IP": "6.6.6.6", "X-Forwarded-Proto": "gopher", "Forwarded": "for=6.6.6.6",
                     "X-Forwarded-For": "7.7.7.7"})
    assert value_of(seen, "X-Real-IP") == ["203.0.113.9"] and value_of(seen, "X-Forwarded-Proto") == ["https"]
    assert value_of(seen, "Forwarded") == ["for=203.0.113.9;proto=https"]
    assert value_of(seen, "X-Forwarded-For") == ["7.7.7.7"]
    # P-153
    refused(ask("/.well-known/acme-challenge/token"), 404, "P-153")
    # P-156: in turn; P-155: what may be repeated is repeated on the other one, and nothing else.
    names = [ask().json()["name"] for _ in range(4)]
    assert names[0] != names[1] and names[:2] == names[2:]
    assert [ask("/only/" + names[0]).json()["name"] for _ in range(4)] == [names[0]] * 4
    assert [ask("/only/" + names[0], method="PUT", data=b"x" * 1000).status for _ in range(4)] == [200] * 4
    assert sorted(ask("/only/" + names[0], data=b"x").status for _ in range(4)) == [200, 200, 502, 502]
    look_at_limits(up)


def look_at_limits(up):
    host = b"Host: app.localhost\r\n"
    # The end of a line counts: 8190 bytes and CR LF.
    field, url = b"GET / HTTP/1.1\r\n" + host + b"X-Token: %s\r\n\r\n", b"GET /%s HTTP/1.1\r\n" + host + b"\r\n"
    assert raw(up, field % (b"x" * (8190 - 9)), b"}").startswith(b"HTTP/1.1 200 ")
    answer = raw(up, field % (b"x" * (8190 - 8)))
    assert answer.startswith(b"HTTP/1.1 431 ") and b"X-Token (P-150)" in answer
    assert b"X-Leanlocal-Limit: HEADER_LINE_BYTES=8192\r\n" in answer
    assert raw(up, url % (b"x" * (8190 - 14)), b"}").startswith(b"HTTP/1.1 200 ")
    assert raw(up, url % (b"x" * (8190 - 13))).startswith(b"HTTP/1.1 414 ")
    answer = raw(up, b"GET / HTTP/1.1\r\n" + host + b"".join(b"A%d: %s\r\n" % (i, b"x" * 7500) for i in range(9)) + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ") and b"HEADER_TOTAL_BYTES=65536" in answer
    put = b"PUT /x HTTP/1.1\r\n" + host + b"Content-Length: %d\r\n\r\n"
    answer = raw(up, put % (100 * 1024 * 1024 + 1))
    assert answer.startswith(b"HTTP/1.1 413 ") and b"BODY_BYTES=104857600" in answer
    up.wait_line(r"PUT /x: 413: the request body is larger than 100 MB")
    # The minute, made short: nobody waits for the app for ever, and the app is told.
    answer = up.http("/hang", headers=NAME)
    refused(answer, 504, "P-150", "did not answer within 0.7 s")
    up.wait_line(r"given up")
    with socket.create_connection((up.address, up.port), timeout=10) as s:
        s.sendall(b"GET /ws HTTP/1.1\r\n" + host + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        got = b""
        while not got.endswith(b"ping"):
            got += s.recv(1000)
            if got.endswith(b"\r\n\r\n"):
                s.sendall(b"ping")
        assert s.recv(1000) == b""  # cut: nothing was said
    up.wait_line(r"a WebSocket was cut after 0\.7 s without data")
    up.wait_line(r"tunnel ended")


@pytest.mark.contract("P-100b", "P-160", "P-163", "P-176")
def test_staging(project, up):
    """Begins with the first request for it, has the version that serves, and follows a save; nobody notices."""
    root = project(FILES)
    instance = up(root, "--domain", "app.localhost").wait_healthy()

    def ask(headers):
        return instance.http("/", headers=headers).json()
    assert ask(NAME)["env"] == "development"
    first = ask(STAGING)
    assert first["env"] == "stage" and first["name"] == "web-staging"
    instance.wait_line(r"web-staging is staging, version ")
    assert ask(NAME)["name"] == "web1" and ask(STAGING)["name"] == "web-staging"
    (root / "app.py").write_text(APP.replace('"path": path', '"path": "saved"'))
    instance.wait_line(r"web-staging-2 is staging, version ")
    for headers, env in ((NAME, "development"), (STAGING, "stage")):
        seen = ask(headers)
        assert seen["env"] == env and seen["path"] == "saved"
    # It dies alone, and comes again when it is wanted.
    assert instance.http("/quit", headers=STAGING, data=b"").status == 502
    instance.wait_line(r"staging: web-staging-2: .*starts it again")
    assert ask(NAME)["name"] == "web2" and ask(STAGING)["name"] == "web-staging-3"
    refused(instance.http("/", headers={"Host": "stg-other.localhost"}), 404, "P-163", "Application not found")


@pytest.mark.contract("P-160", "P-170")
def test_trial_instances_have_no_staging(project, up):
    instance = up(project(FILES), "--domain", "app.localhost", "--size", "trial").wait_healthy()
    refused(instance.http("/", headers=STAGING), 503, "P-170", "no staging environment")


@pytest.mark.contract("P-152", "P-158")
def test_behind_edge_nodes(edge):
    up = edge
    up.wait_line(r"forced redirect to https does not work")
    seen = up.http("/", headers={"X-Forwarded-For": "6.6.6.6"})
    assert seen.status == 200  # not redirected
    assert seen.json()["name"] == "my-staging1" and seen.json()["env"] == "development"  # only a group's name
    assert value_of(seen, "X-Forwarded-For") == ["6.6.6.6, 203.0.113.9"]
    assert "203.0.113.9" not in value_of(seen, "X-Real-IP") + value_of(seen, "Forwarded")
    forged = up.http("/", headers={"X-Real-IP": "7.7.7.7"})
    assert value_of(forged, "X-Real-IP") == ["7.7.7.7"] and value_of(forged, "X-Forwarded-For") == ["203.0.113.9"]
    refused(up.http("/", method="PATCH", data=b""), 405, "P-158")
    refused(up.http("/ws", headers={"Connection": "Upgrade", "Upgrade": "websocket"}), 501, "P-158")
    answer = raw(up, b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (60 * 1024 * 1024 + 1))
    assert answer.startswith(b"HTTP/1.1 413 ") and b"EDGE_BODY_BYTES=62914560" in answer
    refused(up.http("/hang"), 504, "P-158", "did not answer within")


@pytest.mark.contract("P-151")
def test_http_is_redirected(project, up):
    instance = up(project(FILES), "--https-redirect", "--domain", "app.example.com").wait_healthy()
    answer = instance.http("/a/b?c=d", headers={"Host": "app.example.com:3000"})
    refused(answer, 301, "P-151")
    assert answer.headers["Location"] == "https://app.example.com/a/b?c=d"
    # The API server's calls come from inside: they need no bound name and are not redirected.
    done = instance.run("call", "hello", instance.root)
    assert done.returncode == 0 and "called" in done.stdout, done


@pytest.mark.parametrize("options, words", [
    (["--domain", "http://app.example.com"], "--domain http://app.example.com: not a host name"),
    (["--domain", "a..b"], "--domain a..b: not a host name"),
    (["--client-ip", "1.2.3"], "--client-ip 1.2.3: not an IP address"),
])
def test_names_and_addresses_that_are_none(project, run, place, options, words):
    done = run("up", project(FILES), "--plain", "--host", place.address, *options)
    assert done.returncode == 2 and words in done.stderr + done.stdout, done
