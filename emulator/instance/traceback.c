#include "emulator/instance/traceback.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/mem.h"

// `  File "/home/leanengine/app/app.py", line 12, in index`
static bool take_frame(struct traceback *traceback, const char *app_root, const char *line)
{
    const char *at = line + strspn(line, " ");
    if (!str_starts_with(at, "File \"")) {
        return false;
    }
    at += 6;
    const char *end = strstr(at, "\", line ");
    if (!end) {
        return false;
    }
    size_t root_len = strlen(app_root);
    if (strncmp(at, app_root, root_len) == 0 && at[root_len] == '/') {
        at += root_len + 1;
        size_t len = (size_t)(end - at);
        len = len < sizeof traceback->file ? len : sizeof traceback->file - 1;
        memcpy(traceback->file, at, len);
        traceback->file[len] = '\0';
        traceback->line = atoi(end + strlen("\", line "));
    }
    traceback->open = true;
    return true;
}

// `KeyError: 'name'`, `package.module.Error: text`, `KeyboardInterrupt`: a dotted name in column 0
// whose last part is capitalised, alone or followed by a colon.
static bool is_exception(const char *line)
{
    size_t len = strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
    if (len == 0 || (line[len] != '\0' && line[len] != ':')) {
        return false;
    }
    size_t start = len;
    while (start > 0 && line[start - 1] != '.') {
        start--;
    }
    return isupper((unsigned char)line[start]) != 0;
}

// ---- the whole of it ----

// What is too long loses its beginning: the innermost frames and the exception stand at the end.
static void keep_text(struct traceback *traceback, const char *text, size_t len)
{
    size_t room = sizeof traceback->text;
    len = len < room / 4 ? len : room / 4;
    if (traceback->text_len + len + 1 > room) {
        size_t half = room / 2;
        const char *newline = memchr(traceback->text + half, '\n', traceback->text_len - half);
        size_t gone = newline ? (size_t)(newline - traceback->text) + 1 : half;
        memmove(traceback->text, traceback->text + gone, traceback->text_len - gone);
        traceback->text_len -= gone;
    }
    memcpy(traceback->text + traceback->text_len, text, len);
    traceback->text_len += len;
    traceback->text[traceback->text_len++] = '\n';
}

static void begin_text(struct traceback *traceback)
{
    if (!traceback->chained) {
        traceback->text_len = 0;
    }
    traceback->chained = false;
}

static bool is_chain(const char *line)
{
    return str_starts_with(line, "During handling of the above exception") ||
           str_starts_with(line, "The above exception was the direct cause");
}

void traceback_feed(struct traceback *traceback, const char *app_root, const char *text, size_t len)
{
    char *line = traceback->lines[traceback->line_count++ % TRACEBACK_LINES];
    size_t kept = len < sizeof traceback->lines[0] ? len : sizeof traceback->lines[0] - 1;
    memcpy(line, text, kept);
    line[kept] = '\0';
    bool was_open = traceback->open;
    if (str_starts_with(line, "Traceback (most recent call last)")) {
        traceback->file[0] = '\0';
        traceback->open = true;
        begin_text(traceback);
        keep_text(traceback, text, len);
        return;
    }
    bool frame = take_frame(traceback, app_root, line);
    if (frame && !was_open) { // a SyntaxError of 2.7 has no first line
        begin_text(traceback);
    }
    if (traceback->open || is_chain(line)) {
        traceback->chained = !traceback->open;
        keep_text(traceback, text, len);
    }
    if (frame || !traceback->open || !is_exception(line)) {
        return;
    }
    traceback->open = false;
    if (traceback->file[0]) {
        snprintf(traceback->trouble, sizeof traceback->trouble, "%s:%d: %s", traceback->file,
                 traceback->line, line);
    } else {
        snprintf(traceback->trouble, sizeof traceback->trouble, "%s", line);
    }
}
