import asyncio
import os
import signal

import tornado.web
import tornado.websocket

GREETING = "Hello from Tornado"  # edit me, save, reload the page


class Home(tornado.web.RequestHandler):
    def get(self):
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write("%s %s\n" % (GREETING, tornado.version))


class Stream(tornado.web.RequestHandler):
    async def get(self):
        for number in range(1, 4):
            self.write("part %d\n" % number)
            await self.flush()
            await asyncio.sleep(0.1)


class Echo(tornado.websocket.WebSocketHandler):
    def on_message(self, message):
        self.write_message(message, binary=isinstance(message, bytes))


async def main():
    app = tornado.web.Application([("/", Home), ("/stream", Stream), ("/echo", Echo)])
    port = int(os.environ["LEANCLOUD_APP_PORT"])
    server = app.listen(port, "0.0.0.0")
    print("listening on 0.0.0.0:%d" % port, flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    server.stop()
    await server.close_all_connections()


if __name__ == "__main__":
    asyncio.run(main())
