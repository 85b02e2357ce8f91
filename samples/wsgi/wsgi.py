import os
import sys

GREETING = "Hello from the Cloud Engine"  # edit me, save, reload the page


def application(environ, start_response):
    if environ["PATH_INFO"] == "/stream":
        return stream(start_response)
    lines = [
        GREETING,
        "Python  %s" % sys.version.split()[0],
        "path    %s" % environ["PATH_INFO"],
        "stage   %s" % os.environ.get("LEANCLOUD_APP_ENV", "development"),
        "version %s" % os.environ.get("LEANCLOUD_VERSION_TAG", "none"),
    ]
    body = ("\n".join(lines) + "\n").encode("utf-8")
    print("%(REQUEST_METHOD)s %(PATH_INFO)s" % environ)
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [body]


def stream(start_response):
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    for number in range(1, 4):
        yield ("part %d\n" % number).encode("utf-8")
