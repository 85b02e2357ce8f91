// What: libFuzzer target of formats/leanignore: no crash, no hang, and a rule that only negates
// never excludes. ./dev fuzz leanignore. Input: the rules, a NUL byte, a path.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/formats/ignore_pattern.h"
#include "emulator/formats/leanignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    const char *end = memchr(bytes, '\0', size);
    size_t len = end ? (size_t)(end - bytes) : size;
    char path[256] = "a/b.pyc";
    if (end && size - len - 1 > 0) {
        size_t path_len = size - len - 1 < sizeof path - 1 ? size - len - 1 : sizeof path - 1;
        memcpy(path, end + 1, path_len);
        path[path_len] = '\0';
    }
    struct error error = {0};
    struct leanignore *ignore = leanignore_parse(bytes, len, &error);
    if (!ignore) {
        if (error.kind != ERROR_PROJECT || error.message[0] == '\0') {
            abort();
        }
        return 0;
    }
    unsigned line;
    bool file = leanignore_excludes(ignore, path, false, &line);
    if (file && line == 0) {
        abort();
    }
    // What excludes a file excludes a directory of that name too, unless a later rule is for
    // directories only.
    leanignore_excludes(ignore, path, true, NULL);
    struct diagnostics diagnostics = {0};
    leanignore_compare(ignore, LEANIGNORE_NAME, &diagnostics);
    diagnostics_clear(&diagnostics);
    // Nobody is surprised by a rule that is not there.
    if (leanignore_is_surprise(ignore, line, path, false) && !leanignore_pattern(ignore, line)) {
        abort();
    }
    leanignore_free(ignore);
    char rules[260];
    rules[0] = '!';
    strcpy(rules + 1, path);
    if ((ignore = leanignore_parse(rules, strlen(rules), NULL))) {
        // A path may hold newlines, and then it is more rules than one.
        if (!strchr(path, '\n') && leanignore_excludes(ignore, path, false, NULL)) {
            abort();
        }
        leanignore_free(ignore);
    }
    return 0;
}
