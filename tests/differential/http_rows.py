"""What: the rest of what the gateway promises about HTTP, and the test that shows it: what takes time, memory, several
   connections or a crash in between, so that no bytes on one connection could. Part of docs/http.md.
Order: (what is promised, tests); a test is the file below tests/ and the function's name, which the lint looks for.
Not: what bytes alone show; that is http_cases.py."""

CODEC = "unit/test_http1.c::"
CHUNKS = "unit/test_http1_chunks.c::"
WRITE = "unit/test_http1_write.c::"
PLAIN = "unit/test_gateway.c::"
LIMITS = "unit/test_gateway_limits.c::"
GZIP = "unit/test_gateway_gzip.c::"
ROUTE = "unit/test_gateway_route.c::"

ROWS = {
    "Any split": [
        ("A head means the same wherever its bytes were split.", [CODEC + "test_requests", CODEC + "test_responses"]),
        ("A chunked body means the same wherever its bytes were split.", [CHUNKS + "test_chunks"]),
        ("Every byte in a packet of its own, both ways.", [PLAIN + "test_split_everywhere"]),
        ("What is written for the other side is read again as the same message.", [WRITE + "test_each_row"]),
    ],
    "Requests": [
        ("A refusal names its rule and its limit, and is readable: the connection ends without a reset.",
         [LIMITS + "test_refusals_name_their_rule", LIMITS + "test_a_limit_is_named"]),
        ("Limits hold to the byte.", [CODEC + "test_limits", CODEC + "test_head_limit", LIMITS + "test_limits_to_the_byte"]),
        ("A body of 100 MB goes, one byte more does not, declared or not.",
         [LIMITS + "test_the_largest_body", LIMITS + "test_body_limit_while_streaming"]),
        ("A body whose chunks break off or are wrong never looks complete to the app.",
         [LIMITS + "test_bad_chunks_never_complete_upstream"]),
        ("Pipelined requests are answered in order.", [PLAIN + "test_pipelined_in_order"]),
        ("--lenient-http bears with lines that end with LF alone, says so once, and bears with nothing else.",
         [ROUTE + "test_lenient", CODEC + "test_lenient_client"]),
        ("100 comes from the app, our limits answer at once.", [PLAIN + "test_expect_continue"]),
    ],
    "Answers of the app": [
        ("Bodies of every framing, to clients of 1.0 and 1.1.", [PLAIN + "test_bodies_both_ways"]),
        ("What cannot be framed is 502, as long as nothing was sent.", [PLAIN + "test_unframeable_answers"]),
        ("An app that goes away before its answer: another try, or 502.", [PLAIN + "test_gone_before_an_answer"]),
        ("An app that goes away in its answer: the client's connection ends, never as if it were complete.",
         [PLAIN + "test_crash_in_the_body_aborts"]),
        ("No answer within 60 s is 504.", [LIMITS + "test_no_answer_in_time"]),
        ("Answers and bodies pass as they come, event streams too.", [PLAIN + "test_streams_as_it_comes"]),
        ("A client that goes away ends its request at the app.", [PLAIN + "test_client_gone_closes_upstream"]),
        ("What is bent or refused of an answer is an event, and a finding of verify.",
         ["e2e/test_bent_answers.py::test_a_bad_answer_is_a_finding_and_an_event"]),
        ("A switch to another protocol, and what stays without one.", [PLAIN + "test_websocket"]),
    ],
    "Fields": [
        ("What is for one hop never goes on, in either direction.", [WRITE + "test_each_row", PLAIN + "test_request_and_answer"]),
        ("X-Real-IP, X-Forwarded-Proto and Forwarded replace what the client sent; X-Forwarded-For passes.",
         [PLAIN + "test_request_and_answer"]),
        ("--client-ip and --proto are what the app is told of the client.", [ROUTE + "test_what_is_said_of_the_client"]),
        ("Behind an edge node: what a client forged passes, X-Forwarded-For grows, the rest is the node's.",
         [ROUTE + "test_edge_headers"]),
        ("Compressed is what the client accepts, of a kind that gains, from 1 K on; never an event stream.",
         [GZIP + "test_what_is_compressed", GZIP + "test_what_never_is"]),
        ("Vary is added, ETag becomes weak.", [GZIP + "test_what_the_head_says"]),
    ],
    "Trying again": [
        ("Twice more at most, on another instance if there is one; what is not idempotent once it was sent: never.",
         [PLAIN + "test_retry"]),
        ("What was refused before a byte was sent is tried elsewhere, whatever its method.",
         [PLAIN + "test_round_robin_skips_the_refusing"]),
        ("Trying again gains no time.", [PLAIN + "test_a_retry_gains_no_time"]),
        ("A kept connection that the app has closed meanwhile costs nobody a request.",
         [PLAIN + "test_stale_pooled_connection"]),
        ("What an app sends behind the end of its answer is not taken for the next one.", [PLAIN + "test_bytes_left_over"]),
    ],
    "Bounds": [
        ("An edge node has 60 MB, 10 s, no PATCH and no WebSocket.", [ROUTE + "test_edge_limits"]),
        ("A reader that stalls stops the writer, in constant memory.", [PLAIN + "test_slow_reader_stops_the_writer"]),
        ("An app that stalls stops the upload.", [PLAIN + "test_upload_with_back_pressure"]),
        ("10 000 connections; the next one waits.", [LIMITS + "test_as_many_connections_as_allowed"]),
        ("An idle connection takes 2 K at most.", [LIMITS + "test_many_connections"]),
        ("A head or a body that stops arriving is 408.", [LIMITS + "test_request_stops_arriving"]),
        ("Idle connections end.", [LIMITS + "test_idle_ends"]),
        ("A WebSocket without data for 60 s is cut.", [LIMITS + "test_websocket_idle_is_cut"]),
    ],
}
