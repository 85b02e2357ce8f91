"""The health check and the start (P-103 to P-116): each case of tests/acceptance is played and must end as the
platform says, in its own words. No case waits for the platform's seconds: LEANLOCAL_HEALTH makes them short."""

import os
import re
import sys

import pytest
from building import cloud

from helpers.interpreters import patch_version

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "acceptance"))

import cases  # noqa: E402

REMOVED, BROKEN, DEPLOYED = "新建实例已被移除", "部署完成：发生了 1 个错误", "部署完成：1 个实例部署成功"
IN_TIME = {"listens-10-of-15", "listens-10-of-60", "listens-40-of-60", "first-byte-after-3"}
SILENT = {"never-listens", "never-listens-30", "listens-40-of-15"}
LATER = ("closes-its-port-after-3", "closes-its-port-after-10")  # these start, and fail later


def second_of(one):
    """How long a second lasts: short where it must be too late, as long as it is where nothing waits for one; between
    them where an app has to start on a busy machine before the limit is over."""
    if one.name in SILENT:
        return 20
    if one.deployed:
        return {"listens-10-of-15": 250, "first-byte-after-3": 300}.get(one.name, 100 if one.name in IN_TIME else 1000)
    return 200


def times(second, *more):
    return {"LEANLOCAL_HEALTH": ",".join(["second-ms=%d" % second, "timeout-ms=%d" % (second * 5), *more])}


def verify(run, project, one, **more):
    second = second_of(one)
    made = cases.files(one, second)
    made.update(more)
    return run("verify", project(made), env=times(second), timeout=60)


def play(run, project, name):
    """The deploy log of that case, which must end as its row says."""
    one = cases.find(name)
    done = verify(run, project, one)
    assert done.returncode == (0 if one.deployed else 1), done.stdout + done.stderr
    said = cloud(done)
    assert said[-1] == (DEPLOYED if one.deployed else BROKEN), done.stdout
    if not one.deployed:
        assert said[-2] == REMOVED
    if name not in LATER:
        assert one.says in done.stdout, done.stdout
    return done


ANSWERS = ["500-everywhere-disabled", "answers-nothing", "half-an-answer", "reset-in-the-body", "no-http",
           "late-and-answers-nothing", "closes-its-port-unanswered"]
ODD = ["listens-in-a-child", "ignores-term", "floods", "half-lines-and-no-utf-8", "idle-websocket", "204-is-enough",
       "a-page-without-end", "imported-and-healthy"]
ENDS = ["raises", "exits-with-3", "ends-with-0", "segfault", "parent-leaves"]


def test_no_case_is_forgotten():
    played = set(ANSWERS) | set(ODD) | set(ENDS) | SILENT | IN_TIME | set(LATER)
    with open(__file__, encoding="utf-8") as own:
        text = own.read()
    assert [one.name for one in cases.CASES if one.name not in played and '"%s"' % one.name not in text] == []


# ---- when and where it listens ----

@pytest.mark.parametrize("name", sorted(SILENT | IN_TIME))
@pytest.mark.contract("P-29", "P-103", "P-109")
def test_the_limit_is_startup_timeout(project, run, name):
    done = play(run, project, name)
    if name in SILENT:
        assert re.search(r"did not listen on port 3000 within (15|30) s", done.stdout)


@pytest.mark.contract("P-105", "P-109")
def test_loopback_is_refused_at_once(project, run):
    one = cases.find("loopback-only")
    done = run("verify", project(cases.files(one)), timeout=12)  # and not after 15 s
    assert one.says in done.stdout and "it asked for 127.0.0.1:3000" in done.stdout
    assert cloud(done)[-2:] == [REMOVED, BROKEN]


@pytest.mark.contract("P-103", "P-109")
def test_without_the_port_broker(project, run):
    """Nobody tells of listen: the refusals are what is known, and the port is another one."""
    deny = {"LEANLOCAL_SANDBOX_DENY": "notify"}
    one = cases.find("never-listens")
    done = run("verify", project(cases.files(one)), env=times(100) | deny, timeout=60)
    assert "/ gives no answer: Connection refused" in done.stdout and one.says in done.stdout
    assert "LEANCLOUD_APP_PORT? It is " in done.stdout and "P-103" in done.stdout
    done = run("verify", project(cases.files(cases.find("imported-and-healthy"))), env=times(1000) | deny, timeout=60)
    assert cloud(done)[-1] == DEPLOYED


# ---- what it answers ----

MENDS = {"closes-its-port-unanswered": "what closed its port?"}
MENDS.update(dict.fromkeys(["answers-nothing", "late-and-answers-nothing"], "does something block while it"))
MENDS.update(dict.fromkeys(["half-an-answer", "reset-in-the-body", "no-http"], "does it survive GET /?"))


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.contract("P-104", "P-106", "P-109")
def test_the_cause_is_named(project, run, name):
    done = play(run, project, name)
    assert "web1 was not healthy within 15 s: / " in done.stdout
    assert MENDS.get(name, "answer GET / with 2xx") in done.stdout


