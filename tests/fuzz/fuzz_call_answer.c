// What: libFuzzer target of functions/call and functions/json_text: whatever an app answers, no
// crash; a result is JSON on one line, the same value as in the answer; else an error says what to
// do. The first byte chooses function and status. ./dev fuzz call_answer.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/functions/call.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void choose(uint8_t byte, struct function *ret_function, int *ret_status)
{
    static const char *const listed[] = {"hello", "__before_save_for_A", "__after_save_for_A",
                                         "_messageReceived"};
    static const int statuses[] = {200, 400, 404, 500};
    function_from_listed(listed[byte & 3], ret_function);
    *ret_status = statuses[byte >> 2 & 3];
}

// The text of a value, after a tree of it was made.
static char *printed(const char *text)
{
    struct cJSON *tree = json_parse(text, strlen(text), "result", NULL);
    char *again = tree ? json_print(tree) : NULL;
    json_free(tree);
    return again;
}

static void check_result(const struct function *function, const char *body, const char *result)
{
    char *got = printed(result);
    CHECK(got && !strpbrk(result, "\r\n"));
    struct cJSON *tree = json_parse(body, strlen(body), "answer", NULL);
    CHECK(tree);
    const char *mark = function_mark(function->kind);
    bool is_whole = mark && strcmp(mark, "__before") == 0;
    const struct cJSON *member =
        is_whole || !json_is_object(tree) ? NULL : json_get(tree, "result");
    // A name that is written with escapes is not found in the text: then it is the whole answer.
    char *expected = member ? json_print(member) : NULL;
    char *whole = json_print(tree);
    CHECK((expected && strcmp(got, expected) == 0) || strcmp(got, whole) == 0);
    free(expected);
    free(whole);
    free(got);
    json_free(tree);
}

static void check_error(const struct error *error)
{
    CHECK(error->kind == ERROR_APP && *error->message && *error->hint && *error->rule);
    char *valid = utf8_valid(error->message, strlen(error->message));
    CHECK(strcmp(valid, error->message) == 0);
    free(valid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char names[] = "{\"result\":[\"hello\",\"__before_save_for_A\"]}";
    struct function function = {0};
    struct metadata list = {0};
    struct error error = {0};
    struct call_answer answer = {.failure = ""};
    if (size == 0) {
        return 0;
    }
    choose(data[0], &function, &answer.status);
    metadata_read(200, names, strlen(names), &list);
    answer.body = (const char *)data + 1;
    answer.body_len = size - 1;
    char *result = call_read(&function, &answer, &list, &error);
    if (result) {
        char *body = utf8_valid(answer.body, answer.body_len);
        check_result(&function, body, result);
        free(body);
    } else {
        check_error(&error);
    }
    free(result);
    metadata_release(&list);
    metadata_read(200, answer.body, answer.body_len,
                  &list); // the list of an app is as little trusted
    metadata_release(&list);
    function_release(&function);
    return 0;
}
