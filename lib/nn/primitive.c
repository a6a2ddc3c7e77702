/* oneDNN 2.x behind primitive.h.
 *
 * A Primitive owns the library's compiled kernel and one memory object per operand; running it
 * points the memories at the caller's buffers, which costs nothing when they have not moved.
 */
#include "nn/primitive.h"

#include "base/memory.h"
#include "nn/elementwise.h"

#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <string.h>

typedef struct Slot {
    Operand operand;
    int argument; /* DNNL_ARG_... */
    dnnl_memory_t memory;
    void *pointer; /* where the memory points now */
} Slot;

struct Primitive {
    dnnl_primitive_desc_t description;
    dnnl_primitive_t kernel;
    ConvPass pass; /* of a convolution */
    ConvShape conv;
    Slot slots[OPERAND_COUNT + 1]; /* the last one used is the scratchpad */
    int slot_count;
    size_t scratch_bytes;
    size_t copied_bytes; /* of OPERAND_ADDED, to OPERAND_DST, before it runs: see adds_wrongly */
};

enum { SCRATCH = OPERAND_COUNT };

size_t dtype_size(DType type)
{
    (void)type;
    return sizeof(float);
}

static dnnl_data_type_t dnnl_type(DType type)
{
    (void)type;
    return dnnl_f32;
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
        return "not implemented for this processor or shape";
    default:
        return "run-time error";
    }
}

static bool check(dnnl_status_t status, const char *what, Error *error)
{
    if (status == dnnl_success)
        return true;
    return error_runtime(error, "oneDNN: %s: %s", what, status_text(status));
}

static bool engine_ready(Error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start);
    return check(start_status, "cannot start its engine", error);
}

static bool add_slot(Primitive *p, Operand operand, int argument, const dnnl_memory_desc_t *layout,
                     Error *error)
{
    Slot *slot = &p->slots[p->slot_count];
    *slot = (Slot){.operand = operand, .argument = argument};
    if (!check(dnnl_memory_create(&slot->memory, layout, the_engine, DNNL_MEMORY_NONE),
               "cannot describe an operand", error))
        return false;
    p->slot_count++;
    return true;
}

/* The layout of an operand as the compiled primitive wants it. */
static const dnnl_memory_desc_t *layout_of(const Primitive *p, int argument)
{
    return dnnl_primitive_desc_query_md(p->description, dnnl_query_exec_arg_md, argument);
}

/* Compiles p->description and gives it a slot per (operand, argument) pair and for scratch. */
static bool finish(Primitive *p, const Operand *operands, const int *arguments, int count,
                   Error *error)
{
    if (!check(dnnl_primitive_create(&p->kernel, p->description), "cannot compile", error))
        return false;
    for (int i = 0; i < count; i++)
        if (!add_slot(p, operands[i], arguments[i], layout_of(p, arguments[i]), error))
            return false;
    const dnnl_memory_desc_t *scratch =
        dnnl_primitive_desc_query_md(p->description, dnnl_query_scratchpad_md, 0);
    p->scratch_bytes = dnnl_memory_desc_get_size(scratch);
    return p->scratch_bytes == 0 ||
           add_slot(p, (Operand)SCRATCH, DNNL_ARG_SCRATCHPAD, scratch, error);
}

/* Scratch memory comes from the caller, so that a graph plans it with everything else. */
static bool new_attributes(dnnl_primitive_attr_t *attributes, Error *error)
{
    return check(dnnl_primitive_attr_create(attributes), "attributes", error) &&
           check(dnnl_primitive_attr_set_scratchpad_mode(*attributes, dnnl_scratchpad_mode_user),
                 "scratchpad mode", error);
}

/* The mathematical layouts of a convolution: activations NHWC, weights free to choose. */
typedef struct ConvLayouts {
    dnnl_memory_desc_t src, weights, bias, dst;
} ConvLayouts;

static ConvLayouts conv_layouts(const ConvShape *s, DType type)
{
    const dnnl_dims_t src = {s->n, s->in_channels, s->in_height, s->in_width};
    const dnnl_dims_t dst = {s->n, s->out_channels, s->out_height, s->out_width};
    const dnnl_dims_t weights = {s->out_channels, s->in_channels, s->kernel, s->kernel};
    const dnnl_dims_t bias = {s->out_channels};
    ConvLayouts l;
    dnnl_memory_desc_init_by_tag(&l.src, 4, src, dnnl_type(type), dnnl_nhwc);
    dnnl_memory_desc_init_by_tag(&l.dst, 4, dst, dnnl_type(type), dnnl_nhwc);
    dnnl_memory_desc_init_by_tag(&l.weights, 4, weights, dnnl_type(type), dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&l.bias, 1, bias, dnnl_f32, dnnl_a);
    return l;
}

