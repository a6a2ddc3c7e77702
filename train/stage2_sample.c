/* The sample, and its place in a checkpoint: an array of blocks and an array of keys for each part
 * and bin. */
#include "train/stage2_sample.h"

#include "base/group.h"
#include "base/memory.h"

#include <string.h>

/* -- The sample ------------------------------------------------------------------------------- */

bool head_sample_make(HeadSample *sample, const HeadSampleSize *size, Error *error)
{
    const double held_share = 1.0 / 8; /* of the memory; about the share of the images */
    const BlockSampleShape *shape = &size->shape;
    const int64_t blocks = (shape->side + BLOCK_SIDE - 1) / BLOCK_SIDE;
    const int64_t per_batch = size->batch * blocks * blocks;
    const size_t pixels = (size_t)(size->batch * shape->side * shape->side);
    *sample = (HeadSample){0};
    sample->residuals =
        memory_large(pixels * (size_t)shape->channels, sizeof(float), "residuals", error);
    if (!sample->residuals)
        return false;
    sample->features =
        memory_large(pixels * (size_t)shape->features, sizeof(float), "features", error);
    return sample->features &&
           block_sample_make(&sample->fitted, shape, size->bins, size->bytes * (1 - held_share),
                             size->fitted * per_batch, error) &&
           block_sample_make(&sample->held, shape, size->bins, size->bytes * held_share,
                             size->held * per_batch, error);
}

void head_sample_free(HeadSample *sample)
{
    block_sample_free(sample->fitted);
    block_sample_free(sample->held);
    memory_free(sample->residuals);
    memory_free(sample->features);
}

/* -- Several processes ------------------------------------------------------------------------- */

/* In the first process: adds the `count` blocks that process `from` sends. */
static void receive(BlockSample *sample, int group, int64_t count, int from, float *records,
                    double *keys)
{
    const size_t size = block_sample_record(sample);
    if (count == 0)
        return;
    group_bring(records, (size_t)count * size * sizeof *records, from);
    group_bring(keys, (size_t)count * sizeof *keys, from);
    block_sample_merge(sample, group, count, records, keys);
}

/* In another process: sends the blocks of a group. group_bring does not change what is sent. */
static void send(const BlockSample *sample, int group)
{
    const size_t count = (size_t)block_sample_count(sample, group);
    if (count == 0)
        return;
    group_bring((void *)block_sample_records(sample, group),
                count * block_sample_record(sample) * sizeof(float), group_rank());
    group_bring((void *)block_sample_keys(sample, group), count * sizeof(double), group_rank());
}

/* The first process needs room for the largest number of blocks of another. */
static bool make_room(const BlockSample *sample, const int64_t *counts, float **records,
                      double **keys, Error *error)
{
    static const char what[] = "a sample of blocks";
    int64_t most = 1;
    for (int r = 1; r < group_size(); r++)
        most = counts[r] > most ? counts[r] : most;
    *records =
        memory_large((size_t)most, block_sample_record(sample) * sizeof **records, what, error);
    *keys = *records ? memory_large((size_t)most, sizeof **keys, what, error) : NULL;
    return *keys != NULL;
}

static bool collect_group(BlockSample *sample, int group, Error *error)
{
    float *records = NULL;
    double *keys = NULL;
    int64_t *counts = memory_small((size_t)group_size(), sizeof *counts);
    counts[group_rank()] = block_sample_count(sample, group);
    group_gather(counts, group_size(), sizeof *counts);
    const bool ok =
        group_agree(!group_is_first() || make_room(sample, counts, &records, &keys, error), error);
    for (int r = 1; ok && r < group_size(); r++)
        if (group_is_first())
            receive(sample, group, counts[r], r, records, keys);
        else if (group_rank() == r)
            send(sample, group);
    if (ok && !group_is_first())
        block_sample_clear(sample, group);
    memory_free(counts);
    memory_free(records);
    memory_free(keys);
    return ok;
}

