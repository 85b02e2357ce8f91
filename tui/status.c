#include "tui/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"

#define SAMPLE_MS 900
#define GAP       2 // columns between two parts of a line

// A stage that "runs" before one that failed has run: nothing is going on.
static bool failed_behind(const struct snapshot *snapshot, int stage)
{
    for (int i = stage + 1; i < SNAPSHOT_STAGES; i++) {
        if (strcmp(snapshot->stages[i].state, "failed") == 0) {
            return true;
        }
    }
    return false;
}

const struct snapshot_stage *snapshot_running_stage(const struct snapshot *snapshot)
{
    for (int i = 0; i < SNAPSHOT_STAGES; i++) {
        if (strcmp(snapshot->stages[i].state, "running") == 0) {
            return failed_behind(snapshot, i) ? NULL : &snapshot->stages[i];
        }
    }
    return NULL;
}

static const char *stage_label(const char *name)
{
    static const char *const labels[] = {
        N_("detect"), N_("python"), N_("install"), N_("build"), N_("start"), N_("healthy"),
    };
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        if (strcmp(labels[i], name) == 0) {
            return _(labels[i]);
        }
    }
    return name;
}

// What is being done, for "… installing".
static const char *stage_activity(const char *name)
{
    static const char *const activities[][2] = {
        {"detect", N_("looking at the project")},
        {"python", N_("looking for Python")},
        {"install", N_("installing")},
        {"build", N_("building")},
        {"start", N_("starting")},
        {"healthy", N_("waiting until it is healthy")},
    };
    for (size_t i = 0; i < ARRAY_LEN(activities); i++) {
        if (strcmp(activities[i][0], name) == 0) {
            return _(activities[i][1]);
        }
    }
    return _("starting");
}

// ---- status line ----

static char *first_line(const char *text)
{
    return str_dup_len(text, strcspn(text, "\n"));
}

static char *starting_text(const struct snapshot *snapshot, bool compact)
{
    const struct snapshot_stage *stage = snapshot_running_stage(snapshot);
    const char *activity = stage ? stage_activity(stage->name) : _("starting");
    if (*snapshot->installing && stage && strcmp(stage->name, "python") == 0) {
        return compact ? str_printf(_("… Python %s"), snapshot->installing)
                       : str_printf(_("… installing Python %s; %s cancels"), snapshot->installing,
                                    keymap_keys_of(ACTION_CANCEL_INSTALL));
    }
    if (*snapshot->url) {
        return str_printf(_("… %s; %s answers when ready"), activity, snapshot->url);
    }
    return str_printf("… %s", activity);
}

static char *loop_text(const struct snapshot *snapshot, bool compact)
{
    char next[9];
    clock_format_hms(snapshot->crash_next_ms, next);
    long long deaths = snapshot->crash_deaths;
    return compact ? str_printf(_("✗ crash loop: %lld deaths"), deaths)
                   : str_printf(_("✗ crash loop: %lld deaths, next try %s; save to try now"),
                                deaths, next);
}

static char *failed_text(const struct snapshot *snapshot, bool compact)
{
    if (snapshot->crash_deaths > 0) {
        return loop_text(snapshot, compact);
    }
    if (*snapshot->install_offer && strcmp(snapshot->failure_stage, "python") == 0) {
        return compact ? str_printf(_("✗ no Python %s"), snapshot->install_offer)
                       : str_printf(_("✗ Python %s is not here; %s installs it"),
                                    snapshot->install_offer, keymap_keys_of(ACTION_INSTALL_PYTHON));
    }
    auto_free char *why = first_line(snapshot->failure);
    if (snapshot->crash_next_ms > 0) { // it has served; the next try is due
        return str_printf(_("✗ down: %s"), why);
    }
    if (*snapshot->failure_rule) {
        return str_printf(_("✗ would not deploy: %s"), why);
    }
    if (*snapshot->failure_stage) {
        return str_printf(_("✗ %s failed: %s"), stage_label(snapshot->failure_stage), why);
    }
    return str_printf("✗ %s", why);
}

