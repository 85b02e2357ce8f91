// What: the platform's regions (P-140 to P-142): names, clock, address of the API server.
// Sources: regions.def, one row a region.
#ifndef EMULATOR_ENVIRONMENT_REGION_H
#define EMULATOR_ENVIRONMENT_REGION_H

#include <stdbool.h>
#include <stddef.h>

#define REGION_DEFAULT "cn-n1"

// P-142: "cn-n1" -> "CN"; NULL if unknown.
const char *environment_region_code(const char *region);
// Known regions, blank-separated, for messages.
const char *environment_region_names(void);
// "us-w1" or a code as LEANCLOUD_REGION has it ("US"), with the app's id or NULL -> the region's
// name; NULL if unknown.
const char *environment_region_find(const char *text, const char *app_id);
// The region that an app's id ends in, NULL if it does not tell.
const char *environment_region_of_id(const char *app_id);
const char *environment_region_id_suffix(const char *region); // "" if its ids do not tell
// P-101g: the LC_ names are of one brand only.
bool environment_region_has_legacy_names(const char *region);
// P-102k: "https://<first 8 characters of the id>.<host of the region>". Owned by the caller.
char *environment_region_api_server(const char *region, const char *app_id);
// P-140: offset from UTC of the region, seconds.
long environment_region_utc_offset_s(const char *region);
// A complete TZif file for /etc/localtime of the region; also where the host has no tzdata.
void environment_region_localtime(const char *region, const void **ret_bytes, size_t *ret_len);
const char *environment_region_rule(const char *region); // for TZ: "CST-8"
const char *environment_region_zone(const char *region); // "Asia/Shanghai", "UTC"

#endif
