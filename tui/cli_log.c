#include "tui/cli_log.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "tui/text.h"

#define ON_GREEN "\033[37;42m"
#define ON_RED   "\033[37;41m"
#define RESET    "\033[0m"

// "15:04:05" if it is today's, else with its date (P-125).
static void put_time(char *out, size_t size, int64_t wall_ms, int64_t now_wall_ms)
{
    time_t at = (time_t)(wall_ms / 1000);
    time_t now = (time_t)(now_wall_ms / 1000);
    struct tm parts = {0};
    struct tm today = {0};
    localtime_r(&at, &parts);
    localtime_r(&now, &today);
    bool same = parts.tm_year == today.tm_year && parts.tm_yday == today.tm_yday;
    strftime(out, size, same ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &parts);
}

char *cli_log_text(const struct journal_record *record, int64_t now_wall_ms, bool color)
{
    char time[32] = "";
    put_time(time, sizeof time, record->wall_ms, now_wall_ms);
    auto_free char *content =
        color ? text_colored(record->text, record->len) : text_plain(record->text, record->len);
    const char *paint = record->stream == JOURNAL_OUT ? ON_GREEN : ON_RED;
    return str_printf("%s %s %s %s %s\r\n", *record->source ? record->source : "    ",
                      color ? paint : "", time, color ? RESET : "", content);
}

char *cli_log_json(const struct journal_record *record)
{
    bool out = record->stream == JOURNAL_OUT;
    time_t at = (time_t)(record->wall_ms / 1000);
    struct tm parts = {0};
    char seconds[32] = "";
    gmtime_r(&at, &parts);
    strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts);
    auto_free char *time = str_printf("%s.%03dZ", seconds, (int)(record->wall_ms % 1000));
    auto_free char *content = text_plain(record->text, record->len);
    auto_free char *id = str_printf("%llx-%llx", (unsigned long long)record->wall_ms,
                                    (unsigned long long)record->seq);
    struct cJSON *object = json_new_object();
    json_put_string(object, "instanceName", record->source);
    json_put_string(object, "content", content);
    json_put_string(object, "type", out ? "info" : "error"); // P-121
    json_put_string(object, "time", time);
    json_put_string(object, "groupName", "web");
    json_put_int(object, "prod", 1);
    json_put_string(object, "stream", out ? "stdout" : "stderr");
    json_put_string(object, "id", id);
    auto_free char *line = json_print(object);
    json_free(object);
    return str_printf("%s\n", line);
}

// "Z", "+08:00"; seconds east of UTC.
static bool read_zone(const char *text, long *ret_offset_s)
{
    int hours, minutes;
    char sign, rest;
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) {
        *ret_offset_s = 0;
        return true;
    }
    if (sscanf(text, "%c%2d:%2d%c", &sign, &hours, &minutes, &rest) != 3 || strlen(text) != 6 ||
        (sign != '+' && sign != '-') || hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
        return false;
    }
    *ret_offset_s = (sign == '-' ? -1 : 1) * (hours * 3600L + minutes * 60L);
    return true;
}

bool cli_log_time(const char *text, bool ends, int64_t *ret_wall_ms)
{
    struct tm parts = {.tm_isdst = -1};
    const char *rest = strptime(text, "%Y-%m-%d", &parts);
    long offset_s;
    if (!rest) {
        return false;
    }
    if (!*rest) {
        parts.tm_mday += ends;
        *ret_wall_ms = (int64_t)mktime(&parts) * 1000;
        return true;
    }
    rest = *rest == 'T' || *rest == 't' ? strptime(rest + 1, "%H:%M:%S", &parts) : NULL;
    if (!rest) {
        return false;
    }
    int64_t ms = 0;
    if (*rest == '.') {
        int64_t weight = 100;
        for (rest++; isdigit((unsigned char)*rest); rest++, weight /= 10) {
            ms += (*rest - '0') * weight;
        }
    }
    if (!read_zone(rest, &offset_s)) {
        return false;
    }
    parts.tm_isdst = 0;
    *ret_wall_ms = ((int64_t)timegm(&parts) - offset_s) * 1000 + ms;
    return true;
}
