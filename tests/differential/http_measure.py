"""What: what comes of raw bytes that are sent to a proxy, in one line of words: ours and nginx measured alike.
Why: "we refuse it, nginx too" is shown by sending the same bytes to both, not by reading what each promises.
Order: App (plays the upstream) and Gateway or Nginx (in front of it) once for many cases; Pair.outcome() for
   each; close().
Owns: the proxies are children of the test on addresses of its own; the app is a thread of it.
Not: which cases, and what is to come of them: http_cases.py.

No waiting by time: behind the bytes of a case follows a request that every proxy answers (GET /end). Its answer, or the
end of the connection, is the end of the case. What the app has seen by then is complete, because whoever asks the app
(App.seen) first lets it read all that has arrived."""

import collections
import os
import re
import select
import socket
import subprocess
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NGINX_PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin",
                                os.path.join(ROOT, "build", "nginx", "usr", "sbin")])
LIMIT_S = 10
END = b"GET /end HTTP/1.1\r\nHost: a\r\n\r\n"
LATER = b"c"
FRAMING = ("content-length", "transfer-encoding", "connection", "keep-alive")
# What a request gets of its own on its way, said once in the cases and not in each.
ORDINARY = (("host", "a"), ("x-real-ip", "127.0.0.1"), ("x-forwarded-proto", "http"),
            ("forwarded", "for=127.0.0.1;proto=http"))


class Head:
    def __init__(self, text):
        lines = text.split(b"\r\n")
        self.first = lines[0].decode("latin-1")
        self.fields = []
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            self.fields.append((name.decode("latin-1").lower(), value.strip(b" \t").decode("latin-1")))

    def get(self, name):
        return next((value for each, value in self.fields if each == name), None)

    def shown(self, ordinary=()):
        """Fields that are neither framing nor expected, sorted: their order is nobody's promise."""
        counts = collections.Counter("%s: %s" % (name, short(value)) for name, value in self.fields
                                     if name not in FRAMING and (name, value) not in ordinary)
        rest = ["%s%s" % (each, " x %d" % count if count > 1 else "") for each, count in sorted(counts.items())]
        return " [%s]" % ", ".join(rest) if rest else ""


def unchunk(data):
    """(body, what follows) of a chunked body that is whole, else (what there is, None)"""
    body, at = b"", 0
    while True:
        line = data.find(b"\r\n", at)
        if line < 0 or not re.fullmatch(rb"[0-9a-fA-F]+", data[at:line]):
            return body, None
        size = int(data[at:line], 16)
        if size == 0:
            return (body, data[line + 4:]) if data[line:line + 4] == b"\r\n\r\n" else (body, None)
        body += data[line + 2:line + 2 + size]
        at = line + 2 + size
        if data[at:at + 2] != b"\r\n":
            return body, None
        at += 2


def take_body(head, data, bodiless, ended):
    """(words, what follows) of a message's body; None while it is not whole; cut when it never will be."""
    length, coding = head.get("content-length"), head.get("transfer-encoding")
    if bodiless:
        return ("without its %s bytes" % length if length else ""), data
    if coding:
        body, rest = unchunk(data)
        words = "chunked " + quoted(body)
    elif length is not None:
        body, rest = data[:int(length)], data[int(length):] if len(data) >= int(length) else None
        words = "%s %s" % (length, quoted(body)) if int(length) else "0"
    elif not head.first.startswith("HTTP/"):
        return "", data
    else:
        return ("until close " + quoted(data), b"") if ended else None
    if rest is None:
        return (words + " cut", b"") if ended else None
    return words, rest


def pieces(data, step):
    return [data[at:at + step] for at in range(0, len(data), step)] if step else [data]


def until_end(data):
    """(bytes that have no head of their own, the answer to GET /end or b"")"""
    at = data.find(b"HTTP/1.1 200 OK\r\n") if b"X-Path: /end\r\n" in data else -1
    return (data, b"") if at < 0 else (data[:at], data[at:])


def short(text):
    text = text.encode("unicode_escape").decode()
    return text if len(text) <= 40 else "%s... (%d)" % (text[:8], len(text))


def quoted(body):
    return '"%s"' % short(body.decode("latin-1"))


# ---- the app ----