// A save has failed, or an instance that should replace another or stands beside others.
static char *keeping_text(const struct snapshot *snapshot, bool compact)
{
    if (!snapshot->failure_is_crash) {
        return compact ? str_dup(_("! save failed; still serving"))
                       : str_printf(_("! last save failed; %s still serving, healthy"),
                                    snapshot->serving_version);
    }
    if (compact) {
        return str_dup(_("! instance failed; still serving"));
    }
    if (snapshot->crash_deaths > 0 && snapshot->crash_next_ms > 0) {
        char next[9];
        clock_format_hms(snapshot->crash_next_ms, next);
        return str_printf(_("! an instance failed %lld times, next try %s; still serving"),
                          (long long)snapshot->crash_deaths, next);
    }
    auto_free char *why = first_line(snapshot->failure);
    return str_printf(_("! still serving, but %s"), why);
}

static char *serving_text(const struct snapshot *snapshot, bool compact, enum style *ret_style)
{
    static const enum style styles[SERVING__COUNT] = {
        [SERVING_STARTING] = STYLE_BUSY, [SERVING_HEALTHY] = STYLE_GOOD,
        [SERVING_KEEPING] = STYLE_BAD,   [SERVING_FAILED] = STYLE_BAD,
        [SERVING_ASLEEP] = STYLE_BUSY,   [SERVING_FORCED] = STYLE_BAD,
        [SERVING_STOPPING] = STYLE_BUSY,
    };
    *ret_style = styles[snapshot->serving];
    switch (snapshot->serving) {
    case SERVING_HEALTHY:
        if (snapshot->check_failures > 0) {
            *ret_style = STYLE_WARN;
            return str_printf(compact ? _("! %lld of %lld checks failed")
                                      : _("! %lld of %lld checks in a row failed; still serving"),
                              (long long)snapshot->check_failures,
                              (long long)snapshot->check_failures_max);
        }
        return snapshot->healthy_ms >= 0
                   ? str_printf(_("● healthy %lld ms"), (long long)snapshot->healthy_ms)
                   : str_dup(_("● healthy"));
    case SERVING_KEEPING:
        return keeping_text(snapshot, compact);
    case SERVING_FAILED:
        return failed_text(snapshot, compact);
    case SERVING_ASLEEP:
        return str_dup(compact ? _("… asleep") : _("… asleep: wakes on a request (P-171)"));
    case SERVING_FORCED:
        return str_dup(compact ? _("! forced to sleep")
                               : _("! forced to sleep, requests get 503 (P-171)"));
    case SERVING_STOPPING:
        return str_dup(_("… stopping"));
    default:
        return starting_text(snapshot, compact);
    }
}

static const char *environment_label(const char *name)
{
    static const char *const labels[][2] = {
        {"development", N_("dev")},
        {"stage", N_("stage")},
        {"production", N_("production")},
    };
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        if (strcmp(labels[i][0], name) == 0) {
            return _(labels[i][1]);
        }
    }
    return name;
}

// "dev CN py3.11.7", and in red a sandbox that is none.
static char *place_text(const struct snapshot *snapshot, enum style *ret_style)
{
    struct buf out = {0};
    bool open = strcmp(snapshot->sandbox_level, "none") == 0;
    *ret_style = open ? STYLE_BAD : STYLE_DIM;
    if (open) {
        buf_addf(&out, "%s ", _("NO SANDBOX"));
    }
    buf_addf(&out, "%s %s", environment_label(snapshot->environment), snapshot->region);
    if (*snapshot->python) {
        buf_addf(&out, " py%s", snapshot->python);
    }
    return buf_steal(&out);
}

void status_draw_serving(struct canvas *canvas, int row, const struct pane_model *model)
{
    const struct snapshot *snapshot = model->snapshot;
    enum style style, place_style;
    auto_free char *text = serving_text(snapshot, model->compact, &style);
    auto_free char *place = place_text(snapshot, &place_style);
    int col = canvas_text_cut(canvas, row, 1, canvas->cols / 2, STYLE_STRONG, snapshot->project);
    if (*snapshot->project) {
        col += model->compact ? GAP : GAP + 1;
    }
    col = canvas_text_cut(canvas, row, col, canvas->cols, style, text);
    if (model->compact) {
        return;
    }
    bool with_url = snapshot->serving == SERVING_HEALTHY && *snapshot->url;
    if (with_url && col + 3 + canvas_text_cols(canvas, snapshot->url) < canvas->cols) {
        col = canvas_text(canvas, row, col + 3, canvas->cols, STYLE_NORMAL, snapshot->url);
    }
    int at = canvas->cols - 1 - canvas_text_cols(canvas, place);
    if (at > col + 1) {
        canvas_text(canvas, row, at, canvas->cols, place_style, place);
    }
}

