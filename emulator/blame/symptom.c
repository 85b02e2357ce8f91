#include "emulator/blame/symptom.h"

#include <stdio.h>
#include <string.h>

#include "sandbox/base/cleanup.h"

static const struct slice nothing = {NULL, 0};

static struct slice innermost_code(const struct trace *trace)
{
    return trace->count ? trace->frames[trace->count - 1].code : nothing;
}

void symptom_module_of(struct slice path, char *out, size_t size)
{
    static const char *const roots[] = {"/site-packages/", "/dist-packages/"};
    out[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        long at = slice_find(path, roots[i]);
        if (at < 0) {
            continue;
        }
        struct slice inner = slice_from(path, (size_t)at + strlen(roots[i]));
        const char *dot = inner.len ? memchr(inner.at, '.', inner.len) : NULL;
        if (dot) {
            inner.len = (size_t)(dot - inner.at);
        }
        if (slice_ends(inner, "/__init__")) {
            inner.len -= strlen("/__init__");
        }
        slice_copy(inner, out, size);
        for (char *each = out; *each; each++) {
            *each = *each == '/' ? '.' : *each;
        }
        return;
    }
}

// `from werkzeug.urls import url_quote`; `from ..urls import x` in a package's file.
static void module_of_import(const struct trace *trace, char *out, size_t size)
{
    struct slice code = innermost_code(trace);
    out[0] = '\0';
    if (!slice_starts(code, "from ")) {
        return;
    }
    code = slice_from(code, 5);
    size_t dots = 0;
    while (dots < code.len && code.at[dots] == '.') {
        dots++;
    }
    struct slice rest = slice_dotted(slice_from(code, dots));
    if (dots == 0) {
        slice_copy(rest, out, size);
        return;
    }
    struct slice path = trace->frames[trace->count - 1].path;
    symptom_module_of(path, out, size);
    for (size_t i = slice_ends(path, "/__init__.py"); i < dots; i++) {
        char *dot = strrchr(out, '.');
        out[dot ? (size_t)(dot - out) : 0] = '\0';
    }
    size_t used = strlen(out);
    if (rest.len && used + 1 < size) {
        out[used] = '.';
        slice_copy(rest, out + used + (used > 0), size - used - (used > 0));
    }
}

// 2.7 names only the last part that is missing: `import werkzeug.contrib` gives "contrib".
static void complete_module(const struct trace *trace, struct symptom *symptom)
{
    struct slice code = innermost_code(trace);
    bool imports = slice_starts(code, "import ") || slice_starts(code, "from ");
    if (!imports) {
        return;
    }
    struct slice named = slice_dotted(slice_from(code, *code.at == 'i' ? 7 : 5));
    size_t len = strlen(symptom->module);
    long at = slice_find(named, symptom->module);
    bool part = at > 0 && named.at[at - 1] == '.' &&
                ((size_t)at + len == named.len || named.at[(size_t)at + len] == '.');
    if (part) {
        slice_copy((struct slice){named.at, (size_t)at + len}, symptom->module,
                   sizeof symptom->module);
    }
}

// The dotted name behind the words, in quotes or bare; rest: from there on.
static bool find_named(struct slice message, const char *words, struct slice *ret_rest,
                       struct slice *ret_name)
{
    long at = slice_find(message, words);
    if (at < 0) {
        return false;
    }
    struct slice rest = slice_from(message, (size_t)at + strlen(words));
    struct slice name;
    if (!rest.len || (*rest.at != '\'' && *rest.at != '"') || !slice_quoted(rest, 0, &name)) {
        name = rest;
    }
    *ret_rest = rest;
    *ret_name = slice_dotted(name);
    return true;
}

// "No module named 'a.b'", "No module named a.b", "...; 'a' is not a package"
static bool read_missing_module(const struct trace *trace, struct symptom *symptom)
{
    struct slice rest;
    struct slice name;
    if (!find_named(trace->message, "No module named ", &rest, &name) || !name.len) {
        return false;
    }
    symptom->kind = SYMPTOM_MODULE;
    slice_copy(name, symptom->module, sizeof symptom->module);
    complete_module(trace, symptom);
    return true;
}

