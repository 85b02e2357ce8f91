# The SDK on the default server, not patched by gevent. The home page redirects, as many do (P-302):
# healthy through the ping alone.
import leancloud


def home(environ, start_response):
    start_response("302 Found", [("Location", "https://example.com/login")])
    return [b""]


engine = leancloud.Engine(home)


@engine.define
def add(a, b):
    return a + b


application = engine
