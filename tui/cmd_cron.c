// cron: whether a timer's expression is one, and when it is due next in the region's zone. The
// engine that is asked only looks.

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "tui/command.h"
#include "tui/commands.h"

#define CALL_LIMIT_MS 10000

static void print_time(int64_t at_s, int64_t offset_s)
{
    static const char *const weekdays[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};
    char text[32];
    time_t local = at_s + offset_s;
    struct tm tm;
    gmtime_r(&local, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
    int64_t left_s = at_s - clock_wall_ms() / 1000;
    if (left_s >= INT64_C(2) * 86400) {
        printf(_("  %s %s   in %lld days\n"), text, weekdays[tm.tm_wday],
               (long long)left_s / 86400);
    } else {
        printf(_("  %s %s   in %lld:%02lld:%02lld\n"), text, weekdays[tm.tm_wday],
               (long long)left_s / 3600, (long long)left_s / 60 % 60, (long long)left_s % 60);
    }
}

static void print_timer(const struct cJSON *timer, const char *zone, int64_t offset_s)
{
    const char *name = json_get_string(timer, "name");
    if (name) {
        printf(_("%s: %s at %s  (%s)\n"), name, json_get_string(timer, "function"),
               json_get_string(timer, "cron"), zone);
    } else {
        printf("%s  (%s)\n", json_get_string(timer, "cron"), zone);
    }
    const struct cJSON *times = json_get(timer, "next");
    for (const struct cJSON *item = json_first(times); item; item = json_next(item)) {
        print_time(strtoll(json_string(item), NULL, 10), offset_s);
    }
}

static void print_answer(const struct cJSON *reply)
{
    const struct cJSON *timers = json_get(reply, "timers");
    if (json_count(timers) == 0) {
        fputs(_("leanlocal: no timers in .leanlocal.yaml (`cron:`)\n"), stderr);
    }
    for (const struct cJSON *timer = json_first(timers); timer; timer = json_next(timer)) {
        print_timer(timer, json_get_string(reply, "zone"), json_get_int(reply, "offset_s", 0));
    }
}

static void print_json(struct cJSON *reply)
{
    json_remove(reply, "reply");
    json_remove(reply, "ok");
    auto_free char *text = json_print(reply);
    printf("%s\n", text);
}

int cmd_cron(struct command *command)
{
    struct error error = {0};
    struct engine_link link;
    if (engine_link_start(&link, command, "explain", false, false, &error) < 0) {
        return command_fail(&error);
    }
    struct cJSON *message = json_new_object();
    json_put_string(message, "command", "cron");
    json_put_string(message, "expression", command->words.count ? command->words.items[0] : NULL);
    struct cJSON *reply = NULL;
    int code = 0;
    if (client_call(link.client, message, CALL_LIMIT_MS, &reply, &error) < 0) {
        code = command_fail(&error);
    } else if (str_equal(command_text(command, "format"), "json")) {
        print_json(reply);
    } else {
        print_answer(reply);
    }
    json_free(reply);
    engine_link_end(&link);
    return code;
}
