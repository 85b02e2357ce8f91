// What: what is waited for, in one line: "install: 12 s: Collecting flask". Pure.
// Why: nothing waits silently; plain lines and exec's progress say it when nothing else was said
// for
//      WAITING_EVERY_MS.
// Order: from a snapshot, only while a stage is running: an idle engine is not asked (DESIGN 13).
#ifndef TUI_WAITING_H
#define TUI_WAITING_H

#include <stdint.h>

#include "emulator/control/protocol.h"

#define WAITING_EVERY_MS 5000

// NULL: no stage is running. Owned by the caller.
char *waiting_text(const struct snapshot *snapshot, int64_t now_wall_ms);

#endif
