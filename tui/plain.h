// What: the plain printer: the engine's events and the app's output as lines, one event a line, no
//       redraw.
// Why: for pipes, CI, `TERM=dumb` and --plain; the same client protocol as the full screen (DESIGN
//      2, 3).
// Order: the caller has sent "start" (or "hello"); plain_run() subscribes, prints, and returns when
//        the engine ends.
// Owns: nothing: the client stays the caller's. Puts its signal handlers back on return.
#ifndef TUI_PLAIN_H
#define TUI_PLAIN_H

#include <stdbool.h>

#include "emulator/control/protocol.h"
#include "emulator/logs/journal.h"

struct client;

struct plain_options {
    bool build_output; // also the output of pip and of build commands (P-67: else of a failed step)
    bool quiet_app;    // not the app's output
    bool color;        // the caller has looked at isatty() and NO_COLOR
    bool to_stderr;    // print there (exec's build progress); default stdout
    bool attached;     // a second client of a running engine: leaving it does not stop it, and what
                       // was logged before is not printed
    int stopped_status; // returned when the user stopped it and no DONE event says otherwise
};

// The DONE event's status; without one 0 when the user stopped it, 3 when the engine vanished.
// SIGINT, SIGTERM, SIGHUP: sends "stop" and waits for the engine's end; a second one returns 128+n
// at once. A closed output ends it as SIGTERM does.
int plain_run(struct client *client, const struct plain_options *options);

// ---- pure, for tests and for the Logs pane ----

// What stands after the time and the prefix, one or more lines without a last newline, in the
// user's language; owned by the caller. false: this event is not shown in plain mode (probes that
// wait, inner states).
bool plain_format_event(const struct event *event, char **ret_text);
// The prefix word: the row of events.def, but "build", "start", "health" for stages.
const char *plain_event_prefix(const struct event *event);
// A whole record as printed: one or more lines, each with time and prefix and a newline; NULL: not
// shown. Colours of the app are kept when color, else dropped; other control bytes are neutralised.
// Caller's.
char *plain_format_record(const struct journal_record *record, const struct plain_options *options);

#endif
