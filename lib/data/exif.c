/* Finds one number in EXIF's data: a TIFF header, then a directory of entries of 12 bytes. */
#include "data/picture_codec.h"

#include <string.h>

enum { ORIENTATION = 0x112, SHORT = 3, LONG = 4, ENTRY = 12, MOST_ENTRIES = 256 };

static uint32_t number(const uint8_t *bytes, int size, bool big_endian)
{
    uint32_t value = 0;
    for (int i = 0; i < size; i++)
        value = value << 8 | bytes[big_endian ? i : size - 1 - i];
    return value;
}

int exif_orientation(const uint8_t *bytes, size_t size)
{
    if (size < 14 || (memcmp(bytes, "II*\0", 4) != 0 && memcmp(bytes, "MM\0*", 4) != 0))
        return 1;
    const bool big = bytes[0] == 'M';
    const size_t at = number(bytes + 4, 4, big);
    if (at > size - 2)
        return 1;
    const size_t entries = number(bytes + at, 2, big);
    for (size_t i = 0; i < entries && i < MOST_ENTRIES; i++) {
        const size_t entry = at + 2 + i * ENTRY;
        if (entry + ENTRY > size)
            return 1;
        if (number(bytes + entry, 2, big) != ORIENTATION)
            continue;
        const uint32_t type = number(bytes + entry + 2, 2, big);
        const uint32_t count = number(bytes + entry + 4, 4, big);
        const uint32_t value = number(bytes + entry + 8, type == LONG ? 4 : 2, big);
        const bool is_one = (type == SHORT || type == LONG) && count == 1;
        return is_one && value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}
