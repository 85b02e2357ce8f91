// What: an env file (`.env`, --env-file), parsed. Pure.
// Why: many tools read such files, each a little differently; this is what is read here.
// Grammar, line by line:
//       file    = [BOM] { line newline }           newline = LF or CR LF
//       line    = blanks [ "#" anything ]
//               | blanks [ "export" blanks ] NAME blanks "=" blanks value
//       NAME    = letter or "_", then letters, digits, "_" (P-102c)
//       value   = plain
//               | 'literal'   followed by blanks and a comment only
//               | "escaped"   followed by blanks and a comment only
//       plain   = up to the end of the line or a "#" with a blank before it, blanks around dropped
//       literal = anything but "'", over several lines if need be; no escapes
//       escaped = anything but an unescaped double quote, over several lines if need be;
//                 \n \r \t \" \' \\ \$ are replaced, other backslashes stay
// Decided: nothing is expanded, $NAME and `command` stay what they are, as the console has it; a
//      name may come twice, the reader takes the last; a line without "=" is an error, not a
//      variable without a value.
// Text is UTF-8 without NUL, bounded by LIMIT_ENV_FILE_KB, LIMIT_ENV_VALUE_KB and
//      LIMIT_ENV_FILE_VARIABLES.
// Owns: dotenv_release().
#ifndef EMULATOR_FORMATS_DOTENV_H
#define EMULATOR_FORMATS_DOTENV_H

#include <stddef.h>

#include "sandbox/base/error.h"

struct dotenv_entry {
    char *name;
    char *value;
    int line; // from 1, where the entry begins
};

struct dotenv { // in the order of the file; a name may come twice
    struct dotenv_entry *items;
    size_t count;
};

// name: of the file, for messages. -1: `<name>:line: reason`, ERROR_USAGE.
int dotenv_parse(const char *bytes, size_t len, const char *name, struct dotenv *ret_entries,
                 struct error *error);
void dotenv_release(struct dotenv *entries);

#endif
