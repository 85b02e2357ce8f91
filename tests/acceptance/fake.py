"""What: an application that plays a script: every misbehaviour towards the platform that is known of.
Why: the emulator's tests need each of them, and each is also a question to the real platform: what does it say then?
One file for both, so that what is tested here can be deployed there (./dev acceptance DIR writes the projects).
Python: 2.7 to the newest, the standard library only.

The script is the file `script` beside this file, one step a line, played in order; then it stays. It is the
project's wsgi.py: run as a program (`run: python -u wsgi.py`) it is its own server, imported it is served by the
platform's, and what stands behind `listen` is played beside it.

    second MS           how long a second lasts from here on; 1000, and the emulator's tests make it short
    say TEXT            a line on stdout; complain TEXT: on stderr
    wait SECONDS
    listen [HOST]       LEANCLOUD_APP_PORT of HOST, else of 0.0.0.0
    answer PATH HOW     what requests for PATH get from here on, for * all others; HOW is
        STATUS [TEXT]       200 hello, 302 LOCATION; {host} and {path} are the request's
        ping                what the SDK says (P-114)
        functions [NAMES]   the SDK's list of functions (P-196)
        silence             nothing, for ever
        slow SECONDS TEXT   200, late
        trickle             a page without end: a line each second
        half                a head, half of a body, the end
        reset               a head, half of a body, a reset
        garbage             what is no HTTP
        websocket           agrees to a WebSocket, and is silent
    close               the port; nothing listens any more
    exit STATUS         os._exit
    kill SIGNAL         itself: SIGSEGV
    raise TEXT          an exception
    import NAME
    fork                a child plays the rest, its parent waits for it
    leave               a child plays the rest, its parent ends with 0
    ignore SIGNAL
    flood LINES         on stdout, as fast as it can
    as INSTANCE STEP    a step that only instances of that name play: web1, web2-*
    write HEX           bytes to stdout: no newline, no UTF-8
"""

import fnmatch
import json
import os
import signal
import socket
import struct
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TITLES = {200: "OK", 204: "No Content", 302: "Found", 404: "Not Found", 500: "Internal Server Error"}
FUNCTIONS = "/1.1/functions/_ops/metadatas"


class Player(object):
    def __init__(self, steps):
        self.steps = steps
        self.second = 1.0
        self.answers = {"*": "200 hello"}
        self.listener = None
        self.own_server = False

    # ---- the script ----

    def play(self, until=None):
        """Plays on; until: stops behind the step of that name."""
        while self.steps:
            word, _, rest = self.steps.pop(0).partition(" ")
            getattr(self, "do_" + word)(rest.strip())
            if word == until:
                return

    def do_second(self, rest):
        self.second = int(rest) / 1000.0

    def do_say(self, rest):
        print(rest)
        sys.stdout.flush()

    def do_complain(self, rest):
        sys.stderr.write(rest + "\n")
        sys.stderr.flush()

    def do_wait(self, rest):
        time.sleep(float(rest) * self.second)

    def do_answer(self, rest):
        path, _, how = rest.partition(" ")
        self.answers[path] = how.strip()

    def do_listen(self, rest):
        if not self.own_server:
            return
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((rest or "0.0.0.0", int(os.environ["LEANCLOUD_APP_PORT"])))
        self.listener.listen(100)
        start(self.accept, self.listener)

    def do_close(self, rest):
        listener, self.listener = self.listener, None
        try:
            listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept()
        except socket.error:
            pass
        listener.close()

    def do_exit(self, rest):
        sys.stdout.flush()
        os._exit(int(rest))

    def do_kill(self, rest):
        os.kill(os.getpid(), getattr(signal, rest))
        stay()

    def do_raise(self, rest):
        raise RuntimeError(rest)

    def do_import(self, rest):
        __import__(rest)

    def do_fork(self, rest):
        child = os.fork()
        if child:
            os._exit(os.WEXITSTATUS(os.waitpid(child, 0)[1]))

    def do_leave(self, rest):
        if os.fork():
            os._exit(0)

    def do_ignore(self, rest):
        signal.signal(getattr(signal, rest), signal.SIG_IGN)

    def do_flood(self, rest):
        for number in range(int(rest)):
            print("line %d of a flood" % number)
        sys.stdout.flush()

    def do_as(self, rest):
        name, _, step = rest.partition(" ")
        if fnmatch.fnmatch(os.environ["LEANCLOUD_APP_INSTANCE"], name):
            self.steps.insert(0, step)

    def do_write(self, rest):
        sys.stdout.flush()
        os.write(1, bytearray.fromhex(u"%s" % rest))

    # ---- answers ----

    def answer(self, path, host):
        """(status, [(name, value)], body bytes, how): how is None for what both servers can do."""
        how = self.answers.get(path, self.answers["*"])
        word, _, rest = how.partition(" ")
        if word.isdigit():
            text = rest.replace("{host}", host).replace("{path}", path)
            headers = [("Location", text)] if word.startswith("3") else []
            return int(word), headers, ("" if word == "204" else text).encode("utf-8"), None
        if word == "ping":
            runtime = "cpython-%d.%d.%d" % sys.version_info[:3]
            body = json.dumps({"runtime": runtime, "version": "3.0.2"}).encode("utf-8")
            return 200, [("Content-Type", "text/plain; charset=utf-8")], body, None
        if word == "functions":
            return 200, [("Content-Type", "application/json")], json.dumps({"result": rest.split()}).encode("utf-8"), None
        if word == "slow":
            late, _, text = rest.partition(" ")
            time.sleep(float(late) * self.second)
            return 200, [], text.encode("utf-8"), None
        return 200, [], b"half", word

    def accept(self, listener):
        while True:
            try:
                link, _ = listener.accept()
            except (socket.error, ValueError):
                return
            start(self.serve, link)

    def serve(self, link):
        head = b""
        while b"\r\n\r\n" not in head:
            data = link.recv(65536)
            if not data:
                link.close()
                return
            head += data
        lines = head.decode("latin-1").split("\r\n")
        hosts = [line.partition(":")[2].strip() for line in lines if line.lower().startswith("host:")]
        status, headers, body, how = self.answer(lines[0].split(" ")[1], (hosts or [""])[0])
        if how == "silence":
            stay()
        if how == "garbage":
            link.sendall(b"SSH-2.0-fake\r\n")
        elif how == "trickle":
            link.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
            while True:
                link.sendall(b"tick\n")
                time.sleep(self.second)
        elif how == "websocket":
            link.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
            stay()
        else:
            length = 100 if how in ("half", "reset") else len(body)
            text = "HTTP/1.1 %d %s\r\nContent-Length: %d\r\nConnection: close\r\n" % (
                status, TITLES.get(status, "Status"), length)
            text += "".join("%s: %s\r\n" % pair for pair in headers)
            link.sendall(text.encode("latin-1") + b"\r\n" + body)
        if how == "reset":
            time.sleep(self.second / 10)  # what was sent must have been read
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            link.shutdown(socket.SHUT_WR)
        link.close()


def stay():
    threading.Event().wait()


def start(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.daemon = True
    thread.start()


def application(environ, start_response):
    status, headers, body, how = player.answer(environ["PATH_INFO"], environ.get("HTTP_HOST", ""))
    if how == "silence":
        stay()
    start_response("%d %s" % (status, TITLES.get(status, "Status")), headers)
    return [body]


with open(os.path.join(HERE, "script")) as source:
    lines = [line.strip() for line in source]
player = Player([line for line in lines if line and not line.startswith("#")])
if __name__ == "__main__":
    player.own_server = True
    player.play()
    stay()
else:
    player.play(until="listen")
    start(player.play)
