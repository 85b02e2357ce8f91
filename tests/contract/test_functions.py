"""Cloud functions as the cloud calls them (P-190 to P-204), with a stub that plays the SDK's protocol; the SDK itself is
in the last test."""

import datetime
import hashlib
import hmac
import json
import os

import pytest

from helpers import http
from helpers.functions_app import FILES
from helpers.waiting import wait_for


def status(running):
    return running.run("status", running.root).stdout


def wait_listed(running, word):
    wait_for(lambda: word in status(running), "the list of functions", 20, lambda: status(running))


@pytest.mark.contract("P-106", "P-112", "P-190", "P-196")
def test_functions_are_asked_for_after_a_start(project, up):
    running = up(project(FILES), ready=True)
    wait_listed(running, "hello")
    text = status(running)
    assert "function   echo" in text
    assert "hook       Comment.beforeSave" in text
    assert "hook       _User.onAuthData" in text
    plain = "def application(environ, start_response):\n" \
            "    found = environ['PATH_INFO'] == '/'\n" \
            "    start_response('200 OK' if found else '404 Not Found', [])\n" \
            "    return [b'plain']\n"
    (running.root / "wsgi.py").write_text(plain)
    running.wait_body(b"plain")
    wait_listed(running, "functions  none")
    (running.root / "leanengine.yaml").write_text("functionsMode: disabled\n")
    wait_listed(running, "functions  disabled")


def call(running, *arguments, **more):
    return running.run("call", *arguments, running.root, **more)


def result(running, *arguments, **more):
    done = call(running, *arguments, **more)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


def refused(running, *arguments, code=1, **more):
    done = call(running, *arguments, **more)
    assert (done.returncode, done.stdout) == (code, ""), done.stdout
    return done.stderr


