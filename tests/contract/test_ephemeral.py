"""What an app writes is gone with its container (P-131), what `persist:` keeps of it nevertheless, and what that is not."""

import os
import re
import threading

import pytest
from building import files

from helpers.waiting import wait_for

WSGI = """import os, sqlite3
MARK = "one"
PLACES = {"app": "written", "home": "/home/leanengine/written", "tmp": "/tmp/written"}

def count():
    database = sqlite3.connect("db.sqlite3", timeout=10)
    with database:
        database.execute("create table if not exists t (n)")
        database.execute("insert into t values (1)")
    return database.execute("select count(*) from t").fetchone()[0]

def hold(environ):
    database = sqlite3.connect("db.sqlite3", timeout=10)
    database.isolation_level = None
    database.execute("begin immediate")
    database.execute("insert into t values (1)")
    database.execute("pragma cache_spill = on")
    environ["wsgi.input"].read(5)  # until the client says so
    database.execute("commit")
    return "held"

def application(environ, start_response):
    what = environ["PATH_INFO"].strip("/")
    answer = MARK
    if what == "write":
        for place in PLACES.values():
            with open(place, "w") as file:
                file.write("x" * 5000)
        with open("media/new.txt", "a") as file:
            file.write("x")
    elif what == "look":
        answer = " ".join(name for name in sorted(PLACES) if os.path.exists(PLACES[name]))
    elif what == "count":
        answer = str(count())
    elif what == "hold":
        answer = hold(environ)
    elif what.startswith("media/"):
        answer = open(what).read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer.encode()]
"""
FILES = {"wsgi.py": WSGI, "requirements.txt": "", "media/old.txt": "of the upload"}
KEEPING = {**FILES, ".leanlocal.yaml": "persist: [db.sqlite3, media/]\n"}


def kept_directory(instance):
    return instance.wait_line(r"is kept over saves and restarts, in (/\S+);").group(1)


@pytest.mark.contract("P-131")
def test_a_rescheduled_instance_starts_in_a_new_container(project, up):
    root = project(FILES)
    instance = up(root)
    instance.wait_healthy()
    assert instance.http("/write").status == 200
    assert instance.http("/look").body == b"app home tmp"
    version = re.search(r"version +(\S+)", instance.run("status", root).stdout).group(1)
    assert instance.run("restart", root, "--reschedule").returncode == 0
    told = instance.wait_line(r"rescheduled: version (\S+) in a new container; what (web\d+) has written is lost "
                              r"\((\d+) KB\)")
    assert told.group(1) == version and int(told.group(3)) >= 15
    instance.wait_line(r"web2 serves version %s now" % version)
    assert instance.http("/look").body == b""
    assert re.search(r"requests +\d+, 0 lost", instance.run("status", root).stdout)


@pytest.mark.contract("P-131")
def test_persist_keeps_named_paths_over_saves_and_restarts(project, up):
    root = project(KEEPING)
    instance = up(root)
    instance.wait_healthy()
    directory = kept_directory(instance)
    assert "deviation" in instance.text
    assert instance.http("/media/old.txt").body == b"of the upload"  # it begins as the upload has it
    assert instance.http("/count").body == b"1"
    assert instance.http("/write").status == 200
    (root / "wsgi.py").write_text(WSGI.replace('"one"', '"two"'))
    instance.wait_body(b"two")
    assert instance.http("/count").body == b"2"
    assert instance.http("/media/new.txt").body == b"x"
    assert instance.http("/look").body == b"", "what is not named is gone"
    assert instance.run("restart", root, "--reschedule").returncode == 0
    instance.wait_line(r"web3 serves version")
    assert instance.http("/count").body == b"3"
    assert instance.stop() == 0
    assert sorted(os.listdir(directory)) == ["db.sqlite3", "media"]
    (root / "media" / "old.txt").write_text("changed since")
    again = up(root)
    again.wait_healthy()
    assert again.http("/count").body == b"4"
    assert again.http("/media/old.txt").body == b"of the upload", "what is kept is stronger than the upload"
    assert not (root / "db.sqlite3").exists()


@pytest.mark.contract("P-131")
def test_sqlite_is_safe_while_two_instances_meet(project, up):
    root = project(KEEPING)
    instance = up(root)
    instance.wait_healthy()
    directory = kept_directory(instance)
    assert instance.http("/count").body == b"1"
    with instance.open("/count") as _:  # one more, so that the counts below are not trivial
        pass
    answers = []
    held = instance.client()
    held.connection.putrequest("POST", "/hold")
    held.connection.putheader("Content-Length", "5")
    held.connection.endheaders()
    wait_for(lambda: "db.sqlite3-journal" in os.listdir(directory), "the journal beside the kept file", 10,
             lambda: os.listdir(directory))
    (root / "wsgi.py").write_text(WSGI.replace('"one"', '"two"'))
    instance.wait_body(b"two")
    writer = threading.Thread(target=lambda: answers.append(instance.http("/count").body), daemon=True)
    writer.start()  # the new instance waits for the old one's lock
    writer.join(0.5)
    assert answers == [], "it saw no lock"
    held.connection.send(b"12345")
    assert held.connection.getresponse().read() == b"held"
    writer.join(10)
    assert answers == [b"4"]
    held.close()


@pytest.mark.contract("P-131")
def test_verify_says_that_the_cloud_keeps_nothing(project, run):
    done = run("verify", project({**files(), ".leanlocal.yaml": "persist:\n  - db.sqlite3\n  - media/\n"}))
    assert done.returncode == 0, done.stdout
    assert re.search(r"keeps db\.sqlite3, media/ .*in the cloud it is gone with each deployment", done.stdout)
    assert "P-131" in done.stdout


@pytest.mark.contract("P-131")
def test_persist_as_an_ordinary_user(ordinary):
    root = ordinary.project(KEEPING)
    instance = ordinary.up(root)
    instance.wait_healthy()
    assert instance.http("/count").body == b"1"
    assert instance.http("/write").status == 200
    (root / "wsgi.py").write_text(WSGI.replace('"one"', '"two"'))
    instance.wait_body(b"two")
    assert instance.http("/count").body == b"2"
    assert instance.http("/media/new.txt").body == b"x"


@pytest.mark.contract("P-131")
def test_persist_is_not_promised_where_nothing_can_be_mounted(project, up):
    instance = up(project(KEEPING), env={"LEANLOCAL_SANDBOX_DENY": "mount"})
    instance.wait_healthy()
    assert "persist: db.sqlite3, media/ is not kept: this host offers no mounts" in instance.text
    assert instance.http("/count").body == b"1"