// ---- pipeline ----

static const struct {
    const char *state;
    const char *mark;
    enum style style;
} stage_marks[] = {
    {"done", "✓", STYLE_GOOD},    {"cached", "✓", STYLE_GOOD}, {"failed", "✗", STYLE_BAD},
    {"running", "▶", STYLE_BUSY}, {"skipped", "–", STYLE_DIM}, {"", "·", STYLE_DIM},
};

static void add_duration(struct buf *out, int64_t ms)
{
    if (ms >= 1000) {
        buf_addf(out, " %.1fs", (double)ms / 1000);
    } else if (ms >= 0) {
        buf_addf(out, " %lldms", (long long)ms);
    }
}

// Which stages show how long they took: the others are too quick to tell anything.
static bool has_duration(const struct snapshot_stage *stage)
{
    return strcmp(stage->name, "install") == 0 || strcmp(stage->name, "build") == 0 ||
           strcmp(stage->name, "start") == 0;
}

static char *stage_text(const struct snapshot *snapshot, const struct snapshot_stage *stage,
                        const char *mark, int64_t wall_ms, bool brief)
{
    struct buf out = {0};
    buf_addf(&out, "%s %s", mark, stage_label(stage->name));
    if (strcmp(stage->state, "cached") == 0 && !brief) {
        buf_addf(&out, " (%s)", _("cached"));
    } else if (strcmp(stage->state, "running") == 0) {
        int64_t since = stage->ms > 0 && wall_ms > stage->ms ? wall_ms - stage->ms : 0;
        buf_addf(&out, " %.1fs", (double)(since / 100) / 10);
    } else if (strcmp(stage->state, "done") == 0 && has_duration(stage) && !brief) {
        add_duration(&out, stage->ms);
    } else if (strcmp(stage->state, "done") == 0 && strcmp(stage->name, "python") == 0 && !brief &&
               snapshot->serving == SERVING_STARTING && *snapshot->python) {
        buf_addf(&out, " %s", snapshot->python);
    } else if (strcmp(stage->state, "failed") == 0 && *stage->detail &&
               snapshot->serving != SERVING_FAILED) { // then the status line says it
        buf_addf(&out, ": %s", stage->detail);
    }
    return buf_steal(&out);
}

static int draw_stages(struct canvas *canvas, int row, const struct pane_model *model, bool brief)
{
    int col = 1;
    for (int i = 0; i < SNAPSHOT_STAGES; i++) {
        struct snapshot_stage shown = model->snapshot->stages[i];
        const struct snapshot_stage *stage = &shown;
        if (strcmp(shown.state, "running") == 0 && failed_behind(model->snapshot, i)) {
            snprintf(shown.state, sizeof shown.state, "done");
            shown.ms = -1; // it was since when
        }
        size_t mark = ARRAY_LEN(stage_marks) - 1;
        for (size_t j = 0; j < ARRAY_LEN(stage_marks); j++) {
            mark = strcmp(stage_marks[j].state, stage->state) == 0 ? j : mark;
        }
        if (!*stage->name) {
            continue;
        }
        auto_free char *text =
            stage_text(model->snapshot, stage, stage_marks[mark].mark, model->wall_ms, brief);
        canvas_text_cut(canvas, row, col, canvas->cols, stage_marks[mark].style, text);
        col += canvas_text_cols(canvas, text) + GAP;
        if (strcmp(stage->state, "failed") == 0) {
            break; // what stands behind it was never reached
        }
    }
    return col - GAP;
}

void status_draw_pipeline(struct canvas *canvas, int row, const struct pane_model *model)
{
    if (draw_stages(canvas, row, model, false) > canvas->cols) {
        canvas_fill(canvas, (struct rect){row, 0, 1, canvas->cols}, STYLE_NORMAL, ' ');
        draw_stages(canvas, row, model, true);
    }
}

// ---- meters ----

// Who serves stands first (the engine's order).
static const struct snapshot_instance *shown_instance(const struct snapshot *snapshot)
{
    return snapshot->instance_count > 0 ? &snapshot->instances[0] : NULL;
}