/* The forward description is also the hint that the two backward ones ask for. */
static bool describe_conv(dnnl_primitive_desc_t *description, const ConvShape *s, ConvPass pass,
                          dnnl_primitive_attr_t attributes, dnnl_primitive_desc_t hint,
                          const ConvLayouts *l, Error *error)
{
    const dnnl_dims_t strides = {s->stride, s->stride};
    const dnnl_dims_t begin = {s->pad_begin, s->pad_begin};
    const dnnl_dims_t end = {s->pad_end, s->pad_end};
    const dnnl_alg_kind_t direct = dnnl_convolution_direct;
    dnnl_convolution_desc_t operation;
    dnnl_status_t status;
    if (pass == CONV_FORWARD)
        status =
            dnnl_convolution_forward_desc_init(&operation, dnnl_forward_training, direct, &l->src,
                                               &l->weights, &l->bias, &l->dst, strides, begin, end);
    else if (pass == CONV_BACKWARD_DATA)
        status = dnnl_convolution_backward_data_desc_init(&operation, direct, &l->src, &l->weights,
                                                          &l->dst, strides, begin, end);
    else
        status = dnnl_convolution_backward_weights_desc_init(
            &operation, direct, &l->src, &l->weights, &l->bias, &l->dst, strides, begin, end);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(description, &operation, attributes, the_engine, hint);
    return check(status, "convolution", error);
}

/* Adds a tensor of its own to the result; or, if `in_place`, what dst holds. */
static bool append_added(dnnl_primitive_attr_t attributes, const dnnl_memory_desc_t *layout,
                         bool in_place, Error *error)
{
    dnnl_post_ops_t post_ops = NULL;
    dnnl_status_t status = dnnl_post_ops_create(&post_ops);
    if (status == dnnl_success)
        status = in_place ? dnnl_post_ops_append_sum(post_ops, 1.0f)
                          : dnnl_post_ops_append_binary(post_ops, dnnl_binary_add, layout);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(attributes, post_ops);
    dnnl_post_ops_destroy(post_ops);
    return check(status, "post-operation", error);
}

/* Slots of each pass: the gradient of an operand takes the operand's place. */
static bool finish_conv(Primitive *p, bool added, Error *error)
{
    switch (p->pass) {
    case CONV_FORWARD: {
        const Operand operands[] = {OPERAND_SRC, OPERAND_WEIGHTS, OPERAND_BIAS, OPERAND_DST,
                                    OPERAND_ADDED};
        const int arguments[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST,
                                 DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1};
        return finish(p, operands, arguments, added ? 5 : 4, error);
    }
    case CONV_BACKWARD_DATA: {
        const Operand operands[] = {OPERAND_SRC, OPERAND_WEIGHTS, OPERAND_DST};
        const int arguments[] = {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST};
        return finish(p, operands, arguments, 3, error);
    }
    default: {
        const Operand operands[] = {OPERAND_SRC, OPERAND_WEIGHTS, OPERAND_BIAS, OPERAND_DST};
        const int arguments[] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_BIAS,
                                 DNNL_ARG_DIFF_DST};
        return finish(p, operands, arguments, 4, error);
    }
    }
}

/* Describes p with the implementation that the library prefers. */
static bool choose_conv(Primitive *p, const ConvLayouts *layouts, bool added, bool in_place,
                        Error *error)
{
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_primitive_desc_t hint = NULL;
    bool done = new_attributes(&attributes, error) &&
                (!added || append_added(attributes, &layouts->dst, in_place, error)) &&
                (p->pass == CONV_FORWARD ||
                 describe_conv(&hint, &p->conv, CONV_FORWARD, NULL, NULL, layouts, error)) &&
                describe_conv(&p->description, &p->conv, p->pass, attributes, hint, layouts, error);
    dnnl_primitive_desc_destroy(hint);
    dnnl_primitive_attr_destroy(attributes);
    return done;
}

/* The implementations by way of matrix products, which serve processors without AVX2, add a
 * tensor's first pixel to every pixel (oneDNN 2.6). What dst holds they add as they should. */
static bool adds_wrongly(const Primitive *p)
{
    const char *name = NULL;
    return dnnl_primitive_desc_query(p->description, dnnl_query_impl_info_str, 0, &name) !=
               dnnl_success ||
           (strstr(name, "gemm") && !strstr(name, "brgemm"));
}

bool primitive_conv(Primitive **primitive, const ConvShape *shape, ConvPass pass, bool added,
                    DType type, Error *error)
{
    if (!engine_ready(error))
        return false;
    Primitive *p = memory_small(1, sizeof *p);
    p->pass = pass;
    p->conv = *shape;
    ConvLayouts layouts = conv_layouts(shape, type);
    bool done = choose_conv(p, &layouts, added, false, error);
    if (done && added && adds_wrongly(p)) {
        dnnl_primitive_desc_destroy(p->description);
        p->description = NULL;
        p->copied_bytes = dnnl_memory_desc_get_size(&layouts.dst);
        done = choose_conv(p, &layouts, true, true, error);
    }
    if (!done || !finish_conv(p, added && p->copied_bytes == 0, error)) {
        primitive_free(p);
        return false;
    }
    *primitive = p;
    return true;
}

