// What: one command in one sandbox of the build, its output as lines, its end as one call.
// Why: install and build differ only in what they mount and run. Over a limit the tree is killed
//      and on_end's error says which (P-66).
// Order: box_start() -> on_line ... -> on_end once; box_kill() hastens it; box_free() at any time.
// Owns: the sandbox and its pipe. stdout and stderr are one pipe: the order of lines is true.
#ifndef EMULATOR_BUILD_BOX_H
#define EMULATOR_BUILD_BOX_H

#include <stddef.h>
#include <sys/types.h>

#include "emulator/build/meter.h"
#include "emulator/loop.h"
#include "sandbox/base/error.h"
#include "sandbox/sandbox.h"

struct box_request {
    const struct sandbox_host *host;
    uid_t host_uid;
    gid_t host_gid;
    const struct sandbox_bind *binds;
    size_t bind_count;
    const struct sandbox_file *files;
    size_t file_count;
    const char *const *lowers; // the app's source; count 0: the app's directory starts empty
    size_t lower_count;
    const char *private_dir;           // level none
    const struct meter_limits *limits; // NULL: none
    int64_t spent_cpu_ms;              // by earlier stages of the same build
    char *const *argv;
    char *const *env;
};

struct box_callbacks {
    void *context;
    // One line without its newline, valid UTF-8.
    void (*on_line)(void *context, const char *text);
    // No line for silent_ms, during which cpu_ms of CPU time were used. Told again after the
    // double.
    void (*on_quiet)(void *context, int64_t silent_ms, int64_t cpu_ms);
    // error NULL: the command ran and ended with wait_status. The box may be freed in it.
    void (*on_end)(void *context, int wait_status, const struct error *error);
};

struct box;
struct box *box_start(struct loop *loop, const struct box_request *request,
                      const struct box_callbacks *callbacks, struct error *error);
int64_t box_cpu_ms(const struct box *box); // spent_cpu_ms and its own, at the last look
void box_kill(struct box *box);            // on_end still comes
void box_free(struct box *box);

#endif
