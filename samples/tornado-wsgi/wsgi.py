import tornado.web
import tornado.wsgi

GREETING = "Hello from Tornado"  # edit me, save, reload the page


class Home(tornado.web.RequestHandler):
    def get(self):
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write("%s %s through WSGI\n" % (GREETING, tornado.version))


class Sum(tornado.web.RequestHandler):
    def post(self):
        self.write({"sum": sum(int(number) for number in self.get_arguments("n"))})


application = tornado.wsgi.WSGIAdapter(tornado.web.Application([("/", Home), ("/sum", Sum)]))