// The last "(...)" of the message that is a path.
static struct slice place_of(struct slice message)
{
    for (size_t i = message.len; i > 0; i--) {
        if (message.at[i - 1] == '(' && i < message.len && message.at[i] == '/') {
            struct slice place = slice_from(message, i);
            const char *end = memchr(place.at, ')', place.len);
            place.len = end ? (size_t)(end - place.at) : place.len;
            return place;
        }
    }
    return nothing;
}

// "cannot import name 'x' from 'a.b' (/path)", "cannot import name x"
static bool read_missing_name(const struct trace *trace, struct symptom *symptom)
{
    struct slice rest;
    struct slice name;
    if (!find_named(trace->message, "cannot import name ", &rest, &name)) {
        return false;
    }
    slice_copy(name, symptom->name, sizeof symptom->name);
    long from = slice_find(rest, " from ");
    struct slice module;
    if (from >= 0 && slice_quoted(rest, (size_t)from, &module)) {
        slice_copy(slice_dotted(module), symptom->module, sizeof symptom->module);
    } else {
        module_of_import(trace, symptom->module, sizeof symptom->module);
    }
    symptom->kind = SYMPTOM_NAME;
    symptom->place = place_of(trace->message);
    return true;
}

// `jinja2.Markup(x)`: what stands before ".Markup". 2.7 says only "'module' object".
static void module_of_use(const struct trace *trace, struct symptom *symptom)
{
    struct slice code = innermost_code(trace);
    char needle[sizeof symptom->name + 1];
    snprintf(needle, sizeof needle, ".%s", symptom->name);
    long at = slice_find(code, needle);
    if (at <= 0) {
        return;
    }
    size_t start = (size_t)at;
    while (start > 0 && slice_dotted((struct slice){code.at + start - 1, 1}).len) {
        start--;
    }
    slice_copy((struct slice){code.at + start, (size_t)at - start}, symptom->module,
               sizeof symptom->module);
}

// "module 'a.b' has no attribute 'x'", "'Flask' object has no attribute 'x'",
// "type object 'X' has no attribute 'x'", "'module' object has no attribute 'x'"
static bool read_missing_attribute(const struct trace *trace, struct symptom *symptom)
{
    long at = slice_find(trace->message, " has no attribute ");
    struct slice owner;
    struct slice name;
    if (at < 0 || !slice_quoted(trace->message, (size_t)at, &name) ||
        !slice_quoted(trace->message, 0, &owner) || owner.at > trace->message.at + at) {
        return false;
    }
    slice_copy(slice_dotted(name), symptom->name, sizeof symptom->name);
    symptom->kind = slice_find(trace->message, "module '") >= 0 ? SYMPTOM_NAME : SYMPTOM_OBJECT;
    if (slice_equal(owner, "module")) {
        symptom->kind = SYMPTOM_NAME;
        module_of_use(trace, symptom);
    } else {
        slice_copy(owner, symptom->module, sizeof symptom->module);
    }
    return true;
}

// "__init__() got an unexpected keyword argument 'x'", "EnvironBuilder.__init__() got ..."
static bool read_keyword(const struct trace *trace, struct symptom *symptom)
{
    long at = slice_find(trace->message, "() got an unexpected keyword argument ");
    struct slice name;
    if (at < 0 || !slice_quoted(trace->message, (size_t)at, &name)) {
        return false;
    }
    struct slice function = {trace->message.at, (size_t)at};
    const char *dot = memrchr(function.at, '.', function.len);
    if (dot) {
        function = slice_from(function, (size_t)(dot - function.at) + 1);
    }
    symptom->kind = SYMPTOM_KEYWORD;
    slice_copy(function, symptom->module, sizeof symptom->module);
    slice_copy(name, symptom->name, sizeof symptom->name);
    return true;
}

// requests.packages.urllib3 is urllib3 itself.
static void drop_alias(struct symptom *symptom)
{
    static const char alias[] = "requests.packages.";
    if (strncmp(symptom->module, alias, strlen(alias)) == 0) {
        memmove(symptom->module, symptom->module + strlen(alias),
                strlen(symptom->module + strlen(alias)) + 1);
    }
}

void symptom_read(const struct trace *trace, struct symptom *ret_symptom)
{
    *ret_symptom = (struct symptom){.kind = SYMPTOM_OTHER};
    if (!read_missing_name(trace, ret_symptom) && !read_missing_module(trace, ret_symptom) &&
        !read_missing_attribute(trace, ret_symptom)) {
        read_keyword(trace, ret_symptom);
    }
    drop_alias(ret_symptom);
}
