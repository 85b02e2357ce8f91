# The SDK in a program that has patched itself with gevent, as the vendor's older templates do: gevent's
# server. The home page redirects (P-302): healthy through the ping alone.
from gevent import monkey

monkey.patch_all()

import leancloud  # noqa: E402


def home(environ, start_response):
    start_response("302 Found", [("Location", "https://example.com/login")])
    return [b""]


engine = leancloud.Engine(home)


@engine.define
def add(a, b):
    return a + b


application = engine
