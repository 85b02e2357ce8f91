// What: requests as they stand on the control socket: what "requests" and "request" answer.
// Why: the pane, "copy as curl" and tests read what the engine writes, by one table.
// Wire: {"id":7,"method":"GET", ...}; members that are 0 or "" are left out. Of one request also
//       request_head, request_body, response_head, response_body, each {"text":"..."} or, when it
//       is not UTF-8, {"base64":"..."}, with "size" when more came than was kept.
// Owns: request_detail_release().
#ifndef EMULATOR_CONTROL_REQUEST_WIRE_H
#define EMULATOR_CONTROL_REQUEST_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;

struct request_summary {
    int64_t id;
    int64_t replay_of; // 0: none
    int64_t wall_ms;   // its first byte came
    int64_t first_byte_us, total_us;
    int64_t request_size, response_size; // with heads and framing
    int64_t status;                      // 499: the client went away; 101: a tunnel
    int64_t retries;
    char method[24]; // "" and target "": its head could not be read
    char target[512];
    char host[128];
    char instance[32]; // "": none had it
    char rule[48];     // "P-150"
    char reason[160];
    char client[16];
};

struct request_part {
    char *bytes; // NUL-terminated; NULL when there are none
    size_t len;
    int64_t size; // more than len: the rest was not kept
};

struct request_detail {
    struct request_summary summary;
    struct request_part request_head, request_body, response_head, response_body;
};

struct cJSON *request_summary_encode(const struct request_summary *summary);
bool request_summary_decode(const struct cJSON *tree, struct request_summary *ret_summary);
struct cJSON *request_part_encode(const char *bytes, size_t len, uint64_t size);
bool request_detail_decode(const struct cJSON *tree, struct request_detail *ret_detail);
void request_detail_release(struct request_detail *detail);

#endif
