/* The keys of a configuration: one table, and what can be done with one key.
 *
 * Private to the configuration: config_keys.c has the table, config_value.c turns text into values and back,
 * config_check.c has the rules between keys, config_load.c reads files and overrides, config_yaml.c their YAML. A value
 * goes in and out of a Config as text, so that files, overrides, defaults and --help say the same thing.
 */
#pragma once

#include "config/config.h"

#include <stddef.h>

typedef enum KeyType {
    KEY_NAME, /* becomes the name of a directory */
    KEY_PATH, /* "" for none */
    KEY_INT,
    KEY_INT64,
    KEY_SEED, /* uint64_t, any value */
    KEY_REAL,
    KEY_BOOL,
    KEY_CHOICE, /* an enum whose values count up from 0 */
    KEY_LIST,   /* ints, at most CONFIG_MAX_LEVELS */
} KeyType;

typedef struct ConfigKey {
    const char *path; /* "stage1.batch" */
    KeyType type;
    size_t offset;              /* of the field in Config */
    size_t count_offset;        /* lists: of the field that counts the entries */
    int fewest;                 /* lists: entries */
    double low, high;           /* numbers and entries of lists */
    bool above_low, below_high; /* real numbers: the limit itself is impossible */
    const char *const *choices; /* in the order of the enum, NULL-terminated */
    const char *fallback;       /* the default, as text */
    unsigned free_in;           /* a bit, 1 << ConfigScope, for where it does not matter */
    const char *help;           /* what it means, in a few words */
} ConfigKey;

/* The table, in the order in which a configuration is written: sections are contiguous. */
extern const ConfigKey config_keys[];
extern const int config_key_count;

enum {
    CONFIG_KEY_LIMIT = 64,    /* at least config_key_count */
    CONFIG_NAME_LENGTH = 100, /* of a name, at most */
    CONFIG_SECTION_SIZE = 32, /* bytes of a section's name */
};

/* The index of the key `path`, or -1. */
int config_key_find(const char *path);

/* The index of the first key of section `name` ("model"), or -1 when there is no such section. */
int config_section_find(const char *name);

/* The length of the section's name at the start of a path, 0 for a key at the top level. */
int config_section_length(const ConfigKey *key);

/* Whether key `index` is the first of a section. */
bool config_opens_section(int index);

/* What was probably meant by an unknown `path`, as '"model.channels"': the keys with the same last
 * part, or else the nearest key or section. NULL when nothing is near. Caller frees. */
char *config_keys_suggest(const char *path);

/* "channels, resolution, flip": the keys of `section`; for "" the top level. Caller frees. */
char *config_keys_list(const char *section);

/* What a value of this key has to be, to follow "expected": "an integer from 1 to 65536". */
enum { CONFIG_EXPECTATION_SIZE = 256 };
void config_key_expectation(const ConfigKey *key, char text[CONFIG_EXPECTATION_SIZE]);

/* Sets the field from text: one item, or the `count` items of a list. False when that is
 * impossible; `config` is then as before. */
bool config_key_set(const ConfigKey *key, Config *config, const char *const *items, int count);

/* The field as text, as YAML if `quoted` says to put strings in quotes where they need them.
 * Caller frees. */
char *config_key_format(const ConfigKey *key, const Config *config, bool quoted);

/* A rule that keys break together though each is possible by itself. */
typedef struct Complaint {
    /* The key to change. */
    const char *key;
    /* Further keys that take part; NULL beyond the last. */
    const char *others[3];
    /* To follow "expected". */
    char expected[384];
    /* Whether `key` was not given at all and has to be. */
    bool is_missing;
} Complaint;

/* Which keys of the data the text or an override has set. */
typedef struct GivenData {
    bool format, train, test;
} GivenData;

/* Removes the default paths where they name other images than the configuration describes (config_parse says when). False
 * with a complaint if a path has to be given. */
bool config_choose_files(Config *config, GivenData given, Complaint *complaint);

/* False with a complaint about the first broken rule. */
bool config_check(const Config *config, Complaint *complaint);
