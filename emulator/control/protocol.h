// What: all that crosses between the engine and its clients (screen, plain printer, commands,
//       tests): commands, events, snapshot; and how they stand on the wire.
// Why: one schema, versioned; the engine never draws and the screen never decides.
// Wire: a UNIX stream socket; one JSON object a line, both ways, at most PROTOCOL_LINE_MAX bytes.
//       client -> engine  {"command":"restart","id":7, ...arguments}
//       engine -> client  {"reply":7,"ok":true, ...} or {"reply":7,"ok":false,"error":{...}}
//       and when subscribed:
//         {"event":{...}}            as in the journal, the same JSON
//         {"snapshot":{...}}         whole, when changed, at most 30 a second
//         {"journal":{"last":123}}   when the journal grew, at most 30 a second
//       The log itself is read from the journal's files (logs/journal.h), never sent.
// Order: the first command is "start" (only on the socket the engine was born with) or "hello"
//        (attach).
// Owns: decode functions fill structs that own their strings: *_release().
#ifndef EMULATOR_CONTROL_PROTOCOL_H
#define EMULATOR_CONTROL_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/base/error.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"

#define PROTOCOL_VERSION  1
#define PROTOCOL_LINE_MAX (1 << 20)

// ---- events ----

enum event_kind {
#define EVENT(id, name, prefix) EVENT_##id,
#include "emulator/control/events.def"
#undef EVENT
    EVENT__COUNT,
};

struct event {
    enum event_kind kind;
    int64_t wall_ms;
    // Strings are NULL when not set.
    char *stage; // "detect", "python", "install", "build", "start", "healthy"
    char *state;
    char *version;
    char *instance;
    char *path;
    char *severity; // "note", "deviation", "warning", "error"
    char *text;
    char *cloud; // the platform's own sentence
    char *rule;  // "P-105"
    char *mend;  // what to do
    int64_t ms;  // -1: not set
    int64_t status;
    int64_t count;
    int64_t bytes;
};

const char *event_kind_name(enum event_kind kind);
const char *event_kind_prefix(enum event_kind kind); // plain prefix
struct cJSON *event_encode(const struct event *event);
// false: not an event of this version. Unknown members are ignored.
bool event_decode(const struct cJSON *tree, struct event *ret_event);
void event_release(struct event *event);

// ---- snapshot: the state the screen shows ----

#define SNAPSHOT_STAGES    6 // detect python install build start healthy
#define SNAPSHOT_INSTANCES 32
#define SNAPSHOT_PROBES    64
#define SNAPSHOT_FUNCTIONS 128
#define SNAPSHOT_TIMERS    32

enum serving {        // the status line's first word
    SERVING_STARTING, // nothing has served yet
    SERVING_HEALTHY,
    SERVING_KEEPING, // last save failed; the old version keeps serving
    SERVING_FAILED,  // nothing serves, the last try failed
    SERVING_ASLEEP,  // the next request wakes it (P-171)
    SERVING_FORCED,  // it may not be woken yet
    SERVING_STOPPING,
    SERVING__COUNT,
};

struct snapshot_stage {
    char name[16];
    char state[12]; // "", running, done, cached, skipped, failed
    int64_t ms;     // duration, or since when it runs (wall, ms) while running; -1: none
    char detail[96];
};

struct snapshot_instance {
    char name[32];
    char version[24];
    char state[12];       // preparing parked starting healthy resting draining gone
    int64_t cpu_permille; // -1: not known
    int64_t memory_bytes, memory_limit_bytes;
    int64_t disk_bytes, disk_limit_bytes;
    int64_t log_lines_minute, log_limit_minute;
    char address[32]; // "127.77.3.1:3000"
    char asked[80];   // "0.0.0.0:3000", "" before bind
};

struct snapshot_probe {
    int64_t wall_ms;
    char instance[32];
    char path[64];
    int64_t status; // 0: no answer
    int64_t ms;
    char verdict[12]; // healthy, not-yet, failed; not-needed: the other path was enough
    char text[200];   // body's beginning, or the failure
};

struct snapshot_function {
    char name[96]; // as people call it: "hello", "Comment.beforeSave"
    char kind[12]; // function, hook
};

struct snapshot_timer {
    char name[64];
    char cron[64];
    char function[96];
    char state[12];       // "", or stopped: the platform would have
    int64_t next_wall_ms; // when it would be due
};

