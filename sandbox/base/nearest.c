#include "sandbox/base/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

// Edit distance with swaps of neighbours, case ignored; both at most NEAREST_MAX long.
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][NEAREST_MAX + 1];
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);
    for (size_t j = 0; j <= b_len; j++) {
        rows[1][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t *now = rows[(i + 1) % 3];
        const size_t *before = rows[i % 3];
        const size_t *twice = rows[(i + 2) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            int x = tolower((unsigned char)a[i - 1]);
            int y = tolower((unsigned char)b[j - 1]);
            size_t best = before[j - 1] + (x != y);
            best = before[j] + 1 < best ? before[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            bool swapped = i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
                           y == tolower((unsigned char)a[i - 2]);
            if (swapped && twice[j - 2] + 1 < best) {
                best = twice[j - 2] + 1;
            }
            now[j] = best;
        }
    }
    return rows[(a_len + 1) % 3][b_len];
}

// "startup_timeout" and "startup-timeout" are "startuptimeout".
static void plain_name(const char *text, char out[static NEAREST_MAX + 1])
{
    size_t used = 0;
    for (; *text && used < NEAREST_MAX; text++) {
        if (*text != '_' && *text != '-' && *text != ' ') {
            out[used++] = *text;
        }
    }
    out[used] = '\0';
}

const char *nearest_name(const char *text, const char *(*name_of)(const void *names, size_t index),
                         const void *names, size_t count)
{
    char wanted[NEAREST_MAX + 1];
    plain_name(text, wanted);
    size_t limit = strlen(wanted) < 5 ? 1 : strlen(wanted) < 9 ? 2 : 3;
    const char *best = NULL;
    for (size_t i = 0; i < count && strlen(text) <= NEAREST_MAX; i++) {
        char plain[NEAREST_MAX + 1];
        plain_name(name_of(names, i), plain);
        size_t away = distance(wanted, plain);
        if (away <= limit) {
            limit = away ? away - 1 : 0;
            best = name_of(names, i);
            if (away == 0) {
                break;
            }
        }
    }
    return best;
}
