#include "tui/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "tui/keymap.h"

#define SCRIPT_BYTES_MAX (1 << 20)
#define EVENTS_MAX       1024
#define QUIET_MS         100
#define LIMIT_MS         10000

struct script {
    char *text;
    char *at;       // the line that is being worked on
    size_t keys_at; // bytes of a "keys" line that were pressed
    int line;       // its number
    int64_t limit_ms;
    int64_t since_ms;      // since when it waits; 0: not waiting
    struct strlist events; // as JSON, oldest first
    size_t event_at;       // events before it were waited for already
};

struct script *script_open(const char *path, struct error *error)
{
    char *text = fs_read(path, SCRIPT_BYTES_MAX, NULL, error);
    if (!text) {
        return NULL;
    }
    struct script *script = mem_alloc(sizeof *script);
    script->text = script->at = text;
    script->limit_ms = LIMIT_MS;
    return script;
}

void script_free(struct script *script)
{
    if (script) {
        strlist_clear(&script->events);
        free(script->text);
        free(script);
    }
}

void script_event(struct script *script, const struct cJSON *event)
{
    if (script->events.count < EVENTS_MAX) {
        strlist_take(&script->events, json_print(event));
    }
}

// ---- waits ----

static bool event_happened(struct script *script, const char *arguments)
{
    size_t name_len = strcspn(arguments, " ");
    const char *text = arguments + name_len + (arguments[name_len] == ' ');
    auto_free char *name = str_printf("\"kind\":\"%.*s\"", (int)name_len, arguments);
    for (size_t i = script->event_at; i < script->events.count; i++) {
        if (strstr(script->events.items[i], name) && strstr(script->events.items[i], text)) {
            script->event_at = i + 1;
            return true;
        }
    }
    return false;
}

static bool is_over(struct script *script, const char *what, const struct script_view *view)
{
    if (strcmp(what, "idle") == 0) {
        return !view->busy && view->quiet_ms >= QUIET_MS;
    }
    if (str_starts_with(what, "event ")) {
        return event_happened(script, what + 6);
    }
    if (str_starts_with(what, "text ")) {
        return canvas_contains(view->canvas, what + 5);
    }
    return str_starts_with(what, "gone ") && !canvas_contains(view->canvas, what + 5);
}

static struct script_step fail(struct script *script, const char *what,
                               const struct script_view *view, struct error *error)
{
    auto_free char *screen = canvas_dump(view->canvas);
    error_set(error, ERROR_APP, "script line %d: %s\n%s", script->line, what, screen);
    return (struct script_step){.want = SCRIPT_FAILED};
}

// ---- lines ----

enum outcome {
    LINE_DONE,
    LINE_WAITS,
    LINE_STEPS, // *step is to be done by the caller, then the line is over
    LINE_AGAIN, // *step is to be done by the caller, the same line goes on
};

static enum outcome run_keys(struct script *script, const char *text, struct script_step *step)
{
    const char *at = text + script->keys_at;
    if (!*at) {
        script->keys_at = 0;
        return LINE_DONE;
    }
    size_t len = 1;
    const char *close = *at == '<' ? strchr(at, '>') : NULL;
    step->want = SCRIPT_KEY;
    if (close) {
        step->key = keymap_key_from_name(at + 1, (size_t)(close - at - 1));
        len = (size_t)(close + 1 - at);
    } else {
        while (((unsigned char)at[len] & 0xC0) == 0x80) {
            len++;
        }
        step->key = keymap_key_from_name(at, len);
    }
    script->keys_at += len;
    return LINE_AGAIN;
}

static enum outcome run_resize(const char *text, struct script_step *step)
{
    step->want = SCRIPT_RESIZE;
    return sscanf(text, "%dx%d", &step->cols, &step->rows) == 2 ? LINE_STEPS : LINE_DONE;
}

static enum outcome run_line(struct script *script, const char *line,
                             const struct script_view *view, struct script_step *step,
                             struct error *error)
{
    if (!*line || *line == '#') {
        return LINE_DONE;
    }
    if (str_starts_with(line, "keys ")) {
        return run_keys(script, line + 5, step);
    }
    if (str_starts_with(line, "wait ")) {
        return is_over(script, line + 5, view) ? LINE_DONE : LINE_WAITS;
    }
    if (str_starts_with(line, "limit ")) {
        script->limit_ms = (int64_t)(strtod(line + 6, NULL) * 1000);
        return LINE_DONE;
    }
    if (str_starts_with(line, "resize ")) {
        return run_resize(line + 7, step);
    }
    if (str_starts_with(line, "dump ")) {
        auto_free char *screen = canvas_dump(view->canvas);
        if (fs_write_atomic(line + 5, screen, strlen(screen), 0644, error) < 0) {
            step->want = SCRIPT_FAILED;
            return LINE_STEPS;
        }
        return LINE_DONE;
    }
    *step = strcmp(line, "quit") == 0 ? (struct script_step){.want = SCRIPT_QUIT}
                                      : fail(script, "not a script line", view, error);
    return LINE_STEPS;
}

static char *current_line(struct script *script)
{
    return str_dup_len(script->at, strcspn(script->at, "\n"));
}

static void next_line(struct script *script)
{
    script->at += strcspn(script->at, "\n");
    script->at += *script->at == '\n';
    script->line++;
    script->since_ms = 0;
}

struct script_step script_next(struct script *script, const struct script_view *view,
                               struct error *error)
{
    while (*script->at) {
        auto_free char *line = current_line(script);
        struct script_step step = {0};
        script->line = script->line ? script->line : 1;
        switch (run_line(script, line, view, &step, error)) {
        case LINE_DONE:
            next_line(script);
            break;
        case LINE_STEPS:
            next_line(script);
            return step;
        case LINE_AGAIN:
            return step;
        case LINE_WAITS:
            script->since_ms = script->since_ms ? script->since_ms : view->now_ms;
            if (view->now_ms - script->since_ms > script->limit_ms) {
                return fail(script, line, view, error);
            }
            return step;
        }
    }
    return (struct script_step){.want = SCRIPT_QUIT};
}
