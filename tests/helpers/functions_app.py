"""A stub application that plays the SDK's protocol (P-190 to P-198), without the SDK: FILES is a project.

What it was sent comes back as the result of the function `echo` and as the object of hooks."""

WSGI = '''
import json, os, threading
RELEASE = threading.Event()
KEYS = {name: os.environ["LEANCLOUD_APP_" + name] for name in ("ID", "KEY", "MASTER_KEY", "HOOK_KEY", "ANDX_KEY")}
LISTED = ["echo", "hello", "fail", "crash", "slow", "big", "odd", "__before_save_for_Comment", "__after_save_for_Comment",
          "__on_login__User", "__on_authdata__User", "__on_verified_sms", "_messageReceived"]

def answer(start_response, status, body, kind="application/json"):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(data)))])
    return [data]

def application(environ, start_response):
    path = environ["PATH_INFO"]
    head = {name[5:].lower().replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
    if path == "/":
        return answer(start_response, "200 OK", b"home", "text/plain")
    if path == "/release":
        RELEASE.set()
        return answer(start_response, "200 OK", b"released", "text/plain")
    if path == "/1.1/functions/_ops/metadatas":
        if head.get("x-lc-key") != KEYS["MASTER_KEY"] + ",master":
            return answer(start_response, "401 Unauthorized", {"code": 401, "error": "Unauthorized."})
        return answer(start_response, "200 OK", {"result": LISTED})
    kind, _, name = path[len("/1.1/"):].partition("/")
    raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = json.loads(raw.decode() or "{}")
    sent = {"path": path, "kind": kind, "name": name, "method": environ["REQUEST_METHOD"], "head": head, "body": body,
            "raw": raw.decode(), "type": environ.get("CONTENT_TYPE")}
    hook = "/" in name or name.startswith("_")
    if hook and head.get("x-lc-hook-key") != KEYS["HOOK_KEY"]:
        return answer(start_response, "401 Unauthorized", {"code": 401, "error": "Unauthorized."})
    if name == "Comment/beforeSave":
        text = body["object"].get("text", "")
        if text == "bad":
            return answer(start_response, "400 Bad Request", {"code": 123, "error": "too rude"})
        return answer(start_response, "200 OK", dict(body["object"], text=text[:5], sent=sent))
    if name == "hello":
        return answer(start_response, "200 OK", {"result": "Hello, %s" % body.get("name", "world")})
    if name == "fail":
        return answer(start_response, "401 Unauthorized", {"code": 401, "error": "not for you"})
    if name == "crash":
        return answer(start_response, "500 Oops", {"code": 141, "error": "Cloud Code script had an error."})
    if name == "odd":
        return answer(start_response, "200 OK", b"<html>", "text/html")
    if name == "big":
        return answer(start_response, "200 OK", {"result": "x" * 2000000})
    if name in ("slow", "Comment/afterSave"):
        RELEASE.wait(30)
        return answer(start_response, "200 OK", {"result": "late"})
    if name not in LISTED and not hook:
        return answer(start_response, "404 Not Found",
                      {"code": 404, "error": "cloud func named '%s' not found." % name})
    return answer(start_response, "200 OK", {"result": sent})
'''

FILES = {"wsgi.py": WSGI, "requirements.txt": ""}
