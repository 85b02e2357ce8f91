// What: plain lines and an app on a terminal (--debug): what is typed goes to the app key by key,
//       and the line that it has not ended yet, such as a prompt, stands last.
// Why: breakpoint() is usable without the full screen too. The app's own terminal echoes, so ours
//      does not.
// Order: typing_snapshot() with each snapshot (it begins when the engine has --debug and we are in
//        the foreground of a terminal), typing_fd() readable -> typing_read(), typing_hide() before
//        anything else is printed, typing_show() after it, typing_end().
// Owns: the terminal's settings between begin and end. Ctrl-C and Ctrl-Z stay ours.
#ifndef TUI_TYPING_H
#define TUI_TYPING_H

#include <stdbool.h>
#include <stdio.h>
#include <termios.h>

#include "emulator/control/protocol.h"

struct client;

struct typing {
    bool active;
    bool shows; // stdout is the terminal too
    bool shown; // the open line stands on the terminal
    int fd;     // our own of stdin
    char name[32];
    char prompt[sizeof((struct snapshot *)0)->prompt];
    char drawn[sizeof((struct snapshot *)0)->prompt]; // what of it is shown
    struct termios kept;
};

void typing_snapshot(struct typing *typing, const struct cJSON *snapshot);
int typing_fd(const struct typing *typing); // -1: nothing is typed
void typing_read(struct typing *typing, struct client *client);
void typing_hide(struct typing *typing, FILE *file);
void typing_show(struct typing *typing, FILE *file);
void typing_end(struct typing *typing);

#endif
