// The fleet, as tables: what happens, and what is done about it. Times are in milliseconds.
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "emulator/fleet/fleet.h"
#include "emulator/limits/limits.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"

#define STEPS 40

struct step {
    const char *event; // "healthy 3"; "at 30000": the clock, with a tick
    const char *actions;
};

struct play {
    const char *name;
    struct fleet_options options;
    struct step steps[STEPS];
};

static const struct {
    const char *word;
    enum fleet_event_kind kind;
} words[] = {
    {"deploy", FLEET_DEPLOY},       {"cancel", FLEET_CANCEL},   {"restart", FLEET_RESTART},
    {"move", FLEET_RESCHEDULE},     {"healthy", FLEET_HEALTHY}, {"failed", FLEET_FAILED},
    {"exited", FLEET_EXITED},       {"failing", FLEET_FAILING}, {"recovered", FLEET_RECOVERED},
    {"unhealthy", FLEET_UNHEALTHY}, {"drained", FLEET_DRAINED}, {"sleep", FLEET_SLEEP},
    {"wake", FLEET_WAKE},           {"stop", FLEET_STOP},       {"at", FLEET_TICK},
};

static struct fleet_event read_event(const char *text, int64_t *now_ms)
{
    char word[32];
    long long number = 0;
    assert_true(sscanf(text, "%31s %lld", word, &number) >= 1);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(words[i].word, word) != 0) {
            continue;
        }
        enum fleet_event_kind kind = words[i].kind;
        bool of_member = kind >= FLEET_HEALTHY && kind <= FLEET_DRAINED;
        *now_ms = kind == FLEET_TICK ? number : *now_ms;
        return (struct fleet_event){.kind = kind,
                                    .id = of_member ? (unsigned)number : 0,
                                    .version = (uint64_t)number,
                                    .ms = number};
    }
    fail_msg("%s: no such event", text);
    abort();
}

static void join(const struct fleet_actions *actions, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < actions->count; i++) {
        char text[120];
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? "; " : "",
                                 fleet_action_text(&actions->items[i], text, sizeof text));
        assert_true(used < size);
    }
}

static const struct backoff_policy policy = {
    .first_ms = 1000, .max_ms = 30000, .forget_ms = 60000, .loop_deaths = 3};

static void run(const struct play *play)
{
    struct fleet_options options = play->options;
    options.backoff = policy;
    options.redeploy_ms = 180000;
    struct fleet *fleet = fleet_new(&options);
    struct fleet_actions actions = {0};
    int64_t now_ms = 0;
    for (const struct step *at = play->steps; at->event; at++) {
        struct fleet_event event = read_event(at->event, &now_ms);
        fleet_handle(fleet, &event, now_ms, &actions);
        char text[1000];
        join(&actions, text, sizeof text);
        if (strcmp(text, at->actions) != 0) {
            fail_msg("%s: %s\n  does     %s\n  not      %s", play->name, at->event, text,
                     at->actions);
        }
        int64_t due_ms = fleet_deadline_ms(fleet);
        assert_true(due_ms == -1 || due_ms > now_ms); // a tick is never due at once
    }
    fleet_actions_clear(&actions);
    fleet_free(fleet);
}

#define ONE   .options = {.instances = 1}
#define TWO   .options = {.instances = 2}
#define THREE .options = {.instances = 3}

// The first two lines of most plays: version 1 serves.
#define UP_1                                                                                       \
    {"deploy 1", "start 1 in 1 of v1"},                                                            \
    {                                                                                              \
        "healthy 1", "upstreams 1; 1 serves; done v1"                                              \
    }
#define UP_2                                                                                       \
    {"deploy 1", "start 1 in 1 of v1"},                                                            \
        {"healthy 1", "upstreams 1; 1 serves; start 2 in 2 of v1"},                                \
    {                                                                                              \
        "healthy 2", "upstreams 1 2; 2 serves; done v1"                                            \
    }
#define UP_3                                                                                       \
    {"deploy 1", "start 1 in 1 of v1"},                                                            \
        {"healthy 1", "upstreams 1; 1 serves; start 2 in 2 of v1"},                                \
        {"healthy 2", "upstreams 1 2; 2 serves; start 3 in 3 of v1"},                              \
    {                                                                                              \
        "healthy 3", "upstreams 1 2 3; 3 serves; done v1"                                          \
    }

