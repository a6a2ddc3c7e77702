/* Chunks are some blocks each, so that their features stay in a core's cache. Products and sums
 * within a block are in single precision, as the features are; all else is in double.
 */
#include "stats/block_rows.h"

#include "base/dispatch.h"
#include "base/memory.h"

enum { CHUNK = 32 /* blocks */ };

/* The blocks first .. end - 1 of a group. */
typedef struct Chunk {
    int group;
    int64_t first, end;
} Chunk;

struct BlockRows {
    const BlockSample *sample;
    int features, count;
    /* [count], and [count + 1]: the rows before each chunk. */
    Chunk *chunks;
    size_t *rows;
};

/* -- Making ----------------------------------------------------------------------------------- */

static int chunks_of(int64_t blocks)
{
    return (int)((blocks + CHUNK - 1) / CHUNK);
}

static bool is_wanted(int wanted, int group)
{
    return wanted == BLOCK_ROWS_ALL || wanted == group;
}

static size_t rows_of(const BlockSample *sample, const Chunk *chunk)
{
    size_t rows = 0;
    for (int64_t i = chunk->first; i < chunk->end; i++) {
        const Block block = block_sample_at(sample, chunk->group, i);
        rows += (size_t)(block.height * block.width);
    }
    return rows;
}

static void add_chunks(BlockRows *r, int group, int stride)
{
    const int64_t blocks = block_sample_count(r->sample, group);
    for (int64_t first = 0; first < blocks; first += (int64_t)CHUNK * stride) {
        const int64_t end = first + CHUNK < blocks ? first + CHUNK : blocks;
        const Chunk chunk = {.group = group, .first = first, .end = end};
        r->chunks[r->count] = chunk;
        r->rows[r->count + 1] = r->rows[r->count] + rows_of(r->sample, &chunk);
        r->count++;
    }
}

bool block_rows_make(BlockRows **rows, const BlockSample *sample, int group, int stride,
                     Error *error)
{
    BlockRows *r = memory_small(1, sizeof *r);
    const int groups = block_sample_groups(sample);
    size_t most = 1;
    for (int g = 0; g < groups; g++)
        most += is_wanted(group, g) ? (size_t)chunks_of(block_sample_count(sample, g)) : 0;
    *r = (BlockRows){.sample = sample, .features = block_sample_shape(sample)->features};
    r->chunks = memory_large(most, sizeof *r->chunks, "a list of blocks", error);
    r->rows = r->chunks ? memory_large(most, sizeof *r->rows, "a list of blocks", error) : NULL;
    if (!r->rows) {
        block_rows_free(r);
        return false;
    }
    for (int g = 0; g < groups; g++)
        if (is_wanted(group, g))
            add_chunks(r, g, stride);
    *rows = r;
    return true;
}

void block_rows_free(BlockRows *rows)
{
    if (!rows)
        return;
    memory_free(rows->chunks);
    memory_free(rows->rows);
    memory_free(rows);
}

/* -- One block -------------------------------------------------------------------------------- */

/* The features of pixel (y - 1 + ky, x - 1) of a block and of the two after it, 3 F numbers. */
INLINED const float *neighbours(const float *features, int depth, int y, int x, int ky)
{
    return features + ((y + ky) * BLOCK_PATCH + x) * depth;
}

/* l [height * width] := w' phi, w [9 F + 1] */
VECTORISED static void apply_block(const Block *block, int depth, const float *w, double *l)
{
    const int row = 3 * depth;
    for (int y = 0; y < block->height; y++)
        for (int x = 0; x < block->width; x++) {
            double sum = (double)w[3 * row];
            for (int ky = 0; ky < 3; ky++) {
                const float *z = neighbours(block->features, depth, y, x, ky), *v = w + ky * row;
                float part = 0;
#pragma omp simd reduction(+ : part)
                for (int i = 0; i < row; i++)
                    part += v[i] * z[i];
                sum += (double)part;
            }
            *l++ = sum;
        }
}

/* sum [9 F + 1] += slope phi over the block's rows; part [9 F] is scratch. */
VECTORISED static void add_block(const Block *block, int depth, const double *slope, float *part,
                                 double *sum)
{
    const int row = 3 * depth;
    for (int i = 0; i < 3 * row; i++)
        part[i] = 0;
    for (int y = 0; y < block->height; y++)
        for (int x = 0; x < block->width; x++, slope++) {
            const float s = (float)*slope;
            for (int ky = 0; ky < 3; ky++) {
                const float *z = neighbours(block->features, depth, y, x, ky);
                float *to = part + ky * row;
#pragma omp simd
                for (int i = 0; i < row; i++)
                    to[i] += s * z[i];
            }
            sum[3 * row] += *slope;
        }
    for (int i = 0; i < 3 * row; i++)
        sum[i] += (double)part[i];
}

/* -- The maps --------------------------------------------------------------------------------- */

static size_t first(const void *context, int chunk)
{
    const BlockRows *r = context;
    return r->rows[chunk];
}

static void apply(const void *context, int index, const double *w, double *l)
{
    const BlockRows *r = context;
    const Chunk *chunk = &r->chunks[index];
    const size_t features = (size_t)(9 * r->features + 1);
    float *rounded = memory_small(features, sizeof *rounded);
    for (size_t i = 0; i < features; i++)
        rounded[i] = (float)w[i];
    for (int64_t i = chunk->first; i < chunk->end; i++) {
        const Block block = block_sample_at(r->sample, chunk->group, i);
        apply_block(&block, r->features, rounded, l);
        l += block.height * block.width;
    }
    memory_free(rounded);
}

static void add(const void *context, int index, const double *slope, double *sum)
{
    const BlockRows *r = context;
    const Chunk *chunk = &r->chunks[index];
    float *part = memory_small((size_t)(9 * r->features), sizeof *part);
    for (int64_t i = chunk->first; i < chunk->end; i++) {
        const Block block = block_sample_at(r->sample, chunk->group, i);
        add_block(&block, r->features, slope, part, sum);
        slope += block.height * block.width;
    }
    memory_free(part);
}

GammaRows block_rows_maps(const BlockRows *rows)
{
    return (GammaRows){.context = rows,
                       .features = 9 * rows->features + 1,
                       .chunks = rows->count,
                       .first = first,
                       .apply = apply,
                       .add = add};
}

size_t block_rows_count(const BlockRows *rows)
{
    return rows->rows[rows->count];
}

void block_rows_values(const BlockRows *r, int channel,
                       double (*function)(const void *context, int t, double residual),
                       const void *context, double *value)
{
    const int channels = block_sample_shape(r->sample)->channels;
#pragma omp parallel for schedule(static)
    for (int c = 0; c < r->count; c++) {
        double *to = value + r->rows[c];
        for (int64_t i = r->chunks[c].first; i < r->chunks[c].end; i++) {
            const Block block = block_sample_at(r->sample, r->chunks[c].group, i);
            for (int y = 0; y < block.height; y++)
                for (int x = 0; x < block.width; x++)
                    *to++ = function(
                        context, block.t,
                        (double)block.residuals[(y * BLOCK_SIDE + x) * channels + channel]);
        }
    }
}
