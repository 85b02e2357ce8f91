"""The main job on every kind of host: root and ordinary user, nested, inside a container that forbids namespaces, and
with each feature of the sandbox struck out. What must hold everywhere is one test, run on each leg; what only some
levels promise follows."""

import json
import os
import re
import shutil
import signal

import pytest
from helpers import census
from helpers.environments import MASKED, note
from helpers.place import Place
from helpers.waiting import wait_for
from helpers.wheels import Wheelhouse

ORDINARY_UID = 12345
FEATURES = ["user-namespace", "mount", "proc", "pid-namespace", "overlay", "notify"]
ALL_DENIED = ",".join(FEATURES)
NESTED = ["unshare", "--user", "--map-root-user", "--"]

# name: (uid, launcher, denied features, level that is said)
LEGS = {
    "root": (None, [], "", "full"),
    "user": (ORDINARY_UID, [], "", "full"),
    "nested": (ORDINARY_UID, NESTED, "", "full"),
    "container-root": (None, ["container"], "", "none"),
    "container-user": (ORDINARY_UID, ["container"], "", "none"),
    "mountless-root": (None, ["container", "--mounts"], "", "none"),
    "mountless-user": (ORDINARY_UID, ["container", "--mounts"], "", "none"),
    "masked-user": (ORDINARY_UID, MASKED, "", "container"),
    "denied-root": (None, [], ALL_DENIED, "none"),
    "denied-user": (ORDINARY_UID, [], ALL_DENIED, "none"),
}
for _feature in FEATURES:
    _user = "none" if _feature in ("user-namespace", "mount") else "container"
    _root = "none" if _feature == "mount" else "container"
    LEGS["no-%s-root" % _feature] = (None, [], _feature, _root)
    LEGS["no-%s-user" % _feature] = (ORDINARY_UID, [], _feature, _user)
NONE = [name for name, leg in LEGS.items() if leg[3] == "none"]
NAMESPACED = [name for name in LEGS if name not in NONE]
MAIN = ["root", "user", "nested", "container-root", "container-user"]

FACTS = """
import glob, json, os, resource, signal, subprocess, sys, time
def text(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError as error:
        return str(error)
def tries(path):
    try:
        with open(path, "a") as file:
            return "written"
    except OSError as error:
        return type(error).__name__
START = sorted(int(fd) for fd in os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
def facts():
    run = lambda command: subprocess.run(command, shell=True, capture_output=True, text=True).stdout.strip()
    fds = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            fds[fd] = os.readlink("/proc/self/fd/" + fd)
        except OSError:
            pass
    mask = os.umask(0); os.umask(mask)
    status = dict(line.split(":\\t", 1) for line in text("/proc/self/status").splitlines() if ":\\t" in line)
    home = os.environ["HOME"]
    return {"uid": os.getuid(), "euid": os.geteuid(), "gid": os.getgid(), "groups": os.getgroups(),
            "home": home, "cwd": os.getcwd(), "tmpdir": os.environ.get("TMPDIR", "/tmp"),
            "zone": time.strftime("%z"), "environ": dict(os.environ), "umask": mask, "fds": fds,
            "port": os.environ["LEANCLOUD_APP_PORT"], "greet": run("greet"), "which": run("command -v greet; command -v python"),
            "child-fds": run("ls /proc/self/fd"), "nofile": resource.getrlimit(resource.RLIMIT_NOFILE),
            "core": resource.getrlimit(resource.RLIMIT_CORE),
            "oom": text("/proc/self/oom_score_adj").strip(), "status": status, "init": text("/proc/1/cmdline"),
            "writes": {path: tries(path) for path in (home + "/new", home + "/app/new", "/tmp/ll-%d" % os.getpid(),
                       os.environ.get("TMPDIR", "/tmp") + "/new", "/etc/ll-new", "/usr/ll-new", "/ll-new",
                       "/opt/env/ll-new", "/var/tmp/ll-new")},
            "stdin": sys.stdin.read(), "mounts": text("/proc/self/mountinfo"),
            "shadow": tries("/etc/shadow"), "processes": len(glob.glob("/proc/[0-9]*"))}
"""
WSGI = FACTS + """
import greeting
subprocess.Popen(["sleep", "1000"])
subprocess.Popen(["setsid", "sleep", "1000"])
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    if environ["PATH_INFO"] == "/facts":
        return [json.dumps(facts()).encode()]
    return [greeting.WORD.encode() + b" one"]
"""


