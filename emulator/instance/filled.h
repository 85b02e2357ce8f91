// What: which directories of an instance's writable places take most of its disk, as one line.
// Why: "no space left" says neither where nor of what.
// Not: exact, nor long: it stops after some milliseconds, because it runs on the engine's loop.
#ifndef EMULATOR_INSTANCE_FILLED_H
#define EMULATOR_INSTANCE_FILLED_H

#include <stdint.h>
#include <sys/types.h>

// root: first process of the tree; only what was written after since_wall_ms counts, so the
// version's own files do not. "/tmp/cache 900 MB, /home/leanengine/app/media 12 MB"; "" if nothing
// was found. Owned by the caller.
char *filled_by(pid_t root, int64_t since_wall_ms);

#endif
