#include "emulator/formats/cron.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"

#define DAY_S    86400
#define YEARS    400 // after which the calendar repeats, weekdays included
#define SHOWN    20
#define BLANKS   " \t"
#define ANY_TEXT "*"

static const char *const months[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                     "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
static const char *const weekdays[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

static const struct {
    const char *name; // N_()
    int low, high;
    const char *const *names; // of low, low + 1 ...
    size_t name_count;
} fields[CRON__COUNT] = {
    [CRON_SECOND] = {N_("second"), 0, 59, NULL, 0},
    [CRON_MINUTE] = {N_("minute"), 0, 59, NULL, 0},
    [CRON_HOUR] = {N_("hour"), 0, 23, NULL, 0},
    [CRON_DAY] = {N_("day"), 1, 31, NULL, 0},
    [CRON_MONTH] = {N_("month"), 1, 12, months, ARRAY_LEN(months)},
    [CRON_WEEKDAY] = {N_("weekday"), 1, 7, weekdays, ARRAY_LEN(weekdays)},
};

// ---- parsing ----

struct parse {
    const char *name;
    const char *text; // all of it
    enum cron_field field;
    struct error *error;
};

static int refuse(const struct parse *parse, const char *at, const char *reason)
{
    return error_set(parse->error, ERROR_USAGE, _("%s: column %d: %s: %s"), parse->name,
                     (int)(at - parse->text) + 1, _(fields[parse->field].name), reason);
}

// A piece of the text, made safe to be shown.
static char *piece(const char *at, size_t len)
{
    auto_free char *valid = utf8_valid(at, len);
    for (char *c = valid; *c; c++) {
        *c = (unsigned char)*c < ' ' || *c == 0x7F ? ' ' : *c;
    }
    return utf8_cut(valid, SHOWN);
}

static int refuse_value(const struct parse *parse, const char *at, size_t len)
{
    auto_free char *shown = piece(at, len);
    int low = fields[parse->field].low;
    int high = fields[parse->field].high;
    auto_free char *reason = NULL;
    if (len == 0) {
        reason = str_dup(_("a value is missing"));
    } else if (fields[parse->field].names) {
        reason = str_printf(_("%s is not %d to %d nor %s to %s"), shown, low, high,
                            fields[parse->field].names[0], fields[parse->field].names[high - low]);
    } else {
        reason = str_printf(_("%s is not %d to %d"), shown, low, high);
    }
    refuse(parse, at, reason);
    if (len == 1 && strchr("LWlw#", *at)) {
        error_set_hint(parse->error, _("the platform knows , - * / and ? only"));
    }
    return -1;
}

static bool read_number(const char *at, size_t len, int *ret_value)
{
    *ret_value = 0;
    for (size_t i = 0; i < len; i++) {
        if (at[i] < '0' || at[i] > '9' || i > 3) {
            return false;
        }
        *ret_value = *ret_value * 10 + (at[i] - '0');
    }
    return len > 0;
}

static int read_value(const struct parse *parse, const char *at, size_t len, int *ret_value)
{
    for (size_t i = 0; i < fields[parse->field].name_count; i++) {
        const char *name = fields[parse->field].names[i];
        if (len == strlen(name) && strncasecmp(at, name, len) == 0) {
            *ret_value = fields[parse->field].low + (int)i;
            return 0;
        }
    }
    if (!read_number(at, len, ret_value) || *ret_value < fields[parse->field].low ||
        *ret_value > fields[parse->field].high) {
        return refuse_value(parse, at, len);
    }
    return 0;
}

static int read_step(const struct parse *parse, const char *at, size_t len, int *ret_step)
{
    int high = fields[parse->field].high;
    if (!read_number(at, len, ret_step) || *ret_step < 1 || *ret_step > high) {
        auto_free char *shown = piece(at, len);
        auto_free char *reason = str_printf(_("the step \"%s\" is not 1 to %d"), shown, high);
        return refuse(parse, at, reason);
    }
    return 0;
}

// "*", "5", "1-5", each with "/2" or not.
static int read_item(const struct parse *parse, const char *at, size_t len, uint64_t *ret_fits)
{
    size_t range_len = strcspn(at, "/");
    range_len = range_len < len ? range_len : len;
    bool has_step = range_len < len;
    int low = fields[parse->field].low;
    int high = fields[parse->field].high;
    int step = 1;
    if (range_len != 1 || *at != '*') {
        size_t first_len = strcspn(at, "-");
        first_len = first_len < range_len ? first_len : range_len;
        if (read_value(parse, at, first_len, &low) < 0) {
            return -1;
        }
        high = has_step ? high : low;
        if (first_len < range_len &&
            read_value(parse, at + first_len + 1, range_len - first_len - 1, &high) < 0) {
            return -1;
        }
    }
    if (has_step && read_step(parse, at + range_len + 1, len - range_len - 1, &step) < 0) {
        return -1;
    }
    if (high < low) {
        refuse(parse, at, _("the range runs backwards"));
        return error_set_hint(parse->error, _("write two: FRI-SAT,SUN-MON; 22-23,0-2"));
    }
    for (int value = low; value <= high; value += step) {
        *ret_fits |= UINT64_C(1) << value;
    }
    return 0;
}

static int read_field(const struct parse *parse, const char *at, size_t len, uint64_t *ret_fits)
{
    if (len == 1 && *at == '?') {
        if (parse->field != CRON_DAY && parse->field != CRON_WEEKDAY) {
            refuse(parse, at, _("? is for day and weekday only"));
            return error_set_hint(parse->error, _("write *"));
        }
        at = ANY_TEXT;
    }
    for (;;) {
        size_t item_len = strcspn(at, ",");
        item_len = item_len < len ? item_len : len;
        if (read_item(parse, at, item_len, ret_fits) < 0) {
            return -1;
        }
        if (item_len == len) {
            return 0;
        }
        at += item_len + 1;
        len -= item_len + 1;
    }
}

static int refuse_count(const char *name, size_t count, const char *text, struct error *error)
{
    error_set(error, ERROR_USAGE, _("%s: six fields are needed, not %zu"), name, count);
    error_set_rule(error, "P-200", NULL);
    if (count == 5 && text[strspn(text, BLANKS)] != '@') {
        return error_set_hint(error, _("the platform's begin with the second: 0 %s"), text);
    }
    return error_set_hint(error,
                          _("second minute hour day month weekday, as in 0 30 8 * * MON-FRI"));
}

static bool has_date(const struct cron *cron)
{
    static const int longest[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (int month = 1; month <= 12; month++) {
        uint64_t days = (UINT64_C(2) << longest[month]) - 2;
        if (cron->fits[CRON_MONTH] >> month & 1 && cron->fits[CRON_DAY] & days) {
            return true;
        }
    }
    return false;
}

static int check_whole(const char *name, const char *const *starts, const struct cron *cron,
                       struct error *error)
{
    if (*starts[CRON_DAY] == '?' && *starts[CRON_WEEKDAY] == '?') {
        error_set(error, ERROR_USAGE, _("%s: ? stands in day and in weekday"), name);
        error_set_hint(error, _("one ? at most: the other says which days"));
        return error_set_rule(error, "P-200", NULL);
    }
    if (!has_date(cron)) {
        error_set(error, ERROR_USAGE, _("%s: never: no month of these has such a day"), name);
        error_set_hint(error, _("the last day of a month has no sign; take the first of the next"));
        return error_set_rule(error, "P-200", NULL);
    }
    return 0;
}

int cron_parse(const char *text, const char *name, struct cron *ret_cron, struct error *error)
{
    struct cron cron = {0};
    struct parse parse = {.name = name, .text = text, .error = error};
    const char *starts[CRON__COUNT];
    size_t lens[CRON__COUNT];
    size_t count = 0;
    if (strlen(text) > CRON_MAX_BYTES) {
        return error_set(error, ERROR_USAGE, _("%s: longer than %d characters"), name,
                         CRON_MAX_BYTES);
    }
    for (const char *at = text + strspn(text, BLANKS); *at; at += strspn(at, BLANKS)) {
        size_t len = strcspn(at, BLANKS);
        if (count < CRON__COUNT) {
            starts[count] = at;
            lens[count] = len;
        }
        count++;
        at += len;
    }
    if (count != CRON__COUNT) {
        auto_free char *shown = utf8_valid(text, strlen(text));
        return refuse_count(name, count, shown, error);
    }
    for (int i = 0; i < CRON__COUNT; i++) {
        parse.field = (enum cron_field)i;
        if (read_field(&parse, starts[i], lens[i], &cron.fits[i]) < 0) {
            return error_set_rule(error, "P-200", NULL);
        }
    }
    if (check_whole(name, starts, &cron, error) < 0) {
        return -1;
    }
    *ret_cron = cron;
    return 0;
}

// ---- the calendar (proleptic Gregorian, days since 1970) ----

struct date {
    int64_t year;
    int month, day;
};

// Years begin in March here, so that a leap day is a year's last.
static struct date date_of(int64_t days)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int from_march = (int)((5 * day_of_year + 2) / 153);
    int month = from_march < 10 ? from_march + 3 : from_march - 9;
    return (struct date){
        .year = year_of_era + era * 400 + (month <= 2),
        .month = month,
        .day = (int)(day_of_year - (153 * from_march + 2) / 5 + 1),
    };
}

static int weekday_of(int64_t days) // 1: Sunday; 1970 began with a Thursday
{
    return (int)((days % 7 + 7 + 4) % 7) + 1;
}

static bool fits(const struct cron *cron, enum cron_field field, int value)
{
    return cron->fits[field] >> value & 1;
}

static bool fits_day(const struct cron *cron, int64_t days)
{
    struct date date = date_of(days);
    return fits(cron, CRON_MONTH, date.month) && fits(cron, CRON_DAY, date.day) &&
           fits(cron, CRON_WEEKDAY, weekday_of(days));
}

// The first value from `from` on; -1: none.
static int first_from(const struct cron *cron, enum cron_field field, int from)
{
    uint64_t left = from < 64 ? cron->fits[field] >> from : 0;
    return left ? from + __builtin_ctzll(left) : -1;
}

// The first second of a day from `from` on; -1: none.
static int64_t first_in_day(const struct cron *cron, int from)
{
    int hour = from / 3600;
    int minute = from / 60 % 60;
    int second = first_from(cron, CRON_SECOND, from % 60);
    if (second < 0) {
        second = first_from(cron, CRON_SECOND, 0);
        minute++;
    }
    int fit_minute = fits(cron, CRON_HOUR, hour) ? first_from(cron, CRON_MINUTE, minute) : -1;
    if (fit_minute == from / 60 % 60) {
        return (int64_t)hour * 3600 + fit_minute * 60 + second;
    }
    second = first_from(cron, CRON_SECOND, 0);
    if (fit_minute >= 0) {
        return (int64_t)hour * 3600 + fit_minute * 60 + second;
    }
    hour = first_from(cron, CRON_HOUR, hour + 1);
    return hour < 0 ? -1 : (int64_t)hour * 3600 + first_from(cron, CRON_MINUTE, 0) * 60 + second;
}

int64_t cron_next(const struct cron *cron, int64_t after_s, long utc_offset_s)
{
    int64_t local = after_s + utc_offset_s + 1;
    int64_t days = local >= 0 ? local / DAY_S : (local - DAY_S + 1) / DAY_S;
    int from = (int)(local - days * DAY_S);
    for (int64_t last = days + YEARS * 366; days < last; days++, from = 0) {
        int64_t in_day = fits_day(cron, days) ? first_in_day(cron, from) : -1;
        if (in_day >= 0) {
            return days * DAY_S + in_day - utc_offset_s;
        }
    }
    return CRON_NEVER;
}

bool cron_failed(struct cron_failures *failures, int64_t now_ms, unsigned most, int64_t window_ms)
{
    failures->at_ms[failures->next] = now_ms;
    failures->next = (failures->next + 1) % CRON_FAILURES_MAX;
    failures->count += failures->count < CRON_FAILURES_MAX;
    unsigned recent = 0;
    for (unsigned i = 0; i < failures->count; i++) {
        recent += now_ms - failures->at_ms[i] < window_ms;
    }
    return recent > most;
}
