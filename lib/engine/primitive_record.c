/* Runs that are noted, to be run again with nothing in between: the floor of bench.
 *
 * Where an algorithm with fewer multiplications computed a product, the direct product is run again
 * in its place, so that the floor does not depend on that algorithm. These direct products share one
 * buffer for their packed weights, whose numbers do not matter, and one for scratch.
 */
#include "engine/primitive_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include "engine/product_check.h"

#include <string.h>

typedef struct Call {
    Primitive *primitive;
    /* The direct product that is run again in its place; NULL: it is direct itself. */
    Primitive *direct;
    void *operands[OPERAND_COUNT], *scratch;
} Call;

static Call *calls;
static size_t call_count;

static void *shared_weights, *shared_scratch;

static void note_run(Primitive *p, void *const *operands, void *scratch)
{
    calls = memory_grow(calls, call_count + 1, sizeof *calls);
    Call *call = &calls[call_count++];
    *call = (Call){.primitive = p, .scratch = scratch};
    memcpy(call->operands, operands, sizeof call->operands);
}

void primitive_record(void)
{
    for (size_t i = 0; i < call_count; i++)
        primitive_free(calls[i].direct);
    memory_free(calls);
    memory_free(shared_weights);
    memory_free(shared_scratch);
    calls = NULL;
    shared_weights = shared_scratch = NULL;
    call_count = 0;
    primitive_observer = note_run;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Makes the direct products. */
static bool make_direct(size_t *weights, size_t *scratch, Error *error)
{
    for (size_t i = 0; i < call_count; i++) {
        Call *call = &calls[i];
        if (!call->primitive->own || !call->primitive->own->is_by_tiles)
            continue;
        Product product = call->primitive->product;
        product.direct = true;
        if (!primitive_conv(&call->direct, &product, error))
            return false;
        *weights = larger(*weights, primitive_weights_bytes(call->direct));
        *scratch = larger(*scratch, primitive_scratch_bytes(call->direct));
    }
    return true;
}

bool primitive_record_end(Error *error)
{
    size_t weights = 0, scratch = 0;
    primitive_observer = NULL;
    const bool made = make_direct(&weights, &scratch, error);
    product_check_end();
    if (!made)
        return false;
    shared_weights = memory_large(weights, 1, "direct products", error);
    shared_scratch = memory_large(scratch, 1, "direct products", error);
    for (size_t i = 0; i < call_count; i++) {
        Call *call = &calls[i];
        if (!call->direct)
            continue;
        call->scratch = shared_scratch;
        if (primitive_weights_bytes(call->direct) > 0)
            call->operands[OPERAND_WEIGHTS] = shared_weights;
    }
    return shared_weights && shared_scratch;
}

double primitive_replay(void)
{
    Error ignored = {0};
    double begin = clock_seconds();
    for (size_t i = 0; i < call_count; i++)
        primitive_run(calls[i].direct ? calls[i].direct : calls[i].primitive, calls[i].operands,
                      calls[i].scratch, &ignored);
    return clock_seconds() - begin;
}

double primitive_record_operations(void)
{
    double operations = 0;
    for (size_t i = 0; i < call_count; i++)
        operations += product_operations(&calls[i].primitive->product);
    return operations;
}
