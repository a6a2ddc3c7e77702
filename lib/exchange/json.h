/* JSON and YAML from outside: a tree that is read only. Two files know the libraries, json.c and
 * yaml_tree.c. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct json_t Json;

/* Parses a text; the caller frees *json. A failure is an input error that begins with `origin`.
 * Two members of one name are a failure. */
bool json_parse(Json **json, const char *text, size_t size, const char *origin, Error *error);

/* The same for YAML of at most 64 KiB, without anchors: mappings become objects, sequences arrays,
 * plain scalars numbers and truth values where they look like them. */
bool yaml_parse(Json **json, const char *text, size_t size, const char *origin, Error *error);

/* The same for a file of at most 4 MiB, which is JSON if it begins with a brace, and else YAML. The root
 * is an object: `what` was expected, "the description of a network". The caller frees *json after a
 * failure, too. */
bool json_read_map(Json **json, const char *path, const char *what, Error *error);

/* NULL is fine. */
void json_free(Json *json);

/* The member `name`, or entry `index` of an array; NULL if there is none, or if `json` is NULL or
 * something else. */
const Json *json_member(const Json *json, const char *name);
const Json *json_entry(const Json *json, size_t index);

/* How many entries an array has, or members an object; 0 for anything else. */
size_t json_count(const Json *json);

bool json_is_list(const Json *json);
bool json_is_map(const Json *json);
bool json_is_text(const Json *json);
/* Whether it is an integer that is written without a fraction. */
bool json_is_whole(const Json *json);
/* Whether it is null, or not there at all (NULL). */
bool json_is_absent(const Json *json);

/* These give true and set *value if `json` is such a value. An integer counts as a number, and a
 * number without a fraction as an integer. */
bool json_get_integer(const Json *json, int64_t *value);
bool json_get_number(const Json *json, double *value);
bool json_get_truth(const Json *json, bool *value);
/* The text of a string; NULL for anything else, and for a text with a zero in it. Lives as long as the
 * tree. */
const char *json_get_text(const Json *json);

/* Calls visit(context, name, member) for each member of an object, until one returns false; the
 * result is that of the last call. */
bool json_each(const Json *json, bool (*visit)(void *context, const char *name, const Json *member),
               void *context);
