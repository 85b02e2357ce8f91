// cache ls, cache prune: what is kept of earlier builds, and room again. A helper does it
// (emulator/build/cache.h): layers in use stay whoever asks.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulator/control/protocol.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/process.h"
#include "tui/command.h"
#include "tui/commands.h"

#define ANSWER_MAX (16 << 20)
#define LIMIT_MS   (600 * 1000) // to unlink a full cache on a slow disk

// bytes: NULL for ls. The answer, the caller's; NULL: ret_error says why.
static struct cJSON *ask_helper(const char *word, const char *cache_dir, const char *bytes,
                                struct error *ret_error)
{
    const char *const words[] = {"/proc/self/exe", "@cache", word, cache_dir, bytes, NULL};
    auto_free char *text = NULL;
    int status = process_capture((char *const *)(uintptr_t)words, NULL, NULL, ANSWER_MAX, LIMIT_MS,
                                 &text, ret_error);
    struct cJSON *tree =
        status >= 0 && text ? json_parse(text, strlen(text), "@cache", NULL) : NULL;
    if (!tree) {
        error_set(ret_error, ERROR_SYSTEM, _("the helper of the cache ended early"));
    } else if (json_get(tree, "error")) {
        error_decode(json_get(tree, "error"), ret_error);
        json_free(tree);
        tree = NULL;
    }
    return tree;
}

static char *format_size(int64_t bytes)
{
    static const char *const units[] = {"B", "K", "M", "G"};
    double size = (double)bytes;
    size_t unit = 0;
    for (; size >= 1024 && unit + 1 < ARRAY_LEN(units); unit++) {
        size /= 1024;
    }
    return str_printf(unit ? "%.1f%s" : "%.0f%s", size, units[unit]);
}

static char *format_age(int64_t used_ms)
{
    int64_t minutes = (clock_wall_ms() - used_ms) / 60000;
    if (minutes < 1) {
        return str_dup(_("now"));
    }
    if (minutes < 60) {
        return str_printf(_("%lld min ago"), (long long)minutes);
    }
    return minutes < 48 * 60 ? str_printf(_("%lld h ago"), (long long)(minutes / 60))
                             : str_printf(_("%lld days ago"), (long long)(minutes / 60 / 24));
}

static void print_entry(const struct cJSON *entry)
{
    auto_free char *size = format_size(json_get_int(entry, "bytes", 0));
    auto_free char *age = format_age(json_get_int(entry, "used_ms", 0));
    const char *project = json_get_string(entry, "project");
    const char *detail = json_get_string(entry, "detail");
    const char *kind = json_get_string(entry, "kind");
    printf("%-9s %8s  %-12s %-7s %s%s%s%s\n", kind ? kind : "", size, age,
           json_get_bool(entry, "in_use", false) ? _("in use") : "-", project ? project : "-",
           detail ? " (" : "", detail ? detail : "", detail ? ")" : "");
}

static void print_list(const struct cJSON *tree)
{
    const struct cJSON *entries = json_get(tree, "entries");
    auto_free char *bytes = format_size(json_get_int(tree, "bytes", 0));
    auto_free char *bound = format_size(json_get_int(tree, "max_bytes", 0));
    for (const struct cJSON *entry = json_first(entries); entry; entry = json_next(entry)) {
        print_entry(entry);
    }
    printf(_("%s: %s of %s\n"), json_get_string(tree, "cache"), bytes, bound);
}

static void print_pruned(const struct cJSON *tree)
{
    auto_free char *gone = format_size(json_get_int(tree, "removed_bytes", 0));
    auto_free char *left = format_size(json_get_int(tree, "bytes", 0));
    for (const struct cJSON *entry = json_first(json_get(tree, "removed")); entry;
         entry = json_next(entry)) {
        print_entry(entry);
    }
    printf(_("%s: %zu removed, %s; %s left\n"), json_get_string(tree, "cache"),
           json_count(json_get(tree, "removed")), gone, left);
    if (json_get_int(tree, "kept_in_use", 0) > 0) {
        printf(_("what a running leanlocal uses was left\n"));
    }
}

static int show(const struct command *command, const char *word, const char *cache_dir,
                const char *bytes)
{
    struct error error = {0};
    struct cJSON *tree = ask_helper(word, cache_dir, bytes, &error);
    if (!tree) {
        return command_fail(&error);
    }
    if (str_equal(command_text(command, "format"), "json")) {
        auto_free char *text = json_print(tree);
        printf("%s\n", text);
    } else if (bytes) {
        print_pruned(tree);
    } else {
        print_list(tree);
    }
    json_free(tree);
    return 0;
}

int cmd_cache(struct command *command)
{
    bool prunes = command->words.count && strcmp(command->words.items[0], "prune") == 0;
    bool all = command_flag(command, "all");
    int64_t size = json_get_int(command->options, "max-size", -1);
    struct error error = {0};
    if ((all || size >= 0) && (!prunes || (all && size >= 0))) {
        error_set(&error, ERROR_USAGE, _("--all or --max-size: one of them, with prune"));
        return command_fail(&error);
    }
    auto_free char *text = all         ? str_dup("0")
                           : size >= 0 ? str_printf("%lld", (long long)size)
                                       : str_dup("");
    auto_free char *usual = control_cache_dir();
    const char *bytes = prunes ? text : NULL;
    int code = show(command, prunes ? "prune" : "list", usual, bytes);
    // Who names a cache means that one.
    bool named = !str_empty(getenv("XDG_CACHE_HOME"));
    if (code == 0 && !named && geteuid() == 0 && fs_is_dir(CONTROL_OPEN_CACHE_DIR)) {
        code = show(command, prunes ? "prune" : "list", CONTROL_OPEN_CACHE_DIR, bytes);
    }
    return code;
}
