/* Makes the networks of a recipe, and reports on their products.
 *
 * Graphs are built as the stages of training and inference/network.c build them, but get no
 * weights: a product is checked when its graph is made. The log of products (engine/product_log.h)
 * has the outcome.
 */
#include "infer/doctor/doctor_products.h"

#include "base/clock.h"
#include "base/memory.h"
#include "engine/product_check.h"
#include "engine/product_log.h"
#include "layers/patch_gram.h"
#include "model/head.h"
#include "model/unet.h"

#include <stdio.h>
#include <string.h>

/* -- Networks --------------------------------------------------------------------------------- */

static bool make_stage1(const Config *config, DType type, size_t *bytes, Error *error)
{
    /* Weights, gradients, two moments, the average. */
    enum { ARRAYS = 5 };
    ParamSet params = {0};
    Graph *graph =
        graph_new(&params, (GraphOptions){.batch = config->stage1.batch,
                                          .direct = config->convolution == CONVOLUTION_DIRECT,
                                          .type = type,
                                          .weight_gradients = true,
                                          .dropout = true,
                                          .seed = config->seed});
    UNet net = unet_build(graph, config);
    graph_seed(graph, net.eps);
    const bool done = graph_finish(graph, error);
    *bytes = graph_bytes(graph) + ARRAYS * params.size * sizeof(float);
    graph_free(graph);
    params_free(&params);
    return done;
}

/* A head on a finished trunk, as Adam trains it or as it is evaluated. */
static bool make_head(const Config *config, const UNet *trunk, GraphOptions options, int bins,
                      Error *error)
{
    ParamSet params = {0};
    Graph *graph = graph_new(&params, options);
    Head head = head_build(graph, config, bins, trunk->features, trunk->temb);
    if (options.weight_gradients)
        graph_seed(graph, head.out);
    const bool done = graph_finish(graph, error);
    graph_free(graph);
    params_free(&params);
    return done;
}

static bool make_sums(const Config *config, const UNet *trunk, GraphOptions options, Error *error)
{
    enum { LOSSES = 2 };
    ParamSet params = {0};
    PatchGram *gram = NULL;
    Graph *graph = graph_new(&params, options);
    Value *basis = head_basis_build(graph, config, trunk->features);
    const bool done = graph_finish(graph, error) &&
                      patch_gram_make(&gram, basis, LOSSES, config->data.channels, error);
    patch_gram_free(gram);
    graph_free(graph);
    params_free(&params);
    return done;
}

/* The frozen trunk, and on it one head in training, the sums of a solved head, or an evaluated
 * head. */
static bool make_heads(const Config *config, GraphOptions options, bool trains, Error *error)
{
    const bool solves = trains && config->stage2.solver == SOLVER_EXACT;
    ParamSet params = {0};
    Graph *graph = graph_new(&params, options);
    UNet trunk = unet_build(graph, config);
    bool done = graph_finish(graph, error);
    options.weight_gradients = trains && !solves;
    done = done && (solves ? make_sums(config, &trunk, options, error)
                           : make_head(config, &trunk, options, config_bins(config).count, error));
    graph_free(graph);
    params_free(&params);
    return done;
}

bool doctor_make_networks(const Config *config, DType type, DoctorNetworks *result)
{
    enum { EVALUATED = 64 };
    const DType stage2 = config->stage2.solver == SOLVER_EXACT ? DTYPE_F32 : type;
    *result = (DoctorNetworks){0};
    const bool first = make_stage1(config, type, &result->training_bytes, &result->stage1);
    const bool second =
        make_heads(config,
                   (GraphOptions){.batch = config->stage2.batch,
                                  .type = stage2,
                                  .direct = config->convolution == CONVOLUTION_DIRECT,
                                  .seed = config->seed},
                   true, &result->stage2);
    const bool third =
        make_heads(config,
                   (GraphOptions){.batch = EVALUATED,
                                  .type = DTYPE_F32,
                                  .direct = config->convolution == CONVOLUTION_DIRECT},
                   false, &result->evaluation);
    return first && second && third;
}

/* -- Products --------------------------------------------------------------------------------- */

/* The length of a product's kind, its text up to the sizes: "convolution backward data". */
static int kind_length(const ProductLog *log)
{
    const size_t length = strcspn(log->product, "[0123456789");
    return (int)(length > 0 ? length - 1 : 0);
}