void meters_sample(struct meters *meters, const struct snapshot *snapshot, int64_t wall_ms)
{
    const struct snapshot_instance *instance = shown_instance(snapshot);
    if (!instance || instance->cpu_permille < 0 || wall_ms - meters->sampled_ms < SAMPLE_MS) {
        return;
    }
    meters->sampled_ms = wall_ms;
    if (meters->count == METER_SAMPLES) {
        memmove(meters->cpu_permille, meters->cpu_permille + 1,
                sizeof(int64_t) * (METER_SAMPLES - 1));
        memmove(meters->memory_permille, meters->memory_permille + 1,
                sizeof(int64_t) * (METER_SAMPLES - 1));
        meters->count--;
    }
    int64_t limit = instance->memory_limit_bytes > 0 ? instance->memory_limit_bytes : 1;
    meters->cpu_permille[meters->count] = instance->cpu_permille;
    meters->memory_permille[meters->count] = instance->memory_bytes * 1000 / limit;
    meters->count++;
}

// The last `cols` samples as bars of a line's height; before the first one the floor.
static void add_sparkline(struct buf *out, const int64_t *permille, int count, int cols)
{
    static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    for (int i = count - cols; i < count; i++) {
        int64_t level = i < 0 ? 0 : permille[i] * 8 / 1001;
        buf_adds(out, bars[level > 7 ? 7 : level < 0 ? 0 : level]);
    }
}

// Parts from the most to the least important; a part that does not fit is left out with all behind
// it.
static int draw_part(struct canvas *canvas, int row, int col, enum style style, const char *text)
{
    int cols = canvas_text_cols(canvas, text);
    if (col < 0 || col + cols > canvas->cols) {
        return -1;
    }
    return canvas_text(canvas, row, col, canvas->cols, style, text) + GAP;
}

static enum style level_style(int64_t used, int64_t limit)
{
    return limit > 0 && used * 10 >= limit * 9  ? STYLE_BAD
           : limit > 0 && used * 4 >= limit * 3 ? STYLE_WARN
                                                : STYLE_NORMAL;
}

static char *disk_text(const struct snapshot_instance *instance)
{
    double used = (double)instance->disk_bytes / (1 << 20);
    return str_printf(_("disk %.1fM/%lldG"), used, (long long)(instance->disk_limit_bytes >> 30));
}

// The rate, and behind it, where there is room, the latency.
static int draw_traffic(struct canvas *canvas, int row, int col, const struct snapshot *snapshot)
{
    int64_t rate = snapshot->requests_per_second_x10;
    auto_free char *text = rate % 10 && rate < 100
                               ? str_printf(_("req %.1f/s"), (double)rate / 10)
                               : str_printf(_("req %lld/s"), (long long)rate / 10);
    auto_free char *latency =
        snapshot->latency_p50_us >= 1000
            ? str_printf("p50 %lldms", (long long)snapshot->latency_p50_us / 1000)
            : str_dup("p50 <1ms");
    col = draw_part(canvas, row, col, STYLE_NORMAL, text);
    if (col > 0 && snapshot->latency_p50_us > 0) {
        col = draw_part(canvas, row, col - 1, STYLE_NORMAL, latency);
    }
    return col;
}

// Of several instances: how many serve, beside the name of the one whose figures follow.
static int draw_group(struct canvas *canvas, int row, int col, const struct snapshot *snapshot)
{
    if (snapshot->group_size < 2) {
        return col;
    }
    bool all = snapshot->group_serving >= snapshot->group_size;
    auto_free char *text = str_printf(_("%lld of %lld"), (long long)snapshot->group_serving,
                                      (long long)snapshot->group_size);
    return draw_part(canvas, row, col - 1, all ? STYLE_DIM : STYLE_WARN, text);
}

// The others, as far as there is room.
static void draw_others(struct canvas *canvas, int row, int col, const struct snapshot *snapshot)
{
    for (int64_t i = 1; i < snapshot->group_serving && i < snapshot->instance_count; i++) {
        const struct snapshot_instance *at = &snapshot->instances[i];
        auto_free char *text =
            at->cpu_permille < 0
                ? str_dup(at->name)
                : str_printf("%s %lld%% %lldM", at->name, (long long)(at->cpu_permille + 5) / 10,
                             (long long)(at->memory_bytes >> 20));
        col = draw_part(canvas, row, col, level_style(at->memory_bytes, at->memory_limit_bytes),
                        text);
    }
}

