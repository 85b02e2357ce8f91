"""The variables that the app gets (P-100a to P-102m, P-197, P-210 to P-214): read from a real app's os.environ.

One project and one `exec` a situation; each variable is a case of its own."""

import json
import os
import pty
import re
import shutil
import subprocess
import sys

import pytest

from helpers.interpreters import need_interpreter
from helpers.place import Place

WSGI = '''
import json, os, time

SEEN = dict(os.environ)  # at import

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(SEEN).encode("utf-8")]
'''
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"
DOTENV = '''# what the developer has
MINE=plain
SECRET_WORD="two words"
REDIS_URL_MyCache=redis://127.0.0.1:6379
LEANCLOUD_APP_PORT=9999
LEANCLOUD_REGION=US
LEANCLOUD_OWN=1
NODE_ENV=production
_UNDER=1
'''
IDENTITY = {"LEANCLOUD_APP_ID": "RealAppIdentifier-x", "LEANCLOUD_APP_KEY": "real-key",
            "LEANCLOUD_APP_MASTER_KEY": "real-master", "LEANCLOUD_APP_HOOK_KEY": "real-hook"}

# A situation: (options, the shell's own variables, files beside those of the project).
SITUATIONS = {
    "development": ((), {}, {}),
    "stage": (("--env", "stage"), {}, {}),
    "production": (("--env", "production"), {}, {}),
    "trial": (("--size", "trial"), {}, {}),
    "group": (("--group", "worker"), {}, {}),
    "own": ((), {}, {".env": DOTENV}),
    "real": ((), dict(IDENTITY, LEANCLOUD_REGION="CN", LEANCLOUD_APP_PORT="1", SHELL_ONLY="1"), {}),
    "served": ((), dict(IDENTITY, LEANCLOUD_API_SERVER="http://127.0.0.1:1"), {}),
    "linked": ((), {}, {".leancloud/current_app_id": "LinkedApplication", ".leancloud/current_group": "jobs\n"}),
    "other": (("--app-id", "OptionApplication"), IDENTITY, {}),
    "us": ((), dict(IDENTITY, LEANCLOUD_REGION="US"), {}),
    "cn-n1": (("--region", "cn-n1"), IDENTITY, {}),
    "cn-e1": (("--region", "cn-e1"), IDENTITY, {}),
    "us-w1": (("--region", "us-w1"), IDENTITY, {}),
    "cn-tds1": (("--region", "cn-tds1"), IDENTITY, {}),
    "ap-sg": (("--region", "ap-sg"), IDENTITY, {}),
}
API = r"https://realappi\.%s"

