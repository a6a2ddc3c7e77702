/* What oneDNN makes: the engine that serves the process, and the steps that turn a description into a
 * compiled product. primitive_conv.c and primitive_matmul.c describe the two kinds of products and
 * take these steps. */
#include "engine/primitive_internal.h"

#include <pthread.h>

/* -- The library ------------------------------------------------------------------------------ */

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

dnnl_stream_t primitive_stream(void)
{
    return the_stream;
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
                      implementation_name(p->description));
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
