// Which of the project's own variables are to be masked. Masking one too many costs a look with
// --reveal; one too few is a key in somebody's screenshot.
#include "emulator/environment/environment.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "sandbox/base/cleanup.h"

#define WORD_MAX 64

enum secrecy { PUBLIC, SECRET };

static const struct database {
    const char *prefix;
    const char *kind;
    enum secrecy secrecy;
} databases[] = {
#define DATABASE(prefix, kind, secrecy, rule) {prefix, kind, secrecy},
#include "emulator/environment/databases.def"
#undef DATABASE
};

// P-213: something has to follow, as it is written.
static const struct database *find_database(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(databases); i++) {
        if (str_starts_with(name, databases[i].prefix) && name[strlen(databases[i].prefix)]) {
            return &databases[i];
        }
    }
    return NULL;
}

const char *environment_database_of(const char *name)
{
    const struct database *row = find_database(name);
    return row ? row->kind : NULL;
}

const char *environment_database_meant(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(databases); i++) {
        size_t len = strlen(databases[i].prefix);
        if (strncasecmp(name, databases[i].prefix, len) == 0 && name[len] &&
            strncmp(name, databases[i].prefix, len) != 0) {
            return databases[i].prefix;
        }
    }
    return NULL;
}

static bool is_secret_word(const char *word)
{
    static const char *const inside[] = {"SECRET",     "TOKEN",   "PASSW",    "PASSPHRASE",
                                         "CREDENTIAL", "PRIVATE", "SIGNATURE"};
    static const char *const at_end[] = {"KEY", "KEYS", "PWD", "PASS", "AUTH", "SALT", "DSN"};
    for (size_t i = 0; i < ARRAY_LEN(inside); i++) {
        if (strstr(word, inside[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(at_end); i++) {
        if (str_ends_with(word, at_end[i])) {
            return true;
        }
    }
    return false;
}

// The words of the name: API_KEY, apiKey and APIKEY are of one kind, KEYBOARD is not.
static bool has_secret_word(const char *name)
{
    char word[WORD_MAX + 1];
    size_t len = 0;
    for (const char *at = name;; at++) {
        bool ends = *at == '_' || *at == '\0' || len == WORD_MAX ||
                    (at > name && isupper((unsigned char)*at) && islower((unsigned char)at[-1]));
        if (ends) {
            word[len] = '\0';
            len = 0;
            if (is_secret_word(word)) {
                return true;
            }
        }
        if (!*at) {
            return false;
        }
        if (*at != '_') {
            word[len++] = (char)toupper((unsigned char)*at);
        }
    }
}

// "scheme://user:password@host", "-----BEGIN ... PRIVATE KEY-----".
static bool holds_password(const char *value)
{
    const char *authority = strstr(value, "://");
    if (authority) {
        authority += 3;
        size_t len = strcspn(authority, "/?# \n");
        const char *at = memchr(authority, '@', len);
        const char *colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
        if (colon && colon + 1 < at) {
            return true;
        }
    }
    return strstr(value, "PRIVATE KEY-----") != NULL;
}

bool environment_looks_secret(const char *name, const char *value)
{
    const struct database *row = find_database(name);
    return (row && row->secrecy == SECRET) || has_secret_word(name) || holds_password(value);
}
