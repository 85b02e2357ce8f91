// What: the engine's side of an installation (install.h): starts the helper, hands on its lines,
//       says how it ended.
// Order: installer_start() -> on_line... -> on_done once, never before installer_start() returned.
//        installer_cancel() asks the helper to stop; on_done comes when it has cleaned up. It may
//        be freed at any time, in on_done too.
// Owns: its end of the helper's stdin, which keeps the helper alive. installer_free() closes it and
//       waits for nothing: the helper cleans up by itself.
#ifndef EMULATOR_PYTHON_INSTALLER_H
#define EMULATOR_PYTHON_INSTALLER_H

#include <stddef.h>

#include "emulator/loop.h"
#include "emulator/python/install.h"
#include "emulator/python/python.h"
#include "sandbox/base/mem.h"

struct installer_request {
    const struct python_offer *offer;
    const char *cache_dir;
    const struct strlist *env; // the user's
};

struct installer_callbacks {
    void *context;
    void (*on_line)(void *context, const char *text, size_t len);
    // tail: the last lines that tell something, for a failure; valid during the call.
    void (*on_done)(void *context, enum python_install_exit result, const char *tail);
};

struct installer;
struct installer *installer_start(struct loop *loop, const struct installer_request *request,
                                  const struct installer_callbacks *callbacks, struct error *error);
void installer_cancel(struct installer *installer);
void installer_free(struct installer *installer);
const char *installer_version(const struct installer *installer);

#endif