static const struct play deploys[] = {
    {"one instance: the old one drains, and is asked to end when its requests have",
     ONE,
     {UP_1,
      {"deploy 2", "start 2 in 1 of v2"},
      {"healthy 2", "upstreams 2; drain 1; 2 serves; done v2"},
      {"drained 1", "end 1 in 10000"},
      {"exited 1", ""}}},
    {"P-173: one by one; the old ones rest until the last has come",
     THREE,
     {UP_3,
      {"deploy 2", "start 4 in 1 of v2"},
      {"healthy 4", "upstreams 4 2 3; 4 serves; start 5 in 2 of v2"},
      {"healthy 5", "upstreams 4 5 3; 5 serves; start 6 in 3 of v2"},
      {"healthy 6", "upstreams 4 5 6; drain 1; drain 2; drain 3; 6 serves; done v2"}}},
    {"a drain takes 30 s at most",
     ONE,
     {UP_1,
      {"deploy 2", "start 2 in 1 of v2"},
      {"at 500", ""},
      {"healthy 2", "upstreams 2; drain 1; 2 serves; done v2"},
      {"at 30499", ""},
      {"at 30500", "end 1 in 10000"},
      {"drained 1", ""},
      {"exited 1", ""}}},
    {"--drain=cloud: and all of them",
     .options = {.instances = 1, .drain_cloud = true},
     {UP_1,
      {"deploy 2", "start 2 in 1 of v2"},
      {"healthy 2", "upstreams 2; drain 1; 2 serves; done v2"},
      {"drained 1", ""},
      {"at 29999", ""},
      {"at 30000", "end 1 in 10000"}}},
    {"a first version that fails leaves nothing",
     ONE,
     {{"deploy 1", "start 1 in 1 of v1"},
      {"failed 1", "end 1 in 0; broke v1 by 1"},
      {"exited 1", ""},
      {"deploy 2", "start 2 in 1 of v2"},
      {"exited 2", "broke v2 by 2"}}},
    {"a new version that fails changes nothing",
     THREE,
     {UP_3,
      {"deploy 2", "start 4 in 1 of v2"},
      {"failed 4", "end 4 in 0; broke v2 by 4"},
      {"exited 4", ""}}},
    {"one that fails in a later slot: the old ones take over again",
     THREE,
     {UP_3,
      {"deploy 2", "start 4 in 1 of v2"},
      {"healthy 4", "upstreams 4 2 3; 4 serves; start 5 in 2 of v2"},
      {"exited 5", "upstreams 1 2 3; drain 4; broke v2 by 5"},
      {"drained 4", "end 4 in 10000"}}},
    {"one that dies while its rollout goes on has not worked",
     TWO,
     {UP_2,
      {"deploy 2", "start 3 in 1 of v2"},
      {"healthy 3", "upstreams 3 2; 3 serves; start 4 in 2 of v2"},
      {"exited 3", "upstreams 1 2; broke v2 by 3; end 4 in 0"},
      {"exited 4", ""}}},
    {"a first version whose second instance fails: the first one serves on; P-179",
     TWO,
     {{"deploy 1", "start 1 in 1 of v1"},
      {"healthy 1", "upstreams 1; 1 serves; start 2 in 2 of v1"},
      {"failed 2", "end 2 in 0; broke v1 by 2; start 3 in 2 of v1"},
      {"exited 2", ""},
      {"failed 3", "end 3 in 0; 3 not again (1, pause 180000)"},
      {"at 179999", ""},
      {"at 180000", "start 4 in 2 of v1"},
      {"healthy 4", "upstreams 1 4; 4 serves"}}},
    {"streams of the third that drains in a slot end, requests do not",
     ONE,
     {UP_1,
      {"deploy 2", "start 2 in 1 of v2"},
      {"healthy 2", "upstreams 2; drain 1; 2 serves; done v2"},
      {"deploy 3", "start 3 in 1 of v3"},
      {"healthy 3", "upstreams 3; drain 2; 3 serves; done v3"},
      {"deploy 4", "start 4 in 1 of v4"},
      {"healthy 4", "upstreams 4; drain 3; cut 1; 4 serves; done v4"},
      {"drained 1", "end 1 in 10000"}}},
    {"of three slots one rollout cuts no stream",
     THREE,
     {UP_3,
      {"restart", "start 4 in 1 of v1"},
      {"healthy 4", "upstreams 4 2 3; 4 serves; start 5 in 2 of v1"},
      {"healthy 5", "upstreams 4 5 3; 5 serves; start 6 in 3 of v1"},
      {"healthy 6", "upstreams 4 5 6; drain 1; drain 2; drain 3; 6 serves; renewed v1"}}},
};

