/* oneDNN behind primitive.h.
 *
 * A Primitive owns the library's compiled kernel and one memory object per operand; running it
 * points the memories at the caller's buffers, which costs nothing when they have not moved.
 */
#include "nn/primitive.h"

#include "base/clock.h"
#include "base/memory.h"
#include "nn/elementwise.h"
#include "nn/onednn.h"
#include "nn/weight_gradient.h"

#include <assert.h>
#include <omp.h>
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
    bool is_matmul, is_reorder;
    ConvPass pass; /* of a convolution */
    ConvShape conv;
    MatmulShape matmul;
    Slot slots[OPERAND_COUNT + 1]; /* the last one used is the scratchpad */
    int slot_count;
    int own_threads; /* weight_gradient.h computes it, with so many threads; 0: oneDNN does */
    size_t scratch_bytes;
    size_t copied_bytes; /* of OPERAND_ADDED, to OPERAND_DST, before it runs: see adds_wrongly */
};

enum { SCRATCH = OPERAND_COUNT };

static dnnl_data_type_t dnnl_type(DType type)
{
    return type == DTYPE_F32 ? dnnl_f32 : dnnl_bf16;
}

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

/* The layout of an operand as the compiled primitive wants it. */
static ConstLayout layout_of(const Primitive *p, int argument)
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
    ConstLayout scratch = dnnl_primitive_desc_query_md(p->description, dnnl_query_scratchpad_md, 0);
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

/* The layouts of a convolution's operands: activations NHWC, weights as the library likes. */
typedef struct ConvLayouts {
    Layout src, weights, bias, dst;
} ConvLayouts;

static ConvLayouts conv_layouts(const ConvShape *s, ConvPass pass, DType type, DType dst_type)
{
    const dnnl_dims_t src = {s->n, s->in_channels, s->in_height, s->in_width};
    const dnnl_dims_t dst = {s->n, s->out_channels, s->out_height, s->out_width};
    const dnnl_dims_t weights = {s->out_channels, s->in_channels, s->kernel, s->kernel};
    const dnnl_dims_t bias = {s->out_channels};
    const DType weights_type = pass == CONV_BACKWARD_WEIGHTS ? DTYPE_F32 : type;
    return (ConvLayouts){
        .src = layout_by_tag(4, src, dnnl_type(type), dnnl_nhwc),
        .dst = layout_by_tag(4, dst, dnnl_type(dst_type), dnnl_nhwc),
        .weights = layout_by_tag(4, weights, dnnl_type(weights_type), dnnl_format_tag_any),
        .bias = layout_by_tag(1, bias, dnnl_f32, dnnl_a),
    };
}

static void conv_layouts_free(ConvLayouts *l)
{
    layout_free(l->src);
    layout_free(l->weights);
    layout_free(l->bias);
    layout_free(l->dst);
}

static bool describe_conv(dnnl_primitive_desc_t *description, const ConvShape *s, ConvPass pass,
                          dnnl_primitive_attr_t attributes, dnnl_primitive_desc_t hint,
                          const ConvLayouts *l, Error *error)
{
    static const dnnl_prop_kind_t kinds[] = {[CONV_FORWARD] = dnnl_forward_training,
                                             [CONV_BACKWARD_DATA] = dnnl_backward_data,
                                             [CONV_BACKWARD_WEIGHTS] = dnnl_backward_weights};
    const ConvDescription conv = {.pass = kinds[pass],
                                  .src = l->src,
                                  .weights = l->weights,
                                  .bias = l->bias,
                                  .dst = l->dst,
                                  .strides = {s->stride, s->stride},
                                  .pad_begin = {s->pad_begin, s->pad_begin},
                                  .pad_end = {s->pad_end, s->pad_end}};
    return check(describe_convolution(description, the_engine, &conv, hint, attributes),
                 "convolution", error);
}

/* The description of the forward pass that the backward ones ask for. */
static bool describe_hint(dnnl_primitive_desc_t *hint, const ConvShape *s, DType type, Error *error)
{
    ConvLayouts layouts = conv_layouts(s, CONV_FORWARD, type, type);
    bool done = describe_conv(hint, s, CONV_FORWARD, NULL, NULL, &layouts, error);
    conv_layouts_free(&layouts);
    return done;
}

