import os

GREETING = "Hello from a command of our own"  # edit me, save, reload the page


def application(environ, start_response):
    body = "%s, worker %d\n" % (GREETING, os.getpid())
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [body.encode("utf-8")]