# (rule, situation, variable, what its value matches; None: it is not there)
CASES = [
    ("P-100a", "development", "LEANCLOUD_APP_ID", r"leanlocal[0-9a-f]{15}-gzGzoHsz"),
    ("P-100a", "development", "LEANCLOUD_APP_KEY", r"[0-9a-f]{24}"),
    ("P-100a", "development", "LEANCLOUD_APP_MASTER_KEY", r"[0-9a-f]{24}"),
    ("P-100a", "real", "LEANCLOUD_APP_ID", "RealAppIdentifier-x"),
    ("P-100a", "real", "LEANCLOUD_APP_KEY", "real-key"),
    ("P-100a", "real", "LEANCLOUD_APP_MASTER_KEY", "real-master"),
    ("P-100a", "linked", "LEANCLOUD_APP_ID", "LinkedApplication"),
    ("P-100a", "other", "LEANCLOUD_APP_ID", "OptionApplication"),
    ("P-100a", "other", "LEANCLOUD_APP_KEY", r"[0-9a-f]{24}"),  # the shell's is another app's
    ("P-100b", "development", "LEANCLOUD_APP_ENV", "development"),
    ("P-100b", "production", "LEANCLOUD_APP_ENV", "production"),
    ("P-101i", "stage", "LEANCLOUD_APP_ENV", "stage"),
    ("P-100c", "development", "LEANCLOUD_APP_PORT", "3000"),
    ("P-100d", "development", "LEANCLOUD_API_SERVER", r"http://127\.77\.255\.\d+:\d+"),
    ("P-100e", "development", "LEANCLOUD_APP_GROUP", "web"),
    ("P-100e", "group", "LEANCLOUD_APP_GROUP", "worker"),
    ("P-100e", "linked", "LEANCLOUD_APP_GROUP", "jobs"),
    ("P-100f", "development", "LEANCLOUD_REGION", "CN"),
    ("P-100f", "us", "LEANCLOUD_REGION", "US"),
    ("P-100f", "real", "LEANCLOUD_REGION", "CN"),
    ("P-100g", "development", "LEANCLOUD_VERSION_TAG", r"20\d{6}-\d{6}"),
    ("P-101a", "development", "LEANCLOUD_APP_HOOK_KEY", r"[0-9a-f]{24}"),
    ("P-101a", "real", "LEANCLOUD_APP_HOOK_KEY", "real-hook"),
    ("P-101b", "development", "LEANCLOUD_APP_DOMAIN", "localhost"),
    ("P-101c", "development", "LEANCLOUD_APP_INSTANCE", r"[a-z]+1"),
    ("P-101d", "development", "LEANCLOUD_AVAILABLE_CPUS", "1"),
    ("P-93", "trial", "LEANCLOUD_AVAILABLE_CPUS", "1"),
    ("P-93", "development", "LEANCLOUD_AVAILABLE_MEMORY", None),
    ("P-101e", "production", "LEANCLOUD_APP_PROD", "1"),
    ("P-101e", "stage", "LEANCLOUD_APP_PROD", "0"),
    ("P-101f", "development", "LEANCLOUD_APP_ANDX_KEY", r"[0-9a-f]{24}"),
    ("P-197", "real", "LEANCLOUD_APP_ANDX_KEY", r"[0-9a-f]{24}"),
    ("P-101g", "real", "LC_APP_ID", "RealAppIdentifier-x"),
    ("P-101g", "real", "LC_APP_KEY", "real-key"),
    ("P-101g", "real", "LC_APP_MASTER_KEY", "real-master"),
    ("P-101g", "development", "LC_APP_PORT", "3000"),
    ("P-101g", "production", "LC_APP_ENV", "production"),
    ("P-101g", "served", "LC_API_SERVER", "http://127.0.0.1:1"),
    ("P-101g", "ap-sg", "LC_APP_ID", None),  # the other brand never had them
    ("P-101g", "cn-tds1", "LC_APP_PORT", None),
    ("P-101h", "production", "NODE_ENV", None),
    ("P-101h", "own", "NODE_ENV", None),
    ("P-102a", "own", "LEANCLOUD_APP_PORT", "3000"),
    ("P-102b", "own", "MINE", "plain"),
    ("P-102c", "own", "SECRET_WORD", "two words"),
    ("P-102e", "own", "LEANCLOUD_OWN", None),
    ("P-102g", "development", "LEAN_CLI_HAVE_STAGING", "true"),
    ("P-102g", "development", "PORT", None),
    ("P-102h", "real", "LEANCLOUD_APP_PORT", "3000"),
    ("P-102h", "real", "SHELL_ONLY", None),
    ("P-102h", "served", "LEANCLOUD_API_SERVER", "http://127.0.0.1:1"),
    ("P-102k", "real", "LEANCLOUD_API_SERVER", API % r"lc-cn-n1-shared\.com"),
    ("P-102k", "us", "LEANCLOUD_API_SERVER", API % r"api\.lncldglobal\.com"),
    ("P-102k", "cn-n1", "LEANCLOUD_API_SERVER", API % r"lc-cn-n1-shared\.com"),
    ("P-102k", "cn-e1", "LEANCLOUD_API_SERVER", API % r"lc-cn-e1-shared\.com"),
    ("P-102k", "us-w1", "LEANCLOUD_API_SERVER", API % r"api\.lncldglobal\.com"),
    ("P-102k", "cn-tds1", "LEANCLOUD_API_SERVER", API % r"cloud\.tds1\.tapapis\.cn"),
    ("P-102k", "ap-sg", "LEANCLOUD_API_SERVER", API % r"cloud\.ap-sg\.tapapis\.com"),
    ("P-102k", "linked", "LEANCLOUD_API_SERVER", r"https://linkedap\.lc-cn-n1-shared\.com"),
    ("P-102m", "trial", "LEAN_CLI_HAVE_STAGING", "false"),
    ("P-102m", "production", "LEAN_CLI_HAVE_STAGING", None),
    ("P-170", "trial", "LEAN_CLI_HAVE_STAGING", "false"),
    ("P-141", "cn-e1", "LEANCLOUD_REGION", "CN"),
    ("P-141", "cn-tds1", "LEANCLOUD_REGION", "CN"),
    ("P-141", "ap-sg", "LEANCLOUD_REGION", "AP"),
    ("P-141", "us-w1", "LEANCLOUD_REGION", "US"),
    ("P-213", "own", "REDIS_URL_MyCache", r"redis://127\.0\.0\.1:6379"),
    ("P-304", "development", "LEANCLOUD_API_SERVER", r"http://127\.77\.255\.\d+:\d+"),
]


