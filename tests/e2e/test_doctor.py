"""doctor: what this host can reproduce, what not, and the command that mends it. Each way in which a host lacks
something is made here, and must be told by its own row, cause and command."""

import json
import os
import re
import shutil
import time
import unicodedata

import pytest
from helpers.environments import MASKED
from helpers.place import Place
from helpers.pty_run import PtyRun

ORDINARY_UID = 12345
FEATURES = ["user-namespace", "mount", "pid-namespace", "proc", "overlay", "notify"]
HOST = ["system", "groups", "python", "pyenv", "pip", "certificates", "watches", "many-watches", "tzdata", "terminal",
        "language", "cache", "disk"]


@pytest.fixture
def user(leanlocal, cache):
    made = Place(leanlocal, cache, ORDINARY_UID if os.geteuid() == 0 else None)
    yield made
    made.leave()


def tool(place, *options):
    build = os.environ.get("LEANLOCAL_BUILD", os.path.join(os.path.dirname(__file__), "../../build/dev"))
    return [shutil.copy(os.path.join(build, "tests/tools/container"), place.root), *options]


def launched(place, launcher):
    """The place's programs start below a launcher from now on."""
    plain = place.command

    def command(*arguments):
        whole = plain()
        return whole[:-1] + launcher + whole[-1:] + list(map(str, arguments))
    place.command = command
    return place


def look(place, **env):
    done = place.run("doctor", "--format", "json", env=env)
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert done.returncode == told["code"]
    return told, {row["id"]: row for row in told["checks"]}


