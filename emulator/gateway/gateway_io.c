// Buffers, edge-triggered sockets, and deadlines: all deadlines of one kind last equally long, so
// each kind is a queue in order of time, setting one is O(1), and one timer of the loop serves all.
#include "emulator/gateway/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "emulator/limits/limits.h"

// ---- buffers ----

static char *block_take(struct gateway *gateway)
{
    if (gateway->spare_block_count) {
        return gateway->spare_blocks[--gateway->spare_block_count];
    }
    return malloc(BLOCK_BYTES);
}

static bool block_grow(struct gateway_block *block, size_t need, size_t max)
{
    size_t cap = block->cap;
    while (cap < need) {
        cap *= 2;
    }
    cap = cap < max ? cap : max;
    char *data = realloc(block->data, cap);
    if (!data) {
        return false;
    }
    block->data = data;
    block->cap = (uint32_t)cap;
    return true;
}

bool gateway_block_need(struct gateway *gateway, struct gateway_block *block, size_t room,
                        size_t max)
{
    if (!block->data) {
        block->data = block_take(gateway);
        if (!block->data) {
            return false;
        }
        block->cap = BLOCK_BYTES;
        block->start = block->end = 0;
    }
    if (block->cap - block->end >= room) {
        return true;
    }
    if (block->start) {
        memmove(block->data, block->data + block->start, block_len(block));
        block->end -= block->start;
        block->start = 0;
    }
    size_t need = block->end + room;
    return need <= block->cap || (need <= max && block_grow(block, need, max));
}

size_t gateway_block_room(const struct gateway_block *block, size_t max)
{
    return block_len(block) < max ? max - block_len(block) : 0;
}

void gateway_block_consume(struct gateway_block *block, size_t len)
{
    block->start += (uint32_t)len;
    if (block->start == block->end) {
        block->start = block->end = 0;
    }
}

void gateway_block_release(struct gateway *gateway, struct gateway_block *block)
{
    if (block->data && block->cap == BLOCK_BYTES && gateway->spare_block_count < SPARE_BLOCKS_MAX) {
        gateway->spare_blocks[gateway->spare_block_count++] = block->data;
    } else {
        free(block->data);
    }
    *block = (struct gateway_block){0};
}

void gateway_put(struct gateway_block *block, const void *bytes, size_t len)
{
    memcpy(block->data + block->end, bytes, len);
    block->end += (uint32_t)len;
}

void gateway_puts(struct gateway_block *block, const char *text)
{
    gateway_put(block, text, strlen(text));
}

void gateway_put_chunk(struct gateway_block *block, const char *bytes, size_t len)
{
    block->end += (uint32_t)http1_write_chunk(bytes, len, block->data + block->end);
}

// ---- sockets ----

enum gateway_io gateway_receive(struct gateway_endpoint *endpoint, struct gateway_block *block)
{
    size_t room = block->cap - block->end;
    ssize_t got;
    do {
        got = recv(endpoint->fd, block->data + block->end, room, 0);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        block->end += (uint32_t)got;
        // Fewer than asked for: there is no more. The end, if it has come, must still be read.
        endpoint->readable = (size_t)got == room || endpoint->ended;
        return IO_DONE;
    }
    endpoint->readable = false;
    if (got == 0) {
        endpoint->ended = true;
        return IO_EOF;
    }
    return errno == EAGAIN ? IO_AGAIN : IO_ERROR;
}