@pytest.fixture(scope="module")
def seen(leanlocal, cache):
    """seen(situation) -> (the app's os.environ, what was said)."""
    place = Place(leanlocal, cache)
    known = {}

    def look(situation):
        if situation not in known:
            options, shell, more = SITUATIONS[situation]
            root = place.project({"wsgi.py": WSGI, "requirements.txt": "", **more})
            done = place.run("exec", *options, root, "--", "python", "-c", SHOW, env=shell)
            assert done.returncode == 0, done.stderr
            known[situation] = json.loads(done.stdout), done.stderr
        return known[situation]
    yield look
    place.leave()


@pytest.mark.contract("P-93", "P-100a", "P-100b", "P-100c", "P-100d", "P-100e", "P-100f", "P-100g", "P-101a",
                      "P-101b", "P-101c", "P-101d", "P-101e", "P-101f", "P-101g", "P-101h", "P-101i", "P-102a",
                      "P-102b", "P-102c", "P-102e", "P-102g", "P-102h", "P-102k", "P-102m", "P-141", "P-170",
                      "P-197", "P-213", "P-304")
@pytest.mark.parametrize("situation, name, pattern", [each[1:] for each in CASES],
                         ids=["-".join(each[:3]) for each in CASES])
def test_variable(seen, situation, name, pattern):
    value = seen(situation)[0].get(name)
    if pattern is None:
        assert value is None
    else:
        assert value is not None and re.fullmatch(pattern, value), value


@pytest.mark.contract("P-102g")
def test_P_102g_all_that_the_platform_s_tool_sets_for_a_local_start(seen):
    legacy = {"LC_" + each for each in ("APP_ID", "APP_KEY", "APP_MASTER_KEY", "APP_PORT", "API_SERVER")}
    ours = {"LEANCLOUD_" + each for each in (
        "APP_ID", "APP_KEY", "APP_MASTER_KEY", "APP_HOOK_KEY", "APP_PORT", "API_SERVER", "APP_ENV", "REGION",
        "APP_DOMAIN", "APP_GROUP")}
    assert (legacy | ours | {"LEAN_CLI_HAVE_STAGING"}) <= set(seen("development")[0])


@pytest.mark.contract("P-210", "P-211", "P-212", "P-214")
def test_P_214_no_database_s_variables_are_there_locally(seen):
    names = [name for name in seen("development")[0] if re.match("(REDIS|MYSQL|MONGODB)_", name)]
    assert names == []


@pytest.fixture
def app(project):
    def make(dotenv=None, **more):
        files = {"wsgi.py": WSGI, "requirements.txt": "", **more}
        if dotenv is not None:
            files[".env"] = dotenv
        return project(files)
    return make


