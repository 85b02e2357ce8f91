// Runs one command in a sandbox, for the tests: the library alone, without the emulator.
//   sandbox_run [options] -- command...
// SIGTERM goes to the command's group, SIGUSR1 is sandbox_kill(). Exits as the command does, 125
// when the sandbox failed. Events are lines of JSON in --events FILE.
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "sandbox/sandbox.h"

#define MAX_ITEMS 32

static volatile sig_atomic_t pending_signal;

struct run {
    struct sandbox_spec spec;
    struct sandbox_bind binds[MAX_ITEMS];
    struct sandbox_file files[MAX_ITEMS];
    struct sandbox_symlink symlinks[MAX_ITEMS];
    const char *lowers[MAX_ITEMS];
    struct sandbox_version version;
    struct sandbox_command command;
    struct strlist env;
    FILE *events;
    int times;
    int64_t spawned_us, parked_us, started_us;
    int status;
};

static void on_signal(int number)
{
    pending_signal = number;
}

static const char *const kind_names[] = {
    "nothing",   "parked",  "started",        "failed", "bound",
    "listening", "reached", "command-exited", "exited",
};

static void write_event(struct run *run, const struct sandbox_event *event)
{
    if (!run->events || event->kind == SANDBOX_NOTHING) {
        return;
    }
    struct cJSON *line = json_new_object();
    json_put_string(line, "event", kind_names[event->kind]);
    if (event->kind == SANDBOX_FAILED) {
        json_put_string(line, "message", event->error.message);
        json_put_string(line, "hint", event->error.hint);
        json_put_string(line, "where", event->error.where);
        json_put_int(line, "errno", event->error.errnum);
    } else if (event->kind == SANDBOX_BOUND || event->kind == SANDBOX_LISTENING ||
               event->kind == SANDBOX_REACHED) {
        json_put_string(line, "asked_address", event->asked_address);
        json_put_int(line, "asked_port", event->asked_port);
        json_put_string(line, "actual_address", event->actual_address);
        json_put_int(line, "actual_port", event->actual_port);
        json_put_int(line, "errno", event->errnum);
    } else {
        json_put_int(line, "status", event->wait_status);
    }
    auto_free char *text = json_print(line);
    fprintf(run->events, "%s\n", text);
    fflush(run->events);
    json_free(line);
}

static int print_probe(const struct sandbox_host *host)
{
    struct cJSON *root = json_new_object();
    for (int i = 0; i < SANDBOX_FEATURE__COUNT; i++) {
        struct cJSON *feature = json_new_object();
        json_put_bool(feature, "works", host->has[i]);
        json_put_string(feature, "reason", host->reason[i]);
        json_put_tree(root, sandbox_feature_name(i), feature);
    }
    json_put_string(root, "level", sandbox_level_name(sandbox_host_level(host)));
    json_put_bool(root, "is_root", host->is_root);
    json_put_bool(root, "maps_ids", host->maps_ids);
    auto_free char *text = json_print(root);
    puts(text);
    json_free(root);
    return 0;
}

static void take_event(struct run *run, const struct sandbox_event *event)
{
    write_event(run, event);
    switch (event->kind) {
    case SANDBOX_PARKED:
        run->parked_us = clock_now_us();
        break;
    case SANDBOX_STARTED:
        run->started_us = clock_now_us();
        break;
    case SANDBOX_FAILED:
        fprintf(stderr, "sandbox_run: %s\n", event->error.message);
        run->status = 125;
        break;
    case SANDBOX_COMMAND_EXITED:
        run->status = WIFEXITED(event->wait_status) ? WEXITSTATUS(event->wait_status)
                                                    : 128 + WTERMSIG(event->wait_status);
        break;
    default:
        break;
    }
}

static void pass_signal(struct sandbox *sandbox)
{
    int number = pending_signal;
    pending_signal = 0;
    if (number == SIGUSR1) {
        sandbox_kill(sandbox);
    } else if (number) {
        sandbox_signal(sandbox, number);
    }
}

