#include "tui/request_list.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "tui/text.h"

void request_list_init(struct request_list *list)
{
    *list = (struct request_list){.follow = true};
}

void request_list_release(struct request_list *list)
{
    free(list->rows);
    free(list->filter);
    free(list->search);
}

// ---- what is seen ----

static bool text_fits(const struct request_summary *row, const char *word)
{
    const char *const texts[] = {row->method, row->target, row->host, row->instance, row->rule};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (text_matches(texts[i], strlen(texts[i]), word)) {
            return true;
        }
    }
    return false;
}

static bool word_fits(const struct request_summary *row, const char *word)
{
    bool digit = isdigit((unsigned char)*word);
    if (digit && strlen(word) == 3 && strcasecmp(word + 1, "xx") == 0) {
        return row->status / 100 == *word - '0';
    }
    if (digit && strlen(word) == 3 && strspn(word, "0123456789") == 3) {
        return row->status == strtol(word, NULL, 10) || text_fits(row, word);
    }
    return text_fits(row, word);
}

bool request_fits(const struct request_summary *row, const char *words)
{
    for (const char *at = words ? words : ""; *at;) {
        at += strspn(at, " ");
        size_t len = strcspn(at, " ");
        auto_free char *word = str_dup_len(at, len);
        if (len && !word_fits(row, word)) {
            return false;
        }
        at += len;
    }
    return true;
}

static bool is_seen(const struct request_list *list, int index)
{
    return request_fits(&list->rows[index], list->filter);
}

// The first seen index from `index` on in that direction; -1: none.
static int seek(const struct request_list *list, int index, int step)
{
    for (; index >= 0 && index < list->count; index += step) {
        if (is_seen(list, index)) {
            return index;
        }
    }
    return -1;
}

// Ids have no gaps but where a page was skipped: looked for from the end.
static int index_of(const struct request_list *list, int64_t id)
{
    for (int i = list->count - 1; i >= 0 && list->rows[i].id >= id; i--) {
        if (list->rows[i].id == id) {
            return i;
        }
    }
    return -1;
}

static void settle(struct request_list *list)
{
    int at = list->follow ? -1 : index_of(list, list->chosen);
    if (at >= 0 && is_seen(list, at)) {
        return;
    }
    // The one that was chosen is seen no more: the next younger one, else the newest.
    for (at = 0; !list->follow && at < list->count && list->rows[at].id < list->chosen; at++) {
    }
    at = list->follow ? -1 : seek(list, at, 1);
    at = at < 0 ? seek(list, list->count - 1, -1) : at;
    list->chosen = at < 0 ? 0 : list->rows[at].id;
}

// ---- taking ----

static void make_room(struct request_list *list, size_t more)
{
    if (!list->rows) {
        list->rows = mem_alloc(REQUEST_ROWS_MAX * sizeof *list->rows);
    }
    int over = list->count + (int)more - REQUEST_ROWS_MAX;
    if (over > 0) {
        over = over < list->count ? over : list->count;
        list->count -= over;
        memmove(list->rows, list->rows + over, (size_t)list->count * sizeof *list->rows);
    }
}

void request_list_take(struct request_list *list, const struct cJSON *reply)
{
    const struct cJSON *requests = json_get(reply, "requests");
    if (!json_is_array(requests)) {
        return;
    }
    make_room(list, json_count(requests));
    for (const struct cJSON *item = json_first(requests); item; item = json_next(item)) {
        struct request_summary row;
        if (list->count < REQUEST_ROWS_MAX && request_summary_decode(item, &row) &&
            row.id > list->last) {
            list->rows[list->count++] = row;
            list->last = row.id;
        }
    }
    settle(list);
}

// ---- moving ----

const struct request_summary *request_list_chosen(const struct request_list *list)
{
    int at = list->chosen ? index_of(list, list->chosen) : -1;
    return at < 0 ? NULL : &list->rows[at];
}

bool request_list_choose(struct request_list *list, int64_t id)
{
    int at = index_of(list, id);
    if (at < 0 || !is_seen(list, at)) {
        return false;
    }
    list->chosen = id;
    list->follow = seek(list, at + 1, 1) < 0;
    return true;
}

void request_list_move(struct request_list *list, int rows)
{
    int at = index_of(list, list->chosen);
    int step = rows < 0 ? -1 : 1;
    for (unsigned left = rows < 0 ? 0u - (unsigned)rows : (unsigned)rows; at >= 0 && left > 0;
         left--) {
        int next = seek(list, at + step, step);
        if (next < 0) {
            break;
        }
        at = next;
    }
    if (at >= 0) {
        request_list_choose(list, list->rows[at].id);
    }
}

void request_list_filter(struct request_list *list, const char *words)
{
    str_replace(&list->filter, str_empty(words) ? NULL : words);
    settle(list);
}

bool request_list_search(struct request_list *list, int step, bool *ret_wrapped)
{
    int start = index_of(list, list->chosen);
    int at = start;
    *ret_wrapped = false;
    for (int looked = 0; start >= 0 && looked < list->count; looked++) {
        at += step;
        if (at < 0 || at >= list->count) {
            at = step < 0 ? list->count - 1 : 0;
            *ret_wrapped = true;
        }
        if (is_seen(list, at) && request_fits(&list->rows[at], list->search)) {
            return request_list_choose(list, list->rows[at].id);
        }
    }
    return false;
}

int request_list_window(struct request_list *list, int max, const struct request_summary **ret_rows)
{
    int chosen = index_of(list, list->chosen);
    int top = index_of(list, list->top);
    if (chosen < 0 || max < 1) {
        return 0;
    }
    if (top < 0 || top > chosen) {
        top = chosen;
    }
    // Filled from the top; then moved so that the chosen one is in it and no row stays empty.
    int count = 0;
    bool holds = false;
    for (int at = seek(list, top, 1); at >= 0 && count < max; at = seek(list, at + 1, 1)) {
        ret_rows[count++] = &list->rows[at];
        holds = holds || at == chosen;
    }
    if (!holds || count < max) {
        int at = holds ? (int)(ret_rows[count - 1] - list->rows) : chosen;
        int found = 0;
        const struct request_summary **upwards = mem_alloc((size_t)max * sizeof *upwards);
        for (; at >= 0 && found < max; at = seek(list, at - 1, -1)) {
            upwards[found++] = &list->rows[at];
        }
        for (int i = 0; i < found; i++) {
            ret_rows[i] = upwards[found - 1 - i];
        }
        free(upwards);
        count = found;
    }
    list->top = count ? ret_rows[0]->id : 0;
    return count;
}
