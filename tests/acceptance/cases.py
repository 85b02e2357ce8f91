"""What: one row for each way an app can behave towards the health check: script, leanengine.yaml, what the platform says.
Why: the emulator's tests play them (tests/contract/test_health.py), and `./dev acceptance DIR` writes each as a project
that can be deployed to the real platform, with a file `expected` to compare its log with.
Order: a new row below those of its kind; its script's words are those of fake.py."""

import collections
import os

HERE = os.path.dirname(os.path.abspath(__file__))
RUN = "run: python -u wsgi.py\n"
REFUSED = "实例启动失败: 无法访问应用的 Web 端口（Error: connect ECONNREFUSED），请确保程序在 %d 秒内正确地启动了 HTTP 服务"
CAUSE = "实例启动失败: 无法访问应用的 Web 端口（Error: %s），请确保程序在 15 秒内正确地启动了 HTTP 服务"
ANSWER = "应用启动失败: 访问 leanengine 中间件失败，请确保正确地加载了中间件，应用（%s）返回：%s"
LATER = "健康检查失败：%s"
STARTED = "实例启动成功：%s"

# rule: what it shows. says: a line of the platform's log, or None where none is known to differ from an ordinary
# deployment. deployed: whether the deployment succeeds. known: whether a source tells so; else the case is a question.
Case = collections.namedtuple("Case", "name rule yaml script says deployed known")
CASES = []


def case(name, rule, script, says, deployed=False, yaml="startupTimeout: 15\n", run=True, known=True):
    lines = [line.strip() for line in script.strip().split("\n")]
    CASES.append(Case(name, rule, (RUN if run else "") + yaml, lines, says, deployed, known))


# ---- when and where it listens ----

case("never-listens", "P-103", "say no port", REFUSED % 15)
case("never-listens-30", "P-109", "say no port", REFUSED % 30, yaml="")
case("listens-10-of-15", "P-29", "wait 10\nlisten", STARTED % "hello", True)
case("listens-40-of-15", "P-29", "wait 40\nlisten", REFUSED % 15)
case("listens-10-of-60", "P-29", "wait 10\nlisten", STARTED % "hello", True, "startupTimeout: 60\n")
case("listens-40-of-60", "P-29", "wait 40\nlisten", STARTED % "hello", True, "startupTimeout: 60\n")
case("loopback-only", "P-105", "listen 127.0.0.1", REFUSED % 15)
case("closes-its-port-unanswered", "P-105", "answer * silence\nlisten\nwait 1\nclose", CAUSE % "connect ECONNREFUSED",
     known=False)
case("closes-its-port-after-3", "P-108", "listen\nwait 3\nclose", LATER % "web1 检测到 Error connect ECONNREFUSED", True)
case("closes-its-port-after-10", "P-108", "listen\nwait 10\nclose", LATER % "web1 检测到 Error connect ECONNREFUSED",
     True)

# ---- what it answers ----

case("500-everywhere-disabled", "P-106", "answer * 500 Oops\nlisten", ANSWER % ("/", "500: Oops"),
     yaml="startupTimeout: 15\nfunctionsMode: disabled\n")
case("strict-without-the-sdk", "P-106", "answer /__engine/1/ping 404 Not Found\nlisten",
     ANSWER % ("/__engine/1/ping", "404: Not Found"), yaml="startupTimeout: 15\nfunctionsMode: strict\n", known=False)
case("strict-with-the-sdk", "P-106", "answer / 404 Not Found\nanswer /__engine/1/ping ping\nlisten",
     STARTED % '{"runtime":', True, "functionsMode: strict\n")
case("redirecting-home-page", "P-110", "answer * 404 Not Found\nanswer / 302 /login\nlisten",
     ANSWER % ("/", "302: /login"))
case("https-redirect-outside-the-sdk", "P-115", "answer * 302 https://{host}{path}\nlisten",
     ANSWER % ("/", "302: https://"))
