// What: the kinds of cloud functions: plain ones, hooks of classes and users, of realtime. Pure.
// Why: the SDK lists all of them in one flat list of encoded names; people and other modules want
//      to know which are which, where each is called and how long it may take.
// Sources: kinds.def; P-190, P-195, P-196, P-199.
// Owns: function_release().
#ifndef EMULATOR_FUNCTIONS_KINDS_H
#define EMULATOR_FUNCTIONS_KINDS_H

#include <stdbool.h>
#include <stddef.h>

enum function_kind {
    FUNCTION_PLAIN,
#define CLASS_HOOK(id, hook, listed, limit)            FUNCTION_##id,
#define ONE_HOOK(id, shown, listed, path, limit, body) FUNCTION_##id,
#define REALTIME_HOOK(name)
#include "emulator/functions/kinds.def"
#undef CLASS_HOOK
#undef ONE_HOOK
#undef REALTIME_HOOK
    FUNCTION_REALTIME,
    FUNCTION__COUNT,
};

enum function_body {
    FUNCTION_BODY_PLAIN,  // the data as it is
    FUNCTION_BODY_OBJECT, // {"object": data, "user": ...}
    FUNCTION_BODY_AUTH,   // {"authData": data}
};

enum function_limit {
    FUNCTION_LIMIT_CALL,   // of a function
    FUNCTION_LIMIT_BEFORE, // of a hook whose answer is waited for
    FUNCTION_LIMIT_OTHER,
};

struct function {
    enum function_kind kind;
    char *name; // what people call it: "hello", "Comment.beforeSave", "onVerified.sms"
    char *path; // below "/1.1/functions/", not encoded: "hello", "Comment/beforeSave"
};

// Of a name as the SDK lists it: "__before_save_for_Comment" is the hook "Comment.beforeSave".
void function_from_listed(const char *listed, struct function *ret_function);
// Of a name as people write it. false: no hook has such a name.
bool function_hook_from_name(const char *name, struct function *ret_function);
void function_plain(const char *name, struct function *ret_function);
void function_release(struct function *function);

bool function_is_hook(enum function_kind kind); // it needs the hook key (P-195)
enum function_body function_body(enum function_kind kind);
// "__before" or "__after": the member of the object by which it says that its hook has been called
// (P-202). NULL: it has none.
const char *function_mark(enum function_kind kind);
// Which of the platform's limits of time holds (P-199).
enum function_limit function_limit(enum function_kind kind);
// The kinds' names, for a message: "Class.beforeSave, Class.afterSave, ...".
const char *function_hook_forms(void);

#endif
