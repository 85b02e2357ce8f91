// What: allocation that cannot fail, and small owned strings and lists of strings.
// Why: out of memory is a bug to us (restore the terminal, print, abort); only the gateway's
//      request path checks, and it uses plain malloc.
// Owns: what is returned belongs to the caller, free() it.
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

void *mem_alloc(size_t size); // zeroed
void *mem_resize(void *pointer, size_t size);
char *str_dup(const char *text); // NULL stays NULL
char *str_dup_len(const char *bytes, size_t len);
char *str_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *str_vprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
// Frees *slot and puts a copy of text there.
void str_replace(char **slot, const char *text);
bool str_starts_with(const char *text, const char *prefix);
bool str_ends_with(const char *text, const char *suffix);
bool str_equal(const char *a, const char *b); // both NULL are equal
bool str_empty(const char *text);             // NULL or ""

// A NULL-terminated list of owned strings; zeroed is empty. `items` can be passed to execve.
struct strlist {
    char **items;
    size_t count;
};
void strlist_add(struct strlist *list, const char *text);
void strlist_take(struct strlist *list, char *text);
void strlist_addf(struct strlist *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool strlist_contains(const struct strlist *list, const char *text);
void strlist_copy(struct strlist *list, const struct strlist *from);
void strlist_clear(struct strlist *list);

// "NAME=value" entries.
const char *strlist_env_get(const struct strlist *env, const char *name); // NULL if absent
void strlist_env_set(struct strlist *env, const char *name, const char *value);

#endif