static const struct play superseded[] = {
    {"a save while the one before starts ends it at once",
     ONE,
     {UP_1,
      {"deploy 2", "start 2 in 1 of v2"},
      {"cancel", "end 2 in 0"},
      {"exited 2", ""},
      {"deploy 3", "start 3 in 1 of v3"},
      {"healthy 3", "upstreams 3; drain 1; 3 serves; done v3"}}},
    {"a deployment during one supersedes it too",
     ONE,
     {UP_1,
      {"deploy 2", "start 2 in 1 of v2"},
      {"deploy 3", "end 2 in 0; start 3 in 1 of v3"},
      {"healthy 2", ""},
      {"healthy 3", "upstreams 3; drain 1; 3 serves; done v3"}}},
    {"a save during the very first start",
     ONE,
     {{"deploy 1", "start 1 in 1 of v1"},
      {"cancel", "end 1 in 0"},
      {"exited 1", ""},
      {"deploy 2", "start 2 in 1 of v2"},
      {"healthy 2", "upstreams 2; 2 serves; done v2"}}},
    {"what works already goes on until the next version is there",
     TWO,
     {UP_2,
      {"deploy 2", "start 3 in 1 of v2"},
      {"healthy 3", "upstreams 3 2; 3 serves; start 4 in 2 of v2"},
      {"cancel", ""},
      {"deploy 3", "drain 1; end 4 in 0; start 5 in 1 of v3"},
      {"healthy 5", "upstreams 5 2; 5 serves; start 6 in 2 of v3"},
      {"healthy 6", "upstreams 5 6; drain 2; drain 3; 6 serves; done v3"}}},
    {"the next one fails: the rest follows to the newest that works",
     TWO,
     {UP_2,
      {"deploy 2", "start 3 in 1 of v2"},
      {"healthy 3", "upstreams 3 2; 3 serves; start 4 in 2 of v2"},
      {"deploy 3", "drain 1; end 4 in 0; start 5 in 1 of v3"},
      {"exited 4", ""},
      {"failed 5", "end 5 in 0; broke v3 by 5; start 6 in 2 of v2"},
      {"healthy 6", "upstreams 3 6; drain 2; 6 serves; renewed v2"}}},
    {"... and is left as it is when it cannot",
     TWO,
     {UP_2,
      {"deploy 2", "start 3 in 1 of v2"},
      {"healthy 3", "upstreams 3 2; 3 serves; start 4 in 2 of v2"},
      {"deploy 3", "drain 1; end 4 in 0; start 5 in 1 of v3"},
      {"failed 5", "end 5 in 0; broke v3 by 5; start 6 in 2 of v2"},
      {"failed 6", "end 6 in 0; 6 mixed"},
      {"exited 5", ""},
      {"deploy 4", "start 7 in 1 of v4"},
      {"healthy 7", "upstreams 7 2; 7 serves; start 8 in 2 of v4"},
      {"healthy 8", "upstreams 7 8; drain 2; drain 3; 8 serves; done v4"}}},
};

