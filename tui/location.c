#include "tui/location.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/mem.h"

#define APP_ROOT  "/home/leanengine/app/" // P-132
#define LOOK_BACK 5000                    // records

// path as the app saw it -> below project_dir, if it is there and stays there.
static bool resolve(const char *path, size_t len, long line, const char *project_dir,
                    struct location *ret)
{
    size_t root = strlen(APP_ROOT);
    if (len > root && strncmp(path, APP_ROOT, root) == 0) {
        path += root;
        len -= root;
    }
    auto_free char *name = str_dup_len(path, len);
    if (len == 0 || *name == '/' || strstr(name, "..") || line <= 0 || line > INT_MAX) {
        return false;
    }
    auto_free char *full = fs_join(project_dir, name);
    if (strlen(full) >= sizeof ret->path || !fs_is_file(full)) {
        return false;
    }
    memcpy(ret->path, full, strlen(full) + 1);
    ret->line = (int)line;
    return true;
}

// File "PATH", line N
static bool find_frame(const char *text, const char *project_dir, struct location *ret)
{
    const char *at = strstr(text, "File \"");
    const char *end = at ? strchr(at + 6, '"') : NULL;
    if (!end || strncmp(end, "\", line ", 8) != 0) {
        return false;
    }
    return resolve(at + 6, (size_t)(end - at - 6), strtol(end + 8, NULL, 10), project_dir, ret);
}

// PATH:N, where PATH holds no blank and N is a number
static bool find_colon(const char *text, const char *project_dir, struct location *ret)
{
    for (const char *colon = strchr(text, ':'); colon; colon = strchr(colon + 1, ':')) {
        const char *start = colon;
        while (start > text && !strchr(" \t\"'(", start[-1])) {
            start--;
        }
        char *end;
        long line = strtol(colon + 1, &end, 10);
        if (end > colon + 1 && resolve(start, (size_t)(colon - start), line, project_dir, ret)) {
            return true;
        }
    }
    return false;
}

bool location_find(const char *text, size_t len, const char *project_dir,
                   struct location *ret_location)
{
    auto_free char *line = str_dup_len(text, len);
    return find_frame(line, project_dir, ret_location) ||
           find_colon(line, project_dir, ret_location);
}

static bool is_frame(const struct journal_record *record)
{
    auto_free char *line = str_dup_len(record->text, record->len);
    return strstr(line, "File \"") != NULL;
}

// What the app calls its root (P-11).
static const char *root_of(const struct snapshot *snapshot)
{
    return *snapshot->build_root ? snapshot->build_root : snapshot->dir;
}

bool location_of_trouble(const struct snapshot *snapshot, const struct log_source *log,
                         struct location *ret_location)
{
    if (*snapshot->failure && location_find(snapshot->failure, strlen(snapshot->failure),
                                            root_of(snapshot), ret_location)) {
        return true;
    }
    uint64_t first, last;
    log->range(log->context, &first, &last);
    int budget = LOOK_BACK;
    for (uint64_t seq = last; seq >= first && seq > 0 && budget-- > 0; seq--) {
        struct journal_record record;
        if (log->read(log->context, seq, &record) && record.stream <= JOURNAL_ERR &&
            is_frame(&record) &&
            location_find(record.text, record.len, root_of(snapshot), ret_location)) {
            return true;
        }
    }
    return false;
}

// How editors are told a line.
static const struct {
    const char *name;
    const char *format; // after the editor's own words; $1 is the file, $2 the line
} editors[] = {
    {"code", "-w -g \"$1:$2\""},
    {"codium", "-w -g \"$1:$2\""},
    {"subl", "-w \"$1:$2\""},
    {"hx", "\"$1:$2\""},
    {"helix", "\"$1:$2\""},
    {"zed", "-w \"$1:$2\""},
    {"micro", "\"+$2\" \"$1\""},
    {"vi", "\"+$2\" \"$1\""},
    {"vim", "\"+$2\" \"$1\""},
    {"nvim", "\"+$2\" \"$1\""},
    {"nano", "\"+$2\" \"$1\""},
    {"emacs", "\"+$2\" \"$1\""},
    {"emacsclient", "\"+$2\" \"$1\""},
    {"joe", "\"+$2\" \"$1\""},
    {"kak", "\"+$2\" \"$1\""},
    {"ed", "\"$1\""},
};

static const char *format_for(const char *editor)
{
    size_t len = strcspn(editor, " ");
    const char *base = editor;
    for (size_t i = 0; i < len; i++) {
        base = editor[i] == '/' ? editor + i + 1 : base;
    }
    size_t base_len = (size_t)(editor + len - base);
    for (size_t i = 0; i < ARRAY_LEN(editors); i++) {
        if (strlen(editors[i].name) == base_len && strncmp(editors[i].name, base, base_len) == 0) {
            return editors[i].format;
        }
    }
    return "\"$1\"";
}

void location_editor_argv(const char *editor, const struct location *location,
                          struct strlist *ret_argv)
{
    strlist_add(ret_argv, "/bin/sh");
    strlist_add(ret_argv, "-c");
    strlist_addf(ret_argv, "%s %s", editor, format_for(editor));
    strlist_add(ret_argv, "editor");
    strlist_add(ret_argv, location->path);
    strlist_addf(ret_argv, "%d", location->line);
}
