// doctor: what this host can reproduce. A helper looks (emulator/doctor/doctor.h): no project, no
// engine. Here its rows are printed, in 80 columns; commands keep their lines, to be copied.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulator/control/protocol.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/process.h"
#include "tui/command.h"
#include "tui/commands.h"
#include "tui/text.h"

#define ANSWER_MAX  (1 << 20)
#define LIMIT_MS    60000 // an interpreter that hangs is given up much earlier
#define COLS        80
#define TITLE_COLS  16
#define DETAIL_COLS 7 // where what belongs to a row begins

static struct cJSON *ask_helper(struct error *ret_error)
{
    static const char *const words[] = {"/proc/self/exe", "@doctor", NULL};
    auto_free char *text = NULL;
    int status = process_capture((char *const *)(uintptr_t)words, NULL, NULL, ANSWER_MAX, LIMIT_MS,
                                 &text, ret_error);
    struct cJSON *tree =
        status >= 0 && text ? json_parse(text, strlen(text), "@doctor", NULL) : NULL;
    if (!tree) {
        error_set(ret_error, ERROR_SYSTEM, _("the helper that looks at the host ended early"));
    }
    return tree;
}

static const char *text_of(const struct cJSON *tree, const char *name)
{
    const char *text = json_get_string(tree, name);
    return text ? text : "";
}

// Bytes of text for a line of cols: up to a blank; inside of Chinese anywhere; a path that is
// longer than a line behind one of its slashes.
static size_t line_len(const char *text, int cols)
{
    size_t fit = text_fit(text, cols);
    if (!text[fit] || text[fit] == ' ') {
        return fit;
    }
    size_t end = fit;
    while (end > 0 && text[end - 1] != ' ' && (unsigned char)text[end - 1] < 0x80) {
        end--;
    }
    for (size_t at = fit; end == 0 && at > 0; at--) {
        end = text[at - 1] == '/' && at > 1 ? at : 0;
    }
    return end > 0 ? end : fit + strcspn(text + fit, " ");
}

// The cursor stands in column `indent`; further lines begin there.
static void print_wrapped(const char *text, int indent)
{
    auto_free char *plain = text_plain(text, strlen(text));
    for (const char *at = plain; *at;) {
        size_t len = line_len(at, COLS - indent);
        size_t shown = len;
        while (shown > 0 && at[shown - 1] == ' ') {
            shown--;
        }
        printf("%.*s\n", (int)shown, at);
        at += len;
        at += strspn(at, " ");
        if (*at) {
            printf("%*s", indent, "");
        }
    }
}

static void print_detail(const char *label, const char *text)
{
    if (*text) {
        auto_free char *whole = str_printf("%s%s%s", label, *label ? ": " : "", text);
        printf("%*s", DETAIL_COLS, "");
        print_wrapped(whole, DETAIL_COLS);
    }
}

// One cause often takes several features away; told is the last one that was said whole.
static void print_mend(const struct cJSON *check, const char **told)
{
    const char *cause = json_get_string(check, "cause");
    if (cause && str_equal(cause, *told)) {
        print_detail(_("mend"), _("as above"));
        return;
    }
    *told = cause;
    print_detail(_("mend"), text_of(check, "mend"));
    const struct cJSON *line = json_first(json_get(check, "commands"));
    for (; line; line = json_next(line)) {
        printf("%*s%s\n", DETAIL_COLS + 2, "", json_string(line));
    }
}

static void print_check(const struct cJSON *check, const char **told)
{
    bool works = json_get_bool(check, "works", false);
    const char *title = text_of(check, "title");
    const char *mark = works ? _("yes") : _("no");
    const char *value = text_of(check, "value");
    int mark_pad = 4 - text_cols(mark);
    int title_pad = TITLE_COLS - text_cols(title);
    printf(" %*s%s  %s%*s  ", mark_pad > 0 ? mark_pad : 0, "", mark, title,
           title_pad > 0 ? title_pad : 0, "");
    print_wrapped(*value ? value : text_of(check, "how"), DETAIL_COLS + TITLE_COLS + 2);
    if (works) {
        return;
    }
    if (*value) {
        print_detail(_("tested"), text_of(check, "how"));
    }
    print_detail("", text_of(check, "reason"));
    print_detail(_("lost"), text_of(check, "lost"));
    print_mend(check, told);
}

static void print_section(const struct cJSON *checks, const char *section, const char *title)
{
    const char *told = NULL;
    printf("\n%s\n", title);
    for (const struct cJSON *check = json_first(checks); check; check = json_next(check)) {
        if (strcmp(text_of(check, "section"), section) == 0) {
            print_check(check, &told);
        }
    }
}

// Names of what is missing, of the required or of the sandbox.
static char *missing(const struct cJSON *checks, bool required)
{
    char *names = str_dup("");
    for (const struct cJSON *check = json_first(checks); check; check = json_next(check)) {
        bool counts = required ? json_get_bool(check, "required", false)
                               : strcmp(text_of(check, "section"), "sandbox") == 0;
        if (counts && !json_get_bool(check, "works", false)) {
            char *longer = str_printf("%s%s%s", names, *names ? ", " : "", text_of(check, "title"));
            free(names);
            names = longer;
        }
    }
    return names;
}

static bool colours(void)
{
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && str_empty(getenv("NO_COLOR")) && !str_empty(term) &&
           strcmp(term, "dumb") != 0;
}

static void print_summary(const struct cJSON *tree)
{
    const char *level = text_of(tree, "level");
    const struct cJSON *checks = json_get(tree, "checks");
    auto_free char *lacks = missing(checks, false);
    auto_free char *needs = missing(checks, true);
    bool none = strcmp(level, "none") == 0;
    bool full = strcmp(level, "full") == 0;
    auto_free char *line =
        full   ? str_printf(_("level %s: the app lives as in the cloud's container"), level)
        : none ? str_printf(_("level %s: no sandbox here; the app runs beside your files"), level)
               : str_printf(_("level %s: a sandbox without: %s"), level, lacks);
    bool red = none && colours();
    printf("%s", red ? "\033[31m" : "");
    print_wrapped(line, 0);
    printf("%s", red ? "\033[0m" : "");
    if (*needs) {
        auto_free char *needed = str_printf(_("`leanlocal up` cannot work without: %s"), needs);
        print_wrapped(needed, 0);
    }
}

int cmd_doctor(struct command *command)
{
    struct error error = {0};
    struct cJSON *tree = ask_helper(&error);
    if (!tree) {
        return command_fail(&error);
    }
    if (str_equal(command_text(command, "format"), "json")) {
        auto_free char *text = json_print(tree);
        printf("%s\n", text);
    } else {
        print_summary(tree);
        print_section(json_get(tree, "checks"), "sandbox", _("Sandbox"));
        print_section(json_get(tree, "checks"), "host", _("Host"));
    }
    int code = (int)json_get_int(tree, "code", 0);
    json_free(tree);
    return code;
}
