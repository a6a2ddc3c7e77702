/* One value of a configuration: from text to its field and back.
 *
 * Reading is strict, because a configuration stands for days of training: an integer has nothing
 * but digits, a number is finite and decimal, and the range belongs to the type.
 */
#include "config/config_keys.h"

#include "base/memory.h"
#include "base/seed.h"
#include "config/config_paths.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* -- Text to value ----------------------------------------------------------------------------- */

static size_t digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* Whether the text is an optional sign and digits without leading zeros: 010 is eight to one YAML
 * reader and ten to another. */
static bool is_integer(const char *text)
{
    text += *text == '-' || *text == '+';
    size_t length = digits(text);
    return length > 0 && text[length] == '\0' && (length == 1 || *text != '0');
}

/* Whether the text is a decimal number, with or without an exponent: no inf, nan or hexadecimal
 * number. */
static bool is_real(const char *text)
{
    text += *text == '-' || *text == '+';
    size_t whole = digits(text), fraction = 0;
    text += whole;
    if (*text == '.') {
        fraction = digits(++text);
        text += fraction;
    }
    if (whole + fraction == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '-' || *text == '+';
        size_t exponent = digits(text);
        if (exponent == 0)
            return false;
        text += exponent;
    }
    return *text == '\0';
}

static bool in_range(const ConfigKey *key, double value)
{
    bool high_enough = key->above_low ? value > key->low : value >= key->low;
    bool low_enough = key->below_high ? value < key->high : value <= key->high;
    return high_enough && low_enough;
}

static bool parse_integer(const ConfigKey *key, const char *text, int64_t *value)
{
    errno = 0;
    long long number = is_integer(text) ? strtoll(text, NULL, 10) : 0;
    if (!is_integer(text) || errno != 0 || !in_range(key, (double)number))
        return false;
    *value = number;
    return true;
}

static bool set_seed(const char *text, void *field)
{
    uint64_t seed;
    if (!seed_read(&seed, text))
        return false;
    memcpy(field, &seed, sizeof seed);
    return true;
}

static bool set_real(const ConfigKey *key, const char *text, void *field)
{
    if (!is_real(text))
        return false;
    double value = strtod(text, NULL) + 0.0; /* adding zero turns -0 into 0 */
    if (!in_range(key, value))
        return false;
    memcpy(field, &value, sizeof value);
    return true;
}

bool config_key_allows(const ConfigKey *key, const char *text)
{
    double unused;
    return set_real(key, text, &unused);
}

static bool set_bool(const char *text, void *field)
{
    static const char *const words[2][3] = {{"false", "no", "off"}, {"true", "yes", "on"}};
    for (int value = 0; value < 2; value++) {
        for (int i = 0; i < 3; i++) {
            if (strcasecmp(text, words[value][i]) == 0) {
                *(bool *)field = value;
                return true;
            }
        }
    }
    return false;
}

static bool set_choice(const ConfigKey *key, const char *text, void *field)
{
    for (int i = 0; key->choices[i]; i++) {
        if (strcmp(text, key->choices[i]) == 0) {
            memcpy(field, &i, sizeof i);
            return true;
        }
    }
    return false;
}

static bool set_list(const ConfigKey *key, Config *config, const char *const *items, int count)
{
    int values[CONFIG_MAX_LEVELS] = {0};
    if (count < key->min_entries || count > CONFIG_MAX_LEVELS)
        return false;
    for (int i = 0; i < count; i++) {
        int64_t value;
        if (!parse_integer(key, items[i], &value))
            return false;
        values[i] = (int)value;
    }
    memcpy((char *)config + key->offset, values, sizeof values);
    memcpy((char *)config + key->count_offset, &count, sizeof count);
    return true;
}

