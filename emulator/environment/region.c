#include "emulator/environment/region.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"

#define API_HOST_ID_CHARS 8 // of the app's id, in the address of its API server (P-102k)

static const struct region {
    const char *name;
    const char *code;
    long hours;
    const char *zone;
    const char *rule;
    const char *abbreviation;
    const char *api_host;
    const char *id_suffix;
    bool legacy_names;
} regions[] = {
#define BRAND_LEANCLOUD true
#define BRAND_TAPTAP    false
#define REGION(name, code, hours, zone, rule, abbreviation, api_host, id_suffix, brand)            \
    {name, code, hours, zone, rule, abbreviation, api_host, id_suffix, BRAND_##brand},
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

const char *environment_region_of_id(const char *app_id)
{
    for (size_t i = 0; i < ARRAY_LEN(regions); i++) {
        if (*regions[i].id_suffix && str_ends_with(app_id, regions[i].id_suffix)) {
            return regions[i].name;
        }
    }
    return NULL;
}

// A code stands for a group of regions: the one that the app's id tells if it is of the group, else
// the first.
const char *environment_region_find(const char *text, const char *app_id)
{
    const struct region *row = find_region(text);
    const char *told = app_id ? environment_region_of_id(app_id) : NULL;
    if (!row && told && strcmp(environment_region_code(told), text) == 0) {
        return told;
    }
    for (size_t i = 0; i < ARRAY_LEN(regions) && !row; i++) {
        row = strcmp(regions[i].code, text) == 0 ? &regions[i] : NULL;
    }
    return row ? row->name : NULL;
}

bool environment_region_has_legacy_names(const char *region)
{
    const struct region *row = find_region(region);
    return row && row->legacy_names;
}

const char *environment_region_id_suffix(const char *region)
{
    const struct region *row = find_region(region);
    return row ? row->id_suffix : "";
}

char *environment_region_api_server(const char *region, const char *app_id)
{
    const struct region *row = find_region(region);
    char begin[API_HOST_ID_CHARS + 1] = "";
    for (size_t i = 0; i < API_HOST_ID_CHARS && app_id[i]; i++) {
        begin[i] = (char)tolower((unsigned char)app_id[i]);
    }
    return row ? str_printf("https://%s.%s", begin, row->api_host) : NULL;
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