static int run_once(struct run *run, const struct sandbox_host *host)
{
    struct error error;
    struct sandbox_event event = {.kind = SANDBOX_NOTHING};
    run->spawned_us = clock_now_us();
    run->status = 124; // gone without a word
    struct sandbox *sandbox = sandbox_spawn(&run->spec, host, &error);
    if (!sandbox || sandbox_go(sandbox, &run->version, &run->command, &error) < 0) {
        fprintf(stderr, "sandbox_run: %s\n", error.message);
        sandbox_free(sandbox);
        return 125;
    }
    while (event.kind != SANDBOX_EXITED) {
        struct pollfd readable = {.fd = sandbox_fd(sandbox), .events = POLLIN};
        poll(&readable, 1, 1000);
        pass_signal(sandbox);
        do {
            sandbox_next_event(sandbox, &event);
            take_event(run, &event);
        } while (event.kind != SANDBOX_NOTHING && event.kind != SANDBOX_EXITED);
    }
    sandbox_free(sandbox);
    return run->status;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

// The same command without a sandbox: from fork until exec, which ends the pipe.
static int64_t start_plainly(const struct run *run)
{
    int ends[2];
    char byte;
    int64_t before = clock_now_us();
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        execve(run->command.argv[0], run->command.argv, run->command.env);
        _exit(127);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], &byte, 1);
    int64_t after = clock_now_us();
    close(ends[0]);
    waitpid(pid, NULL, 0);
    return got == 0 ? after - before : -1;
}

static int measure(struct run *run, const struct sandbox_host *host)
{
    int64_t *plain = mem_alloc(sizeof *plain * (size_t)run->times);
    int64_t *parked = mem_alloc(sizeof *parked * (size_t)run->times);
    int64_t *started = mem_alloc(sizeof *started * (size_t)run->times);
    int64_t *ended = mem_alloc(sizeof *ended * (size_t)run->times);
    for (int i = 0; i < run->times; i++) {
        if (run_once(run, host) != 0) {
            return 125;
        }
        parked[i] = run->parked_us - run->spawned_us;
        started[i] = run->started_us - run->spawned_us;
        ended[i] = clock_now_us() - run->spawned_us;
        plain[i] = start_plainly(run);
    }
    size_t count = (size_t)run->times;
    qsort(parked, count, sizeof *parked, compare);
    qsort(started, count, sizeof *started, compare);
    qsort(ended, count, sizeof *ended, compare);
    qsort(plain, count, sizeof *plain, compare);
    printf("parked_us=%lld started_us=%lld ended_us=%lld p90_started_us=%lld plain_us=%lld "
           "min_started_us=%lld min_plain_us=%lld\n",
           (long long)parked[count / 2], (long long)started[count / 2], (long long)ended[count / 2],
           (long long)started[count * 9 / 10], (long long)plain[count / 2], (long long)started[0],
           (long long)plain[0]);
    free(plain);
    free(parked);
    free(started);
    free(ended);
    return 0;
}

// "a=b" or "a:b[:flags]" split in place.
static char *split(char *text, char at)
{
    char *cut = strchr(text, at);
    if (!cut) {
        return NULL;
    }
    *cut = '\0';
    return cut + 1;
}

static void add_bind(struct run *run, char *text)
{
    struct sandbox_bind *bind = &run->binds[run->spec.bind_count++];
    char *target = split(text, ':');
    char *flags = target ? split(target, ':') : NULL;
    *bind = (struct sandbox_bind){.source = text, .target = target ? target : text};
    if (flags) {
        bind->flags |= strchr(flags, 'w') ? SANDBOX_BIND_WRITABLE : 0;
        bind->flags |= strchr(flags, 'o') ? SANDBOX_BIND_OPTIONAL : 0;
    }
}

static void add_file(struct run *run, char *text)
{
    char *content = split(text, '=');
    run->files[run->spec.file_count++] = (struct sandbox_file){.target = text,
                                                               .bytes = content ? content : "",
                                                               .len = content ? strlen(content) : 0,
                                                               .mode = 0644};
}

static void add_symlink(struct run *run, char *text)
{
    char *to = split(text, '=');
    run->symlinks[run->spec.symlink_count++] = (struct sandbox_symlink){text, to};
}

static uint32_t parse_address(const char *text)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    sscanf(text, "%u.%u.%u.%u", &a, &b, &c, &d);
    return a << 24 | b << 16 | c << 8 | d;
}