bool head_sample_collect(HeadSample *sample, Error *error)
{
    for (int bin = 0; bin < block_sample_groups(sample->fitted); bin++)
        if (!collect_group(sample->fitted, bin, error) || !collect_group(sample->held, bin, error))
            return false;
    return true;
}

void head_sample_clear(HeadSample *sample)
{
    for (int bin = 0; bin < block_sample_groups(sample->fitted); bin++) {
        block_sample_clear(sample->fitted, bin);
        block_sample_clear(sample->held, bin);
    }
}

/* -- Files ------------------------------------------------------------------------------------ */

/* "sample/fitted/3/keys", or without the last part if `array` is NULL. The caller frees it. */
static char *place(const char *part, int bin, const char *array)
{
    return array ? memory_format("sample/%s/%d/%s", part, bin, array)
                 : memory_format("sample/%s/%d", part, bin);
}

static bool write_group(const BlockSample *sample, const char *part, int bin,
                        CheckpointWriter *writer, Error *error)
{
    const int64_t count = block_sample_count(sample, bin);
    const int64_t dims[2] = {count, (int64_t)block_sample_record(sample)};
    if (count == 0)
        return true;
    char *blocks = place(part, bin, "blocks"), *keys = place(part, bin, "keys");
    char *group = place(part, bin, NULL);
    const bool ok =
        checkpoint_write_floats(writer, blocks, 2, dims, block_sample_records(sample, bin),
                                error) &&
        checkpoint_write_doubles(writer, keys, count, block_sample_keys(sample, bin), error) &&
        checkpoint_write_attribute(writer, group, "count", count, error);
    memory_free(blocks);
    memory_free(keys);
    memory_free(group);
    return ok;
}

bool head_sample_write(const HeadSample *sample, CheckpointWriter *writer, Error *error)
{
    bool ok = true;
    for (int bin = 0; ok && bin < block_sample_groups(sample->fitted); bin++)
        ok = write_group(sample->fitted, "fitted", bin, writer, error) &&
             write_group(sample->held, "held", bin, writer, error);
    return ok;
}

/* Reads `count` blocks of a group. */
static bool read_blocks(BlockSample *sample, const char *part, int bin, int64_t count,
                        Checkpoint *checkpoint, Error *error)
{
    const int64_t dims[2] = {count, (int64_t)block_sample_record(sample)};
    char *blocks = place(part, bin, "blocks"), *keys = place(part, bin, "keys");
    float *records = checkpoint_read_floats(checkpoint, blocks, 2, dims, error);
    double *order =
        records ? memory_large((size_t)count, sizeof *order, "a sample of blocks", error) : NULL;
    bool ok = order && checkpoint_read_doubles(checkpoint, keys, count, order, error);
    if (ok && !block_sample_set(sample, bin, count, records, order, error)) {
        Error reason = *error;
        ok = error_input(error, "%s:/%s: %s", checkpoint_path(checkpoint), blocks, reason.message);
    }
    memory_free(records);
    memory_free(order);
    memory_free(blocks);
    memory_free(keys);
    return ok;
}

static bool read_group(BlockSample *sample, const char *part, int bin, Checkpoint *checkpoint,
                       Error *error)
{
    char *group = place(part, bin, NULL);
    const int64_t count = checkpoint_attribute(checkpoint, group, "count", 0);
    bool ok = true;
    if (count < 0 || count > block_sample_capacity(sample))
        ok = error_input(error, "%s:/%s: attribute count: expected 0 to %lld, found %lld",
                         checkpoint_path(checkpoint), group,
                         (long long)block_sample_capacity(sample), (long long)count);
    else if (count > 0)
        ok = read_blocks(sample, part, bin, count, checkpoint, error);
    memory_free(group);
    return ok;
}

bool head_sample_read(HeadSample *sample, Checkpoint *checkpoint, Error *error)
{
    bool ok = true;
    for (int bin = 0; ok && bin < block_sample_groups(sample->fitted); bin++)
        ok = read_group(sample->fitted, "fitted", bin, checkpoint, error) &&
             read_group(sample->held, "held", bin, checkpoint, error);
    return ok;
}
