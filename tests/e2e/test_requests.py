"""The record of requests: on the socket, sent again, as curl, in the access log; what is in it and what is not."""

import json
import os
import re
import shutil
import socket
import subprocess

import pytest

from helpers.waiting import wait_for

WSGI = '''
import json, sys

def application(environ, start_response):
    path = environ["PATH_INFO"]
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    print("saw " + environ["REQUEST_METHOD"] + " " + path)
    for number in range(1, 41 if path == "/lines" else 1):
        sys.stderr.write("line %d of \033[31m40\033[0m\\n" % number)
    status = path.strip("/") if path.strip("/").isdigit() else "200"
    headers = sorted((name, value) for name, value in environ.items() if name.startswith("HTTP_X_T"))
    start_response(status + " Said", [("Content-Type", "application/json"), ("Set-Cookie", "sid=tops3cret")])
    return [json.dumps([environ["REQUEST_METHOD"], path, environ["QUERY_STRING"],
                        [byte if isinstance(byte, int) else ord(byte) for byte in body],
                        headers]).encode("ascii")]
'''


class Talk:
    """The engine's socket."""

    def __init__(self, place):
        [path] = [os.path.join(here, file) for here, _, files in os.walk(place.env["XDG_RUNTIME_DIR"])
                  for file in files if file.endswith(".sock")]
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.lines = self.socket.makefile()
        self.number = 0

    def __call__(self, command, **arguments):
        self.number += 1
        message = {"command": command, "id": self.number, **arguments}
        self.socket.sendall(json.dumps(message).encode() + b"\n")
        for line in self.lines:
            reply = json.loads(line)
            if reply.get("reply") == self.number:
                return reply
        raise AssertionError("the engine closed its socket")


@pytest.fixture
def served(project, up, place):
    instance = up(project({"wsgi.py": WSGI, "requirements.txt": ""}))
    instance.wait_healthy()
    talk = Talk(place)
    yield instance, talk
    talk.socket.close()


def raw(instance, text):
    """One request as bytes; all that comes until the connection ends."""
    with socket.create_connection((instance.address, instance.port), 30) as connection:
        connection.sendall(text)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def fields(shown):
    return sorted(shown["request_head"]["text"].lower().split("\r\n")[1:])


def on_the_screen(instance, talk, place, screen):
    """The pane of a second client: its curl commands do the same again, its keys what they say."""
    bin_, copied = place.directory("bin"), os.path.join(place.root, "copied")
    tool = os.path.join(bin_, "wl-copy")  # stands for a desktop's clipboard
    with open(tool, "w") as script:
        script.write("#!/bin/sh\ncat > '%s.part' && mv '%s.part' '%s'\n" % (copied, copied, copied))
    os.chmod(tool, 0o755)
    shown = screen("up", instance.root,
                   env={"WAYLAND_DISPLAY": "none", "PATH": bin_ + ":" + place.env["PATH"]})
    shown.wait_text("1 Logs")
    shown.send_keys("4")
    shown.wait_text(r"GET .* /a\?b=c&password=\*\*\*")
    for number, keys in ((1, "g"), (2, "gj"), (4, "gjjj")):
        shown.type(keys + "c")
        wait_for(lambda: os.path.exists(copied), "the command", 10, shown.capture)
        with open(copied) as file:
            command = file.read()
        os.unlink(copied)
        done = subprocess.run(["sh", "-c", command], capture_output=True, env={
            "PATH": place.env["PATH"], "http_proxy": "http://127.0.0.1:9"})
        assert done.returncode == 0, command + done.stderr.decode()
        new = talk("requests")["last"]
        again, before = (talk("request", request=each, reveal=True)["request"] for each in (new, number))
        assert fields(again) == fields(before), command
        for same in ("method", "target", "status", "request_body", "response_body"):
            assert again.get(same) == before.get(same), (same, command)
    shown.wait_text(r"curl command, with its real values: copied \(wl-copy\)")
    shown.type("gj")
    shown.send_keys("Enter")
    shown.wait_text(r"! 404(.*\n)*.*> POST /404(.*\n)*.*00 ff 62(.*\n)*.*< HTTP/1.1 404 Said")
    assert "tops3cret" not in shown.capture()
    shown.send_keys("p")
    shown.wait_text(r"replay of +request 2, sent again")
    shown.send_keys("Escape")
    shown.wait_text(r"POST .*▶2 /404")
    shown.type("&400")
    shown.send_keys("Enter")
    shown.wait_text(r"!400 \? .*RFC 91")
    shown.send_keys("Escape")
    shown.type("gjjjl")
    shown.wait_text(r"1 Logs(.*\n)*.*saw POST /chunks")
    shown.type("q")