@pytest.mark.contract("P-190", "P-191", "P-192", "P-193", "P-194", "P-195", "P-202", "P-204")
def test_calls(project, up):
    running = up(project(FILES), ready=True)
    wait_listed(running, "hello")
    keys = {name: value for name, value in json.loads(
        running.run("env", running.root, "--format", "json", "--reveal").stdout).items()}

    # Functions: JSON in, JSON out, numbers and characters as they are.
    assert result(running, "hello", "--data", '{"name": "世界"}') == "Hello, 世界"
    assert "世界" in call(running, "hello", "--data", '{"name": "世界"}').stdout
    sent = result(running, "echo", "--data", '{"id": 9007199254740993}')
    assert sent["raw"] == '{"id": 9007199254740993}' and sent["path"] == "/1.1/functions/echo"
    assert sent["method"] == "POST" and sent["type"].startswith("application/json")
    assert sent["head"]["x-lc-id"] == keys["LEANCLOUD_APP_ID"]
    assert sent["head"]["x-lc-key"] == keys["LEANCLOUD_APP_KEY"]
    assert sent["head"]["x-real-ip"] == "127.0.0.1" or sent["head"]["x-real-ip"].startswith("127.")
    assert "x-lc-hook-key" not in sent["head"]
    sent = result(running, "echo", "--rpc", "--master", "--session", "token", "--data", "-", input='{"a": 1}')
    assert sent["path"] == "/1.1/call/echo" and sent["body"] == {"a": 1}
    assert sent["head"]["x-lc-key"] == keys["LEANCLOUD_APP_MASTER_KEY"] + ",master"
    assert sent["head"]["x-lc-session"] == "token"
    sign, stamp = result(running, "echo", "--sign")["head"]["x-lc-sign"].split(",")
    assert sign == hashlib.md5((stamp + keys["LEANCLOUD_APP_KEY"]).encode()).hexdigest()

    # Hooks: an object and a user, signed.
    data = running.root.parent / "object.json"
    data.write_text('{"text": "a long comment", "_updatedKeys": ["text"]}')
    saved = result(running, "--hook", "Comment.beforeSave", "--data", "@%s" % data, "--user", '{"objectId": "u"}')
    assert saved["text"] == "a lon"
    assert saved["sent"]["body"]["user"] == {"objectId": "u"}
    assert saved["sent"]["head"]["x-lc-hook-key"] == keys["LEANCLOUD_APP_HOOK_KEY"]
    stamp, sign = saved["sent"]["body"]["object"]["__before"].split(",")
    assert sign == hmac.new(keys["LEANCLOUD_APP_MASTER_KEY"].encode(),
                            ("__before_for_Comment:" + stamp).encode(), hashlib.sha1).hexdigest()
    assert result(running, "--hook", "_User.onAuthData", "-d", '{"weixin": {}}')["body"] == {"authData": {"weixin": {}}}
    assert result(running, "--hook", "onVerified.sms")["path"] == "/1.1/functions/onVerified/sms"
    assert "__sign" in result(running, "--hook", "_messageReceived")["body"]

    # Failures: the app's own words, what they mean, what to do.
    said = refused(running, "helo")
    assert "cloud func named 'helo' not found. (code 404, status 404)" in said and "did you mean hello?" in said
    assert "not for you (code 401, status 401)" in refused(running, "fail")
    said = refused(running, "crash")
    assert "code 141" in said and "traceback" in said and "P-193" in said
    assert "too rude" in refused(running, "--hook", "Comment.beforeSave", "--data", '{"text": "bad"}')
    assert "Unauthorized." in refused(running, "_messageReceived")  # as a client would: without the hook key
    assert "no hook Post.beforeSave" in refused(running, "--hook", "Post.beforeSave")
    assert "Class.beforeSave" in refused(running, "--hook", "before_save", code=2)
    assert "without JSON: <html>" in refused(running, "odd")
    assert "more than 256 KB" in refused(running, "big")
    assert "--data:1:3: not valid JSON" in refused(running, "hello", "--data", "{a}", code=2)
    assert "not a JSON object" in refused(running, "hello", "--data", "[]", code=2)
    assert "no.json" in refused(running, "hello", "--data", "@no.json", code=2)

    listed = running.run("call", "--list", running.root)
    assert listed.returncode == 0
    assert listed.stdout.splitlines()[:2] == ["big", "crash"] and "--hook Comment.beforeSave" in listed.stdout


@pytest.mark.contract("P-199")
def test_late_functions(project, up):
    # --https-redirect is for browsers: calls do not meet it.
    running = up(project(FILES), "--https-redirect", env={"LEANLOCAL_CALL_LIMITS": "function-ms=1500,other-ms=300"})
    running.wait_healthy()
    said = refused(running, "slow")
    assert "slow did not answer within 1.5 s" in said and "The request timed out on the server" in said
    assert "P-199" in said
    running.wait_line("slow did not answer within 1.5 s")
    assert "within 0.3 s" in refused(running, "--hook", "Comment.afterSave")
    assert result(running, "hello") == "Hello, world"


@pytest.mark.contract("P-162")
def test_a_call_wakes_a_trial_instance(project, up):
    running = up(project(FILES), "--size", "trial", "--env", "production", "--domain", "app.example",
                 env={"LEANLOCAL_TRIAL": "idle-ms=300"})
    running.wait_line(" asleep, ")
    assert result(running, "echo")["head"]["host"] == "app.example"  # a bound name, or the balancer would refuse it


@pytest.mark.contract("P-106")
def test_when_nothing_can_be_called(project, up, place):
    root = project(dict(FILES, **{"leanengine.yaml": "functionsMode: disabled\n"}))
    done = place.run("call", "hello", root)
    assert done.returncode == 3 and done.stdout == "" and "no leanlocal runs in" in done.stderr
    assert place.run("call", cwd=root).returncode == 2
    running = up(root, ready=True)
    said = refused(running, "hello")
    assert "functionsMode is disabled" in said and "P-106" in said
    assert "functionsMode is disabled" in running.run("call", "--list", root).stderr


