// What: bytes from one descriptor to another with a bounded buffer between, in the caller's poll
//       loop.
// Why: a terminal that is not read, or a command that does not read, must not stop the other
//      direction, nor signals (exec).
// Order: relay_init(); each turn poll for relay_from_events() and relay_to_events(), then
//      relay_turn() with what poll said, until relay_is_over().
// Owns: nothing; both descriptors stay the caller's. They should not block (relay_open_again()).
// Full buffer: the source waits.
#ifndef TUI_RELAY_H
#define TUI_RELAY_H

#include <stdbool.h>
#include <stddef.h>

#define RELAY_BUFFER 65536

struct relay {
    int from_fd, to_fd; // -1: never polled
    size_t at, len;     // bytes that wait: [at, len)
    bool ended;         // from_fd is at its end
    bool broken;        // nobody reads to_fd any more
    char bytes[RELAY_BUFFER];
};

void relay_init(struct relay *relay, int from_fd, int to_fd);
short relay_from_events(const struct relay *relay);
short relay_to_events(const struct relay *relay);
void relay_turn(struct relay *relay, short from_revents, short to_revents);
// All that came is written, and no more will come; or nobody takes it.
bool relay_is_over(const struct relay *relay);

// The same file as fd, as an open file of our own that does not block: the flag of fd itself is
// shared with whoever gave it to us. Where that cannot be had, a duplicate that may block.
int relay_open_again(int fd, int access);

#endif
