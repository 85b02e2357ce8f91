#include "tui/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define SIGNALS_MAX 16

// What a handler needs (STYLE "globals").
static struct {
    int pipe_fds[2];
    size_t count;
    int numbers[SIGNALS_MAX];
    struct sigaction before[SIGNALS_MAX];
    void (*urgent)(int number);
} state = {.pipe_fds = {-1, -1}};

static void on_signal(int number)
{
    int kept = errno;
    unsigned char byte = (unsigned char)number;
    if (write(state.pipe_fds[1], &byte, 1) < 0) {
        // Full: so many are waiting already that this one makes no difference.
    }
    if (state.urgent) {
        state.urgent(number);
    }
    errno = kept;
}

int signals_open(const int *numbers, size_t count, void (*urgent)(int number))
{
    if (pipe2(state.pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0) {
        return -1;
    }
    state.urgent = urgent;
    state.count = count < SIGNALS_MAX ? count : SIGNALS_MAX;
    sigset_t unblock;
    sigemptyset(&unblock);
    for (size_t i = 0; i < state.count; i++) {
        struct sigaction action = {.sa_handler = on_signal}; // no SA_RESTART: a stuck write returns
        state.numbers[i] = numbers[i];
        sigaction(numbers[i], &action, &state.before[i]);
        sigaddset(&unblock, numbers[i]);
    }
    sigprocmask(SIG_UNBLOCK, &unblock, NULL);
    return 0;
}

int signals_fd(void)
{
    return state.pipe_fds[0];
}

int signals_take(void)
{
    unsigned char byte;
    return read(state.pipe_fds[0], &byte, 1) == 1 ? byte : 0;
}

void signals_close(void)
{
    for (size_t i = 0; i < state.count; i++) {
        sigaction(state.numbers[i], &state.before[i], NULL);
    }
    state.count = 0;
    close(state.pipe_fds[0]);
    close(state.pipe_fds[1]);
    state.pipe_fds[0] = state.pipe_fds[1] = -1;
}
