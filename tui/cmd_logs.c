// logs: the app's lines as the platform's tool prints them; with --access the balancer's log, by
// day. Both are read from files, so that it makes no difference whether the project runs.

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulator/control/protocol.h"
#include "emulator/limits/limits.h"
#include "emulator/logs/access_log.h"
#include "emulator/logs/journal.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "tui/cli_log.h"
#include "tui/command.h"
#include "tui/commands.h"

#define FOLLOW_POLL_MS 200

struct wanted {
    int64_t from_ms, to_ms; // [from, to)
    bool in_range;          // --from or --to was given: no limit of lines (P-124)
    uint64_t lines;         // 0: no limit
    bool follow, json, color;
};

static int read_time(const struct command *command, const char *name, bool ends,
                     int64_t *ret_wall_ms, struct error *error)
{
    const char *text = command_text(command, name);
    if (text && !cli_log_time(text, ends, ret_wall_ms)) {
        error_set(error, ERROR_USAGE, _("--%s %s: not a time"), name, text);
        return error_set_hint(error, _("2026-11-22, or with a time and zone: "
                                       "2026-11-22T10:15:00+08:00"));
    }
    return 0;
}

static int read_wanted(const struct command *command, struct wanted *ret_wanted,
                       struct error *error)
{
    const char *no_color = getenv("NO_COLOR");
    *ret_wanted = (struct wanted){
        .to_ms = INT64_MAX,
        .in_range = command_text(command, "from") || command_text(command, "to"),
        .lines = (uint64_t)json_get_int(command->options, "limit", 0),
        .follow = command_flag(command, "follow"),
        .json = str_equal(command_text(command, "format"), "json"),
        .color = isatty(STDOUT_FILENO) && str_empty(no_color),
    };
    if (read_time(command, "from", false, &ret_wanted->from_ms, error) < 0 ||
        read_time(command, "to", true, &ret_wanted->to_ms, error) < 0) {
        return -1;
    }
    if (ret_wanted->from_ms >= ret_wanted->to_ms) {
        return error_set(error, ERROR_USAGE, _("--from %s is not before --to %s"),
                         command_text(command, "from"), command_text(command, "to"));
    }
    return 0;
}

// false: the output is closed, nobody reads on.
static bool wait_a_little(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = 0};
    if (fflush(stdout) != 0) {
        return false;
    }
    poll(&out, 1, FOLLOW_POLL_MS);
    return !(out.revents & (POLLERR | POLLNVAL));
}

static char *state_file(const struct command *command, const char *name, struct error *error)
{
    auto_free char *dir = realpath(command->dir, NULL);
    if (!dir || !fs_is_dir(dir)) {
        error_set(error, ERROR_USAGE, _("%s: no such directory"), command->dir);
        return NULL;
    }
    auto_free char *state = control_state_dir();
    auto_free char *id = control_project_id(dir);
    return str_printf("%s/%s/%s", state, id, name);
}

// ---- the access log ----

static int64_t start_of_today(void)
{
    char day[16];
    int64_t start_ms = 0;
    clock_format_day(clock_wall_ms(), day);
    cli_log_time(day, false, &start_ms);
    return start_ms;
}

// How many lines there are, so that the last ones can be told.
static uint64_t count_access(const char *dir, const struct wanted *wanted)
{
    struct access_reader *reader = access_reader_new(dir);
    const char *line;
    size_t len;
    int64_t wall_ms;
    uint64_t count = 0;
    access_reader_skip_until(reader, wanted->from_ms);
    while (access_reader_next(reader, &line, &len, &wall_ms)) {
        count += wall_ms >= wanted->from_ms && wall_ms < wanted->to_ms;
    }
    access_reader_free(reader);
    return count;
}

static void say_dropped(const struct access_reader *reader)
{
    uint64_t dropped = access_reader_dropped(reader);
    if (dropped) {
        fprintf(stderr, _("leanlocal: %llu older requests are kept no more (%d MB, %d days)\n"),
                (unsigned long long)dropped, (int)(ACCESS_MAX_BYTES >> 20), ACCESS_MAX_DAYS);
    }
}

