// What: the list of an app's cloud functions and hooks: asked of one instance, and decoded.
// Why: the cloud asks for it after a start and registers what it gets; a 404 is the polite "none".
// Sources: P-106, P-112, P-190, P-196 (the master key; names are encoded).
// Order: metadata_start(); on_metadata once; metadata_free() at any time, in the callback too.
// Owns: struct metadata owns its functions: metadata_release(). In the callback it may be stolen
//       (copy the struct, zero the original).
// Not: what an absent list means for a start (functionsMode); the engine knows that.
#ifndef EMULATOR_FUNCTIONS_METADATA_H
#define EMULATOR_FUNCTIONS_METADATA_H

#include <stddef.h>
#include <stdint.h>

#include "emulator/functions/kinds.h"
#include "emulator/web/web.h"

#define METADATA_PATH  "/1.1/functions/_ops/metadatas"
#define METADATA_BYTES 262144 // of an answer; a longer list is a failure

enum metadata_state {
    METADATA_UNKNOWN, // not asked
    METADATA_LISTED,
    METADATA_NONE,   // 404: the app has no cloud functions (P-112)
    METADATA_FAILED, // anything else; failure says what
};

struct metadata {
    enum metadata_state state;
    int status;                 // HTTP status, 0: no answer
    char failure[160];          // never translated
    struct function *functions; // sorted: functions by name, then hooks by name
    size_t count;
};

// Pure: from an answer's status and body. Names that are not strings are passed over.
void metadata_read(int status, const char *bytes, size_t len, struct metadata *ret_metadata);
void metadata_release(struct metadata *metadata);
// By the name that people use, NULL: not in it.
const struct function *metadata_find(const struct metadata *metadata, const char *name);
// The listed name that was probably meant, NULL: none is near.
const char *metadata_nearest(const struct metadata *metadata, const char *name);

struct metadata_fetch;
struct metadata_options {
    uint32_t address; // host byte order
    uint16_t port;
    const char *app_id, *master_key;
    int64_t timeout_ms;
    void *context;
    void (*on_metadata)(void *context, struct metadata *metadata);
};
// Copies what it needs. NULL only for want of resources.
struct metadata_fetch *metadata_start(struct web *web, const struct metadata_options *options,
                                      struct error *error);
void metadata_free(struct metadata_fetch *fetch); // NULL is fine

#endif
