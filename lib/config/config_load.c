/* Reading a configuration: the text of a file, then overrides, then checks of the whole.
 *
 * Each step works on a ConfigReader over the defaults. The caller's configuration is set at the
 * end, if all went well.
 */
#include "config/config_reader.h"

#include "base/foreign_file.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/note.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* -- Overrides --------------------------------------------------------------------------------- */

static bool read_override(ConfigReader *reader, const char *text)
{
    text = config_without_mark(text);
    ConfigSource at = {.override = text};
    const char *equals = strchr(text, '=');
    if (!equals)
        return config_fail(reader, at, NULL, "expected KEY=VALUE");
    if (strlen(text) > CONFIG_MAX_TEXT)
        return config_fail(reader, at, NULL, "expected at most %d bytes", CONFIG_MAX_TEXT);

    reader->override = text;
    char *path = memory_format("%.*s", (int)(equals - text), text);
    int index = config_key_find(path);
    bool ok;
    if (index >= 0) {
        ok = config_read_yaml_value(reader, index, equals + 1);
    } else if (config_section_find(path) >= 0) {
        char *keys = config_keys_list(path);
        ok = config_fail(reader, at, NULL, "expected a key of section %s: %s", path, keys);
        memory_free(keys);
    } else {
        ok = config_fail_unknown(reader, at, path);
    }
    memory_free(path);
    reader->override = NULL;
    return ok;
}

/* -- The whole --------------------------------------------------------------------------------- */

static bool is_given(const ConfigReader *reader, const char *path)
{
    ConfigSource at = reader->given[config_key_find(path)];
    return at.line > 0 || at.override;
}

/* The place to blame for a contradiction: an override that takes part in it, since the file was
 * fine without; else the line of the key; else the line of another key that takes part. */
static ConfigSource blame(const ConfigReader *reader, const Complaint *complaint)
{
    const char *keys[] = {complaint->key, complaint->others[0], complaint->others[1],
                          complaint->others[2]};
    ConfigSource at = {0};
    for (int i = 0; i < 4 && keys[i]; i++) {
        ConfigSource given = reader->given[config_key_find(keys[i])];
        if (given.override)
            return given;
        if (at.line == 0)
            at = given;
    }
    return at;
}

static bool complain(ConfigReader *reader, const Complaint *complaint)
{
    ConfigSource at = blame(reader, complaint);
    if (complaint->is_missing)
        return config_fail(reader, at, complaint->key, "expected %s, got nothing",
                           complaint->expected);
    const ConfigKey *key = &config_keys[config_key_find(complaint->key)];
    char *value = config_key_format(key, &reader->config, false);
    config_fail(reader, at, complaint->key, "expected %s, got \"%s\"%s", complaint->expected, value,
                is_given(reader, complaint->key) ? "" : " by default");
    memory_free(value);
    return false;
}

/* Whether nothing gives the key that had the same say as what gave diffusion.betas: an override is
 * stronger than a file. */
static bool follows_betas(const ConfigReader *reader, const char *path)
{
    const ConfigSource at = reader->given[config_key_find(path)];
    return !at.override && (reader->given[config_key_find("diffusion.betas")].override || !at.line);
}

static void follow_betas(ConfigReader *reader)
{
    if (reader->config.diffusion.beta_count == 0)
        return;
    if (follows_betas(reader, "diffusion.schedule"))
        reader->config.diffusion.schedule = SCHEDULE_BETAS;
    if (follows_betas(reader, "diffusion.timesteps"))
        reader->config.diffusion.timesteps = reader->config.diffusion.beta_count;
}

static bool check_whole(ConfigReader *reader)
{
    const GivenData given = {.format = is_given(reader, "data.format"),
                             .train = is_given(reader, "data.train"),
                             .test = is_given(reader, "data.test")};
    Complaint complaint = {0};
    /* A recipe that says none can be trained with the override stage1.objective=hybrid alone. */
    if (reader->config.stage1.objective == STAGE1_HYBRID &&
        !reader->given[config_key_find("model.learned")].override)
        reader->config.model.learned = LEARNED_RANGE;
    follow_betas(reader);
    return (config_choose_files(&reader->config, given, &complaint) &&
            config_check(&reader->config, &complaint)) ||
           complain(reader, &complaint);
}

