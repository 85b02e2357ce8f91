// What: a list of words as the contents of a descriptor, each with a NUL behind it.
// Why: a command's arguments are bytes, not text: JSON would lose what is not UTF-8, and a line of
//      the control protocol is shorter than what the kernel lets an argument list be.
// Owns: the returned descriptor and list belong to the caller.
#ifndef BASE_WORDS_H
#define BASE_WORDS_H

#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

#define WORDS_MAX_BYTES (8 << 20)

// words: NULL-terminated. -1 on failure.
int words_to_fd(const char *const *words, struct error *error);
// Reads from the beginning; the descriptor stays the caller's.
int words_from_fd(int fd, struct strlist *ret_words, struct error *error);

#endif
