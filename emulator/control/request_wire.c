#include "emulator/control/request_wire.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox/base/base64.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"

#define MEMBER(member, size_)                                                                      \
    {                                                                                              \
#member, offsetof(struct request_summary, member), (size_)                                 \
    }
#define INT(member)  MEMBER(member, 0)
#define TEXT(member) MEMBER(member, sizeof(((struct request_summary *)0)->member))

static const struct {
    const char *name;
    size_t offset;
    size_t size; // 0: a number
} members[] = {
    INT(id),        INT(replay_of),    INT(wall_ms),       INT(first_byte_us),
    INT(total_us),  INT(request_size), INT(response_size), INT(status),
    INT(retries),   TEXT(method),      TEXT(target),       TEXT(host),
    TEXT(instance), TEXT(rule),        TEXT(reason),       TEXT(client),
};

struct cJSON *request_summary_encode(const struct request_summary *summary)
{
    struct cJSON *object = json_new_object();
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const char *at = (const char *)summary + members[i].offset;
        if (members[i].size && *at) {
            json_put_string(object, members[i].name, at);
        } else if (!members[i].size && *(const int64_t *)(const void *)at) {
            json_put_int(object, members[i].name, *(const int64_t *)(const void *)at);
        }
    }
    return object;
}

bool request_summary_decode(const struct cJSON *tree, struct request_summary *ret_summary)
{
    if (!json_is_object(tree)) {
        return false;
    }
    memset(ret_summary, 0, sizeof *ret_summary);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        char *at = (char *)ret_summary + members[i].offset;
        const char *text = json_get_string(tree, members[i].name);
        if (!members[i].size) {
            *(int64_t *)(void *)at = json_get_int(tree, members[i].name, 0);
        } else if (text) {
            auto_free char *cut = utf8_cut(text, members[i].size - 1);
            memcpy(at, cut, strlen(cut) + 1);
        }
    }
    return ret_summary->id > 0;
}

struct cJSON *request_part_encode(const char *bytes, size_t len, uint64_t size)
{
    struct cJSON *object = json_new_object();
    auto_free char *valid = utf8_valid(bytes ? bytes : "", len);
    if (strlen(valid) == len && (!len || memcmp(valid, bytes, len) == 0)) {
        json_put_string(object, "text", valid);
    } else {
        auto_free char *encoded = base64_encode(bytes, len);
        json_put_string(object, "base64", encoded);
    }
    if (size > len) {
        json_put_int(object, "size", (int64_t)size);
    }
    return object;
}

static void decode_part(const struct cJSON *tree, struct request_part *ret_part)
{
    const char *text = json_get_string(tree, "text");
    const char *encoded = json_get_string(tree, "base64");
    *ret_part = (struct request_part){0};
    if (text) {
        ret_part->bytes = str_dup(text);
        ret_part->len = strlen(text);
    } else if (encoded) {
        ret_part->bytes = base64_decode(encoded, &ret_part->len);
    }
    ret_part->size = json_get_int(tree, "size", (int64_t)ret_part->len);
}

bool request_detail_decode(const struct cJSON *tree, struct request_detail *ret_detail)
{
    if (!request_summary_decode(tree, &ret_detail->summary)) {
        return false;
    }
    decode_part(json_get(tree, "request_head"), &ret_detail->request_head);
    decode_part(json_get(tree, "request_body"), &ret_detail->request_body);
    decode_part(json_get(tree, "response_head"), &ret_detail->response_head);
    decode_part(json_get(tree, "response_body"), &ret_detail->response_body);
    return true;
}

void request_detail_release(struct request_detail *detail)
{
    free(detail->request_head.bytes);
    free(detail->request_body.bytes);
    free(detail->response_head.bytes);
    free(detail->response_body.bytes);
    memset(detail, 0, sizeof *detail);
}