/* Whether an override has set the key. */
static bool is_overridden(const ConfigReader *reader, const char *path)
{
    return reader->given[config_key_find(path)].override != NULL;
}

/* The level of the network that has the resolution; -1: none. */
static int level_of(int resolution, int of, int levels)
{
    for (int level = 0; level < levels; level++)
        if (resolution == of >> level)
            return level;
    return -1;
}

/* A recipe's attention is at levels of its own resolution. Where an override sets another resolution,
 * and a level is missing there, attention stays at the same levels. */
static void move_attention(ConfigReader *reader, int resolution)
{
    Config *config = &reader->config;
    const int levels = config->model.levels, now = config->data.resolution;
    bool missing = false;
    int moved[CONFIG_MAX_LEVELS] = {0};
    if (!is_overridden(reader, "data.resolution") || is_overridden(reader, "model.attention"))
        return;
    for (int i = 0; i < config->model.attentions; i++) {
        const int level = level_of(config->model.attention[i], resolution, levels);
        missing = missing || level_of(config->model.attention[i], now, levels) < 0;
        moved[i] = level < 0 ? config->model.attention[i] : now >> level;
    }
    if (!missing || now % (1 << (levels - 1)) != 0)
        return; /* what is wrong with the resolution is said by config_check */
    const ConfigKey *key = &config_keys[config_key_find("model.attention")];
    char *before = config_key_format(key, config, false);
    memcpy(config->model.attention, moved, sizeof moved);
    char *after = config_key_format(key, config, false);
    note("model.attention is %s, the levels that have it in the recipe: %s at a resolution of %d",
         after, before, resolution);
    memory_free(before);
    memory_free(after);
}

static bool parse(Config *config, const char *text, const char *origin, bool is_file,
                  const char *const *overrides, int count, Error *error)
{
    ConfigReader reader = {.origin = origin, .is_file = is_file, .error = error};
    config_defaults(&reader.config);
    if (text && !config_read_yaml(&reader, text))
        return false;
    const int resolution = reader.config.data.resolution;
    for (int i = 0; i < count; i++) {
        if (!read_override(&reader, overrides[i]))
            return false;
    }
    move_attention(&reader, resolution);
    if (!check_whole(&reader))
        return false;
    memcpy(config, &reader.config, sizeof *config);
    return true;
}

bool config_parse(Config *config, const char *text, const char *origin,
                  const char *const *overrides, int count, Error *error)
{
    return parse(config, text, origin, false, overrides, count, error);
}

/* Reads at most `max` bytes of a file. It may be a pipe (/dev/stdin, <(...)), which keeps the
 * program waiting. */
static bool read_file(const char *path, char *text, size_t max, size_t *size, Error *error)
{
    interrupt_wait_begin();
    FILE *file = fopen(path, "rb");
    bool ok = file != NULL;
    if (ok) {
        errno = 0;
        *size = fread(text, 1, max, file);
        ok = !ferror(file);
    }
    if (!ok)
        error_input(error, "%s: expected a configuration, got: %s", path, strerror(errno));
    if (file)
        fclose(file);
    interrupt_wait_end();
    return ok;
}

char *config_text(const char *path, Error *error)
{
    size_t size = 0;
    char *text = memory_small(CONFIG_MAX_BYTES + 2, 1);
    bool ok = read_file(path, text, CONFIG_MAX_BYTES + 1, &size, error);
    const ForeignKind kind = foreign_kind_of_bytes((const uint8_t *)text, size);
    if (ok && kind.text[0] != '\0')
        ok = error_input(error, "%s:1: is %s, expected a recipe: YAML in UTF-8", path, kind.text);
    if (ok && strlen(text) < size)
        ok = error_input(error, "%s:%d: expected YAML, got a NUL byte", path,
                         config_line_of(text, size));
    if (!ok) {
        memory_free(text);
        return NULL;
    }
    return text;
}

bool config_parse_file(Config *config, const char *text, const char *path,
                       const char *const *overrides, int count, Error *error)
{
    return parse(config, text, path, true, overrides, count, error);
}

bool config_load(Config *config, const char *path, const char *const *overrides, int count,
                 Error *error)
{
    char *text = config_text(path, error);
    bool ok = text && config_parse_file(config, text, path, overrides, count, error);
    memory_free(text);
    return ok;
}