static void draw_figures(struct canvas *canvas, int row, const struct snapshot *snapshot,
                         const struct snapshot_instance *instance, const struct meters *meters)
{
    struct buf cpu = {0};
    buf_addf(&cpu, "%s ", _("cpu"));
    add_sparkline(&cpu, meters->cpu_permille, meters->count, 4);
    if (instance->cpu_permille >= 0) {
        buf_addf(&cpu, " %2lld%%", (long long)(instance->cpu_permille + 5) / 10);
    } else {
        buf_adds(&cpu, "  –%"); // the first reading tells no rate
    }
    struct buf memory = {0};
    buf_addf(&memory, "%s ", _("mem"));
    add_sparkline(&memory, meters->memory_permille, meters->count, 3);
    if (instance->memory_bytes > 0) {
        buf_addf(&memory, " %3lld", (long long)(instance->memory_bytes >> 20));
    } else {
        buf_adds(&memory, "   –"); // not read yet
    }
    buf_addf(&memory, "/%lldM", (long long)(instance->memory_limit_bytes >> 20));
    auto_free char *cpu_text = buf_steal(&cpu);
    auto_free char *memory_text = buf_steal(&memory);
    auto_free char *disk = disk_text(instance);
    auto_free char *lines = str_printf(_("log %lld/%lld"), (long long)instance->log_lines_minute,
                                       (long long)instance->log_limit_minute);
    int col = draw_part(canvas, row, 1, STYLE_STRONG, instance->name);
    col = draw_group(canvas, row, col, snapshot);
    col = draw_part(canvas, row, col, STYLE_NORMAL, cpu_text);
    col = draw_part(canvas, row, col,
                    level_style(instance->memory_bytes, instance->memory_limit_bytes), memory_text);
    col = draw_part(canvas, row, col, level_style(instance->disk_bytes, instance->disk_limit_bytes),
                    disk);
    col = draw_part(canvas, row, col,
                    level_style(instance->log_lines_minute, instance->log_limit_minute), lines);
    col = draw_traffic(canvas, row, col, snapshot);
    draw_others(canvas, row, col, snapshot);
}

// While a build runs its last words stand here.
// The stage whose output that is; NULL: none.
static const char *progress_stage(const struct snapshot *snapshot)
{
    static const char *const talkative[] = {"python", "install", "build"};
    const struct snapshot_stage *stage = snapshot_running_stage(snapshot);
    if (*snapshot->last_output == '\0') {
        return NULL;
    }
    for (size_t i = 0; stage && i < ARRAY_LEN(talkative); i++) {
        if (strcmp(stage->name, talkative[i]) == 0) {
            return talkative[i];
        }
    }
    return *snapshot->installing ? "python" : NULL; // beside a version that serves
}

static void draw_progress(struct canvas *canvas, int row, const struct snapshot *snapshot,
                          const char *stage)
{
    int col = canvas_text(canvas, row, 1, canvas->cols, STYLE_STRONG, stage_label(stage));
    auto_free char *count = snapshot->pip_collected > 0
                                ? str_printf(_("%lld packages"), (long long)snapshot->pip_collected)
                                : str_dup("");
    int count_cols = canvas_text_cols(canvas, count);
    const char *output = snapshot->last_output;
    output += strspn(output, " ");
    int end = canvas->cols - 1 - (count_cols ? count_cols + GAP : 0);
    canvas_text_cut(canvas, row, col + GAP, end, STYLE_NORMAL, output);
    canvas_text(canvas, row, canvas->cols - 1 - count_cols, canvas->cols, STYLE_DIM, count);
}

void status_draw_meters(struct canvas *canvas, int row, const struct pane_model *model,
                        const struct meters *meters)
{
    const struct snapshot *snapshot = model->snapshot;
    const struct snapshot_instance *instance = shown_instance(snapshot);
    const char *stage = progress_stage(snapshot);
    if (stage) {
        draw_progress(canvas, row, snapshot, stage);
    } else if (instance && snapshot->serving != SERVING_FAILED &&
               (instance->cpu_permille >= 0 || strcmp(instance->state, "healthy") == 0)) {
        draw_figures(canvas, row, snapshot, instance, meters);
    } else if (instance && *instance->asked) {
        int col = draw_part(canvas, row, 1, STYLE_STRONG, instance->name);
        auto_free char *asked = str_printf(_("asked for %s"), instance->asked);
        draw_part(canvas, row, col, STYLE_NORMAL, asked);
    }
}

