/* Private to lib/exchange: configurations of other programs as ours. Each function sets the keys of
 * the network and of its schedule, and leaves the rest as it is. What the engine cannot compute is
 * refused with its key. */
#pragma once

#include "config/config.h"
#include "exchange/foreign_notes.h"
#include "exchange/json.h"
#include "exchange/tensor_table.h"

/* The network in a config.json of diffusers. `resolution`: what the user names, or 0. */
bool diffusers_network(Config *config, const Json *json, const char *path, int64_t resolution,
                       Error *error);

/* The schedule in a scheduler_config.json of diffusers; NULL: the one that such networks have. After
 * diffusers_network, whose second half of the outputs it must name: where it does not, that is
 * noted. */
bool diffusers_schedule(Config *config, const Json *json, const char *path, ForeignNotes *notes,
                        Error *error);

/* Network and schedule in the flags of improved- or guided-diffusion. Defaults that are taken are
 * noted, and flags that are not known. *heads_first := whether queries, keys and values lie head by head. */
bool adm_flags(Config *config, const Json *json, const char *path, bool *heads_first,
               ForeignNotes *notes, Error *error);

/* Network and schedule in a recipe of ermongroup/ddim. */
bool ddim_recipe(Config *config, const Json *json, const char *path, Error *error);

/* The network whose tensors have our names, from the shapes of its tensors. The resolution is
 * guessed where the user names none: the one at which attention is at 16 x 16, with a note. */
bool shapes_network(Config *config, const TensorTable *table, int group, const char *path,
                    int64_t resolution, ForeignNotes *notes, Error *error);

/* -- Keys -------------------------------------------------------------------------------------- */

/* A member of a description: where it is, and where errors go. */
typedef struct Described {
    const Json *json;
    const char *path;
    Error *error;
} Described;

/* *value := the member, or `missing` if it is not there or null. An input error if it is something
 * else, or outside of low .. high. */
bool described_integer(const Described *d, const char *key, int64_t missing, int64_t low,
                       int64_t high, int *value);
bool described_number(const Described *d, const char *key, double missing, double *value);
/* The same for a beta, above 0 and below 1. */
bool described_beta(const Described *d, const char *key, double missing, double *value);

/* values [count] := the integers of a list, of which there are at most `most`. */
bool described_list(const Described *d, const char *key, int most, int *values, int *count);

/* An input error unless the member is absent or has the one value that can be computed. */
bool described_text_is(const Described *d, const char *key, const char *only, const char *also);
bool described_is_absent(const Described *d, const char *key);
bool described_number_is(const Described *d, const char *key, double missing, double only);
bool described_truth_is(const Described *d, const char *key, bool missing, bool only);