class LevelPlace(Place):
    """A place whose programs are started by a launcher, with features denied."""

    def __init__(self, program, leg):
        uid, launcher, denied, self.level = LEGS[leg]
        if os.geteuid() != 0:
            uid = None
        super().__init__(program, None, uid)
        self.cache = self.directory("cache")
        self.env["XDG_CACHE_HOME"] = self.cache
        if denied:
            self.env["LEANLOCAL_SANDBOX_DENY"] = denied
        self.launcher = [self._tool(program, each) if each == "container" else each for each in launcher]
        self.house = Wheelhouse(os.path.join(self.root, "wheelhouse"))
        self.house.add("greeting", "1.0", {"greeting.py": "WORD = 'hi'\ndef main():\n    print('hello')\n"},
                       scripts={"greet": "greeting:main"})
        os.chmod(self.house.directory, 0o755)
        self.env.update(self.house.env)

    def _tool(self, program, name):
        build = os.environ.get("LEANLOCAL_BUILD", os.path.dirname(program))
        source = os.path.join(build, "tests", "tools", name)
        if not os.access(source, os.X_OK):
            pytest.fail("not built: " + source)
        return shutil.copy(source, self.root)

    def command(self, *arguments):
        command = super().command()
        return command[:-1] + self.launcher + command[-1:] + list(map(str, arguments))

    @property
    def private_directories(self):
        """Level none's stand-ins for the app's home, wherever leanlocal chose to have its cache."""
        caches = [os.path.join(self.cache, "leanlocal"), "/var/cache/leanlocal"]
        pids = {str(pid) for pid, _ in self.census.seen}
        found = []
        for cache in caches:
            runs = os.path.join(cache, "run")
            names = os.listdir(runs) if os.path.isdir(runs) else []
            found += [os.path.join(runs, name) for name in names if name.rpartition("-")[2] in pids]
        return found


def environment_of(leg):
    """Its name among those of helpers/environments.py."""
    uid, launcher, _, _ = LEGS[leg]
    if "--mounts" in launcher:
        return "mountless"
    if launcher:
        return "nested" if launcher == NESTED else "container"
    return "root" if uid is None and os.geteuid() == 0 else "user"


def _place(leanlocal, leg):
    if os.geteuid() != 0 and leg.endswith("root") and leg != "root":
        pytest.skip("needs root")
    return LevelPlace(leanlocal, leg)


@pytest.fixture
def make_place(request, leanlocal):
    made = []

    def make(leg):
        note(request.node, environment_of(leg))
        made.append(_place(leanlocal, leg))
        return made[-1]
    yield make
    for place in made:
        place.leave()


def project(place, **more):
    return place.project({"wsgi.py": WSGI, "requirements.txt": "greeting==1.0\n", **more})


def started(place, root, *options, env=None):
    instance = place.up(root, *options, env=env)
    return instance.wait_healthy()


def facts_of(instance):
    return instance.http("/facts").json()


@pytest.mark.parametrize("leg", LEGS)
def test_main_job(make_place, leg):
    """up, wheelhouse dependency, reload, a broken save, the end: on each leg."""
    place = make_place(leg)
    root = project(place)
    instance = started(place, root)
    if place.level == "full":
        assert "sandbox level" not in instance.text
    else:
        instance.wait_line("sandbox level %s" % place.level)
        instance.wait_line("leanlocal doctor")
    assert instance.http("/") == (200, b"hi one")
    facts = facts_of(instance)
    assert facts["greet"] == "hello", facts
    assert facts["uid"] == facts["euid"] != 0
    assert facts["zone"] == "+0800"
    assert facts["cwd"] == facts["home"] + "/app" == os.path.realpath(facts["cwd"])
    assert facts["umask"] == 0o22
    writes = facts["writes"]
    assert writes[facts["home"] + "/new"] == writes[facts["cwd"] + "/new"] == "written", writes
    assert writes[facts["tmpdir"] + "/new"] == "written"
    for path in ("/etc/ll-new", "/usr/ll-new", "/ll-new", "/opt/env/ll-new"):
        assert writes[path] != "written", path
    (root / "wsgi.py").write_text(WSGI.replace("one", "two"))
    instance.wait_body(b"hi two")
    (root / "wsgi.py").write_text("def broken(:\n")
    instance.wait_line("SyntaxError")
    instance.never_again(b"hi one", times=5)
    (root / "wsgi.py").write_text(WSGI.replace("one", "three"))
    instance.wait_body(b"hi three")
    assert instance.stop() in (0, 130)
    wait_for(lambda: not place.private_directories, "the private directories to go", 3)


