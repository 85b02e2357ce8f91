#include "emulator/formats/yaml_plain.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "sandbox/base/cleanup.h"

static bool is_boolean(const char *text)
{
    static const char *const words[] = {"y", "n", "yes", "no", "on", "off", "true", "false"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

static const char *skip(const char *text, const char *set)
{
    return text + strspn(text, set);
}

// "0x1f", "0o17", "0b1": each with its digits and YAML 1.1's underscores.
static bool is_based(const char *text)
{
    static const struct {
        const char *prefix, *digits;
    } bases[] = {{"0x", "0123456789abcdefABCDEF_"}, {"0o", "01234567_"}, {"0b", "01_"}};
    for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
        if (strncmp(text, bases[i].prefix, 2) == 0) {
            return text[2] && *skip(text + 2, bases[i].digits) == '\0';
        }
    }
    return false;
}

// "12", "3_000", "3.10", ".5", "1e3", "1:30" (YAML 1.1 counts by sixty), ".inf"
static bool is_number(const char *text)
{
    static const char digits[] = "0123456789_";
    text += *text == '+' || *text == '-';
    if (strcasecmp(text, ".inf") == 0 || strcasecmp(text, ".nan") == 0 || is_based(text)) {
        return true;
    }
    bool begins = text[0] >= '0' && text[0] <= '9';
    if (!begins && !(text[0] == '.' && text[1] >= '0' && text[1] <= '9')) {
        return false;
    }
    text = skip(text, digits);
    while (*text == ':' && text[1] >= '0' && text[1] <= '9') {
        text = skip(text + 1, "0123456789");
    }
    if (*text == '.') {
        text = skip(text + 1, digits);
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '+' || *text == '-';
        if (!(*text >= '0' && *text <= '9')) {
            return false;
        }
        text = skip(text, "0123456789");
    }
    return *text == '\0';
}

// "2026-11-26", with or without a time behind it.
static bool is_date(const char *text)
{
    static const char form[] = "0000-00-00";
    for (size_t i = 0; form[i]; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == '0' ? !digit : text[i] != form[i]) {
            return false;
        }
    }
    return text[10] == '\0' || strchr("Tt ", text[10]);
}

enum yaml_plain yaml_plain_kind(const char *text)
{
    return is_boolean(text)  ? YAML_PLAIN_BOOLEAN
           : is_number(text) ? YAML_PLAIN_NUMBER
           : is_date(text)   ? YAML_PLAIN_DATE
                             : YAML_PLAIN_TEXT;
}
