// What: what the broker's files know of each other: broker.c (life, bind, listen), broker_lead.c
//       (calls that lead to the instance's own ports), broker_known.c (the sockets remembered),
//       broker_asker.c (the process that asks).
// Not: for anybody else. Rules are in broker_rules.c (broker.h).
#ifndef SANDBOX_BROKER_INTERNAL_H
#define SANDBOX_BROKER_INTERNAL_H

#include <linux/seccomp.h>

#include "sandbox/broker.h"
#include "sandbox/wire.h"

// ---- broker.c ----
void broker_report(struct broker *broker, enum wire_kind kind, const struct wire_socket *socket);
// The thread may have died, and its number be another's by now.
bool broker_asker_lives(const struct broker *broker, const struct seccomp_notif *request);

// ---- broker_known.c ----
struct broker_known *broker_known_find(struct broker *broker, uint64_t cookie);
// Whether a socket of the other family has that port.
bool broker_known_twin(const struct broker *broker, int domain, uint16_t port);
struct broker_known *broker_remember(struct broker *broker, uint64_t cookie,
                                     const struct wire_socket *told,
                                     const struct broker_socket *socket);
// The port that one of the instance's own servers really has; 0: there is none. An app names the
// port it asked for, or the one that getsockname() told it.
uint16_t broker_known_server(const struct broker *broker, int type, uint16_t port);

bool broker_has_datagrams(const struct broker *broker);

// ---- broker_lead.c ----
// The errno for the app, 0, or -1 wherever the kernel should go on: it finds the words for what is
// wrong, too.
int broker_connect(struct broker *broker, const struct seccomp_notif *request);
int broker_send(struct broker *broker, const struct seccomp_notif *request, int64_t *ret_sent);

// ---- broker_asker.c ----
// A copy of thread tid's descriptor, or -1 with errno; ESRCH: it is gone.
int asker_socket(int tid, int fd);
int asker_read(int tid, uint64_t from, void *to, size_t len);
// -1 with errno ENOTSOCK for another kind of file.
int asker_describe(int fd, struct broker_socket *ret_socket);
uint64_t asker_cookie(int fd);
uint16_t asker_actual_address(int fd, char out[static 64]); // the port; 0: none yet
void asker_print_address(const union broker_address *address, char out[static 64],
                         uint16_t *ret_port);

#endif