@pytest.mark.contract("P-102a", "P-102c", "P-102e", "P-101h")
def test_a_line_that_the_cloud_would_not_have_is_told_with_its_place(run, app):
    done = run("env", app(DOTENV))
    assert done.returncode == 0
    for line, name in ((5, "LEANCLOUD_APP_PORT"), (7, "LEANCLOUD_OWN"), (8, "NODE_ENV"), (9, "_UNDER")):
        assert re.search(r"(?m)^leanlocal: \.env:%d: %s: " % (line, name), done.stderr), done.stderr
    assert not re.search(r"\.env:[2346]:", done.stderr)
    assert all(line.startswith("export ") for line in done.stdout.splitlines())


@pytest.mark.contract("P-102a")
def test_P_102a_an_attempt_is_told_before_the_app_starts_and_once(run, app):
    done = run("verify", app("LEANCLOUD_APP_ENV=stage\n"))
    assert done.returncode == 0
    before, after = done.stdout.split("web1 version")
    assert before.count(".env:1:1: LEANCLOUD_APP_ENV: cannot be overridden") == 1 and ".env" not in after


DATABASES = ["REDIS_URL_MyCache", "MYSQL_HOST_DB1", "MYSQL_PORT_DB1", "MYSQL_ADMIN_USER_DB1",
             "MYSQL_ADMIN_PASSWORD_DB1", "MONGODB_URL_m"]


@pytest.mark.contract("P-102b", "P-210", "P-211", "P-212", "P-213")
def test_P_102b_verify_names_what_the_console_has_to_be_told(run, app):
    own = "MINE=1\nOTHER=2\nredis_url_MyCache=x\n"
    done = run("verify", app(own + "".join(name + "=zzvalue\n" for name in DATABASES)))
    assert done.returncode == 0, done.stdout
    console, databases = re.search(r"env files.*: (.*)", done.stdout), re.search(r"database's name: (.*)", done.stdout)
    assert console.group(1) == "MINE, OTHER, redis_url_MyCache"
    assert databases.group(1) == ", ".join(DATABASES)
    assert re.search(r"\.env:3:1: redis_url_MyCache: the cloud writes it REDIS_URL_", done.stdout)
    assert "zzvalue" not in done.stdout  # names only


@pytest.mark.contract("P-102b", "P-102l")
def test_P_102b_P_102l_a_change_reaches_the_app_with_the_next_deployment(up, app):
    root = app("MINE=before\n")
    instance = up(root, ready=True)
    assert json.loads(instance.http("/").body)["MINE"] == "before"  # as it was when wsgi.py was imported
    (root / ".env").write_text("MINE=after\n")
    instance.wait_body(b'"MINE": "after"')


def test_a_broken_env_file_is_told_and_the_next_save_mends_it(up, app):
    root = app("MINE=first\n")
    instance = up(root, ready=True)
    (root / ".env").write_text("MINE='never closed\n")
    instance.wait_line(r"failed .*\.env:1: the quote is never closed")
    assert json.loads(instance.http("/").body)["MINE"] == "first"  # the old one keeps serving
    (root / ".env").write_text("MINE=mended\n")
    instance.wait_body(b'"MINE": "mended"')


@pytest.mark.contract("P-102d")
def test_P_102d_secrets_are_masked_on_a_terminal(place, app):
    root = app("DB_PASSWORD=hunter2\nCACHE=redis://u:hunter2@h\nMINE=plain\n")

    def on_terminal(*options):
        ours, theirs = pty.openpty()
        with subprocess.Popen(place.command("env", root, *options), env=place.env, stdin=theirs, stdout=theirs,
                              stderr=subprocess.DEVNULL) as process:
            os.close(theirs)
            text = b""
            while True:
                try:
                    chunk = os.read(ours, 65536)
                except OSError:
                    break
                if not chunk:
                    break
                text += chunk
            process.wait(30)
        os.close(ours)
        return text.decode()
    masked, revealed = on_terminal(), on_terminal("--reveal")
    assert "hunter2" not in masked and "MINE='plain'" in masked
    assert re.search(r"LEANCLOUD_APP_MASTER_KEY='\*+'", masked)
    assert revealed.count("hunter2") == 2
    assert "hunter2" in place.run("env", root).stdout  # for eval
    assert "hunter2" not in place.run("env", root, "--mask").stdout
    assert "hunter2" not in place.run("verify", root).stdout