SDK_WSGI = '''
import json, leancloud

def home(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"home"]

engine = leancloud.Engine(home)

@engine.define
def add(a, b):
    return a + b

@engine.define
def sees(**params):
    return {"params": params, "address": engine.current.meta["remote_address"],
            "user": engine.current.user.id if engine.current.user else None}

@engine.define
def typed(when):
    return {"year": when.year, "again": when}

@engine.define
def refuses():
    raise leancloud.LeanEngineError(403, "not for you")

@engine.define
def oddly():
    raise leancloud.LeanEngineError(999, "an odd code")

@engine.define
def raises():
    raise ValueError("a trace in the log")

@engine.define
def _messageReceived(**params):
    return {"drop": False}

@engine.before_save("Comment")
def before_comment(comment):
    if comment.get("text") == "rude":
        raise leancloud.LeanEngineError(code=1, message="too rude")
    comment.set("text", comment.get("text")[:5])
    comment.set("by", engine.current.user.id if engine.current.user else "nobody")

@engine.after_save("Comment")
def after_comment(comment):
    print("saved %s" % comment.id)

@engine.before_update("Comment")
def before_update(comment):
    comment.set("changed", comment.updated_keys)

@engine.before_delete("Comment")
def before_delete(comment):
    pass

@engine.on_login
def on_login(user):
    print("login of %s" % user.id)

@engine.on_verified("sms")
def on_verified(user):
    print("verified %s" % user.id)

@engine.on_auth_data
def on_auth_data(auth_data):
    return dict(auth_data, seen=True)

application = engine
'''


def ask(running, path, data=b"{}", method="POST", **headers):
    head = {"Content-Type": "application/json"}
    head.update({name.replace("_", "-"): value for name, value in headers.items()})
    return running.http(path, data=data, method=method, headers=head)


@pytest.mark.needs_index
@pytest.mark.contract("P-106", "P-190", "P-191", "P-192", "P-193", "P-194", "P-195", "P-196", "P-197", "P-198", "P-202",
                      "P-204")