@pytest.mark.parametrize("name", ODD)
@pytest.mark.contract("P-104")
def test_what_is_odd_is_healthy_all_the_same(project, run, name):
    play(run, project, name)


@pytest.mark.contract("P-110")
def test_a_redirecting_home_page_is_named_with_its_target(project, run):
    done = play(run, project, "redirecting-home-page")
    assert "/ redirects: 302 to /login" in done.stdout and "P-110" in done.stdout
    at = done.stdout.index
    assert at("应用（/）返回：302: /login") < at(REMOVED) < at(BROKEN)


@pytest.mark.contract("P-115")
def test_a_redirect_to_https_outside_the_sdk(project, run):
    done = play(run, project, "https-redirect-outside-the-sdk")
    assert "/ redirects: 302 to https://" in done.stdout and "P-115" in done.stdout
    assert "Engine(HttpsRedirectMiddleware(app))" in done.stdout


@pytest.mark.needs_index
@pytest.mark.contract("P-115")
def test_the_vendors_own_redirect(copy_project, run):
    """The real SDK, in production: outside Engine it answers the ping, too; inside it leaves the ping alone."""
    root = copy_project(os.path.join(cases.HERE, "../projects/sdk-38"))
    wsgi = (root / "wsgi.py").read_text()
    wired = "from leancloud.engine import HttpsRedirectMiddleware\n" + wsgi
    (root / "wsgi.py").write_text(wired.replace("application = engine", "application = HttpsRedirectMiddleware(engine)"))
    done = run("verify", root, env=times(200), timeout=300)
    assert done.returncode == 1 and "Engine(HttpsRedirectMiddleware(app))" in done.stdout, done.stdout
    assert "P-115" in done.stdout
    (root / "wsgi.py").write_text(wired.replace("Engine(home)", "Engine(HttpsRedirectMiddleware(home))"))
    done = run("verify", root, env=times(1000), timeout=300)
    assert done.returncode == 0 and '实例启动成功：{"' in done.stdout, done.stdout


# ---- functionsMode ----

@pytest.mark.contract("P-30", "P-106", "P-231")
def test_strict_asks_for_the_sdk(project, run):
    done = play(run, project, "strict-without-the-sdk")
    assert "/__engine/1/ping answers 404" in done.stdout and "P-106" in done.stdout
    assert "functionsMode is strict" in done.stdout
    said = cloud(play(run, project, "strict-with-the-sdk"))
    at = next(at for at, line in enumerate(said) if re.fullmatch(r"\[Python\] 使用 Python 3\.\d+\.\d+, Python SDK 3\.0\.2",
                                                                line))
    assert said[at - 1] == "正在启动新实例 ..." and said[at + 1].startswith("实例启动成功：{")


@pytest.mark.contract("P-104", "P-106", "P-112", "P-231")
def test_the_list_of_functions_is_asked_for_and_may_be_missing(project, run):
    none, listed = "云函数信息接口返回 404，已忽略云函数和 Hook", "云函数和 Hook 信息已更新"
    done = play(run, project, "only-functions")
    assert cloud(done)[-3].startswith('实例启动成功：{"runtime":') and cloud(done)[-2] == listed
    assert cloud(play(run, project, "no-list-of-functions"))[-3:] == ["实例启动成功：hello", none, DEPLOYED]
    assert cloud(play(run, project, "a-list-of-functions"))[-2] == listed
    assert "[Python] 使用" not in play(run, project, "a-page-with-a-title").stdout
    disabled = verify(run, project, cases.find("a-list-of-functions"), **{
        "leanengine.yaml": cases.RUN + "functionsMode: disabled\n"})
    assert cloud(disabled)[-2:] == ["实例启动成功：hello", DEPLOYED]  # not asked


# ---- how it ends ----

@pytest.mark.parametrize("version", ["2.7", "3.6", "3.13"])
@pytest.mark.contract("P-113", "P-103")
def test_a_crash_at_import_is_a_verdict_at_once(project, run, version):
    """Within the limit of 30 s, and its last words are in the log of the deployment."""
    one = cases.find("import-error")
    done = run("verify", project(cases.files(one) | {
        "leanengine.yaml": "startupTimeout: 120\n", ".python-version": patch_version(version) + "\n"}), timeout=100)
    said = cloud(done)
    begin = next(at for at, line in enumerate(said) if line.startswith("实例日志："))
    assert "no_such_module_of_anybody" in "\n".join(said[begin:])
    assert said[-2:] == [REMOVED, BROKEN]


WORDS = {"exits-with-3": "it ended with exit status 3",
         "ends-with-0": "it ended by itself with status 0: a server must not end",
         "parent-leaves": "it ended by itself with status 0: a server must not end",
         "segfault": "killed by SIGSEGV (Segmentation fault)",
         "raises": "RuntimeError: out of luck"}


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.contract("P-113", "P-109")
def test_its_end_is_told_in_words(project, run, name):
    done = play(run, project, name)
    assert WORDS[name] in done.stdout
    if name != "parent-leaves":
        assert "实例日志：" in done.stdout