class App:
    """Plays an app of one thread that serves all connections. Requests are answered by 200 and their path; those of a
    path in `scripts` by (bytes, close) instead: close "later" is when the client has got something of it."""

    def __init__(self, address):
        self.address = address
        self.listener = socket.create_server((address, 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.scripts = {}
        self.requests = []
        self.buffers, self.later, self.told, self.step = {}, [], set(), None
        self.ask, self.asked = socket.socketpair()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            ready = select.select([self.listener, self.asked, *self.buffers], [], [])[0]
            if self.listener in ready:
                self.buffers[self.listener.accept()[0]] = b""
            for each in ready:
                if each in self.buffers:
                    self._read(each)
            if ready == [self.asked]:  # nothing else is left to be read
                asked = self.asked.recv(1)
                if not asked:
                    return
                if asked == LATER:
                    for each in self.later:
                        self._forget(each)
                    self.later = []
                self.asked.sendall(b".")

    def _read(self, connection):
        try:
            data = connection.recv(1 << 20)
        except OSError:
            data = b""
        self.buffers[connection] += data
        while self._take(connection, ended=not data):
            pass
        if not data:
            self._forget(connection)

    def _forget(self, connection):
        if self.buffers.pop(connection, None) is not None:
            connection.close()

    def _take(self, connection, ended):
        data = self.buffers.get(connection, b"")
        if b"\r\n\r\n" not in data:
            if data and ended:
                self.requests.append("half a head")
            return False
        text, _, rest = data.partition(b"\r\n\r\n")
        head = Head(text)
        if head.get("expect") and connection not in self.told:
            self.told.add(connection)
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        taken = take_body(head, rest, False, ended)
        if taken is None:
            return False
        self.told.discard(connection)
        words, self.buffers[connection] = taken
        self.requests.append((head, words))
        self._answer(connection, *head.first.split(" ")[:2])
        return connection in self.buffers

    def _answer(self, connection, method, path):
        answer, close = self.scripts.get(path, (None, False))
        if answer is None:
            answer = b"HTTP/1.1 200 OK\r\nX-Path: %s\r\nContent-Length: 2\r\n\r\n%s" % (
                path.encode("latin-1"), b"" if method == "HEAD" else b"ok")
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces(answer, self.step):
                connection.sendall(piece)
        except OSError:
            pass
        if close == "later":
            self.later.append(connection)
        elif close:
            self._forget(connection)

    def _tell(self, what):
        self.ask.sendall(what)
        self.ask.recv(1)

    def close_later(self):
        """Now: those that were to be closed later."""
        self._tell(LATER)

    def seen(self):
        """The requests since the last time: [(head, words about the body)]"""
        self._tell(b"?")
        seen, self.requests = self.requests, []
        return seen

    def close(self):
        self.ask.close()
        self.thread.join(LIMIT_S)
        for each in [self.listener, self.asked, *self.buffers]:
            each.close()


# ---- the proxies ----

class Gateway:
    def __init__(self, program, address, app, *options):
        self.address = address
        self.child = subprocess.Popen([program, address, app.address, str(app.port), *options],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                      env={**os.environ, "LC_ALL": "C.UTF-8"})
        self.port = int(self.child.stdout.readline().split()[1])

    def notices(self):
        """The rules of what was said since the last time."""
        self.child.stdin.write("\n")
        self.child.stdin.flush()
        rules = []
        for line in iter(self.child.stdout.readline, "fresh\n"):
            assert line, "gateway_run has ended with %s" % self.child.wait(LIMIT_S)
            rules.append(re.match("notice (.*?): ", line).group(1))
        return sorted(set(rules))

    def close(self):
        self.child.stdin.close()
        assert self.child.wait(LIMIT_S) == 0
        self.child.stdout.close()


NGINX = """
daemon off; master_process off; pid {place}/pid; error_log {place}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {place}/a; proxy_temp_path {place}/b; fastcgi_temp_path {place}/c;
    uwsgi_temp_path {place}/d; scgi_temp_path {place}/e;
    map $http_upgrade $switch {{ default upgrade; '' ''; }}
    server {{
        listen {address}:{port};
        client_max_body_size 100m; lingering_timeout 50ms;
        location / {{
            proxy_pass http://{app.address}:{app.port};
            proxy_http_version 1.1;
            proxy_request_buffering off; proxy_buffering off;
            proxy_next_upstream off;
            proxy_buffer_size 64k; proxy_buffers 4 64k; proxy_busy_buffers_size 64k;
            proxy_pass_header Server; proxy_pass_header Date;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $switch;
            proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header Forwarded "for=$remote_addr;proto=$scheme";
        }}
    }}
}}
"""


class Nginx:
    port = 8080

    def __init__(self, program, address, app, place):
        self.address = address
        config = os.path.join(place, "nginx.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(NGINX.format(place=place, address=address, port=self.port, app=app))
        self.log = os.path.join(place, "error.log")
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen([program, "-c", config, "-p", place, "-e", self.log],
                                          stdin=subprocess.DEVNULL, stderr=log)

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex((self.address, self.port)) == 0

    def complaints(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return "nginx says (exit %s):\n%s" % (self.child.poll(), file.read())

    def notices(self):
        return []

    def close(self):
        self.child.terminate()
        self.child.wait(LIMIT_S)


# ---- one case ----

class Pair:
    """A proxy and the app behind it."""

    def __init__(self, proxy, app):
        self.proxy, self.app = proxy, app

    def outcome(self, case, step=None):
        """step: the case's bytes go in pieces of so many."""
        self.app.step = step
        if case.kind == "request":
            return self.request(case.sent, step)
        return self.response(case.sent, case.options.get("close", False), case.options.get("ask"))

    def request(self, sent, step=None):
        answers, ended = self._talk(sent, step)
        words = [answer.split(" ", 2)[1] if answer.startswith("HTTP") else answer for answer, _, _ in answers]
        rules = [head.get("x-leanlocal-rule").encode("latin-1").decode() for _, head, _ in answers if head and head.get("x-leanlocal-rule")]
        said = ["%s%s" % (each, " (%s)" % rules[0] if rules and index == len(words) - 1 else "")
                for index, each in enumerate(words)] + (["close"] if ended else [])
        seen = [request if isinstance(request, str) else
                short(request[0].first.replace(" HTTP/1.1", "")) + request[0].shown(ORDINARY) +
                re.sub(r"^ (\d+|chunked|0$) ?", " ", " " + request[1]).rstrip()
                for request in self.app.seen() if isinstance(request, str) or " /end " not in request[0].first]
        self.proxy.notices()
        return ", ".join(said) + ("; app: " + ", ".join(seen) if seen else "")

    def response(self, answer, close=False, ask=None):
        """`answer`: the app's raw bytes for GET /; close: it closes then."""
        self.app.scripts = {"/": (answer, close)}
        answers, ended = self._talk(ask or b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.app.scripts = {}
        self.app.seen()
        ours = [name for name in ("server", "date") if (b"\n%s:" % name.encode()) not in answer.lower()]
        said = []
        for first, head, words in answers:
            status = first.split(" ", 2)[1] if head else first
            if head and (head.get("x-leanlocal-rule") or status in ("502", "504")):
                said.append(status)
            else:
                left = [field for field in head.fields if field[0] in ours] if head else []
                said.append(status + (head.shown(left) if head else "") + (" " + words if words else ""))
        rules = self.proxy.notices()
        return ", ".join(said + (["close"] if ended else [])) + ("; reported" + ": ".join(["", *filter(None, [", ".join(filter(None, rules))])]) if rules else "")

    def _talk(self, sent, step=None):
        """([(first line or raw text, Head or None, words about its body)], did it end before GET /end was answered)"""
        with socket.create_connection((self.proxy.address, self.proxy.port), timeout=LIMIT_S,
                                      source_address=("127.0.0.1", 0)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                for piece in pieces(sent + END, step):
                    connection.sendall(piece)
            except OSError:
                pass  # refused before it was all said
            answers, data, ended = [], b"", False
            bodiless = sent.startswith(b"HEAD ")
            while True:
                taken = self._answer(data, bodiless and not answers, ended)
                if taken:
                    first, head, words, data = taken
                    if head and head.get("x-path") == "/end":
                        return answers, False
                    answers.append((first, head, words))
                    continue
                if ended:
                    return answers, True
                try:
                    piece = connection.recv(1 << 20)
                except socket.timeout:
                    raise AssertionError("no end of it: %r so far %r" % (answers, data[:200])) from None
                except OSError:
                    piece = b""
                if piece and not data:
                    self.app.close_later()
                data, ended = data + piece, not piece

    @staticmethod
    def _answer(data, bodiless, ended):
        if not data:
            return None
        if not b"HTTP/1.".startswith(data[:7]):
            raw, rest = until_end(data)
            return ("no head: " + quoted(raw), None, "", rest) if ended or rest else None
        if b"\r\n\r\n" not in data:
            return ("half a head", None, "", b"") if ended else None
        text, _, rest = data.partition(b"\r\n\r\n")
        head = Head(text)
        status = head.first.split(" ")[1]
        if status == "101":
            raw, rest = until_end(rest)
            return (head.first, head, "then " + quoted(raw), rest) if ended or rest else None
        if status.startswith("1") and not head.get("transfer-encoding"):
            return head.first, head, "", rest
        body = take_body(head, rest, bodiless or status in ("204", "304"), ended)
        return body and (head.first, head, *body)
