"""The main job: a project becomes an instance that answers, as the cloud would have it."""

import json
import re

import pytest

from helpers.running import Running

# One app that tells what it sees; asked by path.
WITNESS = '''
import datetime, json, os, socket, sys, time

def see(what):
    if what == "environ":
        return dict(os.environ)
    if what == "where":
        return {"cwd": os.getcwd(), "file": os.path.abspath(__file__), "name": __name__,
                "uid": os.getuid(), "home": os.path.expanduser("~"), "prefix": sys.prefix}
    if what == "time":
        return {"tzname": time.tzname[0], "offset": -time.timezone,
                "now": datetime.datetime.now().strftime("%z") or "naive"}
    if what == "write":
        result = {}
        for path in ("/home/leanengine/x", "/tmp/x", "/home/leanengine/app/x", "/usr/x", "/var/x",
                     "/etc/x", "/opt/env/x"):
            try:
                open(path, "w").close()
                result[path] = "ok"
            except (IOError, OSError) as error:
                result[path] = error.strerror
        return result
    if what == "left":
        return {"app": sorted(os.listdir(".")), "tmp": sorted(os.listdir("/tmp"))}
    if what == "processes":
        return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    return "?"

def application(environ, start_response):
    body = json.dumps(see(environ["PATH_INFO"].strip("/"))).encode("utf-8")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]
'''


@pytest.fixture
def witness(project, up):
    instance = up(project({"wsgi.py": WITNESS, "requirements.txt": ""}))
    instance.wait_healthy()
    return instance


def see(instance, what):
    status, body = instance.http("/" + what)
    assert status == 200, body
    return json.loads(body)


@pytest.mark.contract("P-80", "P-81", "P-132", "P-306")
def test_P_80_P_81_wsgi_py_is_imported_in_the_app_s_root(witness):
    where = see(witness, "where")
    assert where["name"] == "wsgi"
    assert where["cwd"] == "/home/leanengine/app"  # P-132
    assert where["file"] == "/home/leanengine/app/wsgi.py"
    assert where["home"] == "/home/leanengine"
    assert where["uid"] != 0
    assert where["prefix"] == "/opt/env"


@pytest.mark.contract("P-62", "P-92", "P-100b", "P-100c", "P-100e", "P-100f", "P-100g")
def test_P_100_variables_of_the_platform(witness):
    seen = see(witness, "environ")
    assert seen["LEANCLOUD_APP_ENV"] == "development"
    assert seen["LEANCLOUD_APP_PORT"] == "3000"  # P-92
    assert seen["LEANCLOUD_REGION"] == "CN"
    assert seen["LEANCLOUD_APP_GROUP"] == "web"
    assert re.fullmatch(r"\d{8}-\d{6}", seen["LEANCLOUD_VERSION_TAG"])  # P-62
    assert not [name for name in seen if name.startswith(("XDG_", "PYTEST", "TMUX"))]


@pytest.mark.parametrize("region, name, offset", [
    ("cn-n1", "CST", 8 * 3600), ("us-w1", "UTC", 0), ("ap-sg", "UTC", 0)])
@pytest.mark.contract("P-140")
def test_P_140_time_zone_of_the_region(project, up, region, name, offset):
    instance = up(project({"wsgi.py": WITNESS, "requirements.txt": ""}), "--region", region,
                  env={"TZ": "America/New_York"})
    instance.wait_healthy()
    seen = see(instance, "time")
    assert (seen["tzname"], seen["offset"]) == (name, offset)


@pytest.mark.contract("P-130", "P-135")
def test_P_130_P_135_only_home_and_tmp_can_be_written(witness):
    seen = see(witness, "write")
    writable = {path for path, result in seen.items() if result == "ok"}
    assert writable == {"/home/leanengine/x", "/tmp/x", "/home/leanengine/app/x"}


@pytest.mark.contract("P-134")
def test_P_134_names_of_files_differ_by_case(project, up):
    """Two files of one name but for the case are two, and an import in another case finds nothing."""
    root = project({"wsgi.py": WITNESS + """
import Case, case
assert (Case.WORD, case.WORD) == ("upper", "lower")
try:
    import CASE
except ImportError:
    print("no third one")
""", "Case.py": "WORD = 'upper'", "case.py": "WORD = 'lower'", "requirements.txt": ""})
    instance = up(root)
    instance.wait_healthy()
    instance.wait_line("no third one")


