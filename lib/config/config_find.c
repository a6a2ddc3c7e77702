/* Finds keys and sections by name, and what was meant by a name that there is not. */
#include "config/config_keys.h"

#include "base/memory.h"
#include "base/nearest.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

int config_section_length(const ConfigKey *key)
{
    const char *dot = strchr(key->path, '.');
    return dot ? (int)(dot - key->path) : 0;
}

int config_key_find(const char *path)
{
    for (int i = 0; i < config_key_count; i++) {
        if (strcmp(config_keys[i].path, path) == 0)
            return i;
    }
    return -1;
}

static bool is_in_section(const ConfigKey *key, const char *section)
{
    size_t length = (size_t)config_section_length(key);
    return strlen(section) == length && strncmp(key->path, section, length) == 0;
}

int config_section_find(const char *name)
{
    for (int i = 0; i < config_key_count && *name != '\0'; i++) {
        if (is_in_section(&config_keys[i], name))
            return i;
    }
    return -1;
}

bool config_opens_section(int index)
{
    size_t length = (size_t)config_section_length(&config_keys[index]);
    if (length == 0)
        return false;
    return index == 0 ||
           strncmp(config_keys[index].path, config_keys[index - 1].path, length + 1) != 0;
}

/* text := "text, more"; frees the old one. */
static char *append(char *text, const char *separator, const char *more, int length)
{
    char *longer = memory_format("%s%s%.*s", text, *text != '\0' ? separator : "", length, more);
    memory_free(text);
    return longer;
}

char *config_keys_list(const char *section)
{
    char *list = memory_string("");
    for (int i = 0; i < config_key_count; i++) {
        const ConfigKey *key = &config_keys[i];
        int length = config_section_length(key);
        if (*section == '\0' && config_opens_section(i))
            list = append(list, ", ", key->path, length);
        else if (is_in_section(key, section))
            list = append(list, ", ", key->path + (length > 0 ? length + 1 : 0), INT_MAX);
    }
    return list;
}

/* The keys with the last part `name`, of any section: '"data.channels" or "model.channels"'; "" if
 * there are none. */
static char *namesakes(const char *name)
{
    char *found = memory_string("");
    for (int i = 0; i < config_key_count; i++) {
        const ConfigKey *key = &config_keys[i];
        int length = config_section_length(key);
        if (length > 0 && strcmp(key->path + length + 1, name) == 0) {
            char *quoted = memory_format("\"%s\"", key->path);
            found = append(found, " or ", quoted, INT_MAX);
            memory_free(quoted);
        }
    }
    return found;
}

char *config_keys_suggest(const char *path)
{
    const char *dot = strrchr(path, '.');
    char *found = namesakes(dot ? dot + 1 : path);
    if (*found != '\0')
        return found;
    memory_free(found);

    const char *names[2 * CONFIG_KEY_LIMIT];
    char sections[CONFIG_KEY_LIMIT][CONFIG_SECTION_SIZE];
    int count = 0;
    for (int i = 0; i < config_key_count; i++) {
        const ConfigKey *key = &config_keys[i];
        names[count++] = key->path;
        if (config_opens_section(i) && !dot) {
            snprintf(sections[i], CONFIG_SECTION_SIZE, "%.*s", config_section_length(key),
                     key->path);
            names[count++] = sections[i];
        }
    }
    const char *near = nearest_name(path, names, count);
    return near ? memory_format("\"%s\"", near) : NULL;
}
