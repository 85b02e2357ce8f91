// Everything is printed from the journal, in its order; the socket only says that there is more,
// and how it ended. Events that come before the journal can be read are kept, for an engine that
// dies that early.
#include "tui/plain.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "tui/client.h"
#include "tui/signals.h"
#include "tui/text.h"
#include "tui/typing.h"
#include "tui/waiting.h"

#define BATCH_RECORDS  2000 // printed between two looks at signals and the socket
#define STEP_LINES_MAX 2000 // of a failed step
#define EARLY_MAX      64

// ---- one record ----

#define SGR_RESET "\033[0m"
#define SGR_DIM   "\033[2m"

static const char *event_sgr(const struct event *event)
{
    switch (event->kind) {
    case EVENT_FAILED:
        return "\033[1;31m";
    case EVENT_READY:
        return "\033[32m";
    case EVENT_NOTICE:
        return str_empty(event->severity) || str_equal(event->severity, "note") ? "" : "\033[33m";
    default:
        return "";
    }
}

// One line; `sgr` colours the word, which keeps its column.
static void add_line(struct buf *out, int64_t wall_ms, const char *word, const char *sgr,
                     bool color, const char *text, size_t len)
{
    char time[9];
    clock_format_hms(wall_ms, time);
    auto_free char *shown = color ? text_colored(text, len) : text_plain(text, len);
    bool paint = color && *sgr;
    buf_addf(out, "%s %s%-7s%s %s\n", time, paint ? sgr : "", word, paint ? SGR_RESET : "", shown);
}

static void add_lines(struct buf *out, int64_t wall_ms, const char *word, const char *sgr,
                      bool color, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        add_line(out, wall_ms, word, sgr, color, text, len);
        text += len + (text[len] == '\n');
    }
}

static void add_event(struct buf *out, const struct event *event, int64_t wall_ms, bool color)
{
    auto_free char *text = NULL;
    if (plain_format_event(event, &text)) {
        add_lines(out, wall_ms, plain_event_prefix(event), event_sgr(event), color, text);
    }
}

static void add_event_record(struct buf *out, const struct journal_record *record, bool color)
{
    struct cJSON *tree = json_parse(record->text, record->len, "journal", NULL);
    struct event event;
    if (tree && event_decode(tree, &event)) {
        add_event(out, &event, record->wall_ms, color);
        event_release(&event);
    }
    json_free(tree);
}

static void add_output(struct buf *out, const struct journal_record *record, bool color)
{
    bool err = record->stream == JOURNAL_ERR;
    bool dropped = record->flags & JOURNAL_CLOUD_DROPS;
    auto_free char *word = record->stream == JOURNAL_BUILD
                               ? str_printf("%-7s  ", record->source)
                               : str_printf("%-7s %s", record->source, err ? "err" : "out");
    const char *sgr = dropped ? SGR_DIM : err ? "\033[33m" : "";
    add_line(out, record->wall_ms, word, sgr, color, record->text, record->len);
}

// P-67: steps are named, what they say is shown on demand, or by print_last_step() when one fails.
static bool shows_build_line(const struct journal_record *record,
                             const struct plain_options *options)
{
    return options->build_output || (record->flags & (JOURNAL_STEP | JOURNAL_OWN));
}

char *plain_format_record(const struct journal_record *record, const struct plain_options *options)
{
    struct buf out = {0};
    if (record->stream == JOURNAL_EVENT) {
        add_event_record(&out, record, options->color);
    } else if (record->stream == JOURNAL_BUILD ? shows_build_line(record, options)
                                               : !options->quiet_app) {
        add_output(&out, record, options->color);
    }
    if (out.len == 0) {
        buf_release(&out);
        return NULL;
    }
    return buf_steal(&out);
}

// ---- the loop ----

struct printer {
    struct client *client;
    const struct plain_options *options;
    FILE *file;
    struct journal_reader *reader;
    uint64_t next_seq;
    uint64_t step_seq;    // of the last step of the build that begins; 0: none in this stage
    bool grown;           // the journal has more than was printed
    struct strlist early; // lines of events that came before the journal was open
    bool closed;          // the engine's end
    bool broken;          // our output's end
    bool stopping;
    struct waiting waiting;
    struct typing typing;
    int status; // of DONE; -1: none came
    int signal; // a second one: leave at once
};

static void print_text(struct printer *printer, const char *text)
{
    waiting_said(&printer->waiting);
    typing_hide(&printer->typing, printer->file);
    if (fputs(text, printer->file) < 0 || fflush(printer->file) != 0) {
        // A signal interrupts a stuck write: the loop looks at it next.
        printer->broken = errno != EINTR;
        clearerr(printer->file);
    }
}

