// Plans as text: for explain, goldens, and the names of operations in errors.
#include "sandbox/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"

static const char *const kind_names[PLAN_KIND__COUNT] = {
#define OPERATION(kind, name, function) [PLAN_##kind] = name,
#include "sandbox/operations.def"
#undef OPERATION
};

static const char *const stage_titles[PLAN_STAGE__COUNT] = {
    [PLAN_PARENT] = "outside",
    [PLAN_BUILD] = "init builds, then parks",
    [PLAN_GO] = "init, when told which version",
    [PLAN_COMMAND] = "the command's process, before exec",
};

const char *plan_kind_name(enum plan_kind kind)
{
    return kind < PLAN_KIND__COUNT ? kind_names[kind] : "?";
}

static const struct {
    unsigned flag;
    const char *text;
} flag_texts[] = {
    {PLAN_READ_ONLY_FLAG, "read-only"},
    {PLAN_OPTIONAL, "if possible"},
    {PLAN_DEVICE, "device"},
    {PLAN_OWNED, "owned"},
};

// snprintf() into the rest of a buffer whose text may already be cut.
__attribute__((format(printf, 3, 4))) static void append(char *out, size_t size, const char *format,
                                                         ...)
{
    size_t len = strlen(out);
    va_list args;
    va_start(args, format);
    vsnprintf(out + len, size - len, format, args);
    va_end(args);
}

void plan_op_text(const struct plan_op *op, char *out, size_t size)
{
    out[0] = '\0';
    append(out, size, "%s", plan_kind_name(op->kind));
    if (op->target) {
        append(out, size, " %s", op->target);
    }
    if (op->source) {
        append(out, size, " %s %s", op->kind == PLAN_SYMLINK ? "->" : "<-", op->source);
    }
    if (op->text) {
        append(out, size, ": %s", op->text);
    }
    if (op->kind == PLAN_FILE) {
        append(out, size, " %zu bytes", op->byte_count);
    }
    if (op->size) {
        append(out, size, " size=%llu", (unsigned long long)op->size);
    }
    if (op->mode) {
        append(out, size, " %04o", (unsigned)op->mode);
    }
    for (size_t i = 0; i < ARRAY_LEN(flag_texts); i++) {
        if (op->flags & flag_texts[i].flag) {
            append(out, size, " (%s)", flag_texts[i].text);
        }
    }
}

static char *plan_print(const struct plan *plan)
{
    struct buf text = {.max = 1 << 20};
    buf_addf(&text, "level: %s\n", sandbox_level_name(plan->level));
    int stage = -1;
    for (size_t i = 0; i < plan->count; i++) {
        char line[1024];
        if ((int)plan->ops[i].stage != stage) {
            stage = (int)plan->ops[i].stage;
            buf_addf(&text, "%s:\n", stage_titles[stage]);
        }
        plan_op_text(&plan->ops[i], line, sizeof line);
        buf_addf(&text, "  %s\n", line);
    }
    return buf_steal(&text);
}

char *sandbox_plan_text(const struct sandbox_spec *spec, const struct sandbox_host *host)
{
    struct error error = {0};
    struct plan *plan = plan_new(spec, host, &error);
    if (!plan) {
        return str_dup(error.message);
    }
    char *text = plan_print(plan);
    plan_free(plan);
    return text;
}
