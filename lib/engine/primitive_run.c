/* Primitives in use: they pack weights, run and end.
 *
 * A Primitive owns the library's compiled kernel and one memory object per operand. A run points the
 * memory objects at the caller's buffers, which costs nothing when the buffers have not moved.
 */
#include "engine/primitive_internal.h"

#include "base/memory.h"
#include "engine/elementwise.h"
#include "engine/profile.h"

void primitive_free(Primitive *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->slot_count; i++)
        dnnl_memory_destroy(p->slots[i].memory);
    dnnl_primitive_destroy(p->kernel);
    dnnl_primitive_desc_destroy(p->description);
    blocked_plan_free(p->weights);
    memory_free(p);
}

size_t primitive_scratch_bytes(const Primitive *p)
{
    return p->scratch_bytes;
}

size_t primitive_rows_bytes(const Primitive *p)
{
    return p->own && p->own->rows_bytes ? p->own->rows_bytes(&p->product, p->own_threads) : 0;
}

size_t primitive_weights_bytes(const Primitive *p)
{
    return p->weights_bytes;
}

void primitive_pack(const Primitive *p, const float *plain, void *packed)
{
    blocked_pack(p->weights, plain, packed);
}

void primitive_unpack(const Primitive *p, const void *packed, float *plain)
{
    blocked_unpack(p->weights, packed, plain);
}

const char *primitive_implementation(const Primitive *p)
{
    return p->own ? p->own->name() : implementation_name(p->description);
}

/* -- Running ----------------------------------------------------------------------------------- */

void (*primitive_observer)(Primitive *p, void *const *operands, void *scratch);

static bool is_done(dnnl_status_t status, const char *what, Error *error)
{
    return primitive_outcome(status, what, error) == OUTCOME_DONE;
}

bool primitive_run(Primitive *p, void *const *operands, void *scratch, Error *error)
{
    const Product *product = &p->product;
    if (primitive_observer)
        primitive_observer(p, operands, scratch);
    profile_operations(product->is_matmul ? product->matmul.a_type : product->type,
                       product_operations(product));
    if (p->own) {
        p->own->run(product, p->own_threads, operands, scratch);
        return true;
    }
    dnnl_exec_arg_t arguments[OPERAND_COUNT + 1];
    if (p->copied_bytes > 0)
        elementwise_copy(operands[OPERAND_DST], operands[OPERAND_ADDED], p->copied_bytes);
    for (int i = 0; i < p->slot_count; i++) {
        Slot *slot = &p->slots[i];
        void *pointer = (int)slot->operand == SCRATCH ? scratch : operands[slot->operand];
        if (pointer != slot->pointer) {
            if (!is_done(dnnl_memory_set_data_handle(slot->memory, pointer), "operand", error))
                return false;
            slot->pointer = pointer;
        }
        arguments[i] = (dnnl_exec_arg_t){slot->argument, slot->memory};
    }
    return is_done(dnnl_primitive_execute(p->kernel, primitive_stream(), p->slot_count, arguments),
                   "a primitive failed", error);
}
