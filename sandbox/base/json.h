// What: cJSON behind one door: bounded parse with line and column, case-sensitive look-ups, ids and
//       times as strings (doubles lose 2^53+1), any bytes out as valid UTF-8.
// Owns: trees are cJSON trees; json_free() the root you hold.
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

struct cJSON;

// NULL with `<name>:line:column: not valid JSON` on failure; nothing may follow the value but
// blanks.
struct cJSON *json_parse(const char *bytes, size_t len, const char *name, struct error *error);
// One line, no blanks; owned by the caller.
char *json_print(const struct cJSON *tree);
void json_free(struct cJSON *tree);

struct cJSON *json_new_object(void);
struct cJSON *json_new_array(void);
// NULL text is left out. Bytes that are not valid UTF-8 become U+FFFD.
void json_put_string(struct cJSON *object, const char *name, const char *text);
void json_put_int(struct cJSON *object, const char *name,
                  int64_t value); // a number if < 2^53, else text
void json_put_bool(struct cJSON *object, const char *name, bool value);
void json_put_tree(struct cJSON *object, const char *name, struct cJSON *tree); // takes tree
void json_put_strings(struct cJSON *object, const char *name, const struct strlist *list);
void json_remove(struct cJSON *object, const char *name); // absent is fine
void json_push(struct cJSON *array, struct cJSON *tree);  // takes tree
void json_push_string(struct cJSON *array, const char *text);

const struct cJSON *json_get(const struct cJSON *object, const char *name);
const char *json_get_string(const struct cJSON *object, const char *name); // NULL if absent
int64_t json_get_int(const struct cJSON *object, const char *name, int64_t fallback);
bool json_get_bool(const struct cJSON *object, const char *name, bool fallback);
void json_get_strings(const struct cJSON *object, const char *name, struct strlist *list);
size_t json_count(const struct cJSON *array);
const struct cJSON *json_first(const struct cJSON *array);
const struct cJSON *json_next(const struct cJSON *item);
const char *json_string(const struct cJSON *item); // NULL if it is not a string
const char *json_name(const struct cJSON *item);   // the member's name
bool json_is_object(const struct cJSON *item);
bool json_is_array(const struct cJSON *item);

#endif