static void subscribe(struct printer *printer, bool snapshot)
{
    struct cJSON *object = json_new_object();
    json_put_string(object, "command", "subscribe");
    json_put_bool(object, "events", true);
    json_put_bool(object, "snapshot", snapshot);
    json_put_bool(object, "journal", true);
    client_send(printer->client, object);
}

static void open_journal(struct printer *printer, const struct cJSON *snapshot)
{
    const char *dir = json_get_string(snapshot, "journal_dir");
    if (printer->reader || str_empty(dir)) {
        return;
    }
    printer->reader = journal_open(dir, NULL);
    if (!printer->reader) {
        return; // not written yet: the next snapshot asks again
    }
    uint64_t first, last;
    journal_range(printer->reader, &first, &last);
    printer->next_seq = printer->options->attached ? last + 1 : first > 0 ? first : 1;
    printer->grown = true;
    strlist_clear(&printer->early);
    subscribe(printer, json_get_int(snapshot, "debug", 0) != 0); // an open line stands there
}

// How far the journal can be read; what was dropped meanwhile is said.
static uint64_t readable_end(struct printer *printer)
{
    uint64_t first, last;
    journal_range(printer->reader, &first, &last);
    if (first <= last && printer->next_seq < first) {
        auto_free char *text = str_printf(_("--- %llu lines dropped: the log's files are full\n"),
                                          (unsigned long long)(first - printer->next_seq));
        print_text(printer, text);
        printer->next_seq = first;
    }
    return last;
}

// ---- the last step's output, when it fails (P-67) ----

static bool is_step_output(const struct journal_record *record)
{
    return record->stream == JOURNAL_BUILD && !(record->flags & (JOURNAL_STEP | JOURNAL_OWN));
}

// *ret_last: the step's last line that is not empty, or NULL. Owned by the caller.
static void print_last_step(struct printer *printer, uint64_t end_seq, char **ret_last)
{
    struct journal_record record;
    uint64_t seq = end_seq;
    for (int count = 0; seq > printer->step_seq + 1 && count < STEP_LINES_MAX; seq--) {
        count += journal_read(printer->reader, seq - 1, &record) && is_step_output(&record);
    }
    *ret_last = NULL;
    for (; seq < end_seq && !printer->broken; seq++) {
        if (!journal_read(printer->reader, seq, &record) || !is_step_output(&record)) {
            continue;
        }
        if (record.len > 0) {
            free(*ret_last);
            *ret_last = str_dup_len(record.text, record.len);
        }
        if (!printer->options->build_output) {
            struct buf out = {0};
            add_output(&out, &record, printer->options->color);
            print_text(printer, out.data);
            buf_release(&out);
        }
    }
}

// The event's text ends with the step's last lines, for who sees nothing else: not a second time.
static void print_failure(struct printer *printer, struct event *event, uint64_t seq)
{
    auto_free char *last = NULL;
    print_last_step(printer, seq, &last);
    if (last && event->text && str_ends_with(event->text, last)) {
        event->text[strcspn(event->text, "\n")] = '\0';
    }
    struct buf out = {0};
    add_event(&out, event, event->wall_ms, printer->options->color);
    print_text(printer, out.data);
    buf_release(&out);
}

// true: it was a failed step, and is printed.
static bool took_build_event(struct printer *printer, const struct journal_record *record)
{
    struct cJSON *tree = json_parse(record->text, record->len, "journal", NULL);
    struct event event;
    bool printed = false;
    if (tree && event_decode(tree, &event)) {
        waiting_event(&printer->waiting, &event);
        bool begins = event.kind == EVENT_STAGE && str_equal(event.state, "running");
        printed = event.kind == EVENT_FAILED && printer->step_seq;
        if (printed) {
            print_failure(printer, &event, record->seq);
        }
        if (begins || printed) {
            printer->step_seq = 0;
        }
        event_release(&event);
    }
    json_free(tree);
    return printed;
}

static void print_record(struct printer *printer, const struct journal_record *record)
{
    if (record->stream == JOURNAL_BUILD && (record->flags & JOURNAL_STEP)) {
        printer->step_seq = record->seq;
    }
    if (record->stream == JOURNAL_EVENT && took_build_event(printer, record)) {
        return;
    }
    auto_free char *text = plain_format_record(record, printer->options);
    if (text) {
        print_text(printer, text);
    }
}

static void print_batch(struct printer *printer)
{
    if (!printer->reader || !printer->grown) {
        return;
    }
    uint64_t last = readable_end(printer);
    for (int i = 0; i < BATCH_RECORDS; i++) {
        struct journal_record record;
        if (printer->broken || printer->next_seq > last ||
            !journal_read(printer->reader, printer->next_seq, &record)) {
            printer->grown = false;
            return;
        }
        printer->next_seq++;
        print_record(printer, &record);
    }
}