static const struct option options[] = {
    {"probe", no_argument, NULL, 'p'},
    {"plan", no_argument, NULL, 'P'},
    {"bind", required_argument, NULL, 'b'},
    {"file", required_argument, NULL, 'f'},
    {"symlink", required_argument, NULL, 's'},
    {"lower", required_argument, NULL, 'l'},
    {"address", required_argument, NULL, 'a'},
    {"public-port", required_argument, NULL, '1'},
    {"actual-port", required_argument, NULL, '2'},
    {"writable", required_argument, NULL, 'w'},
    {"host-uid", required_argument, NULL, 'u'},
    {"private", required_argument, NULL, 'd'},
    {"env", required_argument, NULL, 'e'},
    {"cwd", required_argument, NULL, 'c'},
    {"events", required_argument, NULL, 'E'},
    {"times", required_argument, NULL, 't'},
    {"from-binds", no_argument, NULL, 'B'},
    {"terminal", no_argument, NULL, 'T'},
    {"stdin", no_argument, NULL, 'i'},
    {NULL, 0, NULL, 0},
};

static void take_option(struct run *run, int option, char *value)
{
    switch (option) {
    case 'b':
        add_bind(run, value);
        break;
    case 'f':
        add_file(run, value);
        break;
    case 's':
        add_symlink(run, value);
        break;
    case 'l':
        run->lowers[run->version.lower_count++] = value;
        break;
    case 'a':
        run->spec.address = parse_address(value);
        run->spec.broker = true;
        break;
    case '1':
        run->spec.public_port = (uint16_t)atoi(value);
        break;
    case '2':
        run->spec.actual_port = (uint16_t)atoi(value);
        break;
    case 'w':
        run->spec.writable_bytes = strtoull(value, NULL, 10);
        break;
    case 'u':
        run->spec.host_uid = run->spec.host_gid = (uid_t)atoi(value);
        break;
    case 'd':
        run->spec.private_dir = value;
        break;
    case 'e':
        strlist_add(&run->env, value);
        break;
    case 'c':
        run->command.cwd = value;
        break;
    case 'E':
        run->events = fopen(value, "we");
        break;
    case 't':
        run->times = atoi(value);
        break;
    case 'B':
        run->version.from_binds = true;
        break;
    case 'T':
        run->command.terminal = true;
        break;
    case 'i':
        run->command.stdin_fd = STDIN_FILENO;
        break;
    default:
        exit(2);
    }
}

static struct run new_run(void)
{
    return (struct run){
        .spec = {.hostname = "web1",
                 .user_name = "leanengine",
                 .uid = 1000,
                 .gid = 1000,
                 .host_uid = 54321,
                 .host_gid = 54321,
                 .home = "/home/leanengine",
                 .work_dir = "/home/leanengine/app",
                 .writable_bytes = 1u << 30,
                 .shm_bytes = 64u << 20,
                 .system_dirs = true,
                 .public_port = 3000,
                 .actual_port = 3000},
        .command = {.cwd = "/home/leanengine/app",
                    .stdin_fd = -1,
                    .stdout_fd = STDOUT_FILENO,
                    .stderr_fd = STDERR_FILENO},
    };
}

static void install_signals(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1};
    struct sigaction action = {.sa_handler = on_signal}; // no restart: poll must return
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        sigaction(numbers[i], &action, NULL);
    }
}

enum mode {
    MODE_RUN,
    MODE_PROBE,
    MODE_PLAN,
};

static int act(struct run *run, enum mode mode)
{
    struct sandbox_host host;
    int64_t before = clock_now_us();
    sandbox_probe(&host);
    if (mode == MODE_PROBE) {
        fprintf(stderr, "probe_us=%lld\n", (long long)(clock_now_us() - before));
        return print_probe(&host);
    }
    if (mode == MODE_PLAN) {
        auto_free char *text = sandbox_plan_text(&run->spec, &host);
        fputs(text, stdout);
        return 0;
    }
    install_signals();
    return run->times ? measure(run, &host) : run_once(run, &host);
}

int main(int argc, char **argv)
{
    struct run run = new_run();
    enum mode mode = MODE_RUN;
    int option;
    strlist_add(&run.env, "PATH=/usr/local/bin:/usr/bin:/bin");
    strlist_add(&run.env, "HOME=/home/leanengine");
    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (option == 'p' || option == 'P') {
            mode = option == 'p' ? MODE_PROBE : MODE_PLAN;
        } else {
            take_option(&run, option, optarg);
        }
    }
    run.spec.binds = run.binds;
    run.spec.files = run.files;
    run.spec.symlinks = run.symlinks;
    run.version.lowers = run.lowers;
    run.command.argv = argv + optind;
    run.command.env = run.env.items;
    int status = mode == MODE_RUN && optind == argc ? 2 : act(&run, mode);
    strlist_clear(&run.env);
    if (run.events) {
        fclose(run.events);
    }
    return status;
}
