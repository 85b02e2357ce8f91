#include "emulator/environment/environment.h"

#include <stdio.h>
#include <string.h>

#include "sandbox/base/cleanup.h"

static const struct region {
    const char *name;
    const char *code;
    long hours;
    const char *zone;
    const char *rule;
    const char *abbreviation;
    const char *api_host;
} regions[] = {
#define REGION(name, code, hours, zone, rule, abbreviation, api_host)                              \
    {name, code, hours, zone, rule, abbreviation, api_host},
#include "emulator/environment/regions.def"
#undef REGION
};

static const struct region *find_region(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(regions); i++) {
        if (strcmp(regions[i].name, name) == 0) {
            return &regions[i];
        }
    }
    return NULL;
}

const char *environment_region_code(const char *region)
{
    const struct region *row = find_region(region);
    return row ? row->code : NULL;
}

const char *environment_region_names(void)
{
#define REGION(name, ...) " " name
    static const char names[] =
#include "emulator/environment/regions.def"
        ;
#undef REGION
    return names + 1;
}

long environment_region_utc_offset_s(const char *region)
{
    const struct region *row = find_region(region);
    return row ? row->hours * 3600 : 0;
}

const char *environment_region_rule(const char *region)
{
    const struct region *row = find_region(region);
    return row ? row->rule : "UTC0";
}

const char *environment_region_zone(const char *region)
{
    const struct region *row = find_region(region);
    return row ? row->zone : "UTC";
}

static size_t put_header(unsigned char *out, unsigned char version, size_t name_len)
{
    memset(out, 0, 44);
    memcpy(out, "TZif", 4);
    out[4] = version;
    out[39] = 1;                       // one local time type
    out[43] = (unsigned char)name_len; // abbreviation with its NUL
    return 44;
}

static size_t put_type(unsigned char *out, long offset_s, const char *name, size_t name_len)
{
    out[0] = (unsigned char)(offset_s >> 24);
    out[1] = (unsigned char)(offset_s >> 16);
    out[2] = (unsigned char)(offset_s >> 8);
    out[3] = (unsigned char)offset_s;
    out[4] = 0; // no daylight saving
    out[5] = 0; // abbreviation's index
    memcpy(out + 6, name, name_len);
    return 6 + name_len;
}

// RFC 8536: a version 1 block, then a version 2 block of the same, then the TZ rule. No
// transitions: the regions have one offset all the year.
void environment_region_localtime(const char *region, const void **ret_bytes, size_t *ret_len)
{
    static unsigned char file[192];
    const struct region *row = find_region(region);
    const char *name = row ? row->abbreviation : "UTC";
    size_t name_len = strlen(name) + 1;
    long offset_s = row ? row->hours * 3600 : 0;
    size_t len = 0;
    for (int block = 0; block < 2; block++) {
        len += put_header(file + len, '2', name_len);
        len += put_type(file + len, offset_s, name, name_len);
    }
    len +=
        (size_t)snprintf((char *)file + len, sizeof file - len, "\n%s\n", row ? row->rule : "UTC0");
    *ret_bytes = file;
    *ret_len = len;
}
