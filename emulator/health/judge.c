// The pure half of health: what an answer says, and whether it is enough.
#include "emulator/health/health.h"

#include <stdio.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"

static bool is_success(const struct health_probe_result *result)
{
    return result->status >= 200 && result->status <= 299;
}

enum health_verdict health_judge(const struct health_probe_result *home,
                                 const struct health_probe_result *ping, bool strict)
{
    if (is_success(ping) && ping->is_sdk_ping) {
        return HEALTH_HEALTHY;
    }
    return !strict && is_success(home) ? HEALTH_HEALTHY : HEALTH_NOT_YET;
}

// The beginning on one line: blanks and controls become one blank each run, no code point is cut.
static void digest_body(char out[static 200], const char *text)
{
    size_t used = 0;
    bool is_blank = true; // leading ones are dropped
    size_t left = strlen(text);
    while (left > 0) {
        uint32_t code;
        size_t len = utf8_decode(text, left, &code);
        bool is_control = code <= ' ' || (code >= 0x7F && code < 0xA0);
        if (is_control && !is_blank && used + 1 < 200) {
            out[used++] = ' ';
        } else if (!is_control) {
            if (used + len >= 200) {
                break;
            }
            memcpy(out + used, text, len);
            used += len;
        }
        is_blank = is_control;
        text += len;
        left -= len;
    }
    while (used > 0 && out[used - 1] == ' ') {
        used--;
    }
    out[used] = '\0';
}

// P-231: what the platform shows of a page.
static void read_title(struct health_probe_result *result, const char *text)
{
    result->title[0] = '\0';
    const char *at = strcasestr(text, "<title");
    at = at ? strchr(at, '>') : NULL;
    if (at) {
        auto_free char *title = str_dup_len(at + 1, strcspn(at + 1, "<"));
        digest_body(result->title, title);
    }
}

// P-114: a JSON object with "runtime" and "version". Its Content-Type is text/plain: not looked at.
static void read_ping(struct health_probe_result *result, const char *bytes, size_t len)
{
    struct cJSON *tree = json_parse(bytes, len, "ping", NULL);
    const char *runtime = tree ? json_get_string(tree, "runtime") : NULL;
    const char *version = tree ? json_get_string(tree, "version") : NULL;
    if (runtime && version) {
        result->is_sdk_ping = true;
        snprintf(result->sdk_runtime, sizeof result->sdk_runtime, "%s", runtime);
        snprintf(result->sdk_version, sizeof result->sdk_version, "%s", version);
    }
    json_free(tree);
}

void health_read_body(struct health_probe_result *result, const char *bytes, size_t len)
{
    auto_free char *valid = utf8_valid(bytes, len);
    digest_body(result->body, valid);
    read_title(result, valid);
    result->is_sdk_ping = false;
    result->sdk_runtime[0] = result->sdk_version[0] = '\0';
    if (len <= HEALTH_BODY_BYTES) {
        read_ping(result, bytes, len);
    }
}
