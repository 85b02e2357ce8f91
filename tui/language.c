// One way for every host: our own reader of .mo files, whether or not the locale exists. It is a
// binary search in a sorted table; libintl would add two more ways to fail and nothing that we use.
#include "tui/language.h"

#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"

#ifndef LEANLOCAL_LOCALE_DIR
#define LEANLOCAL_LOCALE_DIR "/usr/local/share/locale"
#endif

#define MO_MAGIC     0x950412deu
#define MO_BYTES_MAX (4u << 20)

struct catalogue {
    const char *bytes;
    size_t size;
    uint32_t count;
    uint32_t originals;    // offset of {length, offset} pairs, sorted by text
    uint32_t translations; // the same, in the same order
};

// Constant once language_init() is done.
static struct catalogue catalogue;
static const char *chosen = "en";
static bool utf8;

// ---- the catalogue ----

static uint32_t word_at(const struct catalogue *c, size_t offset)
{
    uint32_t word;
    memcpy(&word, c->bytes + offset, sizeof word);
    return word;
}

// The text of entry i in a table; NULL when the file lies about itself.
static const char *entry_text(const struct catalogue *c, uint32_t table, uint32_t i)
{
    size_t at = (size_t)table + (size_t)i * 8;
    uint32_t len = word_at(c, at);
    uint32_t offset = word_at(c, at + 4);
    if (offset >= c->size || len >= c->size - offset || c->bytes[offset + len] != '\0') {
        return NULL;
    }
    return c->bytes + offset;
}

static const char *translate(const char *text)
{
    uint32_t low = 0;
    uint32_t high = catalogue.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const char *original = entry_text(&catalogue, catalogue.originals, middle);
        int order = original ? strcmp(text, original) : 0;
        if (order == 0) {
            const char *found = entry_text(&catalogue, catalogue.translations, middle);
            return original && found && *found ? found : text;
        }
        low = order > 0 ? middle + 1 : low;
        high = order < 0 ? middle : high;
    }
    return text;
}

static bool check_catalogue(struct catalogue *c)
{
    if (c->size < 28 || word_at(c, 0) != MO_MAGIC) {
        return false;
    }
    c->count = word_at(c, 8);
    c->originals = word_at(c, 12);
    c->translations = word_at(c, 16);
    size_t table_bytes = (size_t)c->count * 8;
    return c->originals <= c->size && table_bytes <= c->size - c->originals &&
           c->translations <= c->size && table_bytes <= c->size - c->translations;
}

bool language_load(const char *path)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
        status.st_size > MO_BYTES_MAX || status.st_size < 28) {
        return false;
    }
    struct catalogue c = {.size = (size_t)status.st_size};
    void *bytes = mmap(NULL, c.size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) {
        return false;
    }
    c.bytes = bytes;
    if (!check_catalogue(&c)) {
        munmap(bytes, c.size);
        return false;
    }
    language_unload();
    catalogue = c;
    i18n_set_hook(translate);
    return true;
}

void language_unload(void)
{
    i18n_set_hook(NULL);
    if (catalogue.bytes) {
        munmap((void *)(uintptr_t)catalogue.bytes, catalogue.size);
    }
    catalogue = (struct catalogue){0};
}

// ---- which language ----

// Locale names by their language part; what we have no catalogue for is English.
static const struct {
    const char *prefix;
    const char *name;
} known[] = {
    {"zh_TW", "zh_CN"}, {"zh_HK", "zh_CN"}, {"zh_CN", "zh_CN"},
    {"zh_SG", "zh_CN"}, {"zh", "zh_CN"},    {"zh_Hans", "zh_CN"},
};

static bool is_c_locale(const char *locale)
{
    return str_empty(locale) || strcmp(locale, "C") == 0 || strcmp(locale, "POSIX") == 0 ||
           str_starts_with(locale, "C.");
}

// The catalogue for the first len bytes of a name like "zh_CN.UTF-8@pinyin".
static const char *catalogue_for(const char *name, size_t len)
{
    size_t bare = strcspn(name, ".@");
    bare = bare < len ? bare : len;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strlen(known[i].prefix) == bare && strncmp(known[i].prefix, name, bare) == 0) {
            return known[i].name;
        }
    }
    return NULL;
}

const char *language_choose(const char *locale, const char *languages)
{
    if (is_c_locale(locale)) {
        return NULL;
    }
    if (str_empty(languages)) {
        return catalogue_for(locale, strlen(locale));
    }
    for (const char *at = languages; *at;) {
        size_t len = strcspn(at, ":");
        const char *found = catalogue_for(at, len);
        if (found || (len >= 2 && strncmp(at, "en", 2) == 0)) {
            return found;
        }
        at += len + (at[len] == ':');
    }
    return NULL;
}

static const char *first_set(const char *const *variables, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *value = getenv(variables[i]);
        if (!str_empty(value)) {
            return value;
        }
    }
    return NULL;
}

// ---- the locale ----

static bool codeset_is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

// A name that was asked for but never generated, and says UTF-8 or nothing about its codeset.
static bool means_utf8(const char *name)
{
    const char *codeset = strchr(name, '.');
    return !codeset || strncasecmp(codeset, ".utf-8", 6) == 0 ||
           strncasecmp(codeset, ".utf8", 5) == 0;
}

static bool set_fallback_locale(void)
{
    static const char *const names[] = {"C.UTF-8", "C.utf8", "en_US.UTF-8"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (setlocale(LC_CTYPE, names[i])) {
            return true;
        }
    }
    return false;
}

static bool set_locale(void)
{
    static const char *const ctype[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    const char *asked = first_set(ctype, ARRAY_LEN(ctype));
    bool exists = setlocale(LC_ALL, "") != NULL;
    setlocale(LC_NUMERIC, "C");
    if (exists && codeset_is_utf8()) {
        return true;
    }
    // An existing locale that says otherwise ("C" set on purpose, GBK) is believed.
    if (asked && (exists || !means_utf8(asked))) {
        return false;
    }
    return set_fallback_locale() && codeset_is_utf8();
}

// ---- where catalogues lie ----

static char *executable_dir(void)
{
    char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    if (len <= 0) {
        return NULL;
    }
    path[len] = '\0';
    char *slash = strrchr(path, '/');
    return slash ? str_dup_len(path, (size_t)(slash - path)) : NULL;
}

static bool load_from(const char *dir, const char *name)
{
    auto_free char *path = str_printf("%s/%s/LC_MESSAGES/leanlocal.mo", dir, name);
    return language_load(path);
}

static bool load_catalogue(const char *name)
{
    const char *own = getenv("LEANLOCAL_LOCALE_DIR");
    if (!str_empty(own)) {
        return load_from(own, name);
    }
    static const char *const beside[] = {"locale", "../share/locale", "../locale"};
    auto_free char *dir = executable_dir();
    for (size_t i = 0; dir && i < ARRAY_LEN(beside); i++) {
        auto_free char *place = fs_join(dir, beside[i]);
        if (load_from(place, name)) {
            return true;
        }
    }
    return load_from(LEANLOCAL_LOCALE_DIR, name);
}

void language_init(void)
{
    static const char *const messages[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    utf8 = set_locale();
    const char *name =
        language_choose(first_set(messages, ARRAY_LEN(messages)), getenv("LANGUAGE"));
    if (utf8 && name && load_catalogue(name)) {
        chosen = name;
    }
}

bool language_is_utf8(void)
{
    return utf8;
}

const char *language_name(void)
{
    return chosen;
}