static const struct play deaths[] = {
    {"P-172: who dies is started again, later each time",
     ONE,
     {UP_1,
      {"exited 1", "upstreams; 1 died (1, pause 0); start 2 in 1 of v1"},
      {"healthy 2", "upstreams 2; 2 serves"},
      {"exited 2", "upstreams; 2 died (2, pause 1000)"},
      {"at 999", ""},
      {"at 1000", "start 3 in 1 of v1"},
      {"failed 3", "end 3 in 0; 3 not again (3, pause 2000)"},
      {"exited 3", ""},
      {"at 3000", "start 4 in 1 of v1"},
      {"healthy 4", "upstreams 4; 4 serves"},
      {"at 63001", ""},
      {"exited 4", "upstreams; 4 died (1, pause 0); start 5 in 1 of v1"}}},
    {"one of three dies: the others serve meanwhile",
     THREE,
     {UP_3,
      {"exited 2", "upstreams 1 3; 2 died (1, pause 0); start 4 in 2 of v1"},
      {"healthy 4", "upstreams 1 4 3; 4 serves"}}},
    {"P-179: what does not come up again is deployed again after minutes",
     TWO,
     {UP_2,
      {"exited 2", "upstreams 1; 2 died (1, pause 0); start 3 in 2 of v1"},
      {"exited 3", "3 not again (2, pause 180000)"},
      {"at 179999", ""},
      {"at 180000", "start 4 in 2 of v1"},
      {"healthy 4", "upstreams 1 4; 4 serves"}}},
    {"... but at once when nothing else is there",
     TWO,
     {UP_2,
      {"exited 2", "upstreams 1; 2 died (1, pause 0); start 3 in 2 of v1"},
      {"exited 1", "upstreams; 1 died (1, pause 0); start 4 in 1 of v1"},
      {"exited 3", "3 not again (2, pause 1000)"},
      {"exited 4", "4 not again (2, pause 1000)"},
      {"at 1000", "start 5 in 1 of v1; start 6 in 2 of v1"}}},
    {"the old one dies while a new one starts: that will serve",
     ONE,
     {UP_1,
      {"deploy 2", "start 2 in 1 of v2"},
      {"exited 1", "upstreams; 1 died (1, pause 0)"},
      {"healthy 2", "upstreams 2; 2 serves; done v2"}}},
    {"... and if it fails, the old one comes again",
     ONE,
     {UP_1,
      {"deploy 2", "start 2 in 1 of v2"},
      {"exited 1", "upstreams; 1 died (1, pause 0)"},
      {"failed 2", "end 2 in 0; broke v2 by 2; start 3 in 1 of v1"},
      {"healthy 3", "upstreams 3; 3 serves"}}},
    {"a new version while the old one is started again: whoever is first serves",
     ONE,
     {UP_1,
      {"exited 1", "upstreams; 1 died (1, pause 0); start 2 in 1 of v1"},
      {"deploy 2", "start 3 in 1 of v2"},
      {"healthy 2", "upstreams 2; 2 serves"},
      {"healthy 3", "upstreams 3; drain 2; 3 serves; done v2"}}},
    {"... and the loser is not waited for",
     ONE,
     {UP_1,
      {"exited 1", "upstreams; 1 died (1, pause 0); start 2 in 1 of v1"},
      {"deploy 2", "start 3 in 1 of v2"},
      {"healthy 3", "upstreams 3; end 2 in 0; 3 serves; done v2"},
      {"exited 2", ""}}},
    {"a new version forgets what the one before has suffered",
     ONE,
     {UP_1,
      {"exited 1", "upstreams; 1 died (1, pause 0); start 2 in 1 of v1"},
      {"healthy 2", "upstreams 2; 2 serves"},
      {"deploy 2", "start 3 in 1 of v2"},
      {"healthy 3", "upstreams 3; drain 2; 3 serves; done v2"},
      {"exited 3", "upstreams; 3 died (1, pause 0); start 4 in 1 of v2"}}},
    {"one that drains, rests or ends may die",
     TWO,
     {UP_2,
      {"deploy 2", "start 3 in 1 of v2"},
      {"healthy 3", "upstreams 3 2; 3 serves; start 4 in 2 of v2"},
      {"exited 1", ""},
      {"healthy 4", "upstreams 3 4; drain 2; 4 serves; done v2"},
      {"exited 2", ""},
      {"exited 9", ""}}},
    {"one that rested has died: its slot is filled again when the rollout fails",
     TWO,
     {UP_2,
      {"deploy 2", "start 3 in 1 of v2"},
      {"healthy 3", "upstreams 3 2; 3 serves; start 4 in 2 of v2"},
      {"exited 1", ""},
      {"failed 4", "upstreams 2; drain 3; end 4 in 0; broke v2 by 4; start 5 in 1 of v1"},
      {"healthy 5", "upstreams 5 2; 5 serves"}}},
};

static const struct play checks[] = {
    {"P-156: who fails is passed over until it answers again",
     TWO,
     {UP_2,
      {"failing 1", "upstreams 2"},
      {"recovered 1", "upstreams 1 2"},
      {"failing 1", "upstreams 2"},
      {"failing 2", "upstreams 1 2"},
      {"recovered 1", "upstreams 1"},
      {"recovered 2", "upstreams 1 2"}}},
    {"P-107: it is restarted, and serves until the new one works",
     ONE,
     {UP_1,
      {"unhealthy 1", "start 2 in 1 of v1"},
      {"unhealthy 1", ""},
      {"healthy 2", "upstreams 2; drain 1; 2 serves"}}},
    {"it answers again before that: no matter",
     ONE,
     {UP_1,
      {"unhealthy 1", "start 2 in 1 of v1"},
      {"recovered 1", ""},
      {"failed 2", "end 2 in 0; 2 not again (1, pause 0); start 3 in 1 of v1"},
      {"healthy 3", "upstreams 3; drain 1; 3 serves"}}},
    {"a rollout renews it anyway",
     TWO,
     {UP_2,
      {"deploy 2", "start 3 in 1 of v2"},
      {"unhealthy 2", "upstreams 1"},
      {"healthy 3", "upstreams 3; 3 serves; start 4 in 2 of v2"},
      {"healthy 4", "upstreams 3 4; drain 1; drain 2; 4 serves; done v2"}}},
};