case("only-functions", "P-104", "answer * 404 Not Found\nanswer /__engine/1/ping ping\n"
     "answer /1.1/functions/_ops/metadatas functions hello\nlisten", STARTED % '{"runtime":', True)
case("no-list-of-functions", "P-112", "answer /1.1/functions/_ops/metadatas 404 Not Found\nlisten",
     "云函数信息接口返回 404，已忽略云函数和 Hook", True)
case("a-list-of-functions", "P-231", "answer /1.1/functions/_ops/metadatas functions hello\nlisten",
     "云函数和 Hook 信息已更新", True)
case("a-page-with-a-title", "P-231", "answer / 200 <!doctype html><html><head><title>Front page</title></head>\nlisten",
     STARTED % "Front page", True)
case("a-page-without-end", "P-104", "answer / trickle\nlisten", STARTED % "tick", True, known=False)
case("204-is-enough", "P-104", "answer / 204\nlisten", STARTED % "", True)
case("answers-nothing", "P-104", "answer * silence\nlisten", CAUSE % "ETIMEDOUT", known=False)
case("late-and-answers-nothing", "P-104", "answer * silence\nwait 11\nlisten", CAUSE % "ETIMEDOUT", known=False)
case("half-an-answer", "P-104", "answer * half\nlisten", CAUSE % "socket hang up", known=False)
case("reset-in-the-body", "P-104", "answer * reset\nlisten", CAUSE % "read ECONNRESET", known=False)
case("no-http", "P-104", "answer * garbage\nlisten", CAUSE % "socket hang up", known=False)
case("first-byte-after-3", "P-104", "answer * slow 3 late\nlisten", STARTED % "late", True, known=False)

# ---- how it ends ----

case("import-error", "P-113", "import no_such_module_of_anybody", "实例日志：", run=False)
case("raises", "P-113", "raise out of luck\nlisten", "实例日志：")
case("exits-with-3", "P-113", "complain last words\nexit 3", "实例日志：last words", known=False)
case("ends-with-0", "P-103", "say done\nexit 0", REFUSED % 15, known=False)
case("segfault", "P-103", "say here it comes\nkill SIGSEGV", REFUSED % 15, known=False)
case("parent-leaves", "P-103", "leave\nwait 1\nlisten", REFUSED % 15, known=False)

# ---- odd, and healthy ----

case("listens-in-a-child", "P-104", "fork\nlisten", STARTED % "hello", True, known=False)
case("ignores-term", "P-174", "ignore SIGTERM\nlisten", STARTED % "hello", True, known=False)
case("floods", "P-120", "flood 5000\nlisten", STARTED % "hello", True, known=False)
case("half-lines-and-no-utf-8", "P-120", "write fffe68616c66\nlisten\nwrite 80", STARTED % "hello", True, known=False)
case("imported-and-healthy", "P-80", "answer / 200 by the platform's server\nlisten", STARTED % "by the platform's server",
     True, run=False)
case("idle-websocket", "P-157", "answer /ws websocket\nlisten", STARTED % "hello", True)


def find(name):
    return next(each for each in CASES if each.name == name)


def files(one, second_ms=1000):
    """{path: text} of the project; second_ms: how long the script's seconds last."""
    with open(os.path.join(HERE, "fake.py"), encoding="utf-8") as source:
        fake = source.read()
    script = one.script if second_ms == 1000 else ["second %d" % second_ms] + one.script
    made = {"wsgi.py": fake, "requirements.txt": "", "script": "\n".join(script) + "\n"}
    if one.yaml:
        made["leanengine.yaml"] = one.yaml
    return made


def expected(one):
    """What stands in the file of that name."""
    return "%s: %s\n%s\n%s%s\n" % (
        one.rule, one.name, "部署完成：1 个实例部署成功" if one.deployed else "部署完成：发生了 1 个错误", one.says,
        "" if one.known else "\n(a question: no source tells what the platform says here)")
