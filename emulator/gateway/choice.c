#include "emulator/gateway/choice.h"

void choice_set(struct choice *choice, size_t count)
{
    choice->count = count;
    choice->turn = 0;
    choice->had = !choice->patient && (choice->had || count > 0);
}

size_t choice_take(struct choice *choice, const int64_t *suspect_until_ms, size_t not_this,
                   int64_t now_ms)
{
    size_t second_best = CHOICE_NONE;
    for (size_t i = 0; i < choice->count; i++) {
        size_t at = (choice->turn + i) % choice->count;
        if (at != not_this && suspect_until_ms[at] <= now_ms) {
            choice->turn = (at + 1) % choice->count;
            return at;
        }
        if (second_best == CHOICE_NONE || second_best == not_this) {
            second_best = at;
        }
    }
    return second_best;
}

bool choice_holds(const struct choice *choice)
{
    return choice->asleep || (!choice->had && !choice->refused);
}