static void print_access(const char *dir, const struct wanted *wanted)
{
    uint64_t count = wanted->lines && !wanted->in_range ? count_access(dir, wanted) : 0;
    uint64_t skip = count > wanted->lines ? count - wanted->lines : 0;
    struct access_reader *reader = access_reader_new(dir);
    const char *line;
    size_t len;
    int64_t wall_ms;
    access_reader_skip_until(reader, wanted->from_ms);
    for (bool open = true, said = false; open;) {
        while (open && access_reader_next(reader, &line, &len, &wall_ms)) {
            if (!said) {
                say_dropped(reader);
                said = true;
            }
            if (wall_ms < wanted->from_ms || wall_ms >= wanted->to_ms) {
                continue;
            }
            if (skip) {
                skip--;
            } else {
                open = printf("%s\n", line) >= 0;
            }
        }
        open = open && wanted->follow && wait_a_little();
    }
    access_reader_free(reader);
}

static int logs_access(const struct command *command, struct wanted *wanted, struct error *error)
{
    auto_free char *dir = state_file(command, "access", error);
    if (!dir) {
        return -1;
    }
    if (!wanted->in_range) {
        wanted->from_ms = start_of_today(); // by day (P-122)
    }
    print_access(dir, wanted);
    return 0;
}

// ---- the app's lines ----

static bool is_wanted(const struct journal_record *record, const struct wanted *wanted)
{
    return (record->stream == JOURNAL_OUT || record->stream == JOURNAL_ERR) &&
           record->wall_ms >= wanted->from_ms && record->wall_ms < wanted->to_ms;
}

static uint64_t first_of_last(struct journal_reader *reader, const struct wanted *wanted)
{
    uint64_t first, last;
    uint64_t limit = wanted->lines ? wanted->lines : (uint64_t)LIMIT_LOG_LINES_SHOWN;
    journal_range(reader, &first, &last);
    if (wanted->in_range) {
        return first;
    }
    uint64_t seq = last + 1;
    for (uint64_t found = 0; seq > first && found < limit;) {
        struct journal_record record;
        found += journal_read(reader, --seq, &record) && is_wanted(&record, wanted);
    }
    return seq;
}

// Prints from `seq` on; returns where to go on, 0: the output is closed.
static uint64_t print_lines(struct journal_reader *reader, uint64_t seq,
                            const struct wanted *wanted)
{
    uint64_t first, last;
    int64_t now_ms = clock_wall_ms();
    journal_range(reader, &first, &last);
    for (seq = seq > first ? seq : first; seq <= last; seq++) {
        struct journal_record record;
        if (!journal_read(reader, seq, &record) || !is_wanted(&record, wanted)) {
            continue;
        }
        auto_free char *line =
            wanted->json ? cli_log_json(&record) : cli_log_text(&record, now_ms, wanted->color);
        if (fputs(line, stdout) < 0) {
            return 0;
        }
    }
    return seq;
}

static ino_t identity(const char *dir)
{
    struct stat info;
    return stat(dir, &info) == 0 ? info.st_ino : 0;
}

// A new `up` begins the journal anew: then what follows is another file.
static int print_journal(const char *dir, const struct wanted *wanted, struct error *error)
{
    auto_free char *head = fs_join(dir, "head");
    ino_t before = identity(head);
    struct journal_reader *reader = journal_open(dir, error);
    if (!reader) {
        return -1;
    }
    uint64_t next = print_lines(reader, first_of_last(reader, wanted), wanted);
    while (next && wanted->follow && wait_a_little()) {
        ino_t now = identity(head);
        struct journal_reader *newer = now && now != before ? journal_open(dir, NULL) : NULL;
        if (newer) {
            journal_reader_free(reader);
            reader = newer;
            before = now;
            next = 1;
        }
        next = print_lines(reader, next, wanted);
    }
    journal_reader_free(reader);
    return 0;
}

static int logs_app(const struct command *command, const struct wanted *wanted, struct error *error)
{
    auto_free char *dir = state_file(command, "journal", error);
    if (!dir) {
        return -1;
    }
    if (!fs_is_dir(dir)) {
        error_set(error, ERROR_USAGE, _("%s has no log yet"), command->dir);
        return error_set_hint(error, _("start it with `leanlocal up %s`"), command->dir);
    }
    return print_journal(dir, wanted, error);
}

int cmd_logs(struct command *command)
{
    struct error error = {0};
    struct wanted wanted;
    signal(SIGPIPE, SIG_IGN);
    int result = read_wanted(command, &wanted, &error);
    if (result == 0) {
        result = command_flag(command, "access") ? logs_access(command, &wanted, &error)
                                                 : logs_app(command, &wanted, &error);
    }
    if (fflush(stdout) != 0) {
        clearerr(stdout);
    }
    return result < 0 ? command_fail(&error) : 0;
}