/* Writes the whole field, so that equal configurations have equal bytes. */
static bool set_reals(const ConfigKey *key, Config *config, const char *const *items, int count)
{
    if (count < key->min_entries || count > CONFIG_MAX_BETAS)
        return false;
    double *values = memory_small(CONFIG_MAX_BETAS, sizeof *values);
    bool ok = true;
    for (int i = 0; ok && i < count; i++)
        ok = set_real(key, items[i], &values[i]);
    if (ok) {
        memcpy((char *)config + key->offset, values, CONFIG_MAX_BETAS * sizeof *values);
        memcpy((char *)config + key->count_offset, &count, sizeof count);
    }
    memory_free(values);
    return ok;
}

/* Writes the whole field, so that equal configurations have equal bytes. */
static bool set_text(const char *text, char *field)
{
    size_t length = strlen(text);
    if (length >= CONFIG_TEXT_SIZE)
        return false;
    memset(field, 0, CONFIG_TEXT_SIZE);
    memcpy(field, text, length);
    return true;
}

static bool is_name(const char *text)
{
    size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                 "0123456789-_.");
    return length > 0 && length <= CONFIG_NAME_LENGTH && text[length] == '\0' && *text != '.';
}

/* The code point at *text, which moves on to the next. The text is valid UTF-8: libyaml has checked
 * it. */
static uint32_t next_code_point(const unsigned char **text)
{
    const unsigned char *c = *text;
    int more = *c < 0xc0 ? 0 : (*c < 0xe0 ? 1 : (*c < 0xf0 ? 2 : 3));
    uint32_t point = more == 0 ? *c : *c & (0x3fU >> more);
    for (c++; more > 0 && (*c & 0xc0) == 0x80; more--)
        point = point << 6 | (*c++ & 0x3f);
    *text = c;
    return point;
}

/* Whether the text has no character that breaks the line of a message, or that YAML needs
 * escaped. */
static bool is_path(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    while (*c != '\0') {
        uint32_t point = next_code_point(&c);
        bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
        bool line_end = point == 0x2028 || point == 0x2029;
        bool no_character = point == 0xfeff || point == 0xfffe || point == 0xffff;
        if (control || line_end || no_character)
            return false;
    }
    return true;
}

/* Writes the paths with separators between them. In a list no path is "". */
static bool set_paths(char *field, const char *const *items, int count)
{
    char text[CONFIG_TEXT_SIZE] = "";
    size_t used = 0;
    for (int i = 0; i < count; i++) {
        const size_t length = strlen(items[i]);
        const bool fits = used + length + (i < count - 1) < sizeof text;
        if (!is_path(items[i]) || (count > 1 && length == 0) || !fits)
            return false;
        memcpy(text + used, items[i], length);
        used += length;
        if (i < count - 1)
            text[used++] = CONFIG_PATHS_SEPARATOR;
    }
    return count > 0 && set_text(text, field);
}

bool config_key_set(const ConfigKey *key, Config *config, const char *const *items, int count)
{
    char *field = (char *)config + key->offset;
    int64_t integer;
    int narrow;
    if (key->type == KEY_LIST)
        return set_list(key, config, items, count);
    if (key->type == KEY_REALS)
        return set_reals(key, config, items, count);
    if (key->type == KEY_PATHS)
        return set_paths(field, items, count);
    if (count != 1)
        return false;
    switch (key->type) {
    case KEY_NAME:
        return is_name(items[0]) && set_text(items[0], field);
    case KEY_PATH:
        return is_path(items[0]) && set_text(items[0], field);
    case KEY_INT:
        if (!parse_integer(key, items[0], &integer))
            return false;
        narrow = (int)integer;
        memcpy(field, &narrow, sizeof narrow);
        return true;
    case KEY_INT64:
        if (!parse_integer(key, items[0], &integer))
            return false;
        memcpy(field, &integer, sizeof integer);
        return true;
    case KEY_SEED:
        return set_seed(items[0], field);
    case KEY_REAL:
        return set_real(key, items[0], field);
    case KEY_BOOL:
        return set_bool(items[0], field);
    case KEY_CHOICE:
        return set_choice(key, items[0], field);
    default:
        return false;
    }
}