def host_root(place, **files):
    """A directory to be read instead of the host's own files."""
    root = place.directory("host")
    for name, text in files.items():
        path = os.path.join(root, name.replace("__", "/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
    place.give(root)
    os.chmod(root, 0o755)
    return root


def columns(line):
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in line)


def test_rows_and_level(place):
    told, rows = look(place)
    assert list(rows) == FEATURES + HOST
    for row in rows.values():
        assert row["title"] and row["how"]
        assert row["works"] or (row["reason"] and row["lost"] and row["mend"]), row
    assert told["program"] == os.path.realpath(place.program)
    lines = place.run("doctor").stdout.splitlines()
    assert lines[0].startswith("level %s: " % told["level"])


def test_no_project_no_engine_nothing_written(place, tmp_path):
    """Fast, from anywhere, and the host is as it was."""
    place.env["XDG_CACHE_HOME"] = os.path.join(place.root, "no-cache")
    before = {path: os.listdir(path) for path in (place.root, place.env["HOME"], place.env["XDG_RUNTIME_DIR"],
                                                  place.env["XDG_STATE_HOME"])}
    place.run("doctor")  # interpreters come from the disk
    start = time.monotonic()
    done = place.run("doctor", cwd=tmp_path)
    assert time.monotonic() - start < 5  # 0.1 s alone; CI has two cores for all
    assert "level" in done.stdout
    assert {path: os.listdir(path) for path in before} == before
    assert os.listdir(tmp_path) == []
    place.assert_nothing_left()


@pytest.mark.parametrize("feature", FEATURES)
def test_each_denied_feature_is_named(place, feature):
    _, whole = look(place)
    told, rows = look(place, LEANLOCAL_SANDBOX_DENY=feature)
    row = rows[feature]
    assert not row["works"] and row["cause"] == "denied"
    assert row["commands"] == ["unset LEANLOCAL_SANDBOX_DENY"] and "LEANLOCAL_SANDBOX_DENY" in row["reason"]
    assert row["lost"]
    for other in FEATURES:
        if other != feature and whole[other]["works"] and not rows[other]["works"]:
            assert rows[other]["cause"] == "follows", rows[other]
    assert told["code"] == (3 if told["level"] == "none" else 0)


def test_container_profile(user):
    """Docker's filter: the options of this container, never --privileged."""
    root = host_root(user, **{".dockerenv": "", "proc__self__status": "Name:\tx\nSeccomp:\t2\n"})
    launched(user, tool(user))
    told, rows = look(user, LEANLOCAL_SYSTEM_ROOT=root)
    assert told["level"] == "none" and told["code"] == 3
    row = rows["user-namespace"]
    assert (row["cause"], row["errno"]) == ("docker", 1)
    assert "Operation not permitted" in row["reason"]
    text = " ".join(row["commands"])
    assert "--security-opt seccomp=unconfined" in text and "--privileged" not in text
    assert rows["mount"]["cause"] == "follows"
    assert rows["notify"]["works"]  # the filter of the broker is another thing


def test_filter_without_marks_of_a_container(user):
    launched(user, tool(user))
    _, rows = look(user, LEANLOCAL_SYSTEM_ROOT=host_root(user, **{"proc__self__status": "Name:\tx\nSeccomp:\t2\n"}))
    assert rows["user-namespace"]["cause"] == "filter"
    assert "RestrictNamespaces=" in rows["user-namespace"]["mend"]


def test_namespace_yes_mounts_no(user):
    """Ubuntu's AppArmor rule: the advice is a profile for this binary, the switch stays on."""
    root = host_root(user, proc__sys__kernel__apparmor_restrict_unprivileged_userns="1\n")
    launched(user, tool(user, "--mounts"))
    told, rows = look(user, LEANLOCAL_SYSTEM_ROOT=root)
    assert told["level"] == "none" and told["code"] == 3
    assert rows["user-namespace"]["works"]
    row = rows["mount"]
    assert (row["cause"], row["errno"]) == ("apparmor", 13) and "Permission denied" in row["reason"]
    text = "\n".join(row["commands"])
    assert 'profile leanlocal "%s" flags=(unconfined) { userns, }' % os.path.realpath(user.program) in text
    assert "sudo apparmor_parser -r /etc/apparmor.d/leanlocal" in text
    assert "apparmor_restrict_unprivileged_userns=0" not in text and "sysctl" not in text
    shown = user.run("doctor", env={"LEANLOCAL_SYSTEM_ROOT": root}).stdout
    assert shown.startswith("level none: ")
    assert all(line.strip() in shown for line in row["commands"])


@pytest.mark.parametrize("mark, cause, word", [
    ("", "masked", None), (".dockerenv", "docker-paths", "docker run --security-opt systempaths=unconfined"),
    ("run/.containerenv", "podman-paths", "podman run --security-opt unmask=ALL")])
def test_masked_proc(user, mark, cause, word):
    """Containers cover parts of /proc: then the kernel lets nobody mount another one."""
    launched(user, MASKED)
    told, rows = look(user, LEANLOCAL_SYSTEM_ROOT=host_root(user, **{mark: ""} if mark else {}))
    assert told["level"] == "container" and told["code"] == 0
    assert [name for name in FEATURES if not rows[name]["works"]] == ["proc"]
    assert rows["proc"]["cause"] == cause and rows["proc"]["errno"] == 1
    assert "Operation not permitted" in rows["proc"]["reason"]
    assert rows["proc"]["commands"] == ([word + " ..."] if word else [])


def test_no_groups(place):
    _, rows = look(place, LEANLOCAL_SANDBOX_DENY="cgroup")
    row = rows["groups"]
    assert not row["works"] and row["reason"] and "Delegate=yes" in row["commands"][0]


def test_nested_is_full(user):
    whole, _ = look(user)
    launched(user, ["unshare", "--user", "--map-root-user", "--"])
    told, rows = look(user)
    assert told["level"] == whole["level"], rows


def test_what_up_needs_is_said_apart(place):
    """A cache that cannot be made: level full, yet exit 3."""
    open(os.path.join(place.root, "file"), "w").close()
    place.env["XDG_CACHE_HOME"] = os.path.join(place.root, "file")
    told, rows = look(place)
    assert rows["cache"]["required"] and not rows["cache"]["works"] and told["code"] == 3
    assert "XDG_CACHE_HOME" in rows["cache"]["commands"][0]
    lines = place.run("doctor").stdout.splitlines()
    assert lines[0].startswith("level ") and lines[1].endswith("cannot work without: cache")


def test_rest_of_the_host(place):
    root = host_root(place, proc__sys__fs__inotify__max_user_watches="8192\n")
    _, rows = look(place, LEANLOCAL_SYSTEM_ROOT=root, TERM="no-such-terminal", LANG="C", LC_ALL="",
                   PIP_INDEX_URL="https://me:secret@pip.example/simple")
    assert rows["many-watches"]["value"] == "8192" and not rows["many-watches"]["works"]
    assert any("max_user_watches=524288" in line for line in rows["many-watches"]["commands"])
    for name, word in (("certificates", "ca-certificates"), ("tzdata", "tzdata"), ("terminal", "TERM="),
                       ("language", "C.UTF-8")):
        assert not rows[name]["works"] and any(word in line for line in rows[name]["commands"]), name
    assert rows["language"]["reason"].startswith("C ") and "no-such-terminal" in rows["terminal"]["reason"]
    assert rows["pip"]["value"].endswith("pip.example") and "secret" not in json.dumps(rows)
    assert look(place, LANG="xx_XX.UTF-8")[1]["language"]["value"].endswith("(xx_XX.UTF-8 is not installed)")
    version = rows["python"]["value"].split(",")[0]
    assert re.fullmatch(r"\d\.\d+\.\d+", version)


@pytest.mark.parametrize("language", ["en", "zh_CN"])
@pytest.mark.parametrize("deny", ["", ",".join(FEATURES)])
def test_eighty_columns(user, language, deny):
    env = {"LEANLOCAL_SANDBOX_DENY": deny, "LC_ALL": "C.UTF-8" if language == "en" else "zh_CN.UTF-8",
           "XDG_CACHE_HOME": "/proc/leanlocal", "TERM": "x" * 30}
    shown = user.run("doctor", env=env).stdout
    for line in shown.splitlines():
        assert columns(line) <= 80 or " " not in line.strip(), line
    assert ("沙箱" in shown) == (language == "zh_CN")


def test_none_is_red_on_a_terminal(place):
    shown = PtyRun(place, "doctor", env={"LEANLOCAL_SANDBOX_DENY": "mount"})
    shown.wait_output(b"port broker")
    assert shown.output.startswith(b"\x1b[31mlevel none")
    plain = PtyRun(place, "doctor", env={"LEANLOCAL_SANDBOX_DENY": "mount", "NO_COLOR": "1"})
    plain.wait_output(b"port broker")
    assert plain.output.startswith(b"level none")


def test_usage(place):
    assert place.run("doctor", "somewhere").returncode == 2
    assert place.run("doctor", "--format", "yaml").returncode == 2
