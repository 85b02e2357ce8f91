#include "tui/typing.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"
#include "tui/client.h"
#include "tui/relay.h"
#include "tui/text.h"

#define COLS_UNKNOWN 80
#define READ_CHUNK   256

// In the background a change of the terminal would stop us.
static bool is_ours(void)
{
    return isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static void begin(struct typing *typing)
{
    if (!is_ours() || tcgetattr(STDIN_FILENO, &typing->kept) < 0) {
        return;
    }
    struct termios each_key = typing->kept;
    typing->shows = isatty(STDOUT_FILENO);
    if (typing
            ->shows) { // else nobody would see what is typed: whole lines, which our terminal shows
        each_key.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    }
    each_key.c_cc[VMIN] = 1;
    each_key.c_cc[VTIME] = 0;
    typing->fd = relay_open_again(STDIN_FILENO, O_RDONLY);
    typing->active = tcsetattr(STDIN_FILENO, TCSADRAIN, &each_key) == 0;
}

void typing_snapshot(struct typing *typing, const struct cJSON *snapshot)
{
    if (json_get_int(snapshot, "debug", 0) == 0) {
        return;
    }
    if (!typing->active) {
        begin(typing);
    }
    const struct cJSON *instance = json_first(json_get(snapshot, "instances"));
    const char *name = json_get_string(instance, "name");
    const char *prompt = json_get_string(snapshot, "prompt");
    snprintf(typing->name, sizeof typing->name, "%s", name ? name : "");
    snprintf(typing->prompt, sizeof typing->prompt, "%s", prompt ? prompt : "");
}

int typing_fd(const struct typing *typing)
{
    return typing->active ? typing->fd : -1;
}

void typing_read(struct typing *typing, struct client *client)
{
    char bytes[READ_CHUNK];
    ssize_t got = read(typing->fd, bytes, sizeof bytes);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            typing_end(typing);
        }
        return;
    }
    auto_free char *text = utf8_valid(bytes, (size_t)got);
    struct cJSON *message = json_new_object();
    json_put_string(message, "command", "type");
    json_put_string(message, "text", text);
    client_send(client, message);
}

void typing_hide(struct typing *typing, FILE *file)
{
    if (typing->shown) {
        typing->shown = false;
        fputs("\r\033[K", file);
    }
}

// Of a line that is wider than the terminal its end, where one types: it must stay in one row.
static const char *fitting_end(const char *text, int cols)
{
    while (text_cols(text) > cols) {
        text += text_fit(text, 1) ? text_fit(text, 1) : text_fit(text, 2);
    }
    return text;
}

void typing_show(struct typing *typing, FILE *file)
{
    bool stands = typing->shown && strcmp(typing->drawn, typing->prompt) == 0;
    if (!typing->active || !typing->shows || stands) {
        return;
    }
    typing_hide(typing, file);
    snprintf(typing->drawn, sizeof typing->drawn, "%s", typing->prompt);
    if (*typing->prompt) {
        struct winsize size;
        bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
        char time[9];
        clock_format_hms(clock_wall_ms(), time);
        auto_free char *shown = text_plain(typing->prompt, strlen(typing->prompt));
        auto_free char *line = str_printf("%s %-7s out %s", time, typing->name, shown);
        fputs(fitting_end(line, (known ? size.ws_col : COLS_UNKNOWN) - 1), file);
        typing->shown = true;
    }
    fflush(file);
}

void typing_end(struct typing *typing)
{
    if (typing->active) {
        typing->active = false;
        close(typing->fd);
        tcsetattr(STDIN_FILENO, TCSADRAIN, &typing->kept);
    }
}
