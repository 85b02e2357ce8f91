// simulate [--seed N] [--events N] [--log]: random orders of events against the pure machines.
//
// A run is a script of steps made from its seed alone; what a step means depends on the world it
// meets (the third of the containers that are there). So any part of a script is a script as well,
// and a failure is made smaller by leaving steps out as long as it stays one.

#include "tests/simulate/world.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "emulator/health/times.h"
#include "emulator/limits/limits.h"

#define RUN_STEPS_MAX 2000
#define SEED_DEFAULT  1
#define GROWTH_KB     4096 // the allocator's own ups and downs
#define EVENTS        5000000

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1 // keeps what has been freed
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

// ---- chance ----

struct chance {
    uint64_t state;
};

static uint32_t draw(struct chance *chance)
{
    uint64_t z = chance->state += 0x9E3779B97F4A7C15u; // splitmix64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)(z >> 32 ^ z);
}

// How often a step comes, of all of them; each run changes that for some.
static const unsigned weights[STEP__COUNT] = {
    [STEP_ADVANCE] = 22, [STEP_SAVE] = 6,   [STEP_HOLD] = 1,       [STEP_START] = 18,
    [STEP_CRASH] = 3,    [STEP_REPORT] = 5, [STEP_CHECK] = 6,      [STEP_REFUSE] = 2,
    [STEP_REQUEST] = 18, [STEP_STREAM] = 3, [STEP_FINISH] = 16,    [STEP_LEAVE] = 3,
    [STEP_RESTART] = 1,  [STEP_LATE] = 1,   [STEP_RESCHEDULE] = 1, [STEP_BACK] = 1,
};

static void make_options(struct chance *chance, struct world_options *ret_options)
{
    struct health_times times;
    health_times_read(NULL, &times);
    uint32_t dice = draw(chance);
    unsigned instances = dice % 3 == 0 ? 1 : dice % 3 == 1 ? 1 + dice / 3 % 3 : 1 + dice / 3 % 12;
    *ret_options = (struct world_options){
        .fleet = {.instances = instances,
                  .drain_cloud = dice / 64 % 8 == 0,
                  .alone = instances == 1 && dice / 512 % 8 == 0,
                  .backoff = times.backoff,
                  .redeploy_ms = LIMIT_REDEPLOY_MS},
        // Short enough for a day and a night to pass in one run.
        .doze = {.idle_ms = 20000, .budget_ms = 180000, .window_ms = 240000, .room_ms = 1000},
    };
    ret_options->trial = instances == 1 && !ret_options->fleet.alone && dice / 4096 % 2 == 0;
}

static size_t make_script(struct chance *chance, struct step *steps)
{
    unsigned own[STEP__COUNT], sum = 0;
    for (int kind = 0; kind < STEP__COUNT; kind++) {
        static const unsigned factors[] = {1, 1, 1, 0, 4};
        own[kind] = weights[kind] * (kind == STEP_ADVANCE ? 1 : factors[draw(chance) % 5]);
        sum += own[kind];
    }
    size_t count = 50 + draw(chance) % (RUN_STEPS_MAX - 50);
    for (size_t i = 0; i < count; i++) {
        unsigned dice = draw(chance) % sum;
        uint8_t kind = 0;
        while (dice >= own[kind]) {
            dice -= own[kind++];
        }
        steps[i] = (struct step){.kind = kind, .a = draw(chance), .b = draw(chance)};
    }
    return count;
}

// ---- runs ----

struct tally {
    uint64_t runs, steps, starts, requests, served, refused, lost, gone, sleeps, versions;
    size_t containers_max;
    int64_t clock_ms;
};

static void add(struct tally *tally, const struct world *world)
{
    tally->runs++;
    tally->starts += world->starts;
    tally->requests += world->asked;
    tally->served += world->served;
    tally->refused += world->refused;
    tally->lost += world->lost;
    tally->gone += world->gone;
    tally->sleeps += world->sleeps;
    tally->versions += world->versions;
    tally->clock_ms += world->now_ms;
}

static const char *const step_names[STEP__COUNT] = {
    "advance", "save",   "hold",   "start", "crash",   "report",     "check", "refuse",
    "request", "stream", "finish", "leave", "restart", "reschedule", "late",  "back",
};

// How many steps were taken before it failed, or all. The failure is in the world.
static size_t play(struct world *world, const struct world_options *options,
                   const struct step *steps, size_t count, FILE *log)
{
    world_init(world, options, log);
    size_t taken = 0;
    while (taken < count && !world_failed(world)) {
        const struct step *step = &steps[taken++];
        WORLD_LOG(world, "%s %u %u\n", step_names[step->kind], step->a, step->b);
        world_step(world, step);
    }
    if (!world_failed(world)) {
        world_end(world);
    }
    world_release(world);
    return taken;
}

// The same failure, whatever numbers it names.
static bool is_same(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, "-0123456789");
        b += strspn(b, "-0123456789");
        if (*a != *b || !*a) {
            return *a == *b;
        }
    }
}

struct shrinking {
    const struct world_options *options;
    const char *failure;
    struct step *steps, *tried;
    size_t count;
};

// Takes the script over if it fails in the same way.
static bool fails_too(struct shrinking *shrinking, size_t count)
{
    static struct world world;
    size_t taken = play(&world, shrinking->options, shrinking->tried, count, NULL);
    if (!world_failed(&world) || !is_same(world.failure, shrinking->failure)) {
        return false;
    }
    memcpy(shrinking->steps, shrinking->tried, taken * sizeof shrinking->steps[0]);
    shrinking->count = taken;
    return true;
}