struct snapshot {
    int64_t protocol;
    char project[96]; // its name
    char dir[1024];
    char build_root[1024]; // what the app has as its root, on the host; "" before it is known
    char url[128];         // "http://localhost:3000", "" before the gateway listens
    char journal_dir[1024];
    enum serving serving;
    int64_t healthy_ms; // last good probe's time, -1
    char serving_version[24];
    char try_version[24]; // being tried or failed last, ""
    // Why it failed: of the last failure that is not mended yet.
    char failure[1536]; // "" = none
    char failure_stage[16];
    char failure_rule[16];
    char failure_cloud[384];
    char failure_mend[640];
    int64_t failure_is_crash; // 1: of what served, or of an instance beside it; not of a save
    char python[32];          // "3.11.7"
    char environment[16];     // development, stage, production
    char region[8];           // CN, US, AP
    char sandbox_level[12];
    struct snapshot_stage stages[SNAPSHOT_STAGES];
    struct snapshot_instance instances[SNAPSHOT_INSTANCES];
    int64_t instance_count;
    int64_t group_size, group_serving;             // how many there shall be, and how many serve
    struct snapshot_probe probes[SNAPSHOT_PROBES]; // newest last
    int64_t probe_count;
    // What served died again and again: how often, since when, when it is tried again (wall, ms).
    int64_t crash_deaths, crash_since_ms,
        crash_next_ms; // deaths 0: no loop (yet); next 0: it serves
    // Later checks of who serves (P-107): when the next one is due (wall, ms), how many in a row
    // have failed, and how many lead to a restart.
    int64_t check_next_ms, check_failures, check_failures_max; // next 0: none is due
    int64_t saves, last_reload_ms, requests_lost, requests_total, requests_held;
    int64_t requests_last; // id of the newest record; 0: none (command "requests")
    int64_t requests_per_second_x10, latency_p50_us;
    int64_t deviations, warnings;
    char last_output[200];  // last line of build output, for the progress line
    int64_t pip_collected;  // packages pip has begun, 0: none
    char install_offer[24]; // the Python that pyenv could install to be nearer to the cloud, ""
    int64_t debug;          // 1: the app has a terminal ("type")
    char prompt[512];       // what it wrote there after the last newline, ""
    char installing[24];    // the Python that is being installed, ""
    // Cloud functions: "" (not known), listed, none (404), failed, disabled.
    char functions_state[12];
    char functions_note[160]; // why it failed
    struct snapshot_function functions[SNAPSHOT_FUNCTIONS];
    int64_t function_count;
    struct snapshot_timer timers[SNAPSHOT_TIMERS];
    int64_t timer_count;
    int64_t utc_offset_s; // of the region
};

struct cJSON *snapshot_encode(const struct snapshot *snapshot);
bool snapshot_decode(const struct cJSON *tree, struct snapshot *ret_snapshot);
const char *serving_name(enum serving serving);

// ---- commands: rows of commands.def ----
// start       {mode:"up|verify|build|exec|env|explain", options:{...}, host_env:[...]}
//             the engine's own socket only; the project's directory is the engine's argument
// hello       {}                        -> {protocol, snapshot}
// subscribe   {events:bool, snapshot:bool, journal:bool}
// status      {}                        -> {snapshot}
// restart     {reschedule:bool}         a new instance of the same version
// reload      {}                        cut a version and deploy it, as a save would
// rebuild     {no_cache:bool}
// install_python {}                     the one of the snapshot's install_offer
// cancel      {}                        ends the installation; nothing of it is left
// type        {text:"n\r"}              keys for the terminal of the app (--debug)
// stop        {}                        -> ok, then the engine ends
// run         {terminal:bool, term:"xterm"}  -> {status}   (mode exec)
//             with 4 descriptors (SCM_RIGHTS): the command's three and its words (base/words.h)
// signal      {number:2}                to the command of "run"
// cron        {expression}  -> {zone, offset_s, timers:[{name, cron, function, next:[...]}]}
//             (mode explain); without expression: of .leanlocal.yaml
// call        {name, hook, rpc, master, sign, timer: bool, data, user: JSON as text, session}
//             -> {result: JSON as text, ms}
// environment {reveal:bool}             -> {variables:[{name,value,source,secret}]}
// explain     {section:"python", reveal:bool}
//             -> {sections:[{name, title, rows, notices, error}], code}  (mode explain; explain.h)
// requests    {since:7, limit:200}  -> {first, last, requests:[...]}  the newest of those after
//             `since`, oldest first, at most 200 (request_wire.h); the snapshot's requests_last
//             tells that there is news
// request     {request:7, reveal:bool}  -> {request:{...}}   one, with heads and bodies
// replay      {request:7}               -> {request:9}   sent again; when its answer is complete
// why         {path}                    -> {why:{path, exists, uploaded, effect, text, by, rule}}
//             (mode explain)
enum command_kind {
#define COMMAND(id, name) COMMAND_##id,
#include "emulator/control/commands.def"
#undef COMMAND
    COMMAND__COUNT,
};
const char *command_name(enum command_kind kind);
enum command_kind command_from_name(const char *name); // COMMAND__COUNT if unknown

// Options of "start": the effective values of up/verify/build/exec, one JSON object with the long
// option names as members ("port", "host", "env", "region", "group", "no-cache", "build-logs",
// ...).

struct cJSON *error_encode(const struct error *error);
void error_decode(const struct cJSON *tree, struct error *ret_error);

// Where engines listen: "$XDG_RUNTIME_DIR/leanlocal", else a 0700 directory of ours in /tmp with an
// owner check. Makes it. Owned by the caller. <hash>.sock in it is a project's; who holds the lock
// of <hash>.sock.lock may make and unlink it.
char *control_socket_dir(struct error *error);
char *control_socket_path(const char *project_dir, struct error *error);
// Stable id of a project directory (hash of its real path), 16 hex digits. Owned by the caller.
char *control_project_id(const char *project_dir);
// "$XDG_CACHE_HOME/leanlocal", "$XDG_STATE_HOME/leanlocal", with their defaults. Owned by the
// caller.
char *control_cache_dir(void);
char *control_state_dir(void);
// Root's cache where the usual one could not be shown to the app (docs/decisions/0009).
#define CONTROL_OPEN_CACHE_DIR "/var/cache/leanlocal"

#endif
