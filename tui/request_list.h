// What: the list of requests: what has been read of the engine's, which are seen, which is chosen.
// Why: moving, searching and filtering need neither a socket nor a canvas.
// Order: request_list_take() with each answer; keys through the others; rows for drawing by
//        request_list_window().
// Owns: the last REQUEST_ROWS_MAX summaries; the oldest go. It follows the newest one until one
//       moves away from it.
#ifndef TUI_REQUEST_LIST_H
#define TUI_REQUEST_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "emulator/control/request_wire.h"

#define REQUEST_ROWS_MAX 500

struct request_list {
    struct request_summary *rows; // oldest first
    int count;
    int64_t last;   // newest id that was read
    int64_t chosen; // id; 0: none there
    bool follow;    // the chosen one is the newest one
    int64_t top;    // id of the window's first row
    char *filter, *search;
};

void request_list_init(struct request_list *list);
void request_list_release(struct request_list *list);
// What "requests" answers.
void request_list_take(struct request_list *list, const struct cJSON *reply);
// The chosen one; NULL.
const struct request_summary *request_list_chosen(const struct request_list *list);
bool request_list_choose(struct request_list *list, int64_t id);
// By `rows` seen ones, down if positive; INT_MAX and INT_MIN: to the ends.
void request_list_move(struct request_list *list, int rows);
// Words that all have to fit: "5xx", "404", or any text of method, target, host, instance, rule.
void request_list_filter(struct request_list *list, const char *words);
// The next seen one that fits, upwards or downwards, round the end. false: none.
bool request_list_search(struct request_list *list, int step, bool *ret_wrapped);
// Up to max seen rows around the chosen one, oldest first; how many.
int request_list_window(struct request_list *list, int max,
                        const struct request_summary **ret_rows);
bool request_fits(const struct request_summary *row, const char *words);

#endif
