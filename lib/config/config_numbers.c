/* A list of numbers from a text file: numbers with spaces, line ends or a comma between them, with or
 * without brackets around all of them. So a column of numpy.savetxt is one, and a list of JSON. */
#include "config/config_keys.h"

#include "base/foreign_file.h"
#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Bytes of a file: 25 for each number would do. */
enum { MOST_BYTES = 1 << 20 };

static const char spaces[] = " \t\r\n", between[] = " \t\r\n,";

/* The text of the file, which ends with a zero byte; NULL with the error set. Caller frees. */
static char *read_text(const char *path, Error *error)
{
    FILE *file = fopen(path, "rb");
    char *text = memory_small(MOST_BYTES + 2, 1);
    const size_t size = file ? fread(text, 1, MOST_BYTES + 1, file) : 0;
    const ForeignKind kind = foreign_kind_of_bytes((const uint8_t *)text, size);
    bool ok = true;
    if (!file || ferror(file))
        ok = error_input(error, "%s: %s", path, strerror(errno));
    else if (kind.text[0] != '\0')
        ok = error_input(error, "%s: is %s, expected a text with numbers", path, kind.text);
    else if (size > MOST_BYTES || strlen(text) < size)
        ok = error_input(error, "%s: expected a text with at most %d numbers", path,
                         CONFIG_MAX_BETAS);
    if (file)
        fclose(file);
    if (ok)
        return text;
    memory_free(text);
    return NULL;
}

/* Takes the brackets around the list away. */
static bool strip_brackets(char *text, const char *path, Error *error)
{
    const size_t begin = strspn(text, spaces);
    size_t end = strlen(text);
    while (end > begin && strchr(spaces, text[end - 1]))
        end--;
    if (text[begin] != '[')
        return true;
    if (text[end - 1] != ']')
        return error_input(error, "%s: its list has a bracket at the beginning and none at the end",
                           path);
    text[begin] = text[end - 1] = ' ';
    return true;
}

/* At most one comma stands between two numbers, and none before the first. */
static bool check_commas(const char *text, const char *path, Error *error)
{
    int allowed = 0;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == ',' && allowed-- == 0)
            return error_input(error, "%s: has a comma without a number before it", path);
        if (!strchr(between, *c))
            allowed = 1;
    }
    return true;
}

bool config_key_set_from_file(const ConfigKey *key, Config *config, const char *path, Error *error)
{
    char *text = read_text(path, error), *rest = NULL;
    if (!text)
        return false;
    const char **items = memory_small(CONFIG_MAX_BETAS, sizeof *items);
    int count = 0;
    bool ok = strip_brackets(text, path, error) && check_commas(text, path, error);
    for (char *item = strtok_r(text, between, &rest); ok && item;
         item = strtok_r(NULL, between, &rest)) {
        if (count == CONFIG_MAX_BETAS)
            ok = error_input(error, "%s: expected at most %d numbers, got more", path, count);
        else if (!config_key_allows(key, item))
            ok =
                error_input(error, "%s: number %d is \"%.40s\", expected one above %g and below %g",
                            path, count + 1, item, key->low, key->high);
        else
            items[count++] = item;
    }
    if (ok && count == 0)
        ok = error_input(error, "%s: holds no numbers", path);
    ok = ok && config_key_set(key, config, items, count);
    memory_free(items);
    memory_free(text);
    return ok;
}

bool config_read_betas(Config *config, const char *path, Error *error)
{
    const ConfigKey *key = &config_keys[config_key_find("diffusion.betas")];
    if (!config_key_set_from_file(key, config, path, error))
        return false;
    config->diffusion.schedule = SCHEDULE_BETAS;
    config->diffusion.timesteps = config->diffusion.beta_count;
    config->diffusion.beta_start = config->diffusion.beta_end = 0;
    return true;
}
