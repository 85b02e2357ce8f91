"""What: the gateway's HTTP beside nginx, case by case: the bytes, what we make of them, what nginx makes of them, and
   why where the two differ. docs/http.md is written from it; test_http_differential.py sends each case to both.
Why: a difference from nginx is either a decision, with its reason, or a fault. Both an unlisted difference and a listed
   one that does not happen fail.
Order: a row: request(name, bytes, we, nginx, why) or response(name, the app's bytes, we, nginx, why). nginx None: the
   same as we. The words of an outcome are http_measure.py's: statuses in order, the rule of ours in parentheses,
   "close" when the connection ends, what reached the app, what was reported.
Not: what needs time, memory or a crash in between: tests/unit/test_gateway*.c."""

import collections
import re

NGINX = "1.22"
K = 1024

Case = collections.namedtuple("Case", "kind section name sent we nginx why options")
CASES = []

# Reasons that many rows have.
STRICT = "stricter on purpose: what two readers may read differently is not passed on"
ANOTHER = "both refuse; which of two faults is named differs"
BENT = "what can be framed reaches the client, bent into shape and reported"
UNREADABLE = "what cannot be read is said to be so, instead of handed on"
STATUS = "the status says which limit it was"
HOP = "what is for one hop only ends here"
APPS = "the app's to decide"
SAID = "one status for all that is not HTTP/1, and a sentence that says what it is"
_section = [""]

GET = b"GET / HTTP/1.1\r\n"
POST = b"POST / HTTP/1.1\r\n"
HOST = b"Host: a\r\n"
OK = b"HTTP/1.1 200 OK\r\n"


def section(title):
    _section[0] = title


def _add(kind, name, sent, we, nginx, why, options):
    CASES.append(Case(kind, _section[0], name, sent, we, alike(we) if nginx is None else nginx, why, options))


def request(name, sent, we, nginx=None, why="", **options):
    """options: lenient (by a gateway with --lenient-http)"""
    _add("request", name, sent, we, nginx, why, options)


def response(name, sent, we, nginx=None, why="", **options):
    """options: close (the app closes behind its bytes), ask (another request than GET /)"""
    _add("response", name, sent, we, nginx, why, options)


def alike(outcome):
    """The outcome without what only we say: rules and reports."""
    return re.sub(r"; reported(: .*)?$", "", re.sub(r" \((P-|RFC|\[I\])[^)]*\)", "", outcome))


def quoted(value):
    return '"%s"' % value.decode("latin-1").encode("unicode_escape").decode()


def fields(*lines):
    return GET + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def framed(*lines, body=b""):
    return POST + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def chunked(body):
    return framed(b"Transfer-Encoding: chunked", body=body)


def answered(*lines, body=b""):
    return OK + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


