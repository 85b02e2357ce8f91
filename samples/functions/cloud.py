from leancloud import Engine, LeanEngineError

from home import home

engine = Engine(home)


@engine.define
def hello(**params):
    name = params.get("name", "world")
    print("hello was called for %s" % name)
    return "Hello, %s" % name


@engine.define
def fail():
    raise LeanEngineError(401, "not for you")


@engine.before_save("Comment")
def before_comment_save(comment):
    text = comment.get("text") or ""
    if len(text) > 140:
        comment.set("text", text[:137] + "...")
