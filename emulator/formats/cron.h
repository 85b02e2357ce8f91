// What: a timer's expression, parsed, and when it is due next. Pure.
// Grammar (P-200): six fields with blanks between them, in any case:
//       second 0-59, minute 0-59, hour 0-23, day 1-31, month 1-12 or JAN-DEC, weekday 1-7 or
//       SUN-SAT (1 is Sunday)
//       field = "*" | "?" | item { "," item }
//       item  = ("*" | value [ "-" value ]) [ "/" step ]
// Decided where the platform says nothing (docs/decisions/0040): a value with a step and no end
//       goes on to the field's end; a range does not run backwards; a day must fit both day and
//       weekday; an expression that no date ever fits is an error.
// Time: in the region's zone (P-143), which has no summer time: an offset is enough.
#ifndef EMULATOR_FORMATS_CRON_H
#define EMULATOR_FORMATS_CRON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/base/error.h"

#define CRON_MAX_BYTES 200
#define CRON_NEVER     INT64_MIN

enum cron_field {
    CRON_SECOND,
    CRON_MINUTE,
    CRON_HOUR,
    CRON_DAY,
    CRON_MONTH,
    CRON_WEEKDAY,
    CRON__COUNT
};

struct cron {
    uint64_t fits[CRON__COUNT]; // bit n: the value n
};

// -1: ERROR_USAGE, `<name>: column 9: day: 32 is not 1 to 31`, with a hint where one helps.
int cron_parse(const char *text, const char *name, struct cron *ret_cron, struct error *error);
// The first time after `after_s` (since 1970, UTC), CRON_NEVER beyond the calendar that is looked
// through (over 400 years every expression that cron_parse() takes has a date).
int64_t cron_next(const struct cron *cron, int64_t after_s, long utc_offset_s);

// How often a timer has failed lately (P-200). Zeroed is a timer that never has.
#define CRON_FAILURES_MAX 64
struct cron_failures {
    int64_t at_ms[CRON_FAILURES_MAX]; // a ring
    unsigned next, count;
};
// One more, now. true: more than `most` within the window: the platform stops it.
bool cron_failed(struct cron_failures *failures, int64_t now_ms, unsigned most, int64_t window_ms);

#endif