section("Requests: how the body is framed")
request("both a length and a coding", framed(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        "400 (RFC 9112 §6.1), close")
request("a coding, then a length", framed(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"0\r\n\r\n"),
        "400 (RFC 9112 §6.1), close")
request("a length with another coding", framed(b"Content-Length: 4", b"Transfer-Encoding: gzip", body=b"abcd"),
        "400 (RFC 9112 §6.1), close", "501, close", ANOTHER)
request("two different lengths", framed(b"Content-Length: 4", b"Content-Length: 5", body=b"abcde"),
        "400 (RFC 9112 §6.3), close")
request("the same length twice", framed(b"Content-Length: 4", b"Content-Length: 4", body=b"abcd"),
        "400 (RFC 9112 §6.3), close")
for value in (b"5, 5", b"+5", b"-5", b"", b"0x5", b"5x", b"9223372036854775808", b"99999999999999999999"):
    request("length %s" % quoted(value), framed(b"Content-Length: " + value, body=b"abcde"),
            "400 (RFC 9112 §6.3), close")
request("length with zeros in front", framed(b"Content-Length: 005", body=b"abcde"), '200; app: POST / "abcde"')
request("length of 100 MB and one byte", framed(b"Content-Length: 104857601"), "413 (P-150), close")
request("chunked, in capitals", framed(b"Transfer-Encoding: CHUNKED", body=b"2\r\nab\r\n0\r\n\r\n"),
        '200; app: POST / "ab"')
for value in (b"gzip, chunked", b"xchunked", b"chunked, chunked", b"identity", b""):
    request("coding %s" % quoted(value),
            framed(b"Transfer-Encoding: " + value, body=b"0\r\n\r\n"),
            "501 (RFC 9112 §6.1), close")
request("the coding field twice",
        framed(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        "501 (RFC 9112 §6.1), close", "400, close", ANOTHER)
request("coding behind a vertical tab", framed(b"Transfer-Encoding:\x0bchunked", body=b"0\r\n\r\n"),
        "400 (RFC 9110 §5.5), close", "501, close", ANOTHER)
request("coding in HTTP/1.0", b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "400 (RFC 9112 §6.1), close")

section("Requests: chunks")
request("several chunks, an extension, a trailer",
        chunked(b"2;x=y\r\nab\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\n"),
        '200; app: POST / "ab0123456789"')
for size in (b"5x", b"0x5", b"+5", b"-5", b" 5", b"", b"8000000000000000", b"10000000000000005"):
    request("size %s" % quoted(size), chunked(size + b"\r\nhello\r\n0\r\n\r\n"), "400 (RFC 9112 §7.1), close")
request("a blank behind the size", chunked(b"5 \r\nhello\r\n0\r\n\r\n"),
        "400 (RFC 9112 §7.1), close", '200; app: POST / "hello"', STRICT)
request("a blank inside the size", chunked(b"0 5\r\nhello\r\n0\r\n\r\n"),
        "400 (RFC 9112 §7.1), close", "200; app: POST /", STRICT)
request("sixteen digits", chunked(b"0000000000000005\r\nhello\r\n0\r\n\r\n"), '200; app: POST / "hello"')
request("seventeen digits", chunked(b"00000000000000005\r\nhello\r\n0\r\n\r\n"),
        "400 (RFC 9112 §7.1), close", '200; app: POST / "hello"', "no more digits than 64 bits have")
request("extensions of 1 K in all", chunked(b"5;" + b"e" * K + b"\r\nhello\r\n0\r\n\r\n"), '200; app: POST / "hello"')
request("extensions of 1 K and one byte", chunked(b"5;" + b"e" * (K + 1) + b"\r\nhello\r\n0\r\n\r\n"),
        "400 (RFC 9112 §7.1.1), close", '200; app: POST / "hello"', "nobody needs them; what is unbounded is an attack")
request("a control byte in an extension", chunked(b"5;a\x01\r\nhello\r\n0\r\n\r\n"),
        "400 (RFC 9112 §7.1.1), close", '200; app: POST / "hello"', STRICT)
request("an extension ended by LF alone", chunked(b"5;a\nhello\r\n0\r\n\r\n"),
        "400 (RFC 9112 §2.2), close", '200; app: POST / "hello"', STRICT)
request("a size ended by LF alone", chunked(b"5\nhello\r\n0\r\n\r\n"),
        "400 (RFC 9112 §2.2), close", '200; app: POST / "hello"', STRICT)
request("data ended by LF alone", chunked(b"5\r\nhello\n0\r\n\r\n"),
        '400 (RFC 9112 §2.2), close; app: POST / "hello" cut', '200; app: POST / "hello"', STRICT)
request("a size ended by CR alone", chunked(b"5\rhello\r\n0\r\n\r\n"), "400 (RFC 9112 §2.2), close")
request("more data than the size says", chunked(b"5\r\nhelloo\r\n0\r\n\r\n"),
        '400 (RFC 9112 §7.1), close; app: POST / "hello" cut', "400, close",
        "the first chunk had gone on by then; the app sees an end that is none")
request("a trailer without a colon", chunked(b"0\r\nnonsense\r\n\r\n"),
        "400 (RFC 9112 §7.1.2), close", "200; app: POST /", STRICT)
request("a trailer ended by LF alone", chunked(b"0\r\nA: b\n\r\n"),
        "400 (RFC 9112 §2.2), close", "200; app: POST /", STRICT)

section("Requests: lines and fields")
request("one empty line in front", b"\r\n" + fields(), "200; app: GET /")
request("two empty lines in front", b"\r\n\r\n" + fields(),
        "400 (RFC 9112 §3), close", "200; app: GET /", "one is borne with, as RFC 9112 §2.2 asks")
request("a blank between name and colon", fields(b"X : y"), "400 (RFC 9112 §5.1), close")
request("an empty name", fields(b": y"), "400 (RFC 9112 §5), close")
for name in (b"X(", b"X@", b"X\x80"):
    request("name %s" % quoted(name), fields(name + b": y"),
            "400 (RFC 9110 §5.1), close", "200; app: GET /", "refused, not dropped in silence: the sender learns of it")
request("a blank in a name", fields(b"X Y: y"), "400 (RFC 9110 §5.1), close")
request("a name with an underscore", fields(b"X_Y: z"),
        "200; app: GET / [x_y: z]", "200; app: GET /", "it is a token; nginx drops it unless told otherwise")
request("a name with a dot", fields(b"X.Y: z"),
        "200; app: GET / [x.y: z]", "200; app: GET /", "it is a token; nginx drops it unless told otherwise")
request("a line without a colon", fields(b"nonsense"),
        "400 (RFC 9110 §5.1), close", "200; app: GET / [nonsense: ]", STRICT)
request("a folded line", fields(b"X: y", b" z"), "400 (RFC 9112 §5.2), close")
request("a folded line right behind the request line", GET + b" X: y\r\n" + HOST + b"\r\n",
        "400 (RFC 9112 §5.2), close")
request("the request line ended by LF alone", b"GET / HTTP/1.1\n" + HOST + b"\r\n",
        "400 (RFC 9112 §2.2), close", "200; app: GET /", STRICT + "; --lenient-http accepts it")
request("a field ended by LF alone", GET + b"X: y\n" + HOST + b"\r\n",
        "400 (RFC 9112 §2.2), close", "200; app: GET / [x: y]", STRICT + "; --lenient-http accepts it")
request("the head ended by LF alone", GET + HOST + b"\n",
        "400 (RFC 9112 §2.2), close", "200; app: GET /", STRICT + "; --lenient-http accepts it")
request("CR inside a value", fields(b"X: y\rz"), "400 (RFC 9112 §2.2), close")
request("CR twice at the end", fields(b"X: y\r"), "400 (RFC 9112 §2.2), close", "200; app: GET / [x: y]", STRICT)
request("NUL in a value", fields(b"X: y\0z"), "400 (RFC 9110 §5.5), close")
request("byte 01 in a value", fields(b"X: y\x01z"),
        "400 (RFC 9110 §5.5), close", "200; app: GET / [x: y\\x01z]", STRICT)
request("byte 7F in a value", fields(b"X: y\x7fz"),
        "400 (RFC 9110 §5.5), close", "200; app: GET / [x: y\\x7fz]", STRICT)
request("a tab, and bytes above 7F, in a value", fields(b"X: y\tz\xe4"), "200; app: GET / [x: y\\tz\\xe4]")
request("blanks around a value", fields(b"X:\t y \t"), "200; app: GET / [x: y]")
request("an empty value", fields(b"X:"), "200; app: GET / [x: ]")

for name in (b"Authorization", b"Content-Range", b"Expect", b"If-Match", b"If-Modified-Since", b"If-None-Match",
             b"If-Range", b"If-Unmodified-Since"):
    request("%s twice" % name.decode(), fields(name + b": x", name + b": x"), "400 (RFC 9110 §5.3), close")
for name in (b"Accept", b"Content-Type", b"Cookie", b"Range", b"User-Agent", b"X-Forwarded-For"):
    request("%s twice" % name.decode(), fields(name + b": x", name + b": x"),
            "200; app: GET / [%s: x x 2]" % name.decode().lower())

section("Requests: the first line and Host")
request("1.1 without Host", GET + b"\r\n", "400 (RFC 9112 §3.2), close")
request("1.0 without Host", b"GET / HTTP/1.0\r\n\r\n",
        "200, close; app: GET / [host: localhost]", "200, close; app: GET /",
        "the app is spoken to in 1.1, which wants one")
request("two Host", GET + HOST + HOST + b"\r\n", "400 (RFC 9112 §3.2), close")
for value in (b"", b"a/b", b"a b"):
    request("Host %s" % quoted(value), GET + b"Host: " + value + b"\r\n\r\n", "400 (RFC 9112 §3.2), close")
request("Host with a user", GET + b"Host: u@a\r\n\r\n",
        "400 (RFC 9112 §3.2), close", "200; app: GET / [host: u@a]", STRICT)
request("Host with a byte above 7F", GET + b"Host: a\x80\r\n\r\n",
        "400 (RFC 9112 §3.2), close", "200; app: GET / [host: a\\x80]", STRICT)
for value in (b":80", b".", b"..", b"a..b"):
    request("Host %s" % quoted(value), GET + b"Host: " + value + b"\r\n\r\n", "400 (RFC 9112 §3.2), close")
request("Host with a dot at its end", GET + b"Host: a.\r\n\r\n", "200; app: GET / [host: a.]")
request("Host with a port", GET + b"Host: a:80\r\n\r\n", "200; app: GET / [host: a:80]")
request("Host with a port that is none", GET + b"Host: a:x\r\n\r\n", "200; app: GET / [host: a:x]")
request("Host of IPv6", GET + b"Host: [::1]:80\r\n\r\n", "200; app: GET / [host: [::1]:80]")
request("Host of IPv6 that does not end", GET + b"Host: [::1\r\n\r\n",
        "400 (RFC 9112 §3.2), close", "200; app: GET / [host: [::1]", STRICT)
request("Host of all other signs", GET + b"Host: A.b_c-d~!$&'()*+,;=%41\r\n\r\n",
        "200; app: GET / [host: A.b_c-d~!$&'()*+,;=%41]")
request("absolute form, the same authority", b"GET http://a/x?y HTTP/1.1\r\n" + HOST + b"\r\n", "200; app: GET /x?y")
request("absolute form without a path", b"GET http://a HTTP/1.1\r\n" + HOST + b"\r\n", "200; app: GET /")
request("absolute form with a query only", b"GET http://a?q HTTP/1.1\r\n" + HOST + b"\r\n", "200; app: GET /?q")
request("absolute form, another authority", b"GET http://b/x HTTP/1.1\r\n" + HOST + b"\r\n",
        "400 (RFC 9112 §3.2.2), close", "200; app: GET /x", STRICT)
request("absolute form with a user", b"GET http://u@a/ HTTP/1.1\r\n" + HOST + b"\r\n", "400 (RFC 9112 §3.2), close")
request("absolute form, IPv6 that does not end", b"GET http://[b/ HTTP/1.1\r\n" + HOST + b"\r\n",
        "400 (RFC 9112 §3.2), close")
request("absolute form, an authority with other signs", b"GET http://a_b/ HTTP/1.1\r\nHost: a_b\r\n\r\n",
        "200; app: GET / [host: a_b]", "400, close", "the same signs as in Host, where nginx takes them, too")
request("absolute form of another scheme", b"GET https://a/ HTTP/1.1\r\n" + HOST + b"\r\n",
        "400 (RFC 9112 §3.2), close", "200; app: GET /", "the gateway speaks for http alone")
request("absolute form, 1.0 without Host", b"GET http://b/x HTTP/1.0\r\n\r\n",
        "200, close; app: GET /x [host: b]", "200, close; app: GET /x",
        "the target's authority is the host, and 1.1 wants one")
request("CONNECT", b"CONNECT a:443 HTTP/1.1\r\n" + HOST + b"\r\n",
        "405 (RFC 9110 §9.3.6), close", "400, close", "the status says that it is the method")
request("a method of nobody", b"BREW /pot HTTP/1.1\r\n" + HOST + b"\r\n", "200; app: BREW /pot")
request("a method in lower case", b"get / HTTP/1.1\r\n" + HOST + b"\r\n",
        "200; app: get /", "400, close", "any token is a method; " + APPS)
request("a method with a digit", b"M1 / HTTP/1.1\r\n" + HOST + b"\r\n", "200; app: M1 /", "400, close", "any token is a method; " + APPS)
request("a method that is no token", b"G@T / HTTP/1.1\r\n" + HOST + b"\r\n", "400 (RFC 9110 §9.1), close")
request("TRACE", b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", "200; app: TRACE /", "405, close", APPS)
request("PATCH", b"PATCH / HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\nab", '200; app: PATCH / "ab"')
request("OPTIONS *", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", "200; app: OPTIONS *", "400, close", APPS)
request("GET *", b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", "400 (RFC 9112 §3.2), close")
request("a target without a slash", b"GET x HTTP/1.1\r\n" + HOST + b"\r\n", "400 (RFC 9112 §3.2), close")
request("a fragment in the target", b"GET /x#y HTTP/1.1\r\n" + HOST + b"\r\n",
        "400 (RFC 9112 §3.2), close", "200; app: GET /x#y", STRICT)
request("byte 01 in the target", b"GET /\x01 HTTP/1.1\r\n" + HOST + b"\r\n", "400 (RFC 9112 §3.2), close")
request("NUL in the target", b"GET /\0 HTTP/1.1\r\n" + HOST + b"\r\n", "400 (RFC 9110 §5.5), close")
request("bytes above 7F in the target", b"GET /\xe4\xbd\xa0 HTTP/1.1\r\n" + HOST + b"\r\n",
        "200; app: GET /\\xe4\\xbd\\xa0")
request("dots and escapes in the target", b"GET /a/%2e%2e//b/../c?d=%zz HTTP/1.1\r\n" + HOST + b"\r\n",
        "200; app: GET /a/%2e%2e//b/../c?d=%zz")
request("dots that lead out of the root", b"GET /../x HTTP/1.1\r\n" + HOST + b"\r\n",
        "200; app: GET /../x", "400, close", "the target is passed on as it is; " + APPS)
request("an escape that is none", b"GET /%zz HTTP/1.1\r\n" + HOST + b"\r\n",
        "200; app: GET /%zz", "400, close", "the target is passed on as it is; " + APPS)
request("a blank in the target", b"GET /x y HTTP/1.1\r\n" + HOST + b"\r\n", "400 (RFC 9112 §3), close")
request("two blanks behind the method", b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
        "400 (RFC 9112 §3), close", "200; app: GET /", STRICT)
request("a blank behind the version", b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n",
        "400 (RFC 9112 §3), close", "200; app: GET /", STRICT)
request("the version in lower case", b"GET / http/1.1\r\n" + HOST + b"\r\n", "400 (RFC 9112 §3), close")
request("version 1.2", b"GET / HTTP/1.2\r\n" + HOST + b"\r\n", "200; app: GET /")
request("version 3.0", b"GET / HTTP/3.0\r\n" + HOST + b"\r\n", "400 (RFC 9112 §2.3), close", "505, close", SAID)
request("no version (HTTP/0.9)", b"GET /\r\n", "400 (RFC 9112 §3), close", 'no head: "ok", close; app: GET /', SAID)
request("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400 (RFC 9113 §3.4), close")
request("a TLS hello", b"\x16\x03\x01\x00\x05hello", "400 (RFC 9110 §4.2.2), close")

section("Requests: how much")
request("a request line of 8 K, its end counted", b"GET /" + b"x" * (8 * K - 16) + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        "200; app: GET /xxx... (8181)")
request("one byte more", b"GET /" + b"x" * (8 * K - 15) + b" HTTP/1.1\r\n" + HOST + b"\r\n", "414 (P-150), close")
request("a field of 8 K, its end counted", fields(b"X: " + b"y" * (8 * K - 5)), "200; app: GET / [x: yyyyyyyy... (8187)]")
request("a field of one byte more", fields(b"X: " + b"y" * (8 * K - 4)), "431 (P-150), close", "400, close", STATUS)
request("a hundred fields", fields(*[b"X: y"] * 99), "200; app: GET / [x: y x 99]")
request("over a hundred fields", fields(*[b"X: y"] * 100),
        "431 ([I]), close", "200; app: GET / [x: y x 100]", "a bound of our own")
request("a head over 64 K", fields(*[b"X: " + b"y" * 7000] * 10), "431 (P-150), close", "400, close", STATUS)

section("Requests: what reaches the app")
request("GET", fields(b"Accept: */*"), "200; app: GET / [accept: */*]")
request("POST with a length", framed(b"Content-Length: 2", body=b"ab"), '200; app: POST / "ab"')
request("POST without a body", framed(), "200; app: POST /")
request("POST of length 0", framed(b"Content-Length: 0"), "200; app: POST /")
request("HEAD", b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n", "200; app: HEAD /")
request("three in one piece", fields() + framed(b"Content-Length: 1", body=b"x") + b"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
        '200, 200, 200; app: GET /, POST / "x", GET /3')
request("Connection: close", fields(b"Connection: close"), "200, close; app: GET /")
request("1.0 that asks to stay", b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", "200; app: GET /")
request("fields of one hop",
        fields(b"Connection: X-Hop", b"X-Hop: 1", b"Keep-Alive: 5", b"Proxy-Connection: x", b"TE: gzip", b"Trailer: x",
               b"Proxy-Authorization: x"),
        "200; app: GET /", "200; app: GET / [proxy-authorization: x, proxy-connection: x, trailer: x, x-hop: 1]", HOP)
request("TE: trailers", fields(b"TE: trailers"),
        "200; app: GET / [te: trailers]", "200; app: GET /", "RFC 9110 §10.1.4: the app may know what to do with it")
request("what a client forges",
        fields(b"X-Real-IP: 6.6.6.6", b"X-Forwarded-Proto: https", b"Forwarded: for=evil", b"X-Forwarded-For: 7.7.7.7"),
        "200; app: GET / [x-forwarded-for: 7.7.7.7]")
request("Upgrade without Connection", fields(b"Upgrade: x"), "200; app: GET /", "200; app: GET / [upgrade: x]", HOP)
request("Connection: upgrade, Upgrade: x", fields(b"Connection: upgrade", b"Upgrade: x"),
        "200; app: GET / [upgrade: x]")
request("Expect: 100-continue", framed(b"Expect: 100-continue", b"Content-Length: 2", body=b"ab"),
        '100, 200; app: POST / [expect: 100-continue] "ab"', '100, 200; app: POST / "ab"',
        "the app is asked, and says whether it wants the body")
request("Expect and a body that is too long", framed(b"Expect: 100-continue", b"Content-Length: 104857601"),
        "413 (P-150), close")
request("the path of certificates' challenges",
        b"GET /.well-known/acme-challenge/x HTTP/1.1\r\n" + HOST + b"\r\n",
        "404 (P-153)", "200; app: GET /.well-known/acme-challenge/x", "the platform answers there itself")

section("Requests: with --lenient-http")
request("the head, ended by LF alone", b"GET / HTTP/1.1\nHost: a\nX: y\n\n", "200; app: GET / [x: y]", lenient=True)
request("chunks ended by LF alone", chunked(b"5\nhello\n0\n\n"), '200; app: POST / "hello"', lenient=True)
request("a blank behind a size", chunked(b"5 \r\nhello\r\n0\r\n\r\n"),
        "400 (RFC 9112 §7.1), close", '200; app: POST / "hello"', "lenient with line ends alone", lenient=True)
request("CR inside a value", fields(b"X: y\rz"), "400 (RFC 9112 §2.2), close", lenient=True)

section("Answers of the app: the head")
response("an ordinary one", answered(b"Server: s", b"Date: d", b"Content-Length: 2", body=b"ok"),
         '200 [date: d, server: s] 2 "ok"')
response("lines ended by LF alone", b"HTTP/1.1 200 OK\nX: y\nContent-Length: 2\n\nok",
         '200 [x: y] 2 "ok"; reported: RFC 9112 §2.2')
response("no reason", b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", '200 2 "ok"')
response("a status of nobody", b"HTTP/1.1 299 Hm\r\nContent-Length: 2\r\n\r\nok", '299 2 "ok"')
response("a folded line", answered(b"X: y", b"  z", b"Content-Length: 2", body=b"ok"),
         '200 [x: y    z] 2 "ok"; reported: RFC 9112 §5.2', "502", BENT)
response("a blank between name and colon", answered(b"X : y", b"Content-Length: 2", body=b"ok"),
         '200 2 "ok"; reported: RFC 9112 §5.1', "502", BENT)
response("an empty name", answered(b": y", b"Content-Length: 2", body=b"ok"),
         '200 2 "ok"; reported: RFC 9112 §5', "502", BENT)
response("a name that is no token", answered(b"X(: y", b"Content-Length: 2", body=b"ok"),
         '200 2 "ok"; reported: RFC 9110 §5.1', '200 [x(: y] 2 "ok"', BENT)
response("a line without a colon", answered(b"nonsense", b"Content-Length: 2", body=b"ok"),
         '200 2 "ok"; reported: RFC 9110 §5.1', '200 [nonsense: ] 2 "ok"', BENT)
response("byte 01 in a value", answered(b"X: y\x01", b"Content-Length: 2", body=b"ok"),
         '200 2 "ok"; reported: RFC 9110 §5.5', '200 [x: y\\x01] 2 "ok"', BENT)
response("NUL in a value", answered(b"X: y\0z", b"Content-Length: 2", body=b"ok"), "502; reported: RFC 9110 §5.5")
response("CR inside a value", answered(b"X: y\rz", b"Content-Length: 2", body=b"ok"), "502; reported: RFC 9112 §2.2")
response("no status line", b"nonsense\r\n\r\n",
         "502; reported: RFC 9112 §4", 'no head: "nonsense\\r\\n\\r\\n"', UNREADABLE, close=True)
response("a status of two digits", b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
         "502; reported: RFC 9112 §4", '20 2 "ok"', UNREADABLE, close=True)
response("a status of four digits", b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
         "502; reported: RFC 9112 §4", '2000 2 "ok"', UNREADABLE, close=True)
response("status 099", b"HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nok",
         "502; reported: RFC 9112 §4", '099 2 "ok"', UNREADABLE)
response("HTTP/2 in the status line", b"HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok",
         "502; reported: RFC 9112 §4", 'no head: "HTTP/2 2... (44)"', UNREADABLE, close=True)
response("an empty line in front", b"\r\n" + answered(b"Content-Length: 2", body=b"ok"),
         "502; reported: RFC 9112 §4", 'no head: "\\r\\n", 200 2 "ok"', UNREADABLE, close=True)
response("a head over 64 K", answered(*[b"X: " + b"y" * 7000] * 10, b"Content-Length: 2", body=b"ok"),
         "502; reported: P-150")
response("fields of one hop",
         answered(b"Connection: X-Hop", b"X-Hop: 1", b"Keep-Alive: 5", b"Proxy-Connection: x", b"Trailer: x",
                  b"Upgrade: x", b"Content-Length: 2", body=b"ok"),
         '200 2 "ok"', '200 [proxy-connection: x, trailer: x, upgrade: x, x-hop: 1] 2 "ok"', HOP)

section("Answers of the app: how the body is framed")
response("chunked", answered(b"Transfer-Encoding: chunked", body=b"2;x=y\r\nok\r\n0\r\nT: v\r\n\r\n"),
         '200 chunked "ok"')
response("until the app closes", answered(body=b"ok"), '200 chunked "ok"', close=True)
response("chunked, to a client of 1.0", answered(b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\n"),
         '200 until close "ok", close', ask=b"GET / HTTP/1.0\r\n\r\n")
response("until the app closes, to a client of 1.0", answered(body=b"ok"),
         '200 until close "ok", close', close=True, ask=b"GET / HTTP/1.0\r\n\r\n")
response("both a length and chunked",
         answered(b"Content-Length: 9", b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\n"),
         '200 chunked "ok"; reported: RFC 9112 §6.1')
response("the same length twice", answered(b"Content-Length: 2", b"Content-Length: 2", body=b"ok"),
         '200 2 "ok"; reported: RFC 9112 §6.3')
response("two different lengths", answered(b"Content-Length: 2", b"Content-Length: 3", body=b"ok"),
         "502; reported: RFC 9112 §6.3", '200 3 "ok" cut, close',
         "no length is the right one (nginx takes the last)", close=True)
for value in (b"2, 2", b"+2", b"x", b""):
    response("length %s" % quoted(value), answered(b"Content-Length: " + value, body=b"ok"),
             "502; reported: RFC 9112 §6.3", '200 chunked "ok"',
             "a length that cannot be read frames nothing (nginx takes it for none)", close=True)
for value in (b"gzip", b"identity"):
    response("coding %s" % quoted(value), answered(b"Transfer-Encoding: " + value, body=b"ok"),
             "502; reported: RFC 9112 §6.1", '200 chunked "ok"',
             "a coding that nobody here can read frames nothing", close=True)
response("two codings", answered(b"Transfer-Encoding: gzip, chunked", body=b"2\r\nok\r\n0\r\n\r\n"),
         "502; reported: RFC 9112 §6.1", '200 chunked "ok"', "a coding that nobody here can read frames nothing")
response("coding in HTTP/1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
         '200 chunked "ok"; reported: RFC 9112 §6.1')
response("chunks of nonsense", answered(b"Transfer-Encoding: chunked", body=b"nonsense\r\n"),
         "502; reported: RFC 9112 §7.1", "close", "nothing has been sent yet, so it can be said", close=True)
response("a chunk longer than its size", answered(b"Transfer-Encoding: chunked", body=b"2\r\nokay\r\n0\r\n\r\n"),
         "502; reported: RFC 9112 §7.1", "close", "nothing has been sent yet, so it can be said", close=True)
response("chunks ended by LF alone", answered(b"Transfer-Encoding: chunked", body=b"2\nok\n0\n\n"),
         '200 chunked "ok"; reported: RFC 9112 §2.2')
response("HEAD with a length", answered(b"Content-Length: 2"),
         "200 without its 2 bytes", ask=b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n")
response("HEAD, answered with a body", answered(b"Content-Length: 2", body=b"ok"), "200 without its 2 bytes",
         ask=b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n")
response("HEAD, chunked", answered(b"Transfer-Encoding: chunked"), "200", ask=b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n")
response("204 that claims a length", b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n",
         "204", "204 without its 5 bytes", "RFC 9110 §8.6: it must not")
response("304 that claims a length", b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", "304 without its 5 bytes")
response("fewer bytes than the length", answered(b"Content-Length: 9", body=b"ok"),
         '200 9 "ok" cut, close; reported', close="later")
response("chunks that stop", answered(b"Transfer-Encoding: chunked", body=b"9\r\nok"),
         '200 chunked "ok" cut, close; reported', close="later")
response("more bytes than the length", answered(b"Content-Length: 2", body=b"okay"), '200 2 "ok"')
response("nothing at all", b"", "502", close=True)
response("half a head", b"HTTP/1.1 200 OK\r\nX:", "502", close=True)

section("Answers of the app: 1xx and switching")
response("103, then 200", b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + answered(b"Content-Length: 2", body=b"ok"),
         '103 [link: x], 200 2 "ok"', close=True)
response("100 that nobody asked for", b"HTTP/1.1 100 Go\r\n\r\n" + answered(b"Content-Length: 2", body=b"ok"),
         '200 2 "ok"', '100, 200 2 "ok"', "only who waits for it gets it", close=True)
response("101 that was asked for", b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhi",
         '101 [upgrade: x] then "hi", close', close=True, ask=fields(b"Connection: upgrade", b"Upgrade: x"))
response("101 that nobody asked for", b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhi",
         "502", '101 [upgrade: x] then "hi"', "a switch is agreed by both, or is none", close=True)
response("101 to another protocol", b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: z\r\n\r\nhi",
         "502", '101 [upgrade: z] then "hi", close',
         "a switch is agreed by both, or is none", close=True, ask=fields(b"Connection: upgrade", b"Upgrade: x"))
response("no 101 though it was asked for", answered(b"Content-Length: 2", body=b"ok"),
         '200 2 "ok"', ask=fields(b"Connection: upgrade", b"Upgrade: x"))