@pytest.mark.contract("P-102f")
@pytest.mark.parametrize("exposed", [False, True])
def test_P_102f_variables_while_building(run, app, exposed):
    yaml = "build: 'echo id=${LEANCLOUD_APP_ID:-none} mine=${MINE:-none} instance=${LEANCLOUD_APP_INSTANCE:-none}'\n"
    yaml += "exposeEnvironmentsOnBuild: true\n" if exposed else ""
    done = run("build", "--build-logs", app("MINE=1\n", **{"leanengine.yaml": yaml}))
    found = re.search(r"id=([\w-]+) mine=(\w+) instance=(\w+)$", done.stdout, re.MULTILINE)
    assert found.group(2) == ("1" if exposed else "none") and found.group(3) == "none"
    assert (found.group(1) != "none") == exposed


@pytest.mark.contract("P-141")
def test_P_141_other_regions_are_refused_with_the_list(run, app):
    done = run("env", app(), "--region", "mars")
    assert done.returncode == 2
    for region in ("cn-n1", "cn-e1", "us-w1", "cn-tds1", "ap-sg"):
        assert region in done.stderr


@pytest.mark.contract("P-140")
@pytest.mark.parametrize("region, offset", [("cn-e1", "+0800"), ("cn-tds1", "+0800"), ("us-w1", "+0000")])
def test_P_140_the_clock_follows_the_region_of_env_files_too(run, app, region, offset):
    done = run("exec", app("LEANCLOUD_REGION=%s\n" % region), "--", "date", "+%z", env={"TZ": "America/New_York"})
    assert done.stdout.strip() == offset, done.stderr


@pytest.mark.contract("P-170")
def test_P_170_sizes(run, up, app):
    root = app()
    assert run("up", root, "--size", "trial", "--env", "stage").returncode == 2  # trial has no staging
    refused = run("up", root, "--size", "standard-768")
    assert refused.returncode == 2 and "standard-4096" in refused.stderr
    assert run("exec", root, "--size", "standard-2048", "--", "true").returncode == 0


# ---- an app that is nobody's (P-304) ----

CALLS = '''
import json, os, urllib.request, urllib.error
url = os.environ["LEANCLOUD_API_SERVER"]
seen = []
for method, path, data in (("GET", "/1.1/date", None), ("POST", "/1.1/classes/Todo", b"x" * 300000),
                           ("HEAD", "/", None)):
    try:
        urllib.request.urlopen(urllib.request.Request(url + path, data=data, method=method), timeout=10)
    except urllib.error.HTTPError as error:
        body = error.read()
        seen.append([error.code, json.loads(body)["error"][:7] if body else ""])
print(json.dumps(seen))
'''


@pytest.mark.contract("P-304")
def test_P_304_an_invented_app_is_answered_offline_and_never_live(run, app):
    done = run("exec", app(), "--", "python", "-c", CALLS)
    assert json.loads(done.stdout) == [[503, "offline"], [503, "offline"], [503, ""]], done.stderr


ABUSE = '''
import os, socket, urllib.request, urllib.error
url = os.environ["LEANCLOUD_API_SERVER"]
host, port = url.split("//")[1].split(":")
held = []
for bytes in [b"", b"GET", b"\\x00\\xff" * 50, b"GET / HTTP/1.1\\r\\n"] * 15 + [b"x" * 40000]:
    each = socket.create_connection((host, int(port)), 10)
    each.sendall(bytes)
    held.append(each)
held[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\1\\0\\0\\0\\0\\0\\0\\0")
for each in held[:30]:
    each.close()
for each in range(100):
    try:
        urllib.request.urlopen(url + "/1.1/date", timeout=10)
    except urllib.error.HTTPError as error:
        assert error.code == 503
print("fine")
'''


@pytest.mark.contract("P-304")
def test_P_304_the_offline_server_bears_what_is_no_request(run, app):
    done = run("exec", app(), "--", "python", "-c", ABUSE)
    assert done.stdout == "fine\n", done.stderr