static bool describe_matmul(Primitive *p, const MatmulShape *s, dnnl_primitive_attr_t attributes,
                            Error *error)
{
    const dnnl_dims_t a_dims = {s->batch, s->m, s->k};
    const dnnl_dims_t b_dims = {s->batch, s->k, s->n};
    const dnnl_dims_t c_dims = {s->batch, s->m, s->n};
    const dnnl_dims_t bias_dims = {1, 1, s->n};
    const dnnl_dims_t a_strides = {s->a_batch, s->a_row, s->a_column};
    const dnnl_dims_t b_strides = {s->b_batch, s->b_row, s->b_column};
    const dnnl_dims_t c_strides = {s->c_batch, s->c_row, 1};
    dnnl_memory_desc_t a, b, c, bias;
    /* A batch of one is a plain matrix product, which has faster implementations. */
    int rank = s->batch == 1 ? 2 : 3;
    int skip = 3 - rank;
    dnnl_memory_desc_init_by_strides(&a, rank, a_dims + skip, dnnl_type(s->a_type),
                                     a_strides + skip);
    dnnl_memory_desc_init_by_strides(&b, rank, b_dims + skip, dnnl_type(s->b_type),
                                     b_strides + skip);
    dnnl_memory_desc_init_by_strides(&c, rank, c_dims + skip, dnnl_type(s->c_type),
                                     c_strides + skip);
    dnnl_memory_desc_init_by_strides(&bias, rank, bias_dims + skip, dnnl_f32, NULL);

    dnnl_post_ops_t post_ops = NULL;
    if (s->accumulate &&
        (!check(dnnl_post_ops_create(&post_ops), "post-operation", error) ||
         !check(dnnl_post_ops_append_sum(post_ops, 1.0f), "sum", error) ||
         !check(dnnl_primitive_attr_set_post_ops(attributes, post_ops), "sum", error))) {
        dnnl_post_ops_destroy(post_ops);
        return false;
    }
    dnnl_post_ops_destroy(post_ops);
    dnnl_matmul_desc_t operation;
    return check(dnnl_matmul_desc_init(&operation, &a, &b, s->bias ? &bias : NULL, &c),
                 "matrix product", error) &&
           check(dnnl_primitive_desc_create(&p->description, &operation, attributes, the_engine,
                                            NULL),
                 "matrix product", error);
}

bool primitive_matmul(Primitive **primitive, const MatmulShape *shape, Error *error)
{
    static const Operand operands[] = {OPERAND_SRC, OPERAND_WEIGHTS, OPERAND_DST, OPERAND_BIAS};
    static const int arguments[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS};
    if (!engine_ready(error))
        return false;
    Primitive *p = memory_small(1, sizeof *p);
    dnnl_primitive_attr_t attributes = NULL;
    bool done = new_attributes(&attributes, error) &&
                describe_matmul(p, shape, attributes, error) &&
                finish(p, operands, arguments, shape->bias ? 4 : 3, error);
    dnnl_primitive_attr_destroy(attributes);
    if (!done) {
        primitive_free(p);
        return false;
    }
    *primitive = p;
    return true;
}

bool primitive_pack(Primitive **primitive, const Primitive *conv, Error *error)
{
    static const Operand operands[] = {OPERAND_SRC, OPERAND_DST};
    static const int arguments[] = {DNNL_ARG_SRC, DNNL_ARG_DST};
    const ConvShape *s = &conv->conv;
    const dnnl_dims_t dims = {s->out_channels, s->in_channels, s->kernel, s->kernel};
    const bool unpack = conv->pass == CONV_BACKWARD_WEIGHTS;
    const dnnl_memory_desc_t *packed =
        layout_of(conv, unpack ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS);
    dnnl_memory_desc_t plain;
    dnnl_memory_desc_init_by_tag(&plain, 4, dims, dnnl_f32, dnnl_oihw);

    Primitive *p = memory_small(1, sizeof *p);
    dnnl_primitive_attr_t attributes = NULL;
    bool done = new_attributes(&attributes, error) &&
                check(dnnl_reorder_primitive_desc_create(&p->description, unpack ? packed : &plain,
                                                         the_engine, unpack ? &plain : packed,
                                                         the_engine, attributes),
                      "packing of weights", error) &&
                finish(p, operands, arguments, 2, error);
    dnnl_primitive_attr_destroy(attributes);
    if (!done) {
        primitive_free(p);
        return false;
    }
    *primitive = p;
    return true;
}

void primitive_free(Primitive *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->slot_count; i++)
        dnnl_memory_destroy(p->slots[i].memory);
    dnnl_primitive_destroy(p->kernel);
    dnnl_primitive_desc_destroy(p->description);
    memory_free(p);
}

size_t primitive_scratch_bytes(const Primitive *p)
{
    return p->scratch_bytes;
}

size_t primitive_weights_bytes(const Primitive *conv)
{
    bool gradient = conv->pass == CONV_BACKWARD_WEIGHTS;
    return dnnl_memory_desc_get_size(
        layout_of(conv, gradient ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS));
}

bool primitive_run(Primitive *p, void *const *operands, void *scratch, Error *error)
{
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
