/* Sizes and ranges are checked though the block has a fingerprint: a fingerprint keeps accidents out, and
 * a file may be made to deceive.
 */
#include "data/picture_index_block.h"

#include "base/memory.h"

#include <limits.h>
#include <string.h>

/* Bytes of all texts. */
enum { MOST_TEXT = 1 << 26 };

/* -- Counts ------------------------------------------------------------------------------------ */

PictureCounts picture_counts(const PictureIndex *index)
{
    return (PictureCounts){.count = index->count,
                           .files = index->files,
                           .classes = index->classes,
                           .broken = index->broken,
                           .profiles = index->profiles,
                           .others = index->others};
}

bool picture_counts_are_possible(const PictureCounts *counts, int64_t size)
{
    if (counts->count < 1 || counts->count > UINT32_MAX || counts->files < counts->count ||
        counts->files > INT_MAX * (int64_t)4 || counts->classes < 0 ||
        counts->classes > counts->count || counts->broken != counts->files - counts->count ||
        counts->profiles < 0 || counts->others < 0)
        return false;
    const int64_t arrays = counts->count * 16 + counts->files * 8;
    return size >= arrays && size <= arrays + MOST_TEXT;
}

/* -- Packing ----------------------------------------------------------------------------------- */

/* A block of bytes that grows. */
typedef struct Block {
    uint8_t *bytes;
    size_t size;
} Block;

static void append(Block *block, const void *bytes, size_t size)
{
    block->bytes = memory_grow(block->bytes, block->size + size + 1, 1);
    memcpy(block->bytes + block->size, bytes, size);
    block->size += size;
}

static void append_text(Block *block, const char *text)
{
    append(block, text ? text : "", text ? strlen(text) + 1 : 1);
}

uint8_t *picture_index_pack(const PictureIndex *index, size_t *size)
{
    Block block = {0};
    const size_t count = (size_t)index->count;
    append(&block, index->prints, count * sizeof *index->prints);
    append(&block, index->sources, (size_t)index->files * sizeof *index->sources);
    append(&block, index->slots, count * sizeof *index->slots);
    append(&block, index->labels, count * sizeof *index->labels);
    append_text(&block, index->outside);
    append_text(&block, index->first_other);
    for (int i = 0; i < picture_index_listed(index); i++)
        append_text(&block, index->complaints[i]);
    for (int64_t i = 0; i < index->classes; i++)
        append_text(&block, index->class_names[i]);
    *size = block.size;
    return block.bytes;
}

/* -- Unpacking --------------------------------------------------------------------------------- */

/* *to [count] := the next bytes of a block. */
static bool take(const uint8_t **at, void **to, int64_t count, size_t size, Error *error)
{
    *to = memory_large((size_t)count, size, "the index of a cache", error);
    if (*to)
        memcpy(*to, *at, (size_t)count * size);
    *at += (size_t)count * size;
    return *to != NULL;
}

/* *text := a copy of the next text; NULL for "". False if none is left. */
static bool take_text(const char **at, const char *end, char **text)
{
    const char *nul = *at < end ? memchr(*at, '\0', (size_t)(end - *at)) : NULL;
    if (!nul)
        return false;
    *text = nul == *at ? NULL : memory_string(*at);
    *at = nul + 1;
    return true;
}

static bool unpack_texts(PictureIndex *index, const char *at, const char *end, int64_t classes)
{
    if (!take_text(&at, end, &index->outside) || !take_text(&at, end, &index->first_other))
        return false;
    for (int i = 0; i < picture_index_listed(index); i++)
        if (!take_text(&at, end, &index->complaints[i]) || !index->complaints[i])
            return false;
    index->class_names = memory_small((size_t)classes + 1, sizeof *index->class_names);
    for (; index->classes < classes; index->classes++) {
        char **name = &index->class_names[index->classes];
        if (!take_text(&at, end, name))
            return false;
        if (!*name)
            *name = memory_string("");
    }
    return at == end;
}

bool picture_index_unpack(PictureIndex *index, const PictureCounts *counts, const uint8_t *block,
                          size_t size)
{
    Error unused;
    const uint8_t *at = block;
    void *prints = NULL, *sources = NULL, *slots = NULL, *labels = NULL;
    *index = (PictureIndex){.count = counts->count,
                            .files = counts->files,
                            .broken = counts->broken,
                            .profiles = counts->profiles,
                            .others = counts->others};
    bool ok = take(&at, &prints, counts->count, sizeof(uint64_t), &unused) &&
              take(&at, &sources, counts->files, sizeof(uint64_t), &unused) &&
              take(&at, &slots, counts->count, sizeof(uint32_t), &unused) &&
              take(&at, &labels, counts->count, sizeof(int32_t), &unused);
    index->prints = prints;
    index->sources = sources;
    index->slots = slots;
    index->labels = labels;
    ok = ok && unpack_texts(index, (const char *)at, (const char *)block + size, counts->classes);
    for (int64_t i = 0; ok && i < index->count; i++)
        ok = index->slots[i] < index->count && index->labels[i] >= -1 &&
             index->labels[i] < index->classes && (index->labels[i] >= 0 || index->outside);
    return ok;
}