enum gateway_io gateway_send(struct gateway_endpoint *endpoint, const char *bytes, size_t len,
                             size_t *ret_sent)
{
    ssize_t sent;
    do {
        sent = send(endpoint->fd, bytes, len, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        endpoint->writable = (size_t)sent == len;
        *ret_sent = (size_t)sent;
        return IO_DONE;
    }
    endpoint->writable = false;
    return errno == EAGAIN ? IO_AGAIN : IO_ERROR;
}

int gateway_watch(struct gateway *gateway, struct gateway_endpoint *endpoint, int fd,
                  enum endpoint_kind kind)
{
    *endpoint = (struct gateway_endpoint){.fd = fd, .kind = (uint8_t)kind};
    struct epoll_event event = {
        .events = kind == ENDPOINT_LISTENER ? EPOLLIN : EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
        .data.ptr = endpoint,
    };
    return epoll_ctl(gateway->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

void gateway_endpoint_close(struct gateway *gateway, struct gateway_endpoint *endpoint)
{
    if (endpoint->fd < 0) {
        return;
    }
    // Not left to close(): while a child that was just cloned still holds a copy, the registration
    // would live on and name memory that is gone.
    epoll_ctl(gateway->epoll_fd, EPOLL_CTL_DEL, endpoint->fd, NULL);
    close(endpoint->fd);
    endpoint->fd = -1;
    endpoint->next_dead = gateway->dead;
    gateway->dead = endpoint;
}

// ---- deadlines ----

static int64_t wait_ms(const struct gateway *gateway, enum gateway_wait wait)
{
    switch (wait) {
    case WAIT_HEADER:
        return LIMIT_HEADER_WAIT_MS;
    case WAIT_IDLE:
        return LIMIT_KEEPALIVE_IDLE_MS;
    case WAIT_RESPONSE:
        return gateway->response_wait_ms;
    case WAIT_WEBSOCKET:
        return gateway->websocket_wait_ms;
    case WAIT_LINGER:
        return LINGER_MS;
    case WAIT_POOL:
        return POOL_IDLE_MS;
    case WAIT_STUCK:
        return STUCK_MS;
    case WAIT_ACCEPT:
        return ACCEPT_PAUSE_MS;
    case WAIT_NONE:
    case WAIT__COUNT:
        break;
    }
    return 0;
}

void gateway_deadline_clear(struct gateway_deadline *deadline)
{
    if (deadline->wait != WAIT_NONE) {
        deadline->previous->next = deadline->next;
        deadline->next->previous = deadline->previous;
        deadline->wait = WAIT_NONE;
    }
}

void gateway_deadline_set(struct gateway *gateway, struct gateway_deadline *deadline,
                          enum gateway_wait wait)
{
    gateway_deadline_clear(deadline);
    if (wait == WAIT_RESPONSE && gateway->options.patient) {
        return;
    }
    struct gateway_deadline *queue = &gateway->queues[wait];
    deadline->wait = wait;
    deadline->at_ms = gateway->now_ms + wait_ms(gateway, wait);
    deadline->next = queue;
    deadline->previous = queue->previous;
    queue->previous->next = deadline;
    queue->previous = deadline;
}

struct gateway_deadline *gateway_deadline_take(struct gateway *gateway)
{
    for (int wait = WAIT_NONE + 1; wait < WAIT__COUNT; wait++) {
        struct gateway_deadline *first = gateway->queues[wait].next;
        if (first != &gateway->queues[wait] && first->at_ms <= gateway->now_ms) {
            return first;
        }
    }
    return NULL;
}

// Only an earlier deadline moves the timer; a timer that comes too early finds nothing and is armed
// anew.
void gateway_deadlines_arm(struct gateway *gateway)
{
    int64_t earliest = 0;
    for (int wait = WAIT_NONE + 1; wait < WAIT__COUNT; wait++) {
        const struct gateway_deadline *first = gateway->queues[wait].next;
        if (first != &gateway->queues[wait] && (!earliest || first->at_ms < earliest)) {
            earliest = first->at_ms;
        }
    }
    if (!earliest) {
        if (gateway->timer_at_ms) {
            loop_timer_stop(gateway->timer);
            gateway->timer_at_ms = 0;
        }
        return;
    }
    if (!gateway->timer_at_ms || earliest < gateway->timer_at_ms) {
        gateway->timer_at_ms = earliest;
        loop_timer_restart(gateway->timer, earliest - gateway->now_ms);
    }
}