void status_draw_compact_meters(struct canvas *canvas, int row, const struct pane_model *model)
{
    const struct snapshot *snapshot = model->snapshot;
    const struct snapshot_instance *instance = shown_instance(snapshot);
    const char *stage = progress_stage(snapshot);
    if (stage && *snapshot->installing) {
        draw_progress(canvas, row, snapshot, stage);
        return;
    }
    if (!instance) {
        return;
    }
    auto_free char *rate =
        str_printf(_("req %lld/s"), (long long)snapshot->requests_per_second_x10 / 10);
    auto_free char *memory =
        str_printf(_("mem %lld/%lldM"), (long long)instance->memory_bytes >> 20,
                   (long long)instance->memory_limit_bytes >> 20);
    auto_free char *lines = str_printf(_("log %lld/%lld"), (long long)instance->log_lines_minute,
                                       (long long)instance->log_limit_minute);
    int col = draw_part(canvas, row, 1, STYLE_NORMAL, rate);
    col = draw_part(canvas, row, col,
                    level_style(instance->memory_bytes, instance->memory_limit_bytes), memory);
    draw_part(canvas, row, col, STYLE_NORMAL, lines);
}

// ---- summary and footer ----

static void add_counted(struct buf *out, int64_t count, const char *one, const char *many)
{
    if (out->len > 0) {
        buf_adds(out, " · ");
    }
    buf_addf(out, "%lld %s", (long long)count, count == 1 ? one : many);
}

static void add_saves(struct buf *out, const struct snapshot *snapshot)
{
    if (snapshot->saves > 0) {
        add_counted(out, snapshot->saves, _("save"), _("saves"));
    }
    if (snapshot->serving == SERVING_KEEPING) {
        buf_addf(out, " · %s", _("last failed"));
    } else if (snapshot->saves > 0 && snapshot->last_reload_ms > 0) {
        buf_addf(out, _(" · last %lld ms"), (long long)snapshot->last_reload_ms);
    }
    add_counted(out, snapshot->requests_lost, _("request lost"), _("requests lost"));
}

void status_draw_summary(struct canvas *canvas, int row, const struct pane_model *model)
{
    const struct snapshot *snapshot = model->snapshot;
    struct buf out = {0};
    if (snapshot->requests_held > 0) {
        add_counted(&out, snapshot->requests_held,
                    _("request held until the first version answers"),
                    _("requests held until the first version answers"));
    } else if (snapshot->saves > 0 || snapshot->requests_total > 0) {
        add_saves(&out, snapshot);
    }
    if (snapshot->deviations > 0) {
        add_counted(&out, snapshot->deviations, _("deviation"), _("deviations"));
    }
    if (snapshot->warnings > 0) {
        add_counted(&out, snapshot->warnings, _("warning"), _("warnings"));
    }
    auto_free char *text = buf_steal(&out);
    canvas_text_cut(canvas, row, 1, canvas->cols, STYLE_DIM, text);
}

static int footer_item_cols(const struct canvas *canvas, const struct key_row *row)
{
    int key_cols = (int)strcspn(row->keys, " ");
    return key_cols + 1 + canvas_text_cols(canvas, _(row->label));
}

// The rank up to which everything fits.
static int footer_rank(const struct canvas *canvas, const struct key_row *rows, size_t count,
                       unsigned maps)
{
    int best = 0;
    for (int rank = 1; rank <= 9; rank++) {
        int cols = 1;
        for (size_t i = 0; i < count; i++) {
            if (rows[i].rank > 0 && rows[i].rank <= rank && (rows[i].map & maps)) {
                cols += footer_item_cols(canvas, &rows[i]) + GAP;
            }
        }
        best = cols - GAP <= canvas->cols ? rank : best;
    }
    return best;
}

void status_draw_footer(struct canvas *canvas, int row, unsigned maps)
{
    size_t count;
    const struct key_row *rows = keymap_rows(&count);
    int rank = footer_rank(canvas, rows, count, maps);
    int col = 1;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].rank == 0 || rows[i].rank > rank || !(rows[i].map & maps)) {
            continue;
        }
        auto_free char *key = str_dup_len(rows[i].keys, strcspn(rows[i].keys, " "));
        col = canvas_text(canvas, row, col, canvas->cols, STYLE_KEY, key);
        col = canvas_text(canvas, row, col + 1, canvas->cols, STYLE_NORMAL, _(rows[i].label));
        col += GAP;
    }
}
