from gevent import monkey

monkey.patch_all()

import os  # noqa: E402

import leancloud  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402
from geventwebsocket.handler import WebSocketHandler  # noqa: E402

from cloud import engine  # noqa: E402

leancloud.init(
    os.environ["LEANCLOUD_APP_ID"],
    app_key=os.environ["LEANCLOUD_APP_KEY"],
    master_key=os.environ["LEANCLOUD_APP_MASTER_KEY"],
)
leancloud.use_master_key(False)

application = engine

if __name__ == "__main__":
    # No access log: the balancer keeps one.
    port = int(os.environ["LEANCLOUD_APP_PORT"])
    WSGIServer(("0.0.0.0", port), application, log=None,
               handler_class=WebSocketHandler).serve_forever()
