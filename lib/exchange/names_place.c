/* Takes our names apart. */
#include "exchange/names_internal.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* The text after "WORD" and a number with its dot, "block.3."; NULL if `text` does not begin so. */
static const char *after_number(const char *text, const char *word, int *number)
{
    const size_t length = strlen(word);
    char *end;
    if (strncmp(text, word, length) != 0)
        return NULL;
    const long value = strtol(text + length, &end, 10);
    if (end == text + length || *end != '.' || value < 0 || value > 1000)
        return NULL;
    *number = (int)value;
    return end + 1;
}

static NamePlace in_level(bool down, int level, const char *ours, const char *part)
{
    NamePlace place = {.kind = PLACE_BLOCK, .down = down, .level = level};
    if ((place.rest = after_number(part, "block.", &place.index)) != NULL)
        return place;
    place.kind = PLACE_ATTENTION;
    if ((place.rest = after_number(part, "attn.", &place.index)) != NULL)
        return place;
    place.kind = PLACE_SAMPLE;
    const char *word = down ? "downsample." : "upsample.";
    if (strncmp(part, word, strlen(word)) == 0) {
        place.rest = part + strlen(word);
        return place;
    }
    return (NamePlace){.kind = PLACE_WHOLE, .rest = ours};
}

NamePlace names_place(const char *ours)
{
    NamePlace place = {.kind = PLACE_WHOLE, .level = -1, .rest = ours};
    int number = 0;
    const char *rest;
    if ((rest = after_number(ours, "down.", &number)) != NULL)
        return in_level(true, number, ours, rest);
    if ((rest = after_number(ours, "up.", &number)) != NULL)
        return in_level(false, number, ours, rest);
    if ((rest = after_number(ours, "mid.block_", &number)) != NULL)
        place.kind = PLACE_BLOCK;
    else if ((rest = after_number(ours, "mid.attn_", &number)) != NULL)
        place.kind = PLACE_ATTENTION;
    if (rest) {
        place.rest = rest;
        place.index = number - 1;
    }
    return place;
}

const char *names_replaced(const NamePair *pairs, size_t count, const char *text, const char **rest)
{
    for (size_t i = 0; i < count; i++) {
        const size_t length = strlen(pairs[i].ours);
        if (strncmp(text, pairs[i].ours, length) == 0 && text[length] == '.') {
            *rest = text + length;
            return pairs[i].theirs;
        }
    }
    *rest = text;
    return NULL;
}

char *names_join(const char *before, const NamePair *pairs, size_t count, const char *part)
{
    const char *rest;
    const char *name = names_replaced(pairs, count, part, &rest);
    return memory_format("%s%s%s%s", before, before[0] ? "." : "", name ? name : "", rest);
}
