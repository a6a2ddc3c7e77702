/* The keys of a configuration: one table, and functions on one key.
 *
 * Private to the configuration: config_keys.c has the table. config_find.c finds keys by name, and
 * config_defaults.c sets them all. config_value.c turns text into values and back. config_text.c
 * writes configurations and --help. config_numbers.c reads lists of numbers from files.
 * config_check.c has the rules between keys. config_load.c reads files and overrides, config_yaml.c
 * their YAML. A value goes in and out of a Config as text, so that files, overrides, defaults and
 * --help say the same thing.
 */
#pragma once

#include "config/config.h"

#include <stddef.h>

typedef enum KeyType {
    /* Becomes the name of a directory. */
    KEY_NAME,
    /* "" for none. */
    KEY_PATH,
    /* One path, or a list of paths (config_paths.h); "" for none. */
    KEY_PATHS,
    KEY_INT,
    KEY_INT64,
    /* uint64_t, any value. */
    KEY_SEED,
    KEY_REAL,
    KEY_BOOL,
    /* An enum whose values count up from 0. */
    KEY_CHOICE,
    /* At most CONFIG_MAX_LEVELS ints. */
    KEY_LIST,
    /* At most CONFIG_MAX_BETAS doubles, or a file of them (config_numbers.c). */
    KEY_REALS,
} KeyType;

typedef struct ConfigKey {
    /* "stage1.batch". */
    const char *path;
    KeyType type;
    /* Of the field in Config. */
    size_t offset;
    /* Of a list: the offset of the field that counts the entries, and the least number of them. */
    size_t count_offset;
    int min_entries;
    /* The range of a number, or of each entry of a list. */
    double low, high;
    /* Of a real number: whether the limit itself is impossible. */
    bool above_low, below_high;
    /* In the order of the enum, up to a NULL. */
    const char *const *choices;
    /* The default, as text. */
    const char *fallback;
    /* A bit 1 << ConfigScope for each scope that the key does not belong to. */
    unsigned ignored_in;
    /* The meaning, in a few words. */
    const char *help;
} ConfigKey;

/* The table, in the order in which a configuration is written: sections are contiguous. */
extern const ConfigKey config_keys[];
extern const int config_key_count;

enum {
    /* At least config_key_count. */
    CONFIG_KEY_LIMIT = 72,
    /* Bytes of the longest name of a run. */
    CONFIG_NAME_LENGTH = 100,
    /* Bytes of a section's name. */
    CONFIG_SECTION_SIZE = 32,
};

/* The index of the key `path`, or -1. */
int config_key_find(const char *path);

/* The index of the first key of section `name` ("model"), or -1 when there is no such section. */
int config_section_find(const char *name);

/* The length of the section's name at the start of a path, 0 for a key at the top level. */
int config_section_length(const ConfigKey *key);

/* Whether key `index` is the first of a section. */
bool config_opens_section(int index);

/* A suggestion for an unknown `path`, '"model.channels"': the keys with the same last part, or else
 * the nearest key or section. NULL if none is near. Caller frees. */
char *config_keys_suggest(const char *path);

/* "channels, resolution, flip": the keys of `section`; for "" the top level. Caller frees. */
char *config_keys_list(const char *section);

/* text := the possible values of a key, to follow "expected": "an integer from 1 to 65536". */
enum { CONFIG_EXPECTATION_SIZE = 256 };
void config_key_expectation(const ConfigKey *key, char text[CONFIG_EXPECTATION_SIZE]);

/* Sets the field from text: one item, or the `count` items of a list. False if the value is
 * impossible; `config` is then as before. */
bool config_key_set(const ConfigKey *key, Config *config, const char *const *items, int count);

/* Whether text is possible as a number of a list of them. */
bool config_key_allows(const ConfigKey *key, const char *text);

/* Sets the list of numbers from a text file. An input error names the file and the first number that
 * is impossible; `config` is then as before. */
bool config_key_set_from_file(const ConfigKey *key, Config *config, const char *path, Error *error);

/* The field as text; with `quoted` as YAML, in which strings are quoted where they need it. Caller
 * frees. */
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

/* Replaces the default paths where they name other images than the configuration describes
 * (config_parse says when and by what). False with a complaint if a path has to be given. */
bool config_choose_files(Config *config, GivenData given, Complaint *complaint);

/* False with a complaint about the first broken rule. */
bool config_check(const Config *config, Complaint *complaint);
