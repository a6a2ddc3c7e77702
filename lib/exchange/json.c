/* JSON by jansson, which refuses texts that are nested too deeply, and texts that are no UTF-8. */
#include "exchange/json.h"

#include "base/input_file.h"
#include "base/memory.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

/* A list of 100,000 betas, the longest that is read, takes 2.2 MB, and some forty times as much as a tree. */
enum { MOST_BYTES = 4 << 20 };

static Json *parse(const char *text, size_t size, json_error_t *why)
{
    return json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, why);
}

/* The length of a number at `text` that Python writes and JSON does not have, or 0. */
static size_t foreign_number(const char *text, size_t size)
{
    static const char *const numbers[] = {"-Infinity", "Infinity", "NaN"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const size_t length = strlen(numbers[i]);
        if (size >= length && memcmp(text, numbers[i], length) == 0)
            return length;
    }
    return 0;
}

/* quoted [<= 2 size] := the text with such numbers as texts, which are refused where a key that has one is
 * read. Returns its size. */
static size_t quote_foreign_numbers(const char *text, size_t size, char *quoted)
{
    bool inside = false; /* of a text */
    size_t used = 0;
    for (size_t at = 0; at < size;) {
        const size_t length = inside ? 0 : foreign_number(text + at, size - at);
        const bool escapes = inside && text[at] == '\\' && at + 1 < size;
        const size_t taken = length > 0 ? length : escapes ? 2 : 1;
        if (length > 0)
            quoted[used++] = '"';
        memcpy(quoted + used, text + at, taken);
        used += taken;
        if (length > 0)
            quoted[used++] = '"';
        inside = inside != (taken == 1 && text[at] == '"');
        at += taken;
    }
    return used;
}

bool json_parse(Json **json, const char *text, size_t size, const char *origin, Error *error)
{
    json_error_t why;
    *json = parse(text, size, &why);
    if (!*json && size <= MOST_BYTES) {
        json_error_t again;
        char *quoted = memory_small(2 * size + 1, 1);
        *json = parse(quoted, quote_foreign_numbers(text, size, quoted), &again);
        memory_free(quoted);
    }
    return *json || error_input(error, "%s: is no JSON that can be read: %s (line %d)", origin,
                                why.text, why.line);
}

static bool read_file(Json **json, const char *path, Error *error)
{
    int64_t size;
    *json = NULL;
    if (!input_file_check(path, "a text in JSON", &size, error))
        return false;
    if (size > MOST_BYTES)
        return error_input(error, "%s: has %lld bytes, expected at most %d", path, (long long)size,
                           MOST_BYTES);
    char *text = memory_large((size_t)size, 1, path, error);
    FILE *file = text ? input_file_open(path) : NULL;
    bool ok = file && fread(text, 1, (size_t)size, file) == (size_t)size;
    if (text && !ok)
        error_input(error, "%s: %s", path, file ? "it can't be read" : strerror(errno));
    size_t at = 0;
    while (ok && at < (size_t)size && strchr(" \t\r\n", text[at]))
        at++;
    const bool is_json = at < (size_t)size && text && text[at] == '{';
    ok = ok && (is_json ? json_parse : yaml_parse)(json, text, (size_t)size, path, error);
    if (file)
        fclose(file);
    memory_free(text);
    return ok;
}

bool json_read_map(Json **json, const char *path, const char *what, Error *error)
{
    return read_file(json, path, error) &&
           (json_is_map(*json) ||
            error_input(error, "%s: has no keys with values, expected %s", path, what));
}

void json_free(Json *json)
{
    json_decref(json);
}

const Json *json_member(const Json *json, const char *name)
{
    return json_object_get(json, name);
}

const Json *json_entry(const Json *json, size_t index)
{
    return json_array_get(json, index);
}

size_t json_count(const Json *json)
{
    return json_is_object(json) ? json_object_size(json) : json_array_size(json);
}

bool json_is_list(const Json *json)
{
    return json_is_array(json);
}

bool json_is_map(const Json *json)
{
    return json && json_typeof(json) == JSON_OBJECT;
}

bool json_is_text(const Json *json)
{
    return json_is_string(json);
}

bool json_is_whole(const Json *json)
{
    return json_is_integer(json);
}

bool json_is_absent(const Json *json)
{
    return !json || json_typeof(json) == JSON_NULL;
}

bool json_get_integer(const Json *json, int64_t *value)
{
    double number;
    if (json_is_integer(json)) {
        *value = json_integer_value(json);
        return true;
    }
    if (!json_get_number(json, &number) || number != floor(number) || fabs(number) > 1e15)
        return false;
    *value = (int64_t)number;
    return true;
}

bool json_get_number(const Json *json, double *value)
{
    if (json_is_number(json))
        *value = json_number_value(json);
    return json_is_number(json);
}

bool json_get_truth(const Json *json, bool *value)
{
    if (json_is_boolean(json))
        *value = json_is_true(json);
    return json_is_boolean(json);
}

const char *json_get_text(const Json *json)
{
    const char *text = json_string_value(json);
    return text && strlen(text) == json_string_length(json) ? text : NULL;
}

bool json_each(const Json *json, bool (*visit)(void *context, const char *name, const Json *member),
               void *context)
{
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)json, name, member)
    {
        if (!visit(context, name, member))
            return false;
    }
    return true;
}