@pytest.mark.contract("P-122", "P-123", "P-124", "P-125")
def test_recorded_shown_sent_again_and_logged(served, run, place, screen):
    instance, talk = served
    assert talk("requests")["last"] == 0  # health checks do not count
    assert instance.http("/a?b=c&password=hunter2", headers={"X-LC-Key": "k3y", "Cookie": "sid=tops3cret"})[0] == 200
    instance.http("/404", data=b"\0\xffbinary")
    raw(instance, b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n")
    raw(instance, b"POST /chunks HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    instance.http("/large", data=b"x" * 100000)

    listed = talk("requests")
    rows = listed["requests"]
    assert [row["id"] for row in rows] == [1, 2, 3, 4, 5] and (listed["first"], listed["last"]) == (1, 5)
    assert [(row.get("method", ""), row.get("target", ""), row["status"]) for row in rows] == [
        ("GET", "/a?b=c&password=***", 200), ("POST", "/404", 404), ("", "", 400),
        ("POST", "/chunks", 200), ("POST", "/large", 200)]
    assert rows[0]["instance"] == "web1" and rows[2].get("instance", "") == ""
    assert rows[2]["rule"].startswith("RFC 9110") and rows[2]["reason"]
    assert 0 < rows[0]["first_byte_us"] <= rows[0]["total_us"]
    assert rows[4]["request_size"] > 100000
    assert [row["id"] for row in talk("requests", since=3)["requests"]] == [4, 5]
    assert [row["id"] for row in talk("requests", since=1, limit=1)["requests"]] == [5]
    assert talk("requests", since=99)["requests"] == []
    assert talk("status")["snapshot"]["requests_last"] == 5

    shown = talk("request", request=1)["request"]
    told = json.dumps({name: value for name, value in shown.items() if name != "response_body"})
    assert "k3y" not in told and "tops3cret" not in told and "hunter2" not in told
    assert "X-LC-Key: ***" in shown["request_head"]["text"] and "Set-Cookie: ***" in shown["response_head"]["text"]
    assert json.loads(shown["response_body"]["text"])[2] == "b=c&password=hunter2"  # bodies are not masked
    real = talk("request", request=1, reveal=True)["request"]
    assert "X-LC-Key: k3y\r\n" in real["request_head"]["text"] and "hunter2" in real["target"]
    assert talk("request", request=2)["request"]["request_body"] == {"base64": "AP9iaW5hcnk="}
    large = talk("request", request=5)["request"]["request_body"]
    assert (len(large["text"]), large["size"]) == (65536, 100000)
    for wrong in (0, 6, -1):
        assert not talk("request", request=wrong)["ok"]

    if shutil.which("curl", path=place.env["PATH"]):
        on_the_screen(instance, talk, place, screen)
    else:
        print("no curl here: its commands are not run")

    # Sent again: the same request, the same answer, a record of its own that says of what.
    for number in (1, 2, 3, 4):
        new = talk("replay", request=number)["request"]
        again, before = (talk("request", request=each, reveal=True)["request"] for each in (new, number))
        assert again["replay_of"] == number and "replay_of" not in before
        for same in ("method", "target", "status", "request_head", "request_body", "response_body", "rule"):
            assert again.get(same) == before.get(same), (number, same)
    refused = talk("replay", request=5)
    assert not refused["ok"] and "65536 of 100000" in refused["error"]["message"]
    assert not talk("replay", request=77)["ok"]

    # What the app says, followed while it runs.
    with subprocess.Popen(place.command("logs", "-f", "-l", "1", instance.root), env=place.env,
                          stdout=subprocess.PIPE) as following:
        instance.http("/lines")
        for line in following.stdout:
            if b"line 40" in line:
                break
        following.terminate()
    with subprocess.Popen(place.command("logs", "--access", "-f", "-l", "1", instance.root), env=place.env,
                          stdout=subprocess.PIPE) as following:
        urls = (json.loads(line)["url"] for line in following.stdout)
        assert any(url == "/lines" for url in urls)  # it may reach the disk a moment later
        instance.http("/followed")
        assert next(urls) == "/followed"
        following.terminate()

    # On disk, by day, also when nothing runs, without secrets.
    root, last = instance.root, talk("requests")["last"]
    assert instance.stop() == 0
    done = run("logs", "--access", root)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and done.stderr == "" and len(lines) == last >= 9
    assert lines[0]["url"] == "/a?b=c&password=***" and lines[0]["instanceName"] == "web1"
    assert [line["status"] for line in lines[:5]] == [200, 404, 400, 200, 200]
    assert [line.get("replay") for line in lines[-6:]] == [True] * 4 + [None] * 2
    assert "k3y" not in done.stdout and "tops3cret" not in done.stdout
    day = lines[0]["time"][:10]  # TZ is UTC
    assert run("logs", "--access", "--from", day, "--to", day, root).stdout == done.stdout
    assert run("logs", "--access", "--to", "2020-01-01", root).stdout == ""
    assert run("logs", "--access", "--from", lines[-1]["time"], root).stdout.splitlines()[-1:] == \
        done.stdout.splitlines()[-1:]
    assert run("logs", "--access", "-l", "2", root).stdout.splitlines() == done.stdout.splitlines()[-2:]
    assert run("logs", "--access", "--from", "yesterday", root).returncode == 2
    printed_as_the_tool_does(run, root, day)
    never_run = place.project({"wsgi.py": WSGI, "requirements.txt": ""})
    assert run("logs", "--access", never_run).stdout == ""
    refused = run("logs", never_run)
    assert refused.returncode == 2 and "has no log yet" in refused.stderr


def printed_as_the_tool_does(run, root, day):
    """The app's lines, when nothing runs; run() has made \\n of \\r\\n."""
    text = run("logs", root).stdout.splitlines()
    assert len(text) == 30 and re.fullmatch(r"web1  \d\d:\d\d:\d\d  line 40 of 40", text[-2])
    assert run("logs", "-l", "2", root).stdout.splitlines() == text[-2:]
    every = run("logs", "-l", "2", "--from", day, root).stdout.splitlines()  # then -l says nothing
    assert len(every) > 40 and every[-30:] == text
    assert run("logs", "--to", "2020-01-01", root).stdout == ""
    objects = [json.loads(line) for line in run("logs", "--format", "json", "-l", "42", root).stdout.splitlines()]
    assert [each["content"] for each in objects[:2]] == ["saw GET /lines", "line 1 of 40"]
    assert [each["stream"] for each in objects[:2]] == ["stdout", "stderr"]
    assert set(objects[0]) == {"instanceName", "content", "type", "time", "groupName", "prod", "stream", "id"}
    assert objects[0]["instanceName"] == "web1" and objects[0]["time"].startswith(day)