@pytest.mark.parametrize("leg", [*MAIN, "masked-user", "mountless-user", "denied-user", "no-mount-user",
                                 "no-pid-namespace-root"])
def test_commands(make_place, leg):
    """verify and exec on each leg; build is cached by them."""
    place = make_place(leg)
    root = project(place)
    done = place.run("verify", root)
    assert done.returncode == 0, done.stdout + done.stderr
    done = place.run("exec", root, "--", "greet")
    assert (done.returncode, done.stdout) == (0, "hello\n"), done
    done = place.run("exec", root, "--", "sh", "-c", "id -u; pwd; echo $HOME; exit 7")
    assert done.returncode == 7, done
    uid, cwd, home = done.stdout.split()
    assert uid != "0" and cwd == home + "/app"
    place.assert_nothing_left()
    wait_for(lambda: not place.private_directories, "the private directories to go", 3)


@pytest.mark.parametrize("leg", ["container-user", "user", "nested", "no-pid-namespace-root", "denied-root"])
@pytest.mark.parametrize("victim", ["client", "engine", "init", "helper", "app"])
def test_each_death(make_place, leg, victim):
    """kill -9 of each: an end within 3 s, or what died is replaced and the app serves on."""
    place = make_place(leg)
    instance = started(place, project(place))
    if victim == "client":
        os.kill(instance.pid, signal.SIGKILL)
        instance.assert_gone(3)
        wait_for(lambda: not place.private_directories, "the private directories to go", 3)
    elif victim == "engine":
        os.kill(instance.engine_pid(), signal.SIGKILL)
        assert instance.wait_exit(3) == 3
        instance.assert_gone(3, files=False)
    elif victim == "helper":
        old = instance.helper_pid("@tree")
        os.kill(old, signal.SIGKILL)
        instance.wait_until(lambda: instance.helper_pid("@tree") not in (None, old))
        assert instance.http("/") == (200, b"hi one")
    else:
        init = instance.init_pid()
        before = set(descendants(init))
        os.kill(init if victim == "init" else app_below(init), signal.SIGKILL)
        instance.wait_line(r"web2 serves version")
        instance.wait_body(b"hi one")
        wait_for(lambda: not [pid for pid in before if census.alive(pid)], "the old instance to be gone", 3,
                 lambda: "\n".join(census.command_line(pid) for pid in before if census.alive(pid)))
    if victim not in ("client", "engine"):
        assert instance.stop() in (0, 130)


def descendants(pid):
    found = census.children(pid)
    for child in list(found):
        found += descendants(child)
    return found


def app_below(init):
    return next(pid for pid in census.children(init) if "sleep" not in census.command_line(pid))


@pytest.mark.parametrize("leg", NAMESPACED)
@pytest.mark.contract("P-132")
def test_home_is_the_clouds(make_place, leg):
    place = make_place(leg)
    instance = started(place, project(place))
    facts = facts_of(instance)
    assert facts["home"] == "/home/leanengine"
    assert facts["which"].splitlines() == ["/opt/env/bin/greet", "/opt/env/bin/python"]
    assert facts["writes"]["/var/tmp/ll-new"] != "written"
    assert place.root not in json.dumps(facts["environ"])


@pytest.mark.parametrize("leg", NONE)
def test_level_none_is_private_and_goes(make_place, leg):
    place = make_place(leg)
    instance = started(place, project(place))
    facts = facts_of(instance)
    assert os.path.isdir(facts["home"]) and os.stat(facts["home"]).st_uid == facts["uid"]
    assert os.stat(facts["home"]).st_mode & 0o77 == 0
    assert facts["environ"]["HOME"] == facts["home"]
    assert facts["tmpdir"].startswith(facts["home"])
    assert facts["environ"]["TZ"]
    which = facts["which"].splitlines()
    assert which[0].endswith("/bin/greet") and which[1].endswith("/bin/python")
    assert os.path.exists(which[0])  # the layer's host path
    assert facts["shadow"] != "written"
    assert instance.stop() in (0, 130)
    assert not os.path.exists(facts["home"])


def test_level_none_is_said_in_red(make_place):
    place = make_place("container-user")
    screen = place.screen("up", project(place), "--host", place.address, env={"TERM": "xterm-256color"})
    screen.wait_text(r"healthy|ready", 60)
    screen.wait_text(r"none")
    coloured = screen.capture(attributes=True)
    assert "\x1b[" in coloured and "31" in coloured