def test_the_vendors_sdk(copy_project, up):
    root = copy_project(os.path.join(os.path.dirname(__file__), "..", "projects", "sdk-newest"))
    (root / "wsgi.py").write_text(SDK_WSGI)
    (root / "leanengine.yaml").write_text("functionsMode: strict\n")
    running = up(root)
    running.wait_healthy(limit=300)
    wait_listed(running, "add")
    names = running.run("call", "--list", root).stdout.splitlines()
    assert names[:3] == ["add", "oddly", "raises"]
    assert {"--hook Comment.beforeSave", "--hook _User.onAuthData", "--hook onVerified.sms",
            "--hook _messageReceived", "--hook _User.onLogin"} <= set(names)

    # What the platform would do, by `call` (P-191, P-192).
    assert result(running, "add", "--data", '{"a": 2, "b": 3}') == 5
    assert result(running, "sees", "--data", '{"_stripped": 1, "kept": 2}')["params"] == {"kept": 2}
    when = '{"when": {"__type": "Date", "iso": "2020-01-02T03:04:05.000Z"}}'
    assert result(running, "typed", "--rpc", "--data", when)["again"]["__type"] == "Date"
    assert result(running, "add", "--master", "--sign", "--data", '{"a": 1, "b": 1}') == 2
    assert result(running, "add", "--sign", "--data", '{"a": 1, "b": 1}') == 2
    comment = ("--data", '{"text": "a long text", "objectId": "abc"}')
    saved = result(running, "--hook", "Comment.beforeSave", *comment, "--user", '{"objectId": "u1"}')
    assert saved["text"] == "a lon" and saved["by"] == "u1"
    assert saved["__before"].count(",") == 1  # it will not be called again for its own save (P-202)
    assert result(running, "--hook", "Comment.afterSave", *comment) == "ok"
    running.wait_line("saved abc")
    changed = result(running, "--hook", "Comment.beforeUpdate", "--data", '{"_updatedKeys": ["text"]}')
    assert changed["changed"] == ["text"]
    assert result(running, "--hook", "Comment.beforeDelete", *comment) == {}
    assert result(running, "--hook", "_User.onLogin", "--data", '{"objectId": "u1"}') is None
    running.wait_line("login of u1")
    assert result(running, "--hook", "onVerified.sms", "--data", '{"objectId": "u1"}') is None
    assert result(running, "--hook", "_User.onAuthData", "--data", '{"weixin": {}}') == {"weixin": {}, "seen": True}
    assert result(running, "--hook", "_messageReceived") == {"drop": False}

    # Its errors (P-193): the code is the status where it can be one.
    assert "not for you (code 403, status 403)" in refused(running, "refuses")
    assert "an odd code (code 999, status 400)" in refused(running, "oddly")
    assert "too rude (code 1, status 400)" in refused(running, "--hook", "Comment.beforeSave", "--data", '{"text": "rude"}')
    said = refused(running, "raises")
    assert "code 141, status 500" in said and "traceback" in said
    running.wait_line("ValueError: a trace in the log")
    assert "did you mean add?" in refused(running, "ad")

    # The same from outside: four prefixes, old header names, and who is let in.
    keys = {name[len("LEANCLOUD_APP_"):]: value for name, value in json.loads(
        running.run("env", root, "--format", "json", "--reveal").stdout).items()}
    app = {"X_LC_Id": keys["ID"], "X_LC_Key": keys["KEY"]}
    for prefix in ("/1", "/1.1", "/__engine/1", "/__engine/1.1"):
        assert ask(running, prefix + "/functions/add", b'{"a": 1, "b": 2}', **app) == (200, b'{"result": 3}')
        assert ask(running, prefix + "/call/add", b'{"a": 1, "b": 2}', **app) == (200, b'{"result": 3}')
    old = {"X_AVOSCloud_Application_Id": keys["ID"], "X_AVOSCloud_Master_Key": keys["MASTER_KEY"]}
    assert ask(running, "/1.1/functions/sees", **old)[0] == 200
    body = json.dumps({"_ApplicationId": keys["ID"], "_ApplicationKey": keys["KEY"]}).encode()
    assert ask(running, "/1.1/functions/sees", body, Content_Type="text/plain")[0] == 200
    nobody = [{"X_LC_Id": keys["ID"]}, {"X_LC_Id": keys["ID"], "X_LC_Key": "anything,master"},
              {"X_LC_Id": "other", "X_LC_Key": keys["KEY"]}, {}]
    assert [ask(running, "/1.1/functions/sees", **head)[0] for head in nobody] == [401] * 4  # P-197
    assert ask(running, "/1.1/functions/Comment/beforeSave", b'{"object": {}}', **app)[0] == 401  # P-195
    assert ask(running, "/1.1/functions/_ops/metadatas", None, "GET", **app)[0] == 401  # P-196
    preflight = http.ask(running.address, running.port, "/1.1/functions/add", method="OPTIONS")
    assert preflight.status == 200 and "X-LC-Hook-Key" in preflight.headers["Access-Control-Allow-Headers"]
    seen = json.loads(ask(running, "/1.1/functions/sees", **dict(app, X_Forwarded_For="1.2.3.4"))[1])
    assert seen["result"]["address"].startswith("127.")  # X-Real-IP comes first (P-204)


TIMERS = """\
cron:
  - {cron: 0 30 8 ? * MON-FRI, function: hello}
  - {name: nightly, cron: 0 0 3 * * *, function: echo, data: '{"days": 7}'}
  - {name: slowly, cron: 0 0 3 1 * *, function: slow}
  - {name: badly, cron: 0 0 4 1 * *, function: fail}
"""