static const struct play commands[] = {
    {"nothing to restart yet", ONE, {{"restart", ""}, {"move", ""}, {"wake", ""}}},
    {"a restart is a rollout of the same version",
     TWO,
     {UP_2,
      {"restart", "start 3 in 1 of v1"},
      {"restart", ""},
      {"healthy 3", "upstreams 3 2; 3 serves; start 4 in 2 of v1"},
      {"healthy 4", "upstreams 3 4; drain 1; drain 2; 4 serves; renewed v1"}}},
    {"one that fails changes nothing",
     TWO,
     {UP_2,
      {"restart", "start 3 in 1 of v1"},
      {"healthy 3", "upstreams 3 2; 3 serves; start 4 in 2 of v1"},
      {"failed 4", "upstreams 1 2; drain 3; end 4 in 0; 4 kept"}}},
    {"a restart does not wait for a pause",
     ONE,
     {UP_1,
      {"exited 1", "upstreams; 1 died (1, pause 0); start 2 in 1 of v1"},
      {"exited 2", "2 not again (2, pause 1000)"},
      {"restart", "start 3 in 1 of v1"},
      {"healthy 3", "upstreams 3; 3 serves; renewed v1"}}},
    {"a save during a restart",
     TWO,
     {UP_2,
      {"restart", "start 3 in 1 of v1"},
      {"healthy 3", "upstreams 3 2; 3 serves; start 4 in 2 of v1"},
      {"cancel", ""},
      {"deploy 2", "drain 1; end 4 in 0; start 5 in 1 of v2"},
      {"failed 5", "end 5 in 0; broke v2 by 5"}}},
    {"P-131: the platform moves the oldest",
     TWO,
     {UP_2,
      {"move", "start 3 in 1 of v1"},
      {"healthy 3", "upstreams 3 2; drain 1; 3 serves; renewed v1"},
      {"move", "start 4 in 2 of v1"},
      {"healthy 4", "upstreams 3 4; drain 2; 4 serves; renewed v1"}}},
    {"P-171: asleep nothing runs and nothing is started again",
     ONE,
     {UP_1,
      {"sleep", "upstreams; end 1 in 10000"},
      {"exited 1", ""},
      {"at 5000", ""},
      {"wake", "start 2 in 1 of v1"},
      {"healthy 2", "upstreams 2; 2 serves"},
      {"sleep", "upstreams; end 2 in 10000"},
      {"deploy 2", "start 3 in 1 of v2"},
      {"healthy 3", "upstreams 3; 3 serves; done v2"}}},
    {"asleep: who is on its way out already is told once",
     ONE,
     {UP_1,
      {"deploy 2", "start 2 in 1 of v2"},
      {"failed 2", "end 2 in 0; broke v2 by 2"},
      {"sleep", "upstreams; end 1 in 10000"}}},
    {"the old one takes over again from what had to replace the renewed one",
     TWO,
     {UP_2,
      {"restart", "start 3 in 1 of v1"},
      {"healthy 3", "upstreams 3 2; 3 serves; start 4 in 2 of v1"},
      {"failing 3", "upstreams 2"},
      {"unhealthy 3", "start 5 in 1 of v1"},
      {"healthy 5", "upstreams 5 2; drain 3; 5 serves"},
      {"failed 4", "upstreams 1 2; drain 5; end 4 in 0; 4 kept"}}},
    {"one that rests is better than none",
     TWO,
     {UP_2,
      {"deploy 2", "start 3 in 1 of v2"},
      {"healthy 3", "upstreams 3 2; 3 serves; start 4 in 2 of v2"},
      {"failing 3", "upstreams 2"},
      {"unhealthy 3", "start 5 in 1 of v1"},
      {"exited 2", "upstreams 3; 2 died (1, pause 0)"},
      {"healthy 5", "upstreams 5; drain 3; 5 serves"},
      {"exited 5", "upstreams 1; 5 died (1, pause 0)"}}},
    {"... and from what was on its way to",
     TWO,
     {UP_2,
      {"restart", "start 3 in 1 of v1"},
      {"healthy 3", "upstreams 3 2; 3 serves; start 4 in 2 of v1"},
      {"failing 3", "upstreams 2"},
      {"unhealthy 3", "start 5 in 1 of v1"},
      {"failed 4", "upstreams 1 2; drain 3; end 4 in 0; 4 kept; end 5 in 0"}}},
    {"the end: all of them, and nothing comes after",
     TWO,
     {UP_2,
      {"deploy 2", "start 3 in 1 of v2"},
      {"stop 2000", "upstreams; end 3 in 0; end 1 in 2000; end 2 in 2000; end 3 in 2000"},
      {"exited 1", ""},
      {"deploy 3", ""},
      {"exited 3", ""},
      {"exited 2", ""},
      {"at 100000", ""}}},
};

