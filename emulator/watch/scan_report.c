// What a scan has to say, each once: a rescan meets the same oddities again.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "emulator/watch/scan.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"

#define NOTICES_MAX 64

static bool is_news(struct scan *scan, const char *text)
{
    if (scan->noticed.count >= NOTICES_MAX || strlist_contains(&scan->noticed, text)) {
        return false;
    }
    strlist_add(&scan->noticed, text);
    return true;
}

void scan_notice(struct scan *scan, const char *format, ...)
{
    va_list args;
    char text[1024];
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (is_news(scan, text)) {
        scan->notice(scan->context, text);
    }
}

void scan_report_once(struct scan *scan, const struct diagnostic *item)
{
    auto_free char *key =
        str_printf("%s:%d: %s", item->file ? item->file : "", item->line, item->text);
    if (is_news(scan, key)) {
        scan->report(scan->context, item);
    }
}

void scan_report(struct scan *scan, enum diagnostic_severity severity, const char *file,
                 const char *rule, const char *hint, const char *format, ...)
{
    va_list args;
    char text[1024];
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const struct diagnostic item = {.severity = severity,
                                    .file = (char *)(uintptr_t)file,
                                    .rule = (char *)(uintptr_t)rule,
                                    .text = text,
                                    .hint = (char *)(uintptr_t)hint};
    scan_report_once(scan, &item);
}

void scan_report_noise(struct scan *scan, const char *path, int row)
{
    uint64_t mark = 1ull << row;
    const char *reason = rules_noise_reason(row);
    struct stat info;
    if (!reason || scan->noise_told & mark || fstatat(scan->root_fd, path, &info, 0) < 0 ||
        !rules_would_upload(&scan->rules, path, S_ISDIR(info.st_mode))) {
        return;
    }
    scan->noise_told |= mark;
    auto_free char *hint = str_printf(_("add %s%s to %s"), rules_noise_pattern(row),
                                      S_ISDIR(info.st_mode) ? "/" : "", LEANIGNORE_NAME);
    scan_report(scan, DIAGNOSTIC_DEVIATION, path, "P-221", hint,
                _("%s: left out here, the upload takes it along"), reason);
}

// One file a rule is enough to show it.
void scan_report_surprise(struct scan *scan, const char *path, bool is_dir,
                          const struct verdict *verdict)
{
    unsigned line = verdict->line ? verdict->line : verdict->back;
    uint64_t mark = 1ull << line % 64;
    if (scan->surprise_told & mark ||
        !leanignore_is_surprise(scan->rules.ignore, line, path, is_dir)) {
        return;
    }
    scan->surprise_told |= mark;
    const char *pattern = leanignore_pattern(scan->rules.ignore, line);
    auto_free char *text =
        verdict->line
            ? str_printf(_("%s leaves out %s: without / a pattern hits in the middle of a name, in "
                           ".gitignore it does not"),
                         pattern, path)
            : str_printf(_("%s takes back %s: what stands behind ! hits in the middle of a path, "
                           "in .gitignore it does not"),
                         pattern, path);
    auto_free char *hint =
        verdict->line ? str_printf(_("write whole names, or put !%s below the line"), path)
                      : str_printf(_("put %s below the line, if it is to be left out"), path);
    const struct diagnostic item = {.severity = DIAGNOSTIC_WARNING,
                                    .file = scan->rules.shown,
                                    .line = (int)line,
                                    .rule = (char *)(uintptr_t) "P-223",
                                    .text = text,
                                    .hint = hint};
    scan_report_once(scan, &item);
}