@pytest.mark.parametrize("leg", ["no-notify-user", "denied-root"])
def test_port_without_the_broker(make_place, leg):
    place = make_place(leg)
    facts = facts_of(started(place, project(place)))
    assert facts["port"] != "3000" and 1024 <= int(facts["port"])


@pytest.mark.parametrize("leg", ["no-notify-user", "denied-root"])
def test_app_that_ignores_its_port_is_named(make_place, leg):
    place = make_place(leg)
    server = ("import http.server, os, socketserver\n"
              "socketserver.TCPServer.allow_reuse_address = True\n"
              "http.server.test(http.server.SimpleHTTPRequestHandler, port=%d)\n")
    root = place.project({"main.py": server % (20000 + os.getpid() % 10000 + (leg == "denied-root")), "wsgi.py": "", "requirements.txt": "",
                          "leanengine.yaml": "run: python main.py\nstartupTimeout: 15\n"})
    instance = place.up(root, env={"LEANLOCAL_HEALTH": "second-ms=200"})
    instance.wait_line("LEANCLOUD_APP_PORT", 40)
    assert instance.stop() in (0, 130)


def test_broker_keeps_the_port_at_level_none(make_place):
    """No namespaces, but the filter works: the port number stays true."""
    place = make_place("container-user")
    instance = started(place, project(place))
    assert facts_of(instance)["port"] == "3000"


@pytest.mark.parametrize("leg", MAIN)
def test_what_the_app_inherits(make_place, leg):
    place = make_place(leg)
    env = {"SECRET_OF_THE_SHELL": "x", "LD_LIBRARY_PATH": "/nowhere", "PYTHONPATH": "/nowhere"}
    instance = started(place, project(place), env=env)
    facts = facts_of(instance)
    for name in ("SECRET_OF_THE_SHELL", "LD_LIBRARY_PATH", "PYTHONPATH", "XDG_CACHE_HOME", "LEANLOCAL_TEST_ID",
                 "PIP_NO_INDEX"):
        assert name not in facts["environ"], name
    assert set(facts["child-fds"].split()) == {"0", "1", "2", "3"}  # 3: the directory that ls reads
    assert facts["fds"]["0"] == "/dev/null" and facts["stdin"] == ""
    others = {fd: path for fd, path in facts["fds"].items() if int(fd) > 2}
    assert all(path.startswith(("socket:", "anon_inode:", "pipe:", "/proc/")) for path in others.values()), others
    import resource
    assert facts["nofile"] == list(resource.getrlimit(resource.RLIMIT_NOFILE))
    assert facts["status"]["SigBlk"].strip("0") == ""
    ignored = int(facts["status"]["SigIgn"], 16)
    assert ignored == 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)  # as every Python ignores them
    assert facts["oom"] == open("/proc/self/oom_score_adj").read().strip()
    assert facts["status"]["CapEff"].strip("0") == facts["status"]["CapPrm"].strip("0") == ""
    assert facts["status"]["NoNewPrivs"] == "1"
    assert facts["groups"] in ([], [facts["gid"]]) or leg in ("user", "nested", "container-user"), facts["groups"]


@pytest.mark.parametrize("leg", ["nested", "container-user", "mountless-user"])
@pytest.mark.contract("P-172")
def test_the_memory_of_the_size_holds(make_place, leg):
    """Also where no group, no namespace, no mount can be had: as an ordinary user and as root see
    tests/contract/test_instance_limits.py."""
    place = make_place(leg)
    heavy = "import time\nheld = bytearray(b'x' * (90 << 20))\ntime.sleep(30)\n" + WSGI
    done = place.run("verify", place.project({"wsgi.py": heavy, "requirements.txt": ""}),
                     env={"LEANLOCAL_INSTANCE_LIMITS": "memory-mb=64"})
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"web1 was killed: it took \d+ MB of memory, an instance of size standard-512 has 64 MB", done.stdout)


@pytest.mark.parametrize("leg", ["root", "user", "nested"])
def test_no_host_path_is_writable(make_place, leg):
    place = make_place(leg)
    facts = facts_of(started(place, project(place)))
    ours = ("tmpfs", "proc", "overlay", "devpts")
    for line in facts["mounts"].splitlines():
        fields = line.split()
        after = fields[fields.index("-") + 1:]
        target, options, kind = fields[4], fields[5].split(","), after[0]
        if kind not in ours and not target.startswith("/dev/"):
            assert "ro" in options, line
    assert facts["processes"] < 12