/* Adds a tensor of its own to the result; or, if `in_place`, what dst holds. */
static bool append_added(dnnl_primitive_attr_t attributes, ConstLayout layout, bool in_place,
                         Error *error)
{
    dnnl_post_ops_t post_ops = NULL;
    dnnl_status_t status = dnnl_post_ops_create(&post_ops);
    if (status == dnnl_success)
        status = in_place ? post_ops_append_sum(post_ops)
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
static bool choose_conv(Primitive *p, const ConvLayouts *layouts, DType type, bool added,
                        bool in_place, Error *error)
{
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_primitive_desc_t hint = NULL;
    bool done = new_attributes(&attributes, error) &&
                (!added || append_added(attributes, layouts->dst, in_place, error)) &&
                (p->pass == CONV_FORWARD || describe_hint(&hint, &p->conv, type, error)) &&
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

/* Where our own weight gradients are better than oneDNN's: with AMX, and channels enough to fill its
 * tiles. A rule and not a measurement at run time, so that the same run gives the same bits. */
static bool is_own(const ConvShape *shape, ConvPass pass, DType type)
{
    const int least = 16;
    return pass == CONV_BACKWARD_WEIGHTS && type == DTYPE_BF16 && shape->in_channels >= least &&
           shape->out_channels >= least && weight_gradient_available() &&
           ((int)dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_amx) ==
               dnnl_cpu_isa_avx512_core_amx;
}

static bool make_own(Primitive *p)
{
    p->own_threads = omp_get_max_threads();
    p->scratch_bytes = weight_gradient_scratch_bytes(&p->conv, p->own_threads);
    return true;
}

static void run_own(const Primitive *p, void *const *operands, void *scratch)
{
    weight_gradient(&p->conv, p->own_threads, operands[OPERAND_SRC], operands[OPERAND_DST],
                    operands[OPERAND_WEIGHTS], operands[OPERAND_BIAS], scratch);
}

bool primitive_conv(Primitive **primitive, const ConvShape *shape, ConvPass pass, bool added,
                    DType type, DType dst_type, Error *error)
{
    if (!engine_ready(error))
        return false;
    Primitive *p = memory_small(1, sizeof *p);
    p->pass = pass;
    p->conv = *shape;
    *primitive = p;
    if (is_own(shape, pass, type))
        return make_own(p);
    ConvLayouts layouts = conv_layouts(shape, pass, type, dst_type);
    bool done = choose_conv(p, &layouts, type, added, false, error);
    if (done && added && adds_wrongly(p)) {
        dnnl_primitive_desc_destroy(p->description);
        p->description = NULL;
        p->copied_bytes = dnnl_memory_desc_get_size(layouts.dst);
        done = choose_conv(p, &layouts, type, true, true, error);
    }
    conv_layouts_free(&layouts);
    if (!done || !finish_conv(p, added && p->copied_bytes == 0, error)) {
        primitive_free(p);
        *primitive = NULL;
        return false;
    }
    return true;
}

/* A batch of one is a plain matrix product, which has faster implementations. */
static int matmul_rank(const MatmulShape *s)
{
    return s->batch == 1 ? 2 : 3;
}

static Layout matrix_layout(const MatmulShape *s, int64_t rows, int64_t columns, DType type,
                            int64_t batch_stride, int64_t row_stride, int64_t column_stride)
{
    const dnnl_dims_t dims = {s->batch, rows, columns};
    const dnnl_dims_t strides = {batch_stride, row_stride, column_stride};
    const int rank = matmul_rank(s), skip = 3 - rank;
    return layout_by_strides(rank, dims + skip, dnnl_type(type), strides + skip);
}

static Layout b_layout(const MatmulShape *s, DType type)
{
    return matrix_layout(s, s->k, s->n, type, s->b_batch, s->b_row, s->b_column);
}

static bool describe_product(Primitive *p, const MatmulShape *s, dnnl_primitive_attr_t attributes,
                             Error *error)
{
    const dnnl_dims_t b_dims = {s->k, s->n}, bias_dims = {1, 1, s->n};
    const int rank = matmul_rank(s);
    assert(!s->b_packed || rank == 2);
    Layout a = matrix_layout(s, s->m, s->k, s->a_type, s->a_batch, s->a_row, s->a_column);
    Layout b = s->b_packed ? layout_by_tag(2, b_dims, dnnl_type(s->b_type), dnnl_format_tag_any)
                           : b_layout(s, s->b_type);
    Layout c = matrix_layout(s, s->m, s->n, s->c_type, s->c_batch, s->c_row, 1);
    Layout bias = s->bias ? layout_by_tag(rank, bias_dims + 3 - rank, dnnl_f32,
                                          rank == 2 ? dnnl_ab : dnnl_abc)
                          : NULL;
    bool done = (!s->accumulate || append_added(attributes, c, true, error)) &&
                check(describe_matmul(&p->description, the_engine, a, b, bias, c, attributes),
                      "matrix product", error);
    layout_free(a);
    layout_free(b);
    layout_free(c);
    layout_free(bias);
    return done;
}

bool primitive_matmul(Primitive **primitive, const MatmulShape *shape, Error *error)
{
    static const Operand operands[] = {OPERAND_SRC, OPERAND_WEIGHTS, OPERAND_DST, OPERAND_BIAS};
    static const int arguments[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS};
    if (!engine_ready(error))
        return false;
    Primitive *p = memory_small(1, sizeof *p);
    p->is_matmul = true;
    p->matmul = *shape;
    dnnl_primitive_attr_t attributes = NULL;
    bool done = new_attributes(&attributes, error) &&
                describe_product(p, shape, attributes, error) &&
                finish(p, operands, arguments, shape->bias ? 4 : 3, error);
    dnnl_primitive_attr_destroy(attributes);
    if (!done) {
        primitive_free(p);
        return false;
    }
    *primitive = p;
    return true;
}

/* The float32 weights as they lie in the parameters. */
static Layout plain_weights(const Primitive *user)
{
    if (user->is_matmul)
        return b_layout(&user->matmul, DTYPE_F32);
    const ConvShape *s = &user->conv;
    const dnnl_dims_t dims = {s->out_channels, s->in_channels, s->kernel, s->kernel};
    return layout_by_tag(4, dims, dnnl_f32, dnnl_oihw);
}

static bool is_weights_gradient(const Primitive *p)
{
    return !p->is_matmul && p->pass == CONV_BACKWARD_WEIGHTS;
}

static ConstLayout packed_weights(const Primitive *user)
{
    return layout_of(user, is_weights_gradient(user) ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS);
}

bool primitive_pack(Primitive **primitive, const Primitive *user, Error *error)
{
    static const Operand operands[] = {OPERAND_SRC, OPERAND_DST};
    static const int arguments[] = {DNNL_ARG_SRC, DNNL_ARG_DST};
    const bool unpack = is_weights_gradient(user);
    ConstLayout packed = packed_weights(user);
    Layout plain = plain_weights(user);

    Primitive *p = memory_small(1, sizeof *p);
    p->is_reorder = true;
    dnnl_primitive_attr_t attributes = NULL;
    bool done = new_attributes(&attributes, error) &&
                check(dnnl_reorder_primitive_desc_create(&p->description, unpack ? packed : plain,
                                                         the_engine, unpack ? plain : packed,
                                                         the_engine, attributes),
                      "packing of weights", error) &&
                finish(p, operands, arguments, 2, error);
    dnnl_primitive_attr_destroy(attributes);
    layout_free(plain);
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

bool primitive_is_plain(const Primitive *user)
{
    return user->own_threads > 0;
}

size_t primitive_weights_bytes(const Primitive *user)
{
    return dnnl_memory_desc_get_size(packed_weights(user));
}

/* A run that was noted. */
typedef struct Call {
    Primitive *primitive;
    void *operands[OPERAND_COUNT], *scratch;
} Call;

static Call *calls;
static size_t call_count;
static bool is_recording;

void primitive_record(void)
{
    memory_free(calls);
    calls = NULL;
    call_count = 0;
    is_recording = true;
}

void primitive_record_end(void)
{
    is_recording = false;
}

static void record(Primitive *p, void *const *operands, void *scratch)
{
    calls = memory_grow(calls, call_count + 1, sizeof *calls);
    Call *call = &calls[call_count++];
    *call = (Call){.primitive = p, .scratch = scratch};
    memcpy(call->operands, operands, sizeof call->operands);
}

double primitive_replay(void)
{
    Error ignored = {0};
    double begin = clock_seconds();
    for (size_t i = 0; i < call_count; i++)
        primitive_run(calls[i].primitive, calls[i].operands, calls[i].scratch, &ignored);
    return clock_seconds() - begin;
}

bool primitive_run(Primitive *p, void *const *operands, void *scratch, Error *error)
{
    if (is_recording && !p->is_reorder)
        record(p, operands, scratch);
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
    if (p->own_threads > 0) {
        run_own(p, operands, scratch);
        return true;
    }
    return check(dnnl_primitive_execute(p->kernel, the_stream, p->slot_count, arguments),
                 "a primitive failed", error);
}