static void take_event(struct printer *printer, const struct cJSON *tree)
{
    struct event event;
    if (!event_decode(tree, &event)) {
        return;
    }
    if (event.kind == EVENT_DONE) {
        printer->status = (int)event.status;
    }
    if (!printer->reader && printer->early.count < EARLY_MAX) {
        struct buf out = {0};
        add_event(&out, &event, event.wall_ms, printer->options->color);
        strlist_take(&printer->early, buf_steal(&out));
    }
    event_release(&event);
}

static void print_waiting(struct printer *printer, const struct client_message *message)
{
    auto_free char *text = waiting_reply(&printer->waiting, message);
    if (text) {
        struct buf out = {0};
        add_lines(&out, clock_wall_ms(), "wait", "", printer->options->color, text);
        print_text(printer, out.data);
        buf_release(&out);
    }
}

static void take_messages(struct printer *printer)
{
    struct client_message message;
    while (client_next(printer->client, &message)) {
        switch (message.kind) {
        case CLIENT_EVENT:
            take_event(printer, message.tree);
            printer->grown = true;
            break;
        case CLIENT_SNAPSHOT:
            open_journal(printer, message.tree);
            typing_snapshot(&printer->typing, message.tree);
            printer->grown = true;
            break;
        case CLIENT_JOURNAL:
            printer->grown = true;
            break;
        case CLIENT_CLOSED:
            printer->closed = true;
            break;
        case CLIENT_REPLY:
            print_waiting(printer, &message);
            break;
        }
        client_message_release(&message);
    }
}

static void take_signals(struct printer *printer)
{
    int number;
    while ((number = signals_take()) != 0) {
        if (printer->stopping || printer->options->attached) {
            printer->signal = number;
            return;
        }
        printer->stopping = true;
        client_send_command(printer->client, "stop");
    }
}

static void wait_for_more(struct printer *printer)
{
    bool writing = client_wants_write(printer->client);
    struct pollfd fds[] = {
        {.fd = client_fd(printer->client), .events = (short)(POLLIN | (writing ? POLLOUT : 0))},
        {.fd = signals_fd(), .events = POLLIN},
        {.fd = fileno(printer->file), .events = 0}, // POLLERR: the reader of our pipe is gone
        {.fd = typing_fd(&printer->typing), .events = POLLIN},
    };
    int timeout = printer->reader && printer->grown ? 0 : waiting_timeout_ms(&printer->waiting);
    if (poll(fds, ARRAY_LEN(fds), timeout) < 0) {
        return; // EINTR: a signal, in the pipe by now
    }
    printer->broken = printer->broken || (fds[2].revents & (POLLERR | POLLHUP));
    client_flush(printer->client);
    if (fds[0].revents) {
        client_read(printer->client);
    }
    if (fds[3].revents) {
        typing_read(&printer->typing, printer->client);
    }
}

static bool is_over(const struct printer *printer)
{
    return printer->closed || printer->broken || printer->signal;
}

static int finish(struct printer *printer)
{
    if (printer->signal) {
        return 128 + printer->signal;
    }
    if (printer->broken) {
        return 128 + SIGPIPE;
    }
    printer->grown = true;
    while (printer->reader && printer->grown && !printer->broken) {
        print_batch(printer);
    }
    for (size_t i = 0; !printer->reader && i < printer->early.count; i++) {
        print_text(printer, printer->early.items[i]);
    }
    if (printer->status >= 0) {
        return printer->status;
    }
    return printer->stopping ? printer->options->stopped_status : 3;
}

int plain_run(struct client *client, const struct plain_options *options)
{
    struct printer printer = {
        .client = client,
        .options = options,
        .file = options->to_stderr ? stderr : stdout,
        .status = -1,
    };
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    signals_open(numbers, ARRAY_LEN(numbers), NULL);
    void (*pipe_before)(int) = signal(SIGPIPE, SIG_IGN);
    subscribe(&printer, true);
    while (!is_over(&printer)) {
        wait_for_more(&printer);
        take_messages(&printer);
        take_signals(&printer);
        print_batch(&printer);
        typing_show(&printer.typing, printer.file);
        waiting_turn(&printer.waiting, client);
    }
    int status = finish(&printer);
    typing_end(&printer.typing);
    if (status == 3 && printer.status < 0) {
        fprintf(stderr, _("leanlocal: the engine ended unexpectedly\n"));
    }
    signal(SIGPIPE, pipe_before);
    signals_close();
    journal_reader_free(printer.reader);
    strlist_clear(&printer.early);
    return status;
}
