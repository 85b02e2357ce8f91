// Of one key in the cache: is it there, is it being made, or is it ours to make? And its
// publishing, which a helper does: measuring and removing take as long as a disk takes.

#include <string.h>
#include <unistd.h>

#include "emulator/build/internal.h"
#include "emulator/control/protocol.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"

#define LOCK_POLL_MS 100

// As long as it is used nobody prunes it.
static void keep_lease(struct build *build, struct store_slot *slot)
{
    struct build_leases one = {.fds = mem_alloc(sizeof *one.fds), .count = 1};
    one.fds[0] = slot->lease_fd;
    slot->lease_fd = -1;
    build_leases_move(&build->result.leases, &one);
}

static void wait_for_other(struct build *build)
{
    struct claim *claim = &build->claim;
    if (!claim->told_waiting) {
        auto_free char *holder = store_slot_holder(claim->slot);
        auto_free char *line =
            str_printf(_("another build makes the same now (%s); waiting for it"), holder);
        build_tell_line(build, BUILD_OUTPUT_NOTE, line);
        claim->told_waiting = true;
    }
    loop_timer_restart(build->timer, LOCK_POLL_MS);
}

// The lease comes first: what is complete then stays.
static void try_claim(void *context)
{
    struct build *build = context;
    struct store_slot *slot = build->claim.slot;
    struct error error = {0};
    auto_free char *holder =
        str_printf("%s, pid %d", build->project ? build->project : "", (int)getpid());
    int leased = build->cancelled ? -1 : store_slot_lease(slot, &error);
    int held = leased > 0 ? store_slot_lock(slot, holder, &error) : leased;
    if (leased < 0 || held < 0) {
        build_fail(build, &error);
        return;
    }
    if (!leased) { // somebody looks at it, or has just removed it
        loop_timer_restart(build->timer, LOCK_POLL_MS);
        return;
    }
    struct cJSON *record = NULL;
    enum store_state state = store_slot_look(slot, &record);
    if (state == STORE_COMPLETE) {
        store_slot_unlock(slot);
        keep_lease(build, slot);
        build->claim.found(build, record);
    } else if (held) {
        if (state == STORE_DAMAGED) {
            build_tell_line(build, BUILD_OUTPUT_NOTE,
                            _("what the cache holds is damaged or unfinished; it is made anew"));
        }
        build->claim.make(build);
    } else {
        wait_for_other(build);
    }
    json_free(record);
}

void build_claim(struct build *build, struct store_slot *slot,
                 void (*found)(struct build *build, const struct cJSON *record),
                 void (*make)(struct build *build))
{
    build->claim = (struct claim){.slot = slot, .found = found, .make = make};
    loop_source_free(build->timer);
    build->timer = loop_add_timer(build->loop, 0, try_claim, build);
}

// ---- publishing ----

struct cJSON *build_take_answer(struct build *build, struct error *ret_error)
{
    struct cJSON *tree = build->answer.len
                             ? json_parse(build->answer.data, build->answer.len, "@cache", NULL)
                             : NULL;
    buf_release(&build->answer);
    if (!tree) {
        error_set(ret_error, ERROR_SYSTEM, _("the helper of the cache ended early"));
        return NULL;
    }
    if (json_get(tree, "error")) {
        error_decode(json_get(tree, "error"), ret_error);
        json_free(tree);
        return NULL;
    }
    return tree;
}

static void helper_published(struct build *build)
{
    struct error error = {0};
    struct cJSON *answer = build_take_answer(build, &error);
    if (!answer || build->cancelled) {
        json_free(answer);
        build_fail(build, &error);
        return;
    }
    build->result.new_bytes += json_get_int(answer, "bytes", 0);
    json_free(answer);
    store_slot_unlock(build->claim.slot);
    keep_lease(build, build->claim.slot);
    build->published(build);
}

void build_publish(struct build *build, struct store_slot *slot, struct cJSON *record,
                   void (*published)(struct build *build))
{
    struct error error = {0};
    json_put_string(record, "project", build->project);
    struct cJSON *job = store_publish_job(slot, record);
    auto_free char *text = json_print(job);
    json_free(job);
    build->published = published;
    const char *const arguments[] = {"leanlocal", "@cache",         "publish",
                                     text,        build->cache_dir, NULL};
    if (build_start_helper(build, arguments, helper_published, &error) < 0) {
        build_fail(build, &error);
    }
}
