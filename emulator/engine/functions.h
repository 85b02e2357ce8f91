// What: the engine's part of cloud functions: their list, the app's keys, calls (call.c).
// Not: for anybody but the engine's files.
#ifndef EMULATOR_ENGINE_FUNCTIONS_H
#define EMULATOR_ENGINE_FUNCTIONS_H

#include "emulator/engine/internal.h"
#include "emulator/functions/metadata.h"

struct calling;

struct functions {
    struct web *web;
    struct calling *callings; // under way
    struct metadata list;     // of the version that serves
    struct metadata_fetch *fetch;
};

struct function_keys {
    char *app_id, *app_key, *master_key, *hook_key;
};

// ---- functions.c ----
// A new version serves: its functions are asked for (P-106), unless functionsMode is disabled or
// somebody debugs.
void functions_ask(struct engine *engine, const struct running *running);
// An answer is still to come; with it verify ends.
bool functions_is_asking(const struct engine *engine);
// The list that holds from now on, by whoever has asked for it; metadata is emptied.
void functions_take(struct engine *engine, struct metadata *metadata);
// As the app has them now.
int functions_keys(struct engine *engine, struct function_keys *ret_keys, struct error *error);
void function_keys_release(struct function_keys *keys);
// Born with the first use. NULL: no resources.
struct functions *functions_get(struct engine *engine, struct error *error);
void functions_fill(const struct engine *engine, struct snapshot *out);
void functions_release(struct engine *engine);

// ---- calling.c ----
struct server_command;
// The command "call". 0: the reply follows when the app has answered, or when it is too late.
int calling_begin(struct engine *engine, const struct server_command *command, struct error *error);
void calling_release(struct functions *functions);

#endif
