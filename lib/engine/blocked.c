/* Packing, block by block. A table says for each place of a block where its element lies in the
 * plain array, relative to the block's first element. A block that is whole is one pass over that
 * table; at the end of a dimension, places beyond the tensor are left out.
 *
 * Threads share the blocks of the first two dimensions (the channels of a convolution's weights).
 * One thread takes all blocks along the others (the kernel), which read the same cache lines.
 */
#include "engine/blocked.h"

#include "base/memory.h"

struct BlockedPlan {
    BlockedLayout layout;
    int64_t plain[BLOCKED_RANK];
    /* Elements of a block along each dimension, blocks along each, and elements in all of one. */
    int64_t step[BLOCKED_RANK], blocks[BLOCKED_RANK], inner;
    /* [inner]: offset in the plain array of each place, and its position along each dimension. */
    int32_t *offsets, *positions[BLOCKED_RANK];
};

/* A layout without inner blocks becomes one with a single block along its contiguous dimension,
 * so that there is a row to work on. */
static void block_contiguous_dimension(BlockedLayout *layout)
{
    for (int d = 0; layout->inner_count == 0 && d < layout->rank; d++)
        if (layout->strides[d] == 1 && layout->padded[d] == layout->dims[d]) {
            layout->inner_count = 1;
            layout->inner_dim[0] = d;
            layout->inner_block[0] = layout->dims[d];
        }
}

static void fill_tables(BlockedPlan *plan)
{
    const BlockedLayout *layout = &plan->layout;
    for (int64_t j = 0; j < plan->inner; j++) {
        int64_t rest = j, unit[BLOCKED_RANK] = {1, 1, 1, 1}, offset = 0;
        for (int i = layout->inner_count - 1; i >= 0; i--) {
            const int d = layout->inner_dim[i];
            const int64_t at = rest % layout->inner_block[i] * unit[d];
            plan->positions[d][j] += (int32_t)at;
            offset += at * plan->plain[d];
            rest /= layout->inner_block[i];
            unit[d] *= layout->inner_block[i];
        }
        plan->offsets[j] = (int32_t)offset;
    }
}

BlockedPlan *blocked_plan(const BlockedLayout *layout, const int64_t *plain)
{
    BlockedPlan *plan = memory_small(1, sizeof *plan);
    plan->layout = *layout;
    block_contiguous_dimension(&plan->layout);
    plan->inner = 1;
    for (int d = 0; d < BLOCKED_RANK; d++)
        plan->step[d] = plan->blocks[d] = 1;
    for (int i = 0; i < plan->layout.inner_count; i++) {
        plan->step[plan->layout.inner_dim[i]] *= plan->layout.inner_block[i];
        plan->inner *= plan->layout.inner_block[i];
    }
    for (int d = 0; d < layout->rank; d++) {
        plan->plain[d] = plain[d];
        plan->blocks[d] = (layout->dims[d] + plan->step[d] - 1) / plan->step[d];
    }
    plan->offsets = memory_small((size_t)plan->inner, sizeof *plan->offsets);
    for (int d = 0; d < BLOCKED_RANK; d++)
        plan->positions[d] = memory_small((size_t)plan->inner, sizeof **plan->positions);
    fill_tables(plan);
    return plan;
}

void blocked_plan_free(BlockedPlan *plan)
{
    if (!plan)
        return;
    for (int d = 0; d < BLOCKED_RANK; d++)
        memory_free(plan->positions[d]);
    memory_free(plan->offsets);
    memory_free(plan);
}

/* -- One block -------------------------------------------------------------------------------- */

VECTORISED static void pack_whole(const int32_t *offsets, int64_t count, DType type,
                                  const float *plain, void *packed)
{
    if (type == DTYPE_F32)
        for (int64_t j = 0; j < count; j++)
            ((float *)packed)[j] = plain[offsets[j]];
    else
        for (int64_t j = 0; j < count; j++)
            ((uint16_t *)packed)[j] = bf16_from_float(plain[offsets[j]]);
}

/* The unpacked element is float32 whatever the packed one is. */
static void unpack_whole(const int32_t *offsets, int64_t count, DType type, const void *packed,
                         float *plain)
{
    for (int64_t j = 0; j < count; j++)
        plain[offsets[j]] = load(packed, type, (size_t)j);
}

/* Whether place j of the block at `first` belongs to the tensor. */
static bool is_inside(const BlockedPlan *plan, const int64_t *first, int64_t j)
{
    for (int d = 0; d < plan->layout.rank; d++)
        if (first[d] + plan->positions[d][j] >= plan->layout.dims[d])
            return false;
    return true;
}

static bool is_whole(const BlockedPlan *plan, const int64_t *first)
{
    for (int d = 0; d < plan->layout.rank; d++)
        if (first[d] + plan->step[d] > plan->layout.dims[d])
            return false;
    return true;
}

static void pack_block(const BlockedPlan *plan, const int64_t *first, const float *plain,
                       void *packed)
{
    const DType type = plan->layout.type;
    if (is_whole(plan, first))
        pack_whole(plan->offsets, plan->inner, type, plain, packed);
    else
        for (int64_t j = 0; j < plan->inner; j++)
            if (is_inside(plan, first, j))
                store(packed, type, (size_t)j, plain[plan->offsets[j]]);
}

static void unpack_block(const BlockedPlan *plan, const int64_t *first, const void *packed,
                         float *plain)
{
    const DType type = plan->layout.type;
    if (is_whole(plan, first))
        unpack_whole(plan->offsets, plan->inner, type, packed, plain);
    else
        for (int64_t j = 0; j < plan->inner; j++)
            if (is_inside(plan, first, j))
                plain[plan->offsets[j]] = load(packed, type, (size_t)j);
}

/* -- All blocks ------------------------------------------------------------------------------- */

/* Packs or unpacks the block whose indices along the dimensions are `block`. */
static void convert_block(const BlockedPlan *plan, const int64_t *block, float *plain, void *packed,
                          bool unpack)
{
    int64_t first[BLOCKED_RANK] = {0}, from = 0, to = 0;
    for (int d = 0; d < plan->layout.rank; d++) {
        first[d] = block[d] * plan->step[d];
        from += first[d] * plan->plain[d];
        to += block[d] * plan->layout.strides[d];
    }
    void *place = dtype_at(packed, plan->layout.type, (size_t)to);
    if (unpack)
        unpack_block(plan, first, place, plain + from);
    else
        pack_block(plan, first, plain + from, place);
}

static void convert(const BlockedPlan *plan, float *plain, void *packed, bool unpack)
{
    const int64_t *blocks = plan->blocks;
#pragma omp parallel for schedule(static)
    for (int64_t task = 0; task < blocks[0] * blocks[1]; task++)
        for (int64_t i = 0; i < blocks[2]; i++)
            for (int64_t j = 0; j < blocks[3]; j++) {
                const int64_t block[] = {task / blocks[1], task % blocks[1], i, j};
                convert_block(plan, block, plain, packed, unpack);
            }
}

void blocked_pack(const BlockedPlan *plan, const float *plain, void *packed)
{
    convert(plan, (float *)plain, packed, false);
}

void blocked_unpack(const BlockedPlan *plan, const void *packed, float *plain)
{
    convert(plan, plain, (void *)packed, true);
}
