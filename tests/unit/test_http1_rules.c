// The policy of the HTTP/1 lexer, cell by cell: what is refused, dropped or kept, for whom, and the
// status. test_http1 shows on the wire what a cell means; here no cell can change unseen, also
// where both sides are never met there.
#include "tests/unit/unit.h"

#include "emulator/formats/http1.h"
#include "sandbox/base/cleanup.h"

static const struct {
    enum http1_rule rule;
    const char
        *treatments; // R refuse, D drop, K keep: of a client, of one that is borne with, of the app
    int status;
} facts[] = {
    {HTTP1_RULE_TLS, "RRR", 400},
    {HTTP1_RULE_HTTP2, "RRR", 400},
    {HTTP1_RULE_HTTP09, "RRR", 400},
    {HTTP1_RULE_REQUEST_LINE, "RRR", 400},
    {HTTP1_RULE_METHOD, "RRR", 400},
    {HTTP1_RULE_TARGET, "RRR", 400},
    {HTTP1_RULE_VERSION, "RRR", 400},
    {HTTP1_RULE_CONNECT, "RRR", 405},
    {HTTP1_RULE_STATUS_LINE, "RRR", 400},
    {HTTP1_RULE_TARGET_LONG, "RRR", 414},
    {HTTP1_RULE_LINE_LONG, "RRR", 431},
    {HTTP1_RULE_HEAD_LONG, "RRR", 431},
    {HTTP1_RULE_FIELDS, "RRR", 431},
    {HTTP1_RULE_BARE_LF, "RKK", 400},
    {HTTP1_RULE_BARE_CR, "RRR", 400},
    {HTTP1_RULE_NUL, "RRR", 400},
    {HTTP1_RULE_CONTROL, "RRD", 400},
    {HTTP1_RULE_FOLDED, "RRK", 400},
    {HTTP1_RULE_NAME_BLANK, "RRD", 400},
    {HTTP1_RULE_NAME_EMPTY, "RRD", 400},
    {HTTP1_RULE_NAME_TOKEN, "RRD", 400},
    {HTTP1_RULE_HOST_MISSING, "RRK", 400},
    {HTTP1_RULE_HOST_TWO, "RRK", 400},
    {HTTP1_RULE_HOST_BAD, "RRK", 400},
    {HTTP1_RULE_HOST_DIFFERS, "RRK", 400},
    {HTTP1_RULE_FIELD_TWO, "RRK", 400},
    {HTTP1_RULE_LENGTH_BAD, "RRR", 400},
    {HTTP1_RULE_LENGTH_DIFFERS, "RRR", 400},
    {HTTP1_RULE_LENGTH_TWO, "RRK", 400},
    {HTTP1_RULE_LENGTH_CODING, "RRK", 400},
    {HTTP1_RULE_CODING, "RRR", 501},
    {HTTP1_RULE_CODING_10, "RRK", 400},
    {HTTP1_RULE_CHUNK_SIZE, "RRR", 400},
    {HTTP1_RULE_CHUNK_BLANK, "RRK", 400},
    {HTTP1_RULE_CHUNK_END, "RRR", 400},
    {HTTP1_RULE_CHUNK_EXT, "RRR", 400},
    {HTTP1_RULE_CHUNK_EXT_BYTE, "RRK", 400},
    {HTTP1_RULE_TRAILER, "RRK", 400},
    {HTTP1_RULE_TRAILER_LONG, "RRR", 431},
};

static enum http1_treatment treatment(char letter)
{
    return letter == 'R' ? HTTP1_REFUSE : letter == 'D' ? HTTP1_DROP : HTTP1_KEEP;
}

static void each_cell(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        const struct http1_rule_row *row = &http1_rules[facts[i].rule];
        for (int policy = 0; policy < HTTP1_POLICY__COUNT; policy++) {
            if (http1_treatment(facts[i].rule, (enum http1_policy)policy) !=
                treatment(facts[i].treatments[policy])) {
                fail_msg("%s: policy %d is not %c", row->name, policy, facts[i].treatments[policy]);
            }
        }
        assert_int_equal(row->status, facts[i].status);
    }
    assert_int_equal(ARRAY_LEN(facts), HTTP1_RULE__COUNT - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cell),
    };
    return cmocka_run_group_tests_name("http1_rules", tests, NULL, NULL);
}
