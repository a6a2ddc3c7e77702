/* Shared by the parts of reading a configuration: config_load.c, config_yaml.c and config_report.c.
 *
 * A Reader is a configuration on its way: it remembers where each key was set, so that a
 * contradiction between two keys, which is found at the very end, still names a line.
 */
#pragma once

#include "config/config_keys.h"

enum {
    /* Bytes of YAML besides those of numbers; a recipe has two thousand. libyaml takes quadratic time
     * for deeply nested text: a second for this much, a minute for ten times as much. */
    CONFIG_MAX_TEXT = 16384,
    /* Bytes of YAML in all: with a list of CONFIG_MAX_BETAS numbers. */
    CONFIG_MAX_BYTES = CONFIG_MAX_TEXT + 32 * CONFIG_MAX_BETAS,
    /* Bytes of a file's text that an error repeats. */
    CONFIG_MAX_QUOTE = 100,
};

/* Where a key was set: in a line of the file, or by an override. Neither: by default. */
typedef struct ConfigSource {
    int line;
    const char *override;
} ConfigSource;

typedef struct ConfigReader {
    Config config;
    /* For messages: the path of the file. */
    const char *origin;
    /* Whether the text is a recipe that somebody wrote, so that it must have a key. */
    bool is_file;
    /* The "key=value" that is being read; NULL: the file is. */
    const char *override;
    /* Where each key of the table was set. */
    ConfigSource given[CONFIG_KEY_LIMIT];
    /* The line of each section, indexed by the section's first key; 0: not seen. */
    int section_line[CONFIG_KEY_LIMIT];
    Error *error;
} ConfigReader;

/* -- Reading (config_yaml.c) ------------------------------------------------------------------- */

/* Sets all keys of a YAML document. */
bool config_read_yaml(ConfigReader *reader, const char *text);

/* Sets the key `index` from a YAML value. */
bool config_read_yaml_value(ConfigReader *reader, int index, const char *text);

/* The text after UTF-8's byte order mark, which some editors write first. */
const char *config_without_mark(const char *text);

/* The line of text[offset], from 1. */
int config_line_of(const char *text, size_t offset);

/* -- Errors (config_report.c) ------------------------------------------------------------------ */

typedef char ConfigQuote[CONFIG_MAX_QUOTE + 8];

/* `text` itself, or its beginning in `buffer`, cut between characters, if an error cannot carry all
 * of it. */
const char *config_clip(ConfigQuote buffer, const char *text);

/* Reports "FILE:LINE: KEY: ...", or "--set KEY=VALUE: ..." (with the key only if it is another).
 * Line 0 and key NULL are left out. Returns false. */
bool config_fail(ConfigReader *reader, ConfigSource at, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Reports a key that is not in the table, with the nearest valid ones. Returns false. */
bool config_fail_unknown(ConfigReader *reader, ConfigSource at, const char *path);
