// What: the two clocks. Pure code never calls these: it is given `now_ms`.
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_now_ms(void);  // CLOCK_MONOTONIC
int64_t clock_now_us(void);  // CLOCK_MONOTONIC
int64_t clock_wall_ms(void); // CLOCK_REALTIME, since 1970
// "10:15:31" local time of a wall time.
void clock_format_hms(int64_t wall_ms, char out[static 9]);
// "2026-11-22", the local day of a wall time.
void clock_format_day(int64_t wall_ms, char out[static 11]);
// "20261122-101552" (P-62) at a fixed offset from UTC in seconds.
void clock_format_tag(int64_t wall_ms, long utc_offset_s, char out[static 16]);

#endif