static bool is_alike(const ProductLog *a, const ProductLog *b)
{
    const int length = kind_length(a);
    return a->is_checked && b->is_checked && length == kind_length(b) &&
           strncmp(a->product, b->product, (size_t)length) == 0 &&
           strcmp(a->chosen.implementation, b->chosen.implementation) == 0;
}

/* Prints one line for all products that are alike, when `log` is the first of them. */
static void print_kind(const ProductLog *log)
{
    int count = 0;
    double error = 0;
    for (const ProductLog *other = product_log_first(); other; other = other->next) {
        if (!is_alike(log, other))
            continue;
        if (other != log && count == 0)
            return;
        count++;
        error = other->off > error ? other->off : error;
    }
    printf("  %4d %-28.*s %-32s %6.2f\n", count, kind_length(log), log->product,
           log->chosen.implementation, error);
}

int doctor_print_products(bool all)
{
    int checked = 0, left_out = 0, wrong = 0;
    for (const ProductLog *log = product_log_first(); log; log = log->next) {
        checked++;
        left_out += log->left_out != NULL;
        wrong += !log->is_checked;
    }
    printf("products    %d compared with plain loops: %d right at once, %d after another "
           "implementation was\n            left out, %d without any that is right\n"
           "            (the last column: the largest error, in parts of the error that rounding "
           "may make)\n",
           checked, checked - left_out, left_out - wrong, wrong);
    for (const ProductLog *log = product_log_first(); log; log = log->next)
        if (all && log->is_checked)
            printf("  %s: %s, %.2f\n", log->product, log->chosen.implementation, log->off);
        else if (log->is_checked)
            print_kind(log);
    for (const ProductLog *log = product_log_first(); log; log = log->next)
        if (log->left_out)
            printf("  left out: %s\n", log->left_out);
    return left_out;
}

/* -- Speed ------------------------------------------------------------------------------------ */

typedef struct Convolution {
    Primitive *primitive;
    void *operands[OPERAND_COUNT], *scratch;
} Convolution;

static const ConvShape timed = {.n = 16,
                                .in_height = 32,
                                .in_width = 32,
                                .in_channels = 128,
                                .out_height = 32,
                                .out_width = 32,
                                .out_channels = 128,
                                .kernel = 3,
                                .stride = 1,
                                .pad_begin = 1,
                                .pad_end = 1};

static bool prepare(Convolution *c, DType type, Error *error)
{
    const size_t images = (size_t)timed.n * 32 * 32 * 128 * dtype_size(type);
    const Product product = {.conv = timed, .type = type, .dst_type = type};
    if (!primitive_conv(&c->primitive, &product, error))
        return false;
    const size_t packed = primitive_weights_bytes(c->primitive);
    const size_t weights = packed > 0 ? packed : (size_t)conv_weights_count(&timed) * sizeof(float);
    const size_t bytes[] = {[OPERAND_SRC] = images,
                            [OPERAND_WEIGHTS] = weights,
                            [OPERAND_BIAS] = 128 * sizeof(float),
                            [OPERAND_DST] = images};
    for (int i = 0; i <= OPERAND_DST; i++) {
        c->operands[i] = memory_large(bytes[i], 1, "a convolution", error);
        if (!c->operands[i])
            return false;
    }
    c->scratch = memory_large(primitive_scratch_bytes(c->primitive), 1, "a convolution", error);
    return c->scratch != NULL;
}

/* Runs the convolution for about a third of a second. *speed := the fastest run. */
static bool run(Convolution *c, double *speed, Error *error)
{
    const double operations = 2.0 * 9 * 128 * 128 * timed.n * 32 * 32, begin = clock_seconds();
    *speed = 0;
    do {
        const double start = clock_seconds();
        if (!primitive_run(c->primitive, c->operands, c->scratch, error))
            return false;
        const double now = operations / (clock_seconds() - start);
        *speed = now > *speed ? now : *speed;
    } while (clock_seconds() - begin < 0.3);
    return true;
}

bool doctor_time_convolution(DType type, double *speed, Error *error)
{
    Convolution c = {0};
    const bool done = prepare(&c, type, error) && run(&c, speed, error);
    product_check_end();
    for (int i = 0; i < OPERAND_COUNT; i++)
        memory_free(c.operands[i]);
    memory_free(c.scratch);
    primitive_free(c.primitive);
    return done;
}
