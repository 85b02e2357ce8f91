#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/engine/internal.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/json.h"

static const char *const stage_names[STAGE__COUNT] = {"detect", "python", "install",
                                                      "build",  "start",  "healthy"};

const char *stage_name(enum stage stage)
{
    return stage_names[stage];
}

void touch(struct engine *engine)
{
    if (engine->server) {
        server_touch_snapshot(engine->server);
    }
}

struct event event_new(enum event_kind kind)
{
    return (struct event){
        .kind = kind, .wall_ms = clock_wall_ms(), .ms = -1, .status = -1, .count = -1, .bytes = -1};
}

// The journal holds every event, in order with the app's lines; clients that asked get it at once
// too.
void announce(struct engine *engine, struct event *event)
{
    if (engine->journal) {
        struct cJSON *tree = event_encode(event);
        auto_free char *text = json_print(tree);
        json_free(tree);
        journal_append(engine->journal, event->wall_ms, JOURNAL_EVENT, 0,
                       event->stage ? event->stage : "", text, strlen(text));
        journal_flush(engine->journal);
        server_touch_journal(engine->server);
    }
    server_event(engine->server, event);
    touch(engine);
}

void announce_stage(struct engine *engine, enum stage stage, const char *state, int64_t ms,
                    const char *detail)
{
    struct stage_state *slot = &engine->stages[stage];
    slot->state = state;
    slot->ms = strcmp(state, "running") == 0 ? clock_wall_ms() : ms;
    snprintf(slot->detail, sizeof slot->detail, "%s", detail ? detail : "");
    struct event event = event_new(EVENT_STAGE);
    event.stage = (char *)(uintptr_t)stage_name(stage);
    event.state = (char *)(uintptr_t)state;
    event.text = (char *)(uintptr_t)detail;
    event.ms = ms;
    announce(engine, &event);
}

void announce_notice(struct engine *engine, const char *severity, const char *rule,
                     const char *cloud, const char *mend, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    auto_free char *text = str_vprintf(format, args);
    va_end(args);
    struct event event = event_new(EVENT_NOTICE);
    event.severity = (char *)(uintptr_t)severity;
    event.rule = (char *)(uintptr_t)rule;
    event.cloud = (char *)(uintptr_t)cloud;
    event.mend = (char *)(uintptr_t)mend;
    event.text = text;
    announce(engine, &event);
}

// What is counted and how it is known again: "2 leanengine.yaml:1: systemDependencies: ...". The
// severity comes first.
static char *key_of(const struct diagnostic *item)
{
    return str_printf("%d %s:%d: %s", (int)item->severity, item->file ? item->file : "", item->line,
                      item->text);
}

static void count(struct engine *engine, int severity, int change)
{
    engine->deviations += severity == DIAGNOSTIC_DEVIATION ? change : 0;
    engine->warnings += severity >= DIAGNOSTIC_WARNING ? change : 0;
}

void announce_diagnostic(struct engine *engine, const struct diagnostic *item)
{
    static const char *const severities[] = {"note", "deviation", "warning", "error"};
    count(engine, item->severity, 1);
    const char *severity = severities[item->severity];
    if (item->file && item->line && item->column) {
        announce_notice(engine, severity, item->rule, NULL, item->hint, "%s:%d:%d: %s", item->file,
                        item->line, item->column, item->text);
    } else if (item->file && item->line) {
        announce_notice(engine, severity, item->rule, NULL, item->hint, "%s:%d: %s", item->file,
                        item->line, item->text);
    } else if (item->file) {
        announce_notice(engine, severity, item->rule, NULL, item->hint, "%s: %s", item->file,
                        item->text);
    } else {
        announce_notice(engine, severity, item->rule, NULL, item->hint, "%s", item->text);
    }
}

void announce_diagnostics(struct engine *engine, enum told told,
                          const struct diagnostics *diagnostics)
{
    struct strlist now = {0};
    struct strlist *before = &engine->told[told];
    for (size_t i = 0; i < diagnostics->count; i++) {
        auto_free char *key = key_of(&diagnostics->items[i]);
        if (strlist_contains(&now, key)) {
            continue;
        }
        if (!strlist_contains(before, key)) {
            announce_diagnostic(engine, &diagnostics->items[i]);
        }
        strlist_add(&now, key);
    }
    for (size_t i = 0; i < before->count; i++) {
        if (!strlist_contains(&now, before->items[i])) {
            count(engine, before->items[i][0] - '0', -1);
        }
    }
    strlist_clear(before);
    *before = now;
}

static void announce_line(struct engine *engine, const char *text)
{
    struct event event = event_new(EVENT_CLOUD);
    event.cloud = (char *)(uintptr_t)text;
    announce(engine, &event);
}

// The deploy log as the console would show it (P-231): where somebody checks a deploy.
void announce_cloud(struct engine *engine, const char *format, ...)
{
    if (engine->mode != MODE_VERIFY) {
        return;
    }
    va_list args;
    va_start(args, format);
    auto_free char *text = str_vprintf(format, args);
    va_end(args);
    announce_line(engine, text);
}

static bool speaks_english(const struct engine *engine)
{
    return strcmp(environment_region_code(engine->options.region), "CN") != 0;
}

void announce_cloud_either(struct engine *engine, const char *chinese, const char *english, ...)
{
    if (engine->mode != MODE_VERIFY) {
        return;
    }
    va_list args;
    va_start(args, english);
    auto_free char *text =
        speaks_english(engine) ? str_vprintf(english, args) : str_vprintf(chinese, args);
    va_end(args);
    announce_line(engine, text);
}

void announce_cloud_always(struct engine *engine, const char *chinese, const char *english)
{
    announce_line(engine, speaks_english(engine) ? english : chinese);
}