# ---- later ----

@pytest.mark.parametrize("name", LATER)
@pytest.mark.contract("P-107", "P-108")
def test_a_later_check_that_fails_restarts_it(project, up, name):
    one = cases.find(name)
    root = project(cases.files(one, 50))
    instance = up(root, env=times(100, "period-ms=200", "retry-ms=50", "failures=2"))
    instance.wait_healthy()
    instance.wait_line(r"web1 is no longer healthy, 2 times in a row: / gives no answer: Connection refused; restarting")
    instance.wait_line(r"健康检查失败：web1 检测到 Error connect ECONNREFUSED 127\.\d+\.\d+\.\d+:3000$")
    instance.wait_line(r"web2 serves version")


@pytest.mark.contract("P-107", "P-108")
def test_a_later_check_that_gets_500(project, up):
    root = project(cases.files(cases.find("500-everywhere-disabled"), 50) | {
        "script": "second 50\nlisten\nwait 3\nanswer * 500 Oops\n"})
    instance = up(root, env=times(100, "period-ms=200", "retry-ms=50", "failures=1"))
    instance.wait_healthy()
    instance.wait_line(r"健康检查失败：web1 检测到应用（/）返回：500")
    instance.wait_line(r"web2 serves version")


@pytest.mark.contract("P-107", "P-110")
def test_one_whose_replacements_fail_serves_on_and_is_told_once(project, up, run):
    root = project(cases.files(cases.find("500-everywhere-disabled"), 50) | {"script": (
        "second 50\nas web2 answer * 500 Oops\nas web3 answer * 500 Oops\nlisten\nas web1 wait 6\n"
        "as web1 answer * 500 Oops\n")})
    instance = up(root, env=times(100, "period-ms=300", "retry-ms=50", "failures=2", "pause-first-ms=1500"))
    instance.wait_healthy()
    instance.wait_line(r"web2 was not healthy within 15 s: / answers 500: Oops; starting it again$")
    instance.wait_line(r"web3 was not healthy within 15 s: .*; starting it again in 1\.5 s")
    assert instance.http("/") == (500, b"Oops")  # a failing one is better than none
    assert "not healthy within 15 s" in run("status", root).stdout
    instance.wait_line(r"web4 serves version")
    assert instance.text.count("web1 is no longer healthy") == 1
    assert instance.text.count("健康检查失败：web1") == 1


# ---- a crash loop ----

@pytest.mark.contract("P-107")
def test_a_crash_loop_is_one_line_and_a_save_ends_it(project, up, run):
    root = project(cases.files(cases.find("segfault"), 50) | {
        "script": "second 50\nlisten\nwait 2\nkill SIGSEGV\n"})
    instance = up(root, env=times(100, "pause-first-ms=40", "pause-max-ms=80"))
    instance.wait_healthy()
    instance.wait_line(r"crash loop: 3 times in \d+ s, next try in 0\.1 s; the last time: web\d+: .*SIGSEGV")
    instance.wait_line(r"crash loop: 6 times in ")
    assert instance.text.count("starting it again") == 2  # the first two deaths
    assert len(re.findall(r"crash loop: \d+ times", instance.text)) == 2
    assert instance.text.count("正在创建新实例") == 2  # the loop's starts are no news (P-175)
    (root / "script").write_text("answer * 200 mended\nlisten\n")
    instance.wait_body(b"mended")


@pytest.mark.contract("P-107")
def test_a_loop_of_one_of_several_disturbs_nobody(project, up, run):
    root = project(cases.files(cases.find("segfault"), 50) | {
        "script": "second 50\nlisten\nas web2-* wait 2\nas web2-* kill SIGSEGV\n"})
    instance = up(root, "--instances", "2", env=times(100, "pause-first-ms=200", "pause-max-ms=200"))
    instance.wait_healthy()
    instance.wait_line(r"crash loop: 3 times in \d+ s, next try in 0\.2 s; the last time: web2-\d+: .*SIGSEGV")
    assert [instance.http("/") for _ in range(20)] == [(200, b"hello")] * 20
    assert re.search(r"web1-1 +healthy", run("status", root).stdout)


@pytest.mark.contract("P-107")
def test_a_save_does_not_wait_for_the_pause(project, up, run):
    """The next try is an hour away."""
    root = project(cases.files(cases.find("exits-with-3"), 50) | {"script": "second 50\nlisten\nwait 2\nexit 3\n"})
    instance = up(root, env=times(100, "pause-first-ms=3600000", "pause-max-ms=3600000", "loop=2"))
    instance.wait_healthy()
    instance.wait_line(r"crash loop: 2 times in \d+ s, next try in 3600 s; the last time: web2: it ended with exit "
                       r"status 3")
    done = run("status", root)
    assert re.search(r"crash loop +2 deaths since .*next try at", done.stdout), done.stdout
    (root / "script").write_text("answer * 200 mended\nlisten\n")
    instance.wait_body(b"mended")
