/* The table and a configuration as text: what a key expects, YAML, differences, --help. */
#include "config/config_keys.h"

#include "base/fingerprint.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

static void expect_real(const ConfigKey *key, char text[CONFIG_EXPECTATION_SIZE])
{
    snprintf(text, CONFIG_EXPECTATION_SIZE, "a number %s %.10g %s %.10g",
             key->above_low ? "above" : "from", key->low,
             key->below_high ? "to below" : (key->above_low ? "up to" : "to"), key->high);
}

/* "auto, f32 or bf16" */
static void expect_choice(const ConfigKey *key, char text[CONFIG_EXPECTATION_SIZE])
{
    int used = 0;
    for (int i = 0; key->choices[i]; i++) {
        const char *joint = i == 0 ? "" : (key->choices[i + 1] ? ", " : " or ");
        used += snprintf(text + used, (size_t)(CONFIG_EXPECTATION_SIZE - used), "%s%s", joint,
                         key->choices[i]);
    }
}

void config_key_expectation(const ConfigKey *key, char text[CONFIG_EXPECTATION_SIZE])
{
    const size_t size = CONFIG_EXPECTATION_SIZE;
    switch (key->type) {
    case KEY_NAME:
        snprintf(text, size, "1 to %d letters, digits, '-', '_' and '.', the first of them not '.'",
                 CONFIG_NAME_LENGTH);
        break;
    case KEY_PATH:
        snprintf(text, size, "a path of at most %d bytes without control characters",
                 CONFIG_TEXT_SIZE - 1);
        break;
    case KEY_PATHS:
        snprintf(text, size,
                 "a path of at most %d bytes without control characters, or a list of "
                 "paths",
                 CONFIG_TEXT_SIZE - 1);
        break;
    case KEY_INT:
    case KEY_INT64:
        snprintf(text, size, "an integer from %.0f to %.0f", key->low, key->high);
        break;
    case KEY_SEED:
        snprintf(text, size, "an integer from 0 to %llu", (unsigned long long)UINT64_MAX);
        break;
    case KEY_REAL:
        expect_real(key, text);
        break;
    case KEY_BOOL:
        snprintf(text, size, "true or false");
        break;
    case KEY_CHOICE:
        expect_choice(key, text);
        break;
    case KEY_LIST:
        snprintf(text, size, "a list of %d to %d integers from %.0f to %.0f", key->min_entries,
                 CONFIG_MAX_LEVELS, key->low, key->high);
        break;
    case KEY_REALS:
        snprintf(text, size, "at most %d numbers above %.10g and below %.10g, or a file of them",
                 CONFIG_MAX_BETAS, key->low, key->high);
        break;
    }
}

char *config_to_yaml(const Config *config)
{
    char *yaml = memory_string("");
    for (int i = 0; i < config_key_count; i++) {
        const ConfigKey *key = &config_keys[i];
        int section = config_section_length(key);
        bool opens = config_opens_section(i);
        char *value = config_key_format(key, config, true);
        char *longer = memory_format("%s%.*s%s%s%s: %s\n", yaml, opens ? section : 0, key->path,
                                     opens ? ":\n" : "", section > 0 ? "  " : "",
                                     key->path + (section > 0 ? section + 1 : 0), value);
        memory_free(value);
        memory_free(yaml);
        yaml = longer;
    }
    return yaml;
}

int config_differences(const Config *a, const Config *b, ConfigScope scope, char *keys,
                       int keys_size)
{
    int count = 0, used = 0;
    if (keys_size > 0)
        keys[0] = '\0';
    for (int i = 0; i < config_key_count; i++) {
        const ConfigKey *key = &config_keys[i];
        char *in_a = config_key_format(key, a, false);
        char *in_b = config_key_format(key, b, false);
        if (!(key->ignored_in & 1 << scope) && strcmp(in_a, in_b) != 0) {
            int length = (int)strlen(key->path) + (count > 0 ? 2 : 0);
            if (used + length < keys_size)
                used += snprintf(keys + used, (size_t)(keys_size - used), "%s%s",
                                 count > 0 ? ", " : "", key->path);
            count++;
        }
        memory_free(in_a);
        memory_free(in_b);
    }
    return count;
}

uint64_t config_fingerprint(uint64_t before, const Config *config, ConfigScope scope)
{
    uint64_t print = before;
    Config defaults;
    config_defaults(&defaults);
    for (int i = 0; i < config_key_count; i++) {
        const ConfigKey *key = &config_keys[i];
        char *value = config_key_format(key, config, false);
        char *usual = config_key_format(key, &defaults, false);
        if (!(key->ignored_in & 1 << scope) && strcmp(value, usual) != 0) {
            print = fingerprint(print, key->path, strlen(key->path) + 1);
            print = fingerprint(print, value, strlen(value) + 1);
        }
        memory_free(value);
        memory_free(usual);
    }
    return print;
}

char *config_help(void)
{
    char *help = memory_string("");
    for (int i = 0; i < config_key_count; i++) {
        const ConfigKey *key = &config_keys[i];
        char expectation[CONFIG_EXPECTATION_SIZE];
        config_key_expectation(key, expectation);
        char *longer = memory_format("%s  %-22s %s\n  %-22s   %s; default %s\n", help, key->path,
                                     key->help, "", expectation, key->fallback);
        memory_free(help);
        help = longer;
    }
    return help;
}