#define DEBUG .options = {.instances = 1, .alone = true}

static const struct play debugging[] = {
    {"--debug: what runs has to be gone first",
     DEBUG,
     {UP_1,
      {"deploy 2", "upstreams; end 1 in 500"},
      {"exited 1", "start 2 in 1 of v2"},
      {"healthy 2", "upstreams 2; 2 serves; done v2"}}},
    {"and a version that fails leaves nothing",
     DEBUG,
     {UP_1,
      {"deploy 2", "upstreams; end 1 in 500"},
      {"exited 1", "start 2 in 1 of v2"},
      {"exited 2", "broke v2 by 2"},
      {"restart", ""},
      {"deploy 3", "start 3 in 1 of v3"}}},
    {"another save meanwhile",
     DEBUG,
     {UP_1,
      {"deploy 2", "upstreams; end 1 in 500"},
      {"cancel", ""},
      {"exited 1", ""},
      {"deploy 3", "start 2 in 1 of v3"}}},
    {"a restart, and a death",
     DEBUG,
     {UP_1,
      {"restart", "upstreams; end 1 in 500"},
      {"exited 1", "start 2 in 1 of v1"},
      {"healthy 2", "upstreams 2; 2 serves; renewed v1"},
      {"exited 2", "upstreams; 2 died (1, pause 0); start 3 in 1 of v1"}}},
};

#define PLAYS(name, table)                                                                         \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        for (size_t i = 0; i < ARRAY_LEN(table); i++) {                                            \
            run(&(table)[i]);                                                                      \
        }                                                                                          \
    }
PLAYS(new_versions_come_one_by_one, deploys)
PLAYS(a_newer_version_supersedes, superseded)
PLAYS(who_dies_is_started_again, deaths)
PLAYS(who_fails_is_passed_over, checks)
PLAYS(commands_are_obeyed, commands)
PLAYS(debugging_has_one, debugging)

static void twelve_is_the_platforms_most(void **state)
{
    (void)state;
    assert_int_equal(FLEET_SLOTS, LIMIT_INSTANCES_MAX);
    struct fleet *fleet = fleet_new(&(struct fleet_options){.instances = FLEET_SLOTS});
    struct fleet_actions actions = {0};
    fleet_handle(fleet, &(struct fleet_event){.kind = FLEET_DEPLOY, .version = 7}, 0, &actions);
    for (unsigned id = 1; id <= FLEET_SLOTS; id++) {
        fleet_handle(fleet, &(struct fleet_event){.kind = FLEET_HEALTHY, .id = id}, 0, &actions);
        assert_int_equal(actions.items[0].count, id);
    }
    assert_int_equal(actions.items[actions.count - 1].kind, FLEET_DONE);
    assert_int_equal(fleet_serving_count(fleet), FLEET_SLOTS);
    assert_true(fleet_needs(fleet, 7));
    assert_false(fleet_needs(fleet, 6));
    fleet_actions_clear(&actions);
    fleet_free(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_versions_come_one_by_one),
        cmocka_unit_test(a_newer_version_supersedes),
        cmocka_unit_test(who_dies_is_started_again),
        cmocka_unit_test(who_fails_is_passed_over),
        cmocka_unit_test(commands_are_obeyed),
        cmocka_unit_test(debugging_has_one),
        cmocka_unit_test(twelve_is_the_platforms_most),
    };
    return cmocka_run_group_tests_name("fleet", tests, NULL, NULL);
}