static bool leave_out(struct shrinking *shrinking)
{
    bool smaller = false;
    for (size_t len = shrinking->count; len > 0; len /= 2) {
        for (size_t at = 0; at + len <= shrinking->count;) {
            struct step *tried = shrinking->tried;
            const struct step *steps = shrinking->steps;
            size_t left = shrinking->count - at - len;
            memcpy(tried, steps, at * sizeof steps[0]);
            memcpy(tried + at, steps + at + len, left * sizeof steps[0]);
            if (fails_too(shrinking, at + left)) {
                smaller = true;
            } else {
                at += len;
            }
        }
    }
    return smaller;
}

// Small numbers mean the first of all, or the shortest time: with them more can be left out.
static bool make_plain(struct shrinking *shrinking)
{
    bool plainer = false;
    for (size_t at = 0; at < 6 * shrinking->count; at++) {
        memcpy(shrinking->tried, shrinking->steps, shrinking->count * sizeof shrinking->tried[0]);
        struct step *step = &shrinking->tried[at / 6];
        uint32_t *number = at % 2 ? &step->a : &step->b;
        uint32_t wanted = at / 2 % 3;
        if (*number > wanted) {
            *number = wanted;
            plainer = fails_too(shrinking, shrinking->count) || plainer;
        }
    }
    return plainer;
}

static size_t shrink(const struct world_options *options, struct step *steps, size_t count,
                     const char *failure)
{
    static struct step tried[RUN_STEPS_MAX];
    struct shrinking shrinking = {
        .options = options, .failure = failure, .steps = steps, .tried = tried, .count = count};
    while (leave_out(&shrinking) || make_plain(&shrinking)) {
    }
    return shrinking.count;
}

static void tell_failure(uint64_t seed, const struct world_options *options, struct step *steps,
                         size_t count, const char *failure)
{
    static struct world world;
    char first[FAILURE_SIZE];
    snprintf(first, sizeof first, "%s", failure);
    printf("seed %llu, step %zu: %s\n", (unsigned long long)seed, count, first);
    size_t left = shrink(options, steps, count, first);
    printf("%zu steps are enough, with %u instances%s%s%s:\n", left, options->fleet.instances,
           options->trial ? ", trial" : "", options->fleet.alone ? ", alone" : "",
           options->fleet.drain_cloud ? ", --drain=cloud" : "");
    play(&world, options, steps, left, stdout);
    printf("again by: --seed %llu --events 1\n", (unsigned long long)seed);
}

static bool run_seed(uint64_t seed, struct tally *tally)
{
    static struct world world;
    static struct step steps[RUN_STEPS_MAX];
    struct chance chance = {seed};
    struct world_options options;
    make_options(&chance, &options);
    size_t count = make_script(&chance, steps);
    size_t taken = play(&world, &options, steps, count, NULL);
    tally->steps += taken;
    add(tally, &world);
    if (world_failed(&world)) {
        tell_failure(seed, &options, steps, taken, world.failure);
        return false;
    }
    return true;
}

// ---- command line ----

static long memory_kb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static int usage(void)
{
    fprintf(stderr, "usage: simulate [--seed N] [--events N]\n");
    return 2;
}

static bool read_number(const char *text, uint64_t *ret_number)
{
    char *end;
    *ret_number = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end;
}

int main(int argc, char **argv)
{
    uint64_t seed = SEED_DEFAULT, events = EVENTS;
    for (int i = 1; i < argc; i += 2) {
        uint64_t *number = strcmp(argv[i], "--seed") == 0     ? &seed
                           : strcmp(argv[i], "--events") == 0 ? &events
                                                              : NULL;
        if (!number || i + 1 == argc || !read_number(argv[i + 1], number)) {
            return usage();
        }
    }
    uint64_t first = seed;
    struct tally tally = {0};
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    long early_kb = 0;
    while (tally.steps < events) {
        if (!run_seed(seed++, &tally)) {
            return 1;
        }
        early_kb = early_kb || tally.steps < events / 10 ? early_kb : memory_kb();
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("simulate: %llu events in %llu runs (seeds %llu to %llu), %.1f s; %lld days of clock\n",
           (unsigned long long)tally.steps, (unsigned long long)tally.runs,
           (unsigned long long)first, (unsigned long long)seed - 1,
           (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9,
           (long long)(tally.clock_ms / 86400000));
    printf("simulate: %llu deployments, %llu containers, %llu times asleep; %llu requests: %llu "
           "served, %llu refused, %llu lost in crashes, %llu gone\n",
           (unsigned long long)tally.versions, (unsigned long long)tally.starts,
           (unsigned long long)tally.sleeps, (unsigned long long)tally.requests,
           (unsigned long long)tally.served, (unsigned long long)tally.refused,
           (unsigned long long)tally.lost, (unsigned long long)tally.gone);
    long late_kb = memory_kb();
    printf("simulate: memory %ld KB after a tenth, %ld KB at the end; no invariant was broken\n",
           early_kb, late_kb);
    if (late_kb - early_kb > GROWTH_KB && !SANITIZED) {
        printf("simulate: it grows\n");
        return 1;
    }
    return 0;
}