/* -- Value to text ----------------------------------------------------------------------------- */

/* The shortest decimal that reads back as the same double. It always has a point: without one some
 * YAML readers take 1 for an integer and 1e-05 for a string. */
static char *format_real(double value)
{
    char text[40];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    int mantissa = (int)strcspn(text, "e");
    bool has_point = memchr(text, '.', (size_t)mantissa) != NULL;
    return memory_format("%.*s%s%s", mantissa, text, has_point ? "" : ".0", text + mantissa);
}

static char *format_list(const int *entries, int count)
{
    char text[CONFIG_MAX_LEVELS * 16] = "";
    int used = 0;
    for (int i = 0; i < count; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "%s%d", i > 0 ? ", " : "",
                         entries[i]);
    return memory_format("[%s]", text);
}

static char *format_reals(const double *entries, int count)
{
    enum { MOST = 32 }; /* of a number, with ", " */
    char *list = memory_small((size_t)count * MOST + 3, 1), *end = list;
    *end++ = '[';
    for (int i = 0; i < count; i++) {
        char *number = format_real(entries[i]);
        end += snprintf(end, MOST, "%s%s", i > 0 ? ", " : "", number);
        memory_free(number);
    }
    *end = ']';
    return list;
}

/* Whether every YAML reader takes the bare text for a string: it begins with a letter, has no
 * special characters and is no word with another meaning. */
static bool is_bare(const char *text)
{
    static const char *const words[] = {"true", "false", "yes", "no", "on",
                                        "off",  "null",  "y",   "n"};
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz/";
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(text, words[i]) == 0)
            return false;
    }
    size_t safe = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                               "0123456789/_.+-");
    return *text != '\0' && strchr(letters, *text) && text[safe] == '\0';
}

static char *format_text(const char *text, bool quoted)
{
    if (!quoted || is_bare(text))
        return memory_string(text);
    char *out = memory_small(2 * strlen(text) + 3, 1), *end = out;
    *end++ = '"';
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            *end++ = '\\';
        *end++ = *text;
    }
    *end = '"';
    return out;
}

/* "a", or "[a, b]" for several. */
static char *format_paths(const char *paths, bool quoted)
{
    char path[CONFIG_TEXT_SIZE];
    if (!config_paths_are_several(paths))
        return format_text(paths, quoted);
    char *list = memory_string("[");
    while (config_paths_next(&paths, path)) {
        char *item = format_text(path, quoted);
        char *longer = memory_format("%s%s%s", list, list[1] ? ", " : "", item);
        memory_free(list);
        memory_free(item);
        list = longer;
    }
    char *closed = memory_format("%s]", list);
    memory_free(list);
    return closed;
}

char *config_key_format(const ConfigKey *key, const Config *config, bool quoted)
{
    const void *field = (const char *)config + key->offset;
    switch (key->type) {
    case KEY_NAME:
    case KEY_PATH:
        return format_text(field, quoted);
    case KEY_PATHS:
        return format_paths(field, quoted);
    case KEY_INT:
        return memory_format("%d", *(const int *)field);
    case KEY_INT64:
        return memory_format("%" PRId64, *(const int64_t *)field);
    case KEY_SEED:
        return memory_format("%" PRIu64, *(const uint64_t *)field);
    case KEY_REAL:
        return format_real(*(const double *)field);
    case KEY_BOOL:
        return memory_string(*(const bool *)field ? "true" : "false");
    case KEY_CHOICE:
        return memory_string(key->choices[*(const int *)field]);
    case KEY_LIST:
        return format_list(field, *(const int *)((const char *)config + key->count_offset));
    case KEY_REALS:
        return format_reals(field, *(const int *)((const char *)config + key->count_offset));
    }
    return NULL;
}
