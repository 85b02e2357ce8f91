#include "sandbox/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int exit_code;
} kinds[ERROR__COUNT] = {
    [ERROR_NONE] = {"none", 0},
    [ERROR_PROJECT] = {"project", 1},
    [ERROR_APP] = {"app", 1},
    [ERROR_USAGE] = {"usage", 2},
    [ERROR_HOST] = {"host", 3},
    [ERROR_SYSTEM] = {"system", 3},
    [ERROR_CANCELLED] = {"cancelled", 3},
};

// A multi-byte character cut by the buffer's end would be invalid UTF-8 on the screen.
static void trim_partial_character(char *text)
{
    size_t len = strlen(text);
    size_t back = 0;
    while (back < len && back < 3 && ((unsigned char)text[len - 1 - back] & 0xC0) == 0x80) {
        back++;
    }
    if (back == len) {
        return;
    }
    unsigned char lead = (unsigned char)text[len - 1 - back];
    size_t need = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    if (need > back) {
        text[len - 1 - back] = '\0';
    }
}

__attribute__((format(printf, 3, 0))) static void print_to(char *out, size_t size,
                                                           const char *format, va_list args)
{
    if (vsnprintf(out, size, format, args) >= (int)size) {
        trim_partial_character(out);
    }
}

int error_set(struct error *error, enum error_kind kind, const char *format, ...)
{
    if (!error) {
        return -1;
    }
    memset(error, 0, sizeof *error);
    error->kind = kind;
    va_list args;
    va_start(args, format);
    print_to(error->message, sizeof error->message, format, args);
    va_end(args);
    return -1;
}

int error_set_errno(struct error *error, enum error_kind kind, int errnum, const char *format, ...)
{
    if (!error) {
        return -1;
    }
    memset(error, 0, sizeof *error);
    error->kind = kind;
    error->errnum = errnum;
    va_list args;
    va_start(args, format);
    print_to(error->message, sizeof error->message, format, args);
    va_end(args);
    size_t len = strlen(error->message);
    snprintf(error->message + len, sizeof error->message - len, ": %s", strerror(errnum));
    return -1;
}

int error_prefix(struct error *error, const char *format, ...)
{
    if (!error) {
        return -1;
    }
    char prefix[sizeof error->message];
    char message[sizeof error->message];
    va_list args;
    va_start(args, format);
    print_to(prefix, sizeof prefix, format, args);
    va_end(args);
    memcpy(message, error->message, sizeof message);
    size_t len = strlen(prefix);
    memcpy(error->message, prefix, len);
    if (snprintf(error->message + len, sizeof error->message - len, "%s", message) >=
        (int)(sizeof error->message - len)) {
        trim_partial_character(error->message);
    }
    return -1;
}

int error_set_hint(struct error *error, const char *format, ...)
{
    if (error) {
        va_list args;
        va_start(args, format);
        print_to(error->hint, sizeof error->hint, format, args);
        va_end(args);
    }
    return -1;
}

int error_set_where(struct error *error, const char *format, ...)
{
    if (error) {
        va_list args;
        va_start(args, format);
        print_to(error->where, sizeof error->where, format, args);
        va_end(args);
    }
    return -1;
}

int error_set_rule(struct error *error, const char *rule, const char *cloud)
{
    if (error) {
        snprintf(error->rule, sizeof error->rule, "%s", rule ? rule : "");
        if (snprintf(error->cloud, sizeof error->cloud, "%s", cloud ? cloud : "") >=
            (int)sizeof error->cloud) {
            trim_partial_character(error->cloud);
        }
    }
    return -1;
}

int error_kind_exit_code(enum error_kind kind)
{
    return kind < ERROR__COUNT ? kinds[kind].exit_code : 3;
}

const char *error_kind_name(enum error_kind kind)
{
    return kind < ERROR__COUNT ? kinds[kind].name : "system";
}

enum error_kind error_kind_from_name(const char *name)
{
    for (size_t i = 0; i < ERROR__COUNT; i++) {
        if (name && strcmp(kinds[i].name, name) == 0) {
            return (enum error_kind)i;
        }
    }
    return ERROR_SYSTEM;
}
