/* oneDNN behind primitive.h: how a product is made, checked and run.
 *
 * A Primitive owns the library's compiled kernel and one memory object per operand; running it
 * points the memories at the caller's buffers, which costs nothing when they have not moved.
 *
 * The library offers several implementations of a product. They are tried in its order of
 * preference; the first whose results are right is taken, and remembered for equal products.
 */
#include "engine/primitive_internal.h"

#include "base/memory.h"
#include "engine/elementwise.h"
#include "engine/product_check.h"
#include "engine/profile.h"

#include <omp.h>
#include <pthread.h>
#include <stdio.h>

/* -- The library ------------------------------------------------------------------------------ */

Support primitive_support(DType type)
{
    if (type == DTYPE_F32)
        return SUPPORT_FAST;
    int isa = (int)dnnl_get_effective_cpu_isa();
    if ((isa & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16)
        return SUPPORT_FAST;
    return (isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core ? SUPPORT_SLOW
                                                                        : SUPPORT_NONE;
}

const char *primitive_library(void)
{
    return onednn_name();
}

dnnl_data_type_t primitive_type(DType type)
{
    return type == DTYPE_F32 ? dnnl_f32 : dnnl_bf16;
}

static const char *status_text(dnnl_status_t status)
{
    switch (status) {
    case dnnl_success:
        return "success";
    case dnnl_out_of_memory:
        return "out of memory";
    case dnnl_invalid_arguments:
        return "invalid arguments";
    case dnnl_unimplemented:
    case NO_MORE_IMPLEMENTATIONS:
        return "not implemented for this processor or shape";
    default:
        return "run-time error";
    }
}

Outcome primitive_outcome(dnnl_status_t status, const char *what, Error *error)
{
    if (status == dnnl_success)
        return OUTCOME_DONE;
    error_runtime(error, "oneDNN: %s: %s", what, status_text(status));
    return status == dnnl_unimplemented || status == NO_MORE_IMPLEMENTATIONS ? OUTCOME_ABSENT
                                                                             : OUTCOME_FAILED;
}

static bool check(dnnl_status_t status, const char *what, Error *error)
{
    return primitive_outcome(status, what, error) == OUTCOME_DONE;
}

/* One engine and one in-order stream serve the whole process. */
static dnnl_engine_t the_engine;
static dnnl_stream_t the_stream;
static dnnl_status_t start_status;

static void start(void)
{
    start_status = dnnl_engine_create(&the_engine, dnnl_cpu, 0);
    if (start_status == dnnl_success)
        start_status = dnnl_stream_create(&the_stream, the_engine, dnnl_stream_default_flags);
}

bool primitive_engine(dnnl_engine_t *engine, Error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start);
    *engine = the_engine;
    return check(start_status, "cannot start its engine", error);
}

/* -- Building --------------------------------------------------------------------------------- */

dnnl_status_t primitive_attributes(dnnl_primitive_attr_t *attributes)
{
    dnnl_status_t status = dnnl_primitive_attr_create(attributes);
    return status != dnnl_success
               ? status
               : dnnl_primitive_attr_set_scratchpad_mode(*attributes, dnnl_scratchpad_mode_user);
}

dnnl_status_t primitive_append_added(dnnl_primitive_attr_t attributes, ConstLayout layout,
                                     bool in_place)
{
    dnnl_post_ops_t post_ops = NULL;
    dnnl_status_t status = dnnl_post_ops_create(&post_ops);
    if (status == dnnl_success)
        status = in_place ? post_ops_append_sum(post_ops)
                          : dnnl_post_ops_append_binary(post_ops, dnnl_binary_add, layout);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(attributes, post_ops);
    dnnl_post_ops_destroy(post_ops);
    return status;
}

/* The layout of an operand as the compiled primitive wants it. */
static ConstLayout layout_of(const Primitive *p, int argument)
{
    return dnnl_primitive_desc_query_md(p->description, dnnl_query_exec_arg_md, argument);
}

static bool add_slot(Primitive *p, Operand operand, int argument, ConstLayout layout, Error *error)
{
    Slot *slot = &p->slots[p->slot_count];
    *slot = (Slot){.operand = operand, .argument = argument};
    if (!check(dnnl_memory_create(&slot->memory, layout, the_engine, DNNL_MEMORY_NONE),
               "cannot describe an operand", error))
        return false;
    p->slot_count++;
    return true;
}

Outcome primitive_finish(Primitive *p, const Operand *operands, const int *arguments, int count,
                         Error *error)
{
    Outcome outcome = primitive_outcome(dnnl_primitive_create(&p->kernel, p->description),
                                        "cannot compile", error);
    if (outcome != OUTCOME_DONE)
        return outcome;
    for (int i = 0; i < count; i++)
        if (!add_slot(p, operands[i], arguments[i], layout_of(p, arguments[i]), error))
            return OUTCOME_FAILED;
    ConstLayout scratch = dnnl_primitive_desc_query_md(p->description, dnnl_query_scratchpad_md, 0);
    p->scratch_bytes = dnnl_memory_desc_get_size(scratch);
    const bool done =
        p->scratch_bytes == 0 || add_slot(p, (Operand)SCRATCH, DNNL_ARG_SCRATCHPAD, scratch, error);
    return done ? OUTCOME_DONE : OUTCOME_FAILED;
}

Outcome primitive_plan_weights(Primitive *p, int argument, const int64_t *plain, Error *error)
{
    BlockedLayout layout;
    if (!layout_blocked(layout_of(p, argument), &layout)) {
        error_runtime(error, "oneDNN: %s: its layout of weights is not known",
                      primitive_implementation(p));
        return OUTCOME_ABSENT;
    }
    p->weights = blocked_plan(&layout, plain);
    p->weights_bytes = layout.bytes;
    return OUTCOME_DONE;
}

static bool accepts(const void *context, const char *name)
{
    const Candidate *candidate = context;
    return product_log_accepts(candidate->log, name, candidate->in_place);
}

ImplementationFilter primitive_filter(const Candidate *candidate)
{
    return (ImplementationFilter){accepts, candidate};
}

/* -- Choosing --------------------------------------------------------------------------------- */

static Outcome build(Primitive *p, const Candidate *candidate, Error *error)
{
    p->own = candidate->in_place ? NULL : own_way(&p->product, candidate->log);
    if (p->own) {
        p->own_threads = omp_get_max_threads();
        p->scratch_bytes = p->own->scratch_bytes(&p->product, p->own_threads);
        return OUTCOME_DONE;
    }
    return p->product.is_matmul ? primitive_build_matmul(p, candidate, error)
                                : primitive_build_conv(p, candidate, error);
}

/* Checks a primitive that was built, and writes what comes of it in the log. */
static Outcome examine(Primitive *p, ProductLog *log, bool in_place, Error *error)
{
    double off = 0;
    const char *name = primitive_implementation(p);
    switch (product_check(p, &off, error)) {
    case CHECK_RIGHT:
        product_log_right(log, name, in_place, off);
        return OUTCOME_DONE;
    case CHECK_WRONG:
        product_log_wrong(log, name, in_place, error);
        return OUTCOME_DONE;
    default:
        return OUTCOME_FAILED;
    }
}

/* What came of the next way to compute a product: a primitive in *result, or NULL there if it is
 * wrong. */
static Outcome try(Primitive **result, ProductLog *log, const Product *product, bool in_place,
                   Error *error)
{
    const Candidate candidate = {log, in_place};
    Primitive *p = memory_small(1, sizeof *p);
    p->product = *product;
    Outcome outcome = build(p, &candidate, error);
    if (outcome == OUTCOME_DONE && !log->is_checked)
        outcome = examine(p, log, in_place, error);
    const bool taken = outcome == OUTCOME_DONE && log->is_checked;
    if (!taken)
        primitive_free(p);
    *result = taken ? p : NULL;
    return outcome;
}

/* Tries one way after the other until one is right; the two ways of an implementation to add a
 * tensor follow one another. False with the error of the last one tried. */
static bool try_all(Primitive **result, ProductLog *log, const Product *product, Error *error)
{
    const int ways = product->added ? 2 : 1;
    bool tried = true;
    while (tried) {
        tried = false;
        for (int in_place = 0; in_place < ways; in_place++) {
            const Outcome outcome = try(result, log, product, in_place, error);
            if (outcome == OUTCOME_FAILED || *result)
                return *result != NULL;
            tried = tried || outcome == OUTCOME_DONE;
        }
    }
    return log->left_out
               ? error_runtime(error, "%s computes wrong numbers and has no other way: %s",
                               primitive_library(), log->left_out)
               : false;
}

static bool make(Primitive **result, const Product *product, Error *error)
{
    dnnl_engine_t engine;
    *result = NULL;
    if (!primitive_engine(&engine, error))
        return false;
    char *text = product_text(product);
    ProductLog *log = product_log_find(text, omp_get_max_threads());
    memory_free(text);
    return log->is_checked ? try(result, log, product, log->chosen.in_place, error) == OUTCOME_DONE
                           : try_all(result, log, product, error);
}

bool primitive_conv(Primitive **primitive, const Product *product, Error *error)
{
    return make(primitive, product, error);
}

bool primitive_matmul(Primitive **primitive, const MatmulShape *shape, Error *error)
{
    const Product product = {.is_matmul = true, .matmul = *shape};
    return make(primitive, &product, error);
}

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

/* -- Using ------------------------------------------------------------------------------------ */

size_t primitive_scratch_bytes(const Primitive *p)
{
    return p->scratch_bytes;
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

bool primitive_run(Primitive *p, void *const *operands, void *scratch, Error *error)
{
    const Product *product = &p->product;
    primitive_note_run(p, operands, scratch);
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
            if (!check(dnnl_memory_set_data_handle(slot->memory, pointer), "operand", error))
                return false;
            slot->pointer = pointer;
        }
        arguments[i] = (dnnl_exec_arg_t){slot->argument, slot->memory};
    }
    return check(dnnl_primitive_execute(p->kernel, the_stream, p->slot_count, arguments),
                 "a primitive failed", error);
}
