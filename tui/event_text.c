// An event's sentence, for the plain printer and the Logs pane alike: one function a kind, one
// table.
#include "tui/plain.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "tui/text.h"

#define SENTENCE_MAX 16384
#define REASON_COLS  7 // of "rule", "cloud", "mend" and the blanks behind them

static void add_duration(struct buf *out, int64_t ms)
{
    if (ms < 0) {
        return;
    }
    if (ms < 1000) {
        buf_addf(out, _(" in %lld ms"), (long long)ms);
    } else {
        buf_addf(out, _(" in %.1f s"), (double)ms / 1000);
    }
}

static bool is_state(const struct event *event, const char *state)
{
    return str_equal(event->state, state);
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

// The cloud's sentence, the rule and the way out stand on lines of their own below the fact.
static void add_reason(struct buf *out, const char *label, const char *text)
{
    if (str_empty(text)) {
        return;
    }
    buf_addf(out, "\n  %s", label);
    int cols = text_cols(label);
    buf_addf(out, "%*s", REASON_COLS > cols ? REASON_COLS - cols : 1, "");
    for (const char *at = text;;) { // further lines of one reason stay below its first
        size_t len = strcspn(at, "\n");
        buf_add(out, at, len);
        at += len + strspn(at + len, "\n");
        if (!*at) {
            return;
        }
        buf_addf(out, "\n  %*s", REASON_COLS, "");
    }
}

static void add_reasons(struct buf *out, const struct event *event)
{
    add_reason(out, _("rule"), event->rule);
    add_reason(out, _("cloud"), event->cloud);
    add_reason(out, _("mend"), event->mend);
}

static bool engine_text(const struct event *event, struct buf *out)
{
    if (!str_empty(event->text)) {
        return buf_adds(out, event->text);
    }
    return is_state(event, "stopping") && buf_adds(out, _("stopping"));
}

// Stage names as people read them; unknown ones as they come.
static const char *stage_label(const char *stage)
{
    static const char *const names[] = {
        N_("detect"), N_("python"), N_("install"), N_("build"), N_("start"), N_("healthy"),
    };
    for (size_t i = 0; stage && i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], stage) == 0) {
            return _(names[i]);
        }
    }
    return or_empty(stage);
}

static const struct {
    const char *state;
    const char *format; // %s: the stage
} stage_states[] = {
    {"running", "%s"},           {"done", N_("%s done")},
    {"cached", N_("%s cached")}, {"skipped", N_("%s: nothing to do")},
    {"failed", N_("%s failed")},
};

static bool stage_text(const struct event *event, struct buf *out)
{
    // The start and health of an instance have events of their own.
    if (str_equal(event->stage, "start") || str_equal(event->stage, "healthy")) {
        return false;
    }
    bool is_fact = str_equal(event->stage, "detect") || str_equal(event->stage, "python");
    if (is_fact && !str_empty(event->text) && !is_state(event, "failed")) {
        bool is_sentence = str_starts_with(event->text, "Python ");
        return is_sentence ? buf_adds(out, event->text)
                           : buf_addf(out, "%s %s", stage_label(event->stage), event->text);
    }
    bool says_nothing = is_state(event, "running") && (is_fact || str_empty(event->text));
    if (is_state(event, "skipped") || says_nothing) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(stage_states); i++) {
        if (is_state(event, stage_states[i].state)) {
            const char *label = stage_label(event->stage);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            buf_addf(out, _(stage_states[i].format), label);
#pragma GCC diagnostic pop
        }
    }
    if (is_state(event, "done") || is_state(event, "failed")) {
        add_duration(out, event->ms);
    }
    if (!str_empty(event->text)) {
        buf_addf(out, ": %s", event->text);
    }
    return out->len > 0;
}

static bool instance_text(const struct event *event, struct buf *out)
{
    if (is_state(event, "starting")) {
        return buf_addf(out, _("%s version %s"), or_empty(event->instance),
                        or_empty(event->version));
    }
    if (str_empty(event->text)) {
        return false;
    }
    return buf_addf(out, "%s %s", or_empty(event->instance), event->text);
}

static bool probe_text(const struct event *event, struct buf *out)
{
    if (is_state(event, "not-yet")) {
        return false;
    }
    buf_addf(out, "%s %s", or_empty(event->instance), or_empty(event->path));
    if (event->status > 0) {
        buf_addf(out, " %lld", (long long)event->status);
    }
    add_duration(out, event->ms);
    buf_addf(out, ": %s", is_state(event, "healthy") ? _("healthy") : _("failed"));
    if (!is_state(event, "healthy") && !str_empty(event->text)) {
        buf_addf(out, ", %s", event->text);
    }
    return true;
}

static bool ready_text(const struct event *event, struct buf *out)
{
    buf_adds(out, !str_empty(event->version) ? event->version : _("ready"));
    add_duration(out, event->ms);
    if (!str_empty(event->text)) {
        buf_addf(out, "  %s", event->text);
    }
    return true;
}

static bool save_text(const struct event *event, struct buf *out)
{
    return buf_adds(out, or_empty(event->text ? event->text : event->path));
}

static bool failed_text(const struct event *event, struct buf *out)
{
    if (!str_empty(event->stage)) {
        buf_addf(out, "%s: ", stage_label(event->stage));
    }
    buf_adds(out, or_empty(event->text));
    if (!str_empty(event->version)) {
        buf_addf(out, _("; %s keeps serving"), event->version);
    }
    add_reasons(out, event);
    return true;
}

static bool notice_text(const struct event *event, struct buf *out)
{
    static const char *const severities[] = {N_("deviation"), N_("warning"), N_("error")};
    for (size_t i = 0; i < ARRAY_LEN(severities); i++) {
        if (str_equal(event->severity, severities[i])) {
            buf_addf(out, "%s: ", _(severities[i]));
        }
    }
    buf_adds(out, or_empty(event->text));
    add_reasons(out, event);
    return true;
}

static bool gateway_text(const struct event *event, struct buf *out)
{
    return !str_empty(event->text) && buf_addf(out, _("listening on %s"), event->text);
}

static bool cloud_text(const struct event *event, struct buf *out)
{
    return !str_empty(event->cloud) && buf_adds(out, event->cloud);
}

static bool done_text(const struct event *event, struct buf *out)
{
    return !str_empty(event->text) && buf_adds(out, event->text);
}

// NULL: not a line of its own (how the cloud came to its state is in the panes).
static bool (*const texts[EVENT__COUNT])(const struct event *, struct buf *) = {
    [EVENT_ENGINE] = engine_text, [EVENT_STAGE] = stage_text,   [EVENT_INSTANCE] = instance_text,
    [EVENT_PROBE] = probe_text,   [EVENT_READY] = ready_text,   [EVENT_SAVE] = save_text,
    [EVENT_FAILED] = failed_text, [EVENT_NOTICE] = notice_text, [EVENT_GATEWAY] = gateway_text,
    [EVENT_CLOUD] = cloud_text,   [EVENT_DONE] = done_text,
};

bool plain_format_event(const struct event *event, char **ret_text)
{
    struct buf out = {.max = SENTENCE_MAX};
    if (event->kind >= EVENT__COUNT || !texts[event->kind] || !texts[event->kind](event, &out)) {
        buf_release(&out);
        return false;
    }
    *ret_text = buf_steal(&out);
    return true;
}

const char *plain_event_prefix(const struct event *event)
{
    if (event->kind == EVENT_STAGE) {
        return "build";
    }
    return event_kind_prefix(event->kind);
}