@pytest.mark.contract("P-304")
def test_P_304_a_call_while_importing_is_told_once(up, app):
    wsgi = CALLS + "print('imported')\n" + WSGI
    instance = up(app(**{"wsgi.py": wsgi}), ready=True)
    instance.wait_line(r"GET /1\.1/date")
    assert sum("P-304" in text for _, text in instance.lines) == 1
    assert "PROXY" not in instance.text


@pytest.mark.contract("P-304")
def test_P_304_a_proxy_of_the_shell_does_not_reach_the_app(run, app):
    done = run("exec", app(), "--", "python", "-c", CALLS, env={"http_proxy": "http://127.0.0.1:1"})
    assert json.loads(done.stdout)[0] == [503, "offline"], done.stderr


# ---- leanlocal env ----

NASTY = {
    "QUOTE": "it's", "DOUBLE": 'say "hi"', "DOLLAR": "$HOME ${x} $(id) `id`", "BACK": "a\\b\\\\c\\n",
    "LINES": "one\ntwo\n\nthree\n", "CR": "a\rb\r\nc", "TAB": "\ta\t", "BLANKS": "  two  ", "EMPTY": "",
    "HASH": "# no comment #", "STAR": "* ? [a] ~ !x !!", "SEMI": "a; rm -rf / & b | c > d",
    "UTF8": "\u4e2d\u6587 \U0001f600",
    "EQUALS": "a=b=c", "DASH": "-n", "QUOTES": "'\"'\"'", "PERCENT": "%s%d%n", "EXPORT": "export A=1",
    "BELL": "\x07\x1b[31m",
    "LONG": "x" * 20000, "IFS": ":,", "PS1": "$ ", "OPTIND": "7", "LC_ALL": "C",
}


