// What: the one error object of the program.
// Why: a failure travels unchanged from the sandbox's child over a pipe, through the engine and the
//      control socket to the screen; so it holds no pointers and fits one atomic pipe write.
// Order: the function that fails calls error_set(); each module that it crosses on the way up calls
//      error_prefix() ("leanengine.yaml:4:3: ..."). `error` may be NULL everywhere.
// Owns: nothing; the caller owns the struct. It is untouched on success.
// Not: logging. A function returns an error or logs it, never both.
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <limits.h>

// Each kind has an exit code and a default hint: see error_kind_exit_code() and error.c's table.
enum error_kind {
    ERROR_NONE,
    ERROR_PROJECT,   // the cloud would refuse this project: exit 1
    ERROR_APP,       // the app failed: exit 1
    ERROR_USAGE,     // options, DIR, .leanlocal.yaml, an env file: exit 2
    ERROR_HOST,      // the host lacks something: exit 3
    ERROR_SYSTEM,    // a system call failed that should not have: exit 3
    ERROR_CANCELLED, // somebody asked for it to stop: exit 3
    ERROR__COUNT,
};

struct error {
    enum error_kind kind;
    int errnum;         // errno, or 0
    char where[96];     // the failing operation or "file:line:column", may be empty
    char message[1536]; // one or more lines, UTF-8
    char hint[640];     // what to do, may be empty
    char rule[16];      // "P-105", may be empty
    char cloud[384];    // the platform's own sentence, may be empty
};
_Static_assert(sizeof(struct error) <= PIPE_BUF, "an error must fit one atomic pipe write");

// All setters return -1, so that `return error_set(...)` reads well.
int error_set(struct error *error, enum error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// As error_set, and appends ": strerror(errnum)".
int error_set_errno(struct error *error, enum error_kind kind, int errnum, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int error_prefix(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int error_set_hint(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int error_set_where(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// rule may be NULL; cloud is the platform's own sentence or NULL.
int error_set_rule(struct error *error, const char *rule, const char *cloud);

int error_kind_exit_code(enum error_kind kind);
// "project", "usage" ...; stable, used in the control protocol.
const char *error_kind_name(enum error_kind kind);
enum error_kind error_kind_from_name(const char *name);

#endif