@pytest.mark.contract("P-131")
def test_P_131_nothing_written_outlives_the_instance(project, up):
    root = project({"wsgi.py": WITNESS, "requirements.txt": ""})
    instance = up(root)
    instance.wait_healthy()
    see(instance, "write")
    assert "x" in see(instance, "left")["app"]
    instance.run("restart", root)
    instance.wait_line(r"web2 serves version")
    left = see(instance, "left")
    assert "x" not in left["app"] and left["tmp"] == []
    assert not (root / "x").exists()


def test_app_sees_its_own_processes_only(witness):
    assert len(see(witness, "processes")) <= 4


@pytest.mark.contract("P-126")
def test_P_126_unflushed_print_appears_at_once(project, up):
    instance = up(project({
        "wsgi.py": "def application(e, s):\n    print('printed, not flushed')\n"
                   "    s('200 OK', [])\n    return [b'x']\n",
        "requirements.txt": ""}))
    instance.wait_healthy()
    instance.http("/")
    instance.wait_line(r"out +printed, not flushed")


def test_stdout_and_stderr_are_told_apart(project, up):
    instance = up(project({
        "wsgi.py": "import sys\nsys.stdout.write('to out\\n')\nsys.stderr.write('to err\\n')\n"
                   "def application(e, s):\n    s('200 OK', [])\n    return [b'x']\n",
        "requirements.txt": ""}))
    instance.wait_line(r"web1 +out +to out")
    instance.wait_line(r"web1 +err +to err")


def test_exception_gives_500_and_a_traceback(project, up):
    instance = up(project({
        "wsgi.py": "def application(e, s):\n    if e['PATH_INFO'] == '/':\n"
                   "        s('200 OK', [])\n        return [b'x']\n    return {}['missing']\n",
        "requirements.txt": ""}))
    instance.wait_healthy()
    status, _ = instance.http("/broken")
    assert status == 500
    instance.wait_line(r"err +KeyError: 'missing'")


def test_streaming_response_streams(project, up):
    instance = up(project({
        "wsgi.py": "import os\n"
                   "def application(e, s):\n"
                   "    s('200 OK', [('Content-Type', 'text/event-stream')])\n"
                   "    if e['PATH_INFO'] != '/stream':\n        return [b'x']\n"
                   "    def body():\n"
                   "        yield b'first'\n"
                   "        while not os.path.exists('/tmp/go'):\n            pass\n"
                   "        yield b'second'\n"
                   "    if e['QUERY_STRING'] == 'go':\n        open('/tmp/go', 'w').close()\n"
                   "    return body()\n",
        "requirements.txt": ""}))
    instance.wait_healthy()
    with instance.open("/stream") as stream:
        assert stream.read_until(b"first")
        instance.http("/stream?go")
        assert stream.read_until(b"second")


@pytest.mark.contract("P-21", "P-37", "P-91")
def test_P_21_P_37_run_is_a_shell_command(project, up):
    instance = up(project({
        "wsgi.py": "", "requirements.txt": "",
        "serve.py": "import os, sys, http.server\n"
                    "print('args', sys.argv[1:], sys.executable)\n"
                    "http.server.HTTPServer(('0.0.0.0', int(sys.argv[1])),"
                    " http.server.SimpleHTTPRequestHandler).serve_forever()\n",
        "leanengine.yaml": "run: python serve.py ${LEANCLOUD_APP_PORT} $(echo two)\n"}))
    instance.wait_healthy()
    instance.wait_line(r"out +args \['3000', 'two'\] /opt/env/bin/python")


@pytest.mark.contract("P-105")
def test_P_105_loopback_is_served_in_development_with_a_warning(project, up):
    instance = up(project(loopback_project()))
    instance.wait_line(r"P-105|listens on 127\.0\.0\.1:3000 only")
    instance.wait_healthy()
    assert instance.http("/")[0] == 200


