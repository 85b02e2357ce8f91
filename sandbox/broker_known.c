// What init remembers of the instance's sockets, by SO_COOKIE. The oldest is forgotten,
// which costs no more than a detour that is not taken, or a LISTENING that tells of no address
// asked for.
#include "sandbox/broker_internal.h"

#include <string.h>

struct broker_known *broker_known_find(struct broker *broker, uint64_t cookie)
{
    for (size_t i = 0; i < BROKER_SOCKETS; i++) {
        if (cookie && broker->known[i].cookie == cookie) {
            return &broker->known[i];
        }
    }
    return NULL;
}

bool broker_known_twin(const struct broker *broker, int domain, uint16_t port)
{
    for (size_t i = 0; i < BROKER_SOCKETS; i++) {
        const struct broker_known *known = &broker->known[i];
        if (known->cookie && known->domain != domain && known->actual_port == port) {
            return true;
        }
    }
    return false;
}

bool broker_has_datagrams(const struct broker *broker)
{
    for (size_t i = 0; i < BROKER_SOCKETS; i++) {
        if (broker->known[i].cookie && broker->known[i].type == SOCK_DGRAM) {
            return true;
        }
    }
    return false;
}

// The oldest, but a stream that serves only when there is nothing else: a resolver that binds a
// port for each question must not make us forget port 3000.
static struct broker_known *free_place(struct broker *broker)
{
    unsigned first = broker->next_known;
    for (unsigned i = 0; i < BROKER_SOCKETS; i++) {
        struct broker_known *known = &broker->known[(first + i) % BROKER_SOCKETS];
        if (!known->cookie || known->type != SOCK_STREAM || !known->serves) {
            broker->next_known = first + i + 1;
            return known;
        }
    }
    broker->next_known = first + 1;
    return &broker->known[first % BROKER_SOCKETS];
}

struct broker_known *broker_remember(struct broker *broker, uint64_t cookie,
                                     const struct wire_socket *told,
                                     const struct broker_socket *socket)
{
    struct broker_known *known = broker_known_find(broker, cookie);
    if (!known) {
        known = free_place(broker);
    }
    memset(known, 0, sizeof *known);
    known->cookie = cookie;
    known->domain = socket->domain;
    known->type = socket->type;
    known->serves = socket->type == SOCK_DGRAM; // a stream does from listen() on
    known->asked_port = told->asked_port;
    known->actual_port = told->actual_port;
    memcpy(known->asked_address, told->asked_address, sizeof known->asked_address);
    return known;
}

// The port that one of the instance's own servers really has; 0: there is none. An app names the
// port it asked for, or the one that getsockname() told it.
uint16_t broker_known_server(const struct broker *broker, int type, uint16_t port)
{
    for (size_t i = 0; i < BROKER_SOCKETS; i++) {
        const struct broker_known *known = &broker->known[i];
        if (known->cookie && known->serves && known->type == type &&
            (known->asked_port ? known->asked_port : known->actual_port) == port) {
            return known->actual_port;
        }
    }
    return 0;
}