def quoted(value):
    """As the grammar of env files has it (emulator/formats/dotenv.h)."""
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("$", "\\$"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        value = value.replace(plain, escaped)
    return '"%s"' % value


NASTY_FILE = "".join("export %s=%s  # why\n" % (name, quoted(value)) for name, value in NASTY.items())


@pytest.mark.contract("P-102j")
@pytest.mark.parametrize("shell", ["dash", "bash", "bash --posix", "sh", "ksh", "zsh", "busybox sh"])
def test_P_102j_eval_gives_every_shell_the_same_values(place, app, shell):
    if not shutil.which(shell.split()[0]):
        pytest.skip("no %s on this host" % shell)
    root = app(NASTY_FILE + "UID=5\nPPID=5\n")
    wanted = json.loads(place.run("env", root, "--format", "json").stdout)
    assert {name: wanted[name] for name in NASTY} == NASTY
    script = 'eval "$("$1" env "$2" 2>/dev/null)" || exit 9; exec "$3" -c "$4"'
    done = subprocess.run([*shell.split(), "-c", script, "shell", place.program, str(root), sys.executable, SHOW],
                          env=place.env, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    got = json.loads(done.stdout)
    runtime = {"PATH", "HOME", "USER", "LANG", "PYTHONUNBUFFERED", "UID", "PPID"}
    changing = {"LEANCLOUD_VERSION_TAG"}
    for name in set(wanted) - runtime - changing:
        assert got.get(name) == wanted[name], name


def test_env_as_dotenv_is_read_back_as_the_same_values(run, app, project):
    flat = json.loads(run("env", app(NASTY_FILE), "--format", "json").stdout)
    text = run("env", app(NASTY_FILE), "--format", "dotenv").stdout
    own = "\n".join(line for line in text.splitlines() if line.split("=")[0] in NASTY)
    again = json.loads(run("env", app(own + "\n"), "--format", "json").stdout)
    assert {name: again[name] for name in NASTY} == {name: flat[name] for name in NASTY} == NASTY


def test_env_asks_the_running_one(up, run, app):
    root = app("MINE=dotenv\n", **{"more.env": "MINE=option\n", ".leanlocal.yaml": "group: worker\n"})
    instance = up(root, "--env-file", root / "more.env", "--env", "stage", ready=True)
    app_has = json.loads(instance.http("/").body)
    told = json.loads(run("env", root, "--format", "json").stdout)
    assert told["MINE"] == "option" and told["LEANCLOUD_APP_ENV"] == "stage"
    assert told["LEANCLOUD_APP_GROUP"] == "worker"  # an option of the project asks for nothing else
    assert told == {name: app_has[name] for name in told}
    other = json.loads(run("env", root, "--format", "json", "--env", "production").stdout)
    assert other["LEANCLOUD_APP_ENV"] == "production" and other["MINE"] == "dotenv"


@pytest.mark.parametrize("content, says", [
    ("A=1\nB\n", r"\.env:2: expected NAME=value"), ("A='x\n", r"\.env:1: the quote is never closed"),
    (b"A=1\n\nB=\xff\n", r"\.env:3: not UTF-8"), ("A=" + "x" * (256 << 10), r"\.env: larger than 256 KB"),
    ("A=1\nB=" + "x" * 130000, r"\.env:2: a value larger than 120 KB"),
    ("".join("A%d=1\n" % i for i in range(1001)), r"\.env:1001: more than 1000 variables")])
def test_a_bad_env_file_is_wrong_usage_with_its_line(run, app, content, says):
    done = run("env", app(content))
    assert done.returncode == 2 and done.stdout == ""
    assert re.search(says, done.stderr), done.stderr


def test_a_value_as_large_as_may_be_reaches_the_app(run, app):
    done = run("exec", app("A=" + "x" * 122000), "--", "python", "-c", "import os; print(len(os.environ['A']))")
    assert done.stdout == "122000\n", done.stderr


def test_an_env_file_that_is_a_pipe_is_wrong_usage(run, app):
    root = app()
    os.mkfifo(root / "pipe")
    done = run("env", root, "--env-file", root / "pipe")
    assert done.returncode == 2 and "not a regular file" in done.stderr


def test_an_env_file_that_is_missing_is_wrong_usage(run, app):
    for command in (("env",), ("verify",), ("exec",)):
        done = run(*command, app(), "--env-file", "nowhere.env", *(("--", "true") if command == ("exec",) else ()))
        assert done.returncode == 2 and "nowhere.env" in done.stdout + done.stderr


# ---- what the vendor's SDK makes of them ----

SDK = '''
import json
from wsgi import application
from leancloud import client
from leancloud.engine import authorization
from werkzeug.test import Client
from werkzeug.wrappers import BaseResponse
import os
ask = Client(application, BaseResponse)
own = os.environ["LEANCLOUD_APP_KEY"]

def call(**headers):
    headers = {"X-LC-" + name: value for name, value in headers.items()}
    return ask.post("/1.1/functions/add", headers=headers, content_type="application/json",
                    data=json.dumps({"a": 1, "b": 2})).status_code
print(json.dumps({"production": client.USE_PRODUCTION, "keys_at_import": authorization.APP_KEY == own,
                  "own": call(Id=os.environ["LEANCLOUD_APP_ID"], Key=own), "none": call(Id=os.environ["LEANCLOUD_APP_ID"]),
                  "master": call(Id=os.environ["LEANCLOUD_APP_ID"], Key="anything,master")}))
'''


@pytest.mark.slow
@pytest.mark.needs_index
@pytest.mark.contract("P-102l", "P-102m", "P-197", "P-101f")
def test_the_sdk_takes_them_as_in_the_cloud(run, copy_project):
    need_interpreter("3.8")
    root = copy_project(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../projects/sdk-38"))
    seen = {}
    for name, options in (("development", ()), ("trial", ("--size", "trial")), ("stage", ("--env", "stage")),
                          ("production", ("--env", "production"))):
        done = run("exec", root, *options, "--", "python", "-c", SDK, timeout=300)
        assert done.returncode == 0, done.stderr
        seen[name] = json.loads(done.stdout.splitlines()[-1])
    assert {name: each["production"] for name, each in seen.items()} == {
        "development": "0", "trial": "1", "stage": "0", "production": "1"}
    for each in seen.values():
        assert each["keys_at_import"] is True
        assert (each["own"], each["none"], each["master"]) == (200, 401, 401)  # P-197