@pytest.mark.contract("P-91", "P-105", "P-109")
def test_P_105_loopback_is_refused_in_production(project, run):
    done = run("verify", project(loopback_project()))
    assert done.returncode == 1
    assert "it asked for 127.0.0.1:3000" in done.stdout
    assert "实例启动失败: 无法访问应用的 Web 端口" in done.stdout  # P-109


def loopback_project():
    return {
        "wsgi.py": "", "requirements.txt": "",
        "serve.py": "import http.server\nhttp.server.HTTPServer(('127.0.0.1', 3000),"
                    " http.server.SimpleHTTPRequestHandler).serve_forever()\n",
        "leanengine.yaml": "run: python serve.py\n"}


@pytest.mark.contract("P-92")
def test_P_92_two_projects_have_port_3000_each(project, up, other_place):
    files = {"wsgi.py": WITNESS, "requirements.txt": ""}
    first = up(project(files))
    second = Running(other_place, other_place.project(files), (), None)
    first.wait_healthy()
    second.wait_healthy()
    assert see(first, "environ")["LEANCLOUD_APP_PORT"] == "3000"
    assert see(second, "environ")["LEANCLOUD_APP_PORT"] == "3000"


@pytest.mark.contract("P-63")
def test_P_63_second_start_needs_no_pip(project, up, wheelhouse):
    wheelhouse.add("tinydep", "1.0", {"tinydep.py": "WORD = 'tiny'\n"})
    root = project({
        "wsgi.py": "import tinydep\ndef application(e, s):\n    s('200 OK', [])\n"
                   "    return [tinydep.WORD.encode()]\n",
        "requirements.txt": "tinydep\n"})
    first = up(root, "--build-logs")
    first.wait_healthy()
    assert first.http("/")[1] == b"tiny"
    assert re.search(r"install +.*tinydep", first.text)
    first.stop()
    second = up(root, env={"PIP_FIND_LINKS": "/nonexistent"})  # pip could not find anything
    second.wait_healthy()
    assert second.http("/")[1] == b"tiny"
    assert "Collecting" not in second.text


@pytest.mark.contract("P-29", "P-103", "P-109")
def test_P_109_never_listening_is_told_after_startup_timeout(project, run):
    done = run("verify", project({
        "wsgi.py": "", "requirements.txt": "",
        "leanengine.yaml": "run: sleep 60\nstartupTimeout: 15\n"}), timeout=60, env={"LEANLOCAL_HEALTH": "second-ms=50"})
    assert done.returncode == 1
    assert "did not listen on port 3000 within 15 s" in done.stdout
    assert "请确保程序在 15 秒内正确地启动了 HTTP 服务" in done.stdout


@pytest.mark.contract("P-104", "P-110")
def test_P_110_redirecting_home_page_is_not_healthy(project, run):
    done = run("verify", project({
        "wsgi.py": "def application(e, s):\n"
                   "    s('302 Found', [('Location', 'https://example.com/')])\n    return [b'']\n",
        "requirements.txt": "", "leanengine.yaml": "startupTimeout: 15\n"}), timeout=60, env={"LEANLOCAL_HEALTH": "second-ms=400"})
    assert done.returncode == 1
    assert "302" in done.stdout and "https://example.com/" in done.stdout


@pytest.mark.contract("P-231")
def test_verify_says_what_the_cloud_would_say(project, run):
    done = run("verify", project({"wsgi.py": WITNESS, "requirements.txt": ""}))
    assert done.returncode == 0, done.stdout + done.stderr
    words = ["开始构建", "运行环境: python", "镜像构建完成", "开始部署", "正在创建新实例",
             "正在启动新实例", "实例启动成功", "部署完成：1 个实例部署成功"]  # P-231, in order
    places = [done.stdout.index(word) for word in words]
    assert places == sorted(places)


def test_verify_runs_as_production(project, run):
    done = run("verify", project({
        "wsgi.py": "import os\nassert os.environ['LEANCLOUD_APP_ENV'] == 'production'\n"
                   "def application(e, s):\n    s('200 OK', [])\n    return [b'x']\n",
        "requirements.txt": ""}))
    assert done.returncode == 0, done.stdout