@pytest.mark.contract("P-143", "P-200")
def test_when_timers_are_due(project, run):
    root = project(dict(FILES, **{".leanlocal.yaml": TIMERS}))
    hours = {}
    for region, zone in (("cn-n1", "Asia/Shanghai"), ("cn-tds1", "Asia/Shanghai"), ("us-w1", "UTC"), ("ap-sg", "UTC")):
        shown = json.loads(run("cron", "0 0 8 * * MON", root, "--region", region, "--format", "json").stdout)
        assert shown["zone"] == zone
        due = [datetime.datetime.fromtimestamp(int(each), datetime.timezone.utc) for each in shown["timers"][0]["next"]]
        assert len(due) == 5 and due == sorted(due)
        hours[region] = {(each.hour, each.minute, each.weekday()) for each in due}
    assert hours["cn-n1"] == hours["cn-tds1"] == {(0, 0, 0)}  # eight o'clock in Beijing, on a Monday
    assert hours["us-w1"] == hours["ap-sg"] == {(8, 0, 0)}
    listed = run("cron", root)
    assert "nightly: echo at 0 0 3 * * *  (Asia/Shanghai)" in listed.stdout and " MON " in listed.stdout
    wrong = run("cron", "0 0 25 * * *", root)
    assert wrong.returncode == 2 and "cron: column 5: hour: 25 is not 0 to 23" in wrong.stderr
    assert "0 0 8 * * *" in run("cron", "0 8 * * *", root).stderr
    assert run("cron", "0 0 0 30 2 ?", root).returncode == 2


@pytest.mark.contract("P-200")
def test_timers_by_hand(project, up):
    root = project(dict(FILES, **{".leanlocal.yaml": TIMERS}))
    running = up(root, ready=True, env={"LEANLOCAL_CALL_LIMITS": "function-ms=1500"})
    assert result(running, "nightly", "--timer")["body"] == {"days": 7}
    assert "there are hello, nightly, slowly, badly" in refused(running, "weekly", "--timer", code=2)
    assert "did not answer" in refused(running, "slowly", "--timer")
    running.wait_line("timerAction timed-out and no fallback available")
    for _ in range(30):
        refused(running, "badly", "--timer")
    running.wait_line("timerAction short-circuited and no fallback available")
    assert "timer badly has failed more than 30 times" not in running.text
    refused(running, "badly", "--timer")
    running.wait_line("timer badly has failed more than 30 times within 24 hours: the cloud would stop it")
    (root / ".leanlocal.yaml").write_text(TIMERS.replace("8 ?", "8 33"))
    assert ".leanlocal.yaml:2:12: cron: 0 30 8 33 * MON-FRI: column 8: day: 33" in running.run("cron", root).stderr


@pytest.mark.contract("P-196", "P-202")
def test_the_functions_pane_calls(project, place, screen):
    root = project(dict(FILES, **{".leanlocal.yaml": TIMERS}))
    shown = screen("up", root, "--host", place.address, "--port", 3000)
    shown.wait_text("● healthy", 60)
    shown.send_keys("5")
    shown.wait_text(r"▶ big +function")
    shown.wait_text(r"badly +timer +\d\d-01 04:00:00  0 0 4 1 \* \*")
    shown.type("/hello")
    shown.send_keys("Enter")
    shown.wait_text(r"▶ hello")
    shown.send_keys("Enter")
    shown.wait_text(r"JSON {}")
    shown.send_keys("BSpace")
    shown.type('"name": "世界"}')
    shown.send_keys("Enter")
    shown.wait_text(r'✓ hello +\d+ ms')
    shown.wait_text(r'"Hello, 世界"')
    shown.send_keys("G", "Enter")  # the last timer, whose function refuses
    shown.wait_text(r"✗ badly  P-193")
    shown.wait_text(r"not for you \(code 401, status 401\)")
    shown.send_keys("q")
    assert shown.wait_exit() == 0
