#include "sandbox/base/clock.h"

#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec time;
    clock_gettime(id, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_now_ms(void)
{
    return clock_now_us() / 1000;
}

int64_t clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

void clock_format_hms(int64_t wall_ms, char out[static 9])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    localtime_r(&seconds, &parts);
    strftime(out, 9, "%H:%M:%S", &parts);
}

void clock_format_day(int64_t wall_ms, char out[static 11])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    localtime_r(&seconds, &parts);
    strftime(out, 11, "%Y-%m-%d", &parts);
}

void clock_format_tag(int64_t wall_ms, long utc_offset_s, char out[static 16])
{
    time_t seconds = (time_t)(wall_ms / 1000) + utc_offset_s;
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(out, 16, "%Y%m%d-%H%M%S", &parts);
}
