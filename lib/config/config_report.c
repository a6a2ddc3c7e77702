/* Errors of a configuration: one line with the place, the expected value and the given one. */
#include "config/config_reader.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *config_clip(ConfigQuote buffer, const char *text)
{
    size_t length = strnlen(text, CONFIG_MAX_QUOTE + 1);
    if (length <= CONFIG_MAX_QUOTE)
        return text;
    length = CONFIG_MAX_QUOTE;
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    snprintf(buffer, sizeof(ConfigQuote), "%.*s...", (int)length, text);
    return buffer;
}

bool config_fail(ConfigReader *reader, ConfigSource at, const char *key, const char *format, ...)
{
    char detail[sizeof reader->error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);

    bool said = key && at.override && strncmp(at.override, key, strlen(key)) == 0 &&
                at.override[strlen(key)] == '=';
    if (key && !said)
        error_input(reader->error, "%s: %s", key, detail);
    else
        error_input(reader->error, "%s", detail);

    ConfigQuote quote;
    if (at.override)
        return error_prefix(reader->error, "--set %s", config_clip(quote, at.override));
    if (at.line > 0)
        return error_prefix(reader->error, "%s:%d", reader->origin, at.line);
    return error_prefix(reader->error, "%s", reader->origin);
}

bool config_fail_unknown(ConfigReader *reader, ConfigSource at, const char *path)
{
    ConfigQuote quote;
    char section[CONFIG_SECTION_SIZE] = "";
    size_t length = strcspn(path, ".");
    if (length < sizeof section && path[length] == '.')
        memcpy(section, path, length);
    if (config_section_find(section) < 0)
        section[0] = '\0';

    char *near = config_keys_suggest(path), *valid = config_keys_list(section);
    if (near)
        config_fail(reader, at, NULL, "unknown key \"%s\"; did you mean %s?",
                    config_clip(quote, path), near);
    else
        config_fail(reader, at, NULL, "unknown key \"%s\"; the keys%s%s are %s",
                    config_clip(quote, path), *section ? " of " : "", section, valid);
    memory_free(near);
    memory_free(valid);
    return false;
}
