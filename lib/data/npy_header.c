/* Reads the dictionary that NumPy writes:
 *
 *     {'descr': '|u1', 'fortran_order': False, 'shape': (10, 32, 32, 3), }
 *
 * Each key is looked up in the text, and its value is read strictly (numpy.lib.format).
 */
#include "data/npy_header.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t npy_text_length(const uint8_t bytes[NPY_PRELUDE], int *prelude)
{
    if (memcmp(bytes, "\x93NUMPY", 6) != 0 || bytes[6] < 1 || bytes[6] > 3)
        return -1;
    *prelude = bytes[6] == 1 ? 10 : 12;
    int64_t length = 0;
    for (int i = *prelude - 1; i >= 8; i--)
        length = length << 8 | bytes[i];
    return length;
}

/* The text after "'key':" and spaces; NULL if there is no such key. */
static const char *value_of(const char *text, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s'", key);
    const char *found = strstr(text, quoted);
    if (!found)
        return NULL;
    found += strlen(quoted);
    found += strspn(found, " ");
    if (*found++ != ':')
        return NULL;
    return found + strspn(found, " ");
}

/* '|u1', '<f4': byte order, kind, size. */
static bool read_type(NpyHeader *header, const char *value)
{
    if (!value || value[0] != '\'' || !strchr("|<>=", value[1]) || !value[1] ||
        !strchr("uifb", value[2]) || !value[2])
        return false;
    char *end = NULL;
    const long size = strtol(value + 3, &end, 10);
    if (!isdigit((unsigned char)value[3]) || *end != '\'' ||
        (size != 1 && size != 2 && size != 4 && size != 8))
        return false;
    header->kind = value[2];
    header->size = (int)size;
    header->big_endian = value[1] == '>';
    snprintf(header->type, sizeof header->type, "%.*s", (int)(end - value - 1), value + 1);
    return true;
}

static bool read_order(NpyHeader *header, const char *value)
{
    if (!value)
        return false;
    header->fortran_order = strncmp(value, "True", 4) == 0;
    return header->fortran_order || strncmp(value, "False", 5) == 0;
}

/* (10, 32, 32, 3), (10,) or (). Python 2 wrote 10L. */
static bool read_shape(NpyHeader *header, const char *value)
{
    if (!value || *value++ != '(')
        return false;
    header->rank = 0;
    for (;;) {
        value += strspn(value, " ");
        if (*value == ')')
            return true;
        if (!isdigit((unsigned char)*value) || header->rank == NPY_MAX_RANK)
            return false;
        const size_t digits = strspn(value, "0123456789");
        if (digits > 15)
            return false;
        header->dims[header->rank++] = strtoll(value, NULL, 10);
        value += digits;
        value += *value == 'L';
        value += strspn(value, " ");
        if (*value == ',')
            value++;
        else if (*value != ')')
            return false;
    }
}

bool npy_header_read(NpyHeader *header, const char *text)
{
    *header = (NpyHeader){0};
    return read_type(header, value_of(text, "descr")) &&
           read_order(header, value_of(text, "fortran_order")) &&
           read_shape(header, value_of(text, "shape"));
}

NpyShapeText npy_shape_text(const NpyHeader *header)
{
    NpyShapeText shape = {"["};
    size_t used = 1;
    for (int i = 0; i < header->rank; i++)
        used += (size_t)snprintf(shape.text + used, sizeof shape.text - used, "%s%lld",
                                 i > 0 ? ", " : "", (long long)header->dims[i]);
    snprintf(shape.text + used, sizeof shape.text - used, "]");
    return shape;
}
