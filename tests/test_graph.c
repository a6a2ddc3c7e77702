/* Tests of the engine: shared memory holds the right values whenever it is read, and equal inputs
 * give equal numbers, to the bit where that is promised.
 *
 * Some tests look inside the graph (engine/op.h), as the layers do.
 */
#include "engine/memory_plan.h"
#include "engine/op.h"
#include "tests/small_unet.h"
#include "tests/suite.h"

#include <malloc.h>
#include <omp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* The plan alone, on random buffers. */

enum { BUFFERS = 60, STEPS = 40, PLANS = 200 };

static uint32_t draw(uint32_t plan, uint32_t element, uint32_t bound)
{
    return random_below((RandomKey){.seed = 3, .purpose = RANDOM_NOISE, .sample = plan}, element,
                        bound);
}

/* Lives and sizes as they come in networks: many short, some long; a few sizes, often equal. */
static void random_plan(MemoryPlan *plan, void **targets, uint32_t number)
{
    for (uint32_t i = 0; i < BUFFERS; i++) {
        int first = (int)draw(number, 4 * i, STEPS);
        int length = (int)draw(number, 4 * i + 1, draw(number, 4 * i + 2, 4) ? 3 : STEPS);
        size_t bytes = draw(number, 4 * i + 3, 3) ? 64u << draw(number, 4 * i + 3, 6)
                                                  : draw(number, 4 * i + 3, 1000);
        memory_plan_add(plan, &targets[i], bytes, first,
                        first + length < STEPS ? first + length : STEPS - 1);
    }
}

static size_t busiest(const MemoryPlan *plan)
{
    size_t most = 0;
    for (int step = 0; step < STEPS; step++) {
        size_t alive = 0;
        for (int i = 0; i < plan->count; i++)
            if (plan->buffers[i].first <= step && step <= plan->buffers[i].last)
                alive += plan->buffers[i].bytes;
        most = alive > most ? alive : most;
    }
    return most;
}

/* How many pairs of buffers that are alive at one time share bytes. */
static int collisions(const MemoryPlan *plan)
{
    int count = 0;
    for (int i = 0; i < plan->count; i++)
        for (int k = 0; k < i; k++) {
            const PlannedBuffer *a = &plan->buffers[i], *b = &plan->buffers[k];
            bool same_time = a->first <= b->last && b->first <= a->last;
            bool same_bytes = a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
            count += same_time && same_bytes;
        }
    return count;
}

START_TEST(buffers_alive_together_share_no_bytes)
{
    for (uint32_t number = 0; number < PLANS; number++) {
        MemoryPlan plan = {0};
        void *targets[BUFFERS] = {NULL};
        random_plan(&plan, targets, number);
        memory_plan_solve(&plan);
        ck_assert_int_eq(collisions(&plan), 0);
        size_t end = 0;
        for (int i = 0; i < plan.count; i++) {
            ck_assert_uint_eq(plan.buffers[i].offset % MEMORY_ALIGNMENT, 0);
            size_t this_end = plan.buffers[i].offset + plan.buffers[i].bytes;
            end = this_end > end ? this_end : end;
        }
        ck_assert_uint_eq(plan.bytes, end);
        ck_assert_uint_eq(memory_plan_lower_bound(&plan), busiest(&plan));
        ck_assert_uint_ge(plan.bytes, busiest(&plan));
        ck_assert_uint_le(plan.bytes, 2 * busiest(&plan));
        memory_plan_free(&plan);
    }
}
END_TEST

/* What a target receives: arena + offset, with room for what was asked; nothing for no bytes. */
START_TEST(targets_receive_their_addresses)
{
    MemoryPlan plan = {0};
    memory_plan_solve(&plan);
    ck_assert_uint_eq(plan.bytes, 0);

    char *first = NULL, *second = NULL, *third = NULL, *none = NULL, arena[512];
    memory_plan_add(&plan, (void **)&first, 100, 0, 1);
    memory_plan_add(&plan, (void **)&second, 64, 1, 2);
    memory_plan_add(&plan, (void **)&third, 65, 2, 2); /* where the first was */
    memory_plan_add(&plan, (void **)&none, 0, 0, 2);
    memory_plan_solve(&plan);
    memory_plan_assign(&plan, arena);
    ck_assert_uint_eq(plan.bytes, 128 + 64);
    ck_assert_ptr_eq(first, arena);
    ck_assert_ptr_eq(second, arena + 128);
    ck_assert_ptr_eq(third, arena);
    ck_assert_ptr_null(none);
    memory_plan_free(&plan);
}
END_TEST

/* Graphs. */

static const SmallUNet *const three_images = &small_unets[0];

static void build(Network *net, int batch, bool gradients)
{
    Config config = small_config(three_images);
    network_unet(net, &config,
                 (GraphOptions){
                     .batch = batch, .weight_gradients = gradients, .input_gradients = gradients});
}

static float *copy_of(const float *values, size_t count)
{
    float *copy = memory_small(count + 1, sizeof *copy);
    memcpy(copy, values, count * sizeof *copy);
    return copy;
}

/* Every value as it was when it was written. */
typedef struct Snapshots {
    const Graph *graph;
    float **values;
} Snapshots;

static Snapshots take_inputs(const Graph *graph)
{
    Snapshots s = {graph, memory_small((size_t)graph->value_count, sizeof(float *))};
    for (int i = 0; i < graph->value_count; i++)
        if (!graph->values[i]->producer)
            s.values[i] = copy_of(graph->values[i]->data, value_count(graph->values[i]));
    return s;
}

static int index_of(const Graph *graph, const Value *value)
{
    int i = 0;
    while (graph->values[i] != value)
        i++;
    return i;
}

static void check_intact(const Snapshots *s, const Value *value, const Op *op, const char *when)
{
    const float *before = s->values[index_of(s->graph, value)];
    ck_assert_msg(memcmp(value->data, before, value_bytes(value)) == 0,
                  "an input of operation %d (%s) was overwritten before its %s", op->index,
                  op->kind->name, when);
}

/* Runs a graph operation by operation, and looks at everything that is about to be read. */
START_TEST(values_are_intact_when_they_are_read)
{
    omp_set_num_threads(1);
    for (int k = 0; k < SMALL_UNETS; k++) {
        Error error = {0};
        Network net;
        Config config = small_config(&small_unets[k]);
        network_unet(&net, &config,
                     (GraphOptions){.batch = small_unets[k].batch,
                                    .weight_gradients = true,
                                    .input_gradients = true,
                                    .dropout = true});
        Graph *graph = net.graph;
        network_forward(&net); /* loads the weights */
        for (int i = 0; i < net.inputs; i++)
            memcpy(value_data(net.input[i]), net.x[i], value_bytes(net.input[i]));
        Snapshots s = take_inputs(graph);
        for (int i = 0; i < graph->op_count; i++) {
            Op *op = graph->ops[i];
            for (int j = 0; j < OP_MAX_INPUTS; j++)
                if (op->in[j])
                    check_intact(&s, op->in[j], op, "forward");
            must(op->kind->forward(graph, op, &error), &error);
            s.values[index_of(graph, op->out)] = copy_of(op->out->data, value_count(op->out));
        }
        memcpy(value_gradient(net.out), net.cotangent, value_bytes(net.out));
        graph->gradients = net.gradients;
        for (int i = graph->op_count - 1; i >= 0; i--) {
            Op *op = graph->ops[i];
            for (int j = 0; j < OP_MAX_INPUTS; j++)
                if (op->in[j] && op->reads_input[j])
                    check_intact(&s, op->in[j], op, "backward");
            must(op->kind->backward(graph, op, &error), &error);
        }
        for (int i = 0; i < graph->value_count; i++)
            if (graph->values[i]->kept)
                check_intact(&s, graph->values[i], graph->ops[0], "reader");
        for (int i = 0; i < graph->value_count; i++)
            memory_free(s.values[i]);
        memory_free(s.values);
        network_free(&net);
    }
}
END_TEST

/* An inference graph packs its values tightly, and computes what the training graph does. */
START_TEST(inference_is_small_and_the_same)
{
    omp_set_num_threads(1);
    Network training, inference;
    build(&training, 3, true);
    build(&inference, 3, false);
    network_backward(&training);
    network_forward(&inference);
    ck_assert_mem_eq(value_data(inference.out), value_data(training.out),
                     value_count(training.out) * sizeof(float));

    size_t values = 0;
    for (int i = 0; i < inference.graph->value_count; i++)
        values += value_bytes(inference.graph->values[i]);
    ck_assert_uint_lt(2 * inference.graph->arena_bytes, values);
    ck_assert_uint_lt(2 * inference.graph->arena_bytes, training.graph->arena_bytes);
    ck_assert_uint_lt(graph_bytes(inference.graph), graph_bytes(training.graph));
    network_free(&training);
    network_free(&inference);
}
END_TEST

/* No state is left over from one run to the next, whatever was run in between. */
START_TEST(runs_repeat_to_the_bit)
{
    Network net;
    build(&net, 3, true);
    const size_t count = value_count(net.out), x_count = value_count(net.input[0]);
    network_backward(&net);
    float *out = copy_of(value_data(net.out), count);
    float *gradients = copy_of(net.gradients, net.params.size);
    float *dx = copy_of(net.dx[0], x_count), *x = copy_of(net.x[0], x_count);

    fill_normal(net.x[0], x_count, 99);
    network_backward(&net);
    ck_assert_mem_ne(value_data(net.out), out, count * sizeof *out);
    memcpy(net.x[0], x, x_count * sizeof *x);
    network_backward(&net);
    ck_assert_mem_eq(value_data(net.out), out, count * sizeof *out);
    ck_assert_mem_eq(net.dx[0], dx, x_count * sizeof *dx);
    ck_assert_mem_eq(net.gradients, gradients, net.params.size * sizeof *gradients);
    memory_free(out);
    memory_free(gradients);
    memory_free(dx);
    memory_free(x);
    network_free(&net);
}
END_TEST

/* An image's output is not touched by what its neighbours are. In another place or in a batch of
 * another size, a matrix product may add up in another order: then it is the same to rounding. */
START_TEST(images_do_not_see_each_other)
{
    omp_set_num_threads(1);
    Network net, alone;
    build(&net, 3, true);
    build(&alone, 1, false);
    const size_t size = value_count(net.input[0]) / 3, time_size = value_count(net.input[1]) / 3;
    network_backward(&net);
    float *out = copy_of(value_data(net.out), 3 * size), *dx = copy_of(net.dx[0], 3 * size);

    for (size_t image = 0; image < 3; image++) {
        memcpy(alone.x[0], net.x[0] + image * size, size * sizeof(float));
        memcpy(alone.x[1], net.x[1] + image * time_size, time_size * sizeof(float));
        network_forward(&alone);
        ck_assert_double_le(distance(value_data(alone.out), out + image * size, size), 1e-5);
    }
    fill_normal(net.x[0] + size, size, 99); /* another image in the middle, of another time */
    for (size_t i = 0; i < time_size; i++)
        net.x[1][time_size + i] = 0.5f;
    network_backward(&net);
    for (size_t image = 0; image < 3; image += 2) {
        ck_assert_mem_eq(value_data(net.out) + image * size, out + image * size,
                         size * sizeof *out);
        ck_assert_mem_eq(net.dx[0] + image * size, dx + image * size, size * sizeof *dx);
    }
    ck_assert_double_ge(distance(value_data(net.out) + size, out + size, size), 0.1);
    memory_free(out);
    memory_free(dx);
    network_free(&net);
    network_free(&alone);
}
END_TEST

/* Rounding is all that the number of threads changes. */
START_TEST(threads_change_nothing_but_rounding)
{
    Network one, two;
    omp_set_num_threads(1);
    build(&one, 3, true);
    network_backward(&one);
    omp_set_num_threads(2);
    build(&two, 3, true);
    network_backward(&two);
    ck_assert_double_le(distance(value_data(two.out), value_data(one.out), value_count(one.out)),
                        1e-5);
    ck_assert_double_le(distance(two.dx[0], one.dx[0], value_count(one.input[0])), 1e-5);
    for (int i = 0; i < one.params.count; i++) {
        const Param *param = &one.params.items[i];
        if (strstr(param->name, ".k.bias")) /* zero but for rounding: softmax ignores it */
            continue;
        ck_assert_double_le(
            distance(two.gradients + param->offset, one.gradients + param->offset, param->count),
            1e-4);
    }
    network_free(&one);
    network_free(&two);
}
END_TEST

/* Two residual blocks, of which the first's output may be seeded too. Returns it. */
static Value *build_seeded(Network *net, bool seed)
{
    network_begin(net, (GraphOptions){.batch = 2, .input_gradients = true});
    Value *x = network_input(net, 5, 5, 4);
    Value *h = nn_conv1x1(net->graph, nn_silu(net->graph, x), "a", 4, x);
    if (seed)
        graph_seed(net->graph, h);
    network_finish(net, nn_conv1x1(net->graph, nn_silu(net->graph, h), "b", 4, h));
    return h;
}

/* Gradients that the caller writes into several values add up where they meet: the output's, that of
 * a residual before it, and both. */
START_TEST(seeds_add_up)
{
    Network net, plain;
    build_seeded(&plain, false);
    network_backward(&plain);
    const Value *h = build_seeded(&net, true);
    const size_t count = value_count(h);
    float *sum = memory_small(count, sizeof *sum), *seed = memory_small(count, sizeof *seed);
    fill_normal(seed, count, 50);
    for (int run = 0; run < 3; run++) {
        Error error = {0};
        network_forward(&net);
        for (size_t i = 0; i < count; i++) {
            value_gradient(net.out)[i] = run != 1 ? net.cotangent[i] : 0;
            value_gradient(h)[i] = run != 0 ? seed[i] : 0;
        }
        must(graph_backward(net.graph, NULL, &error), &error);
        const float *dx = value_gradient(net.input[0]);
        if (run == 0)
            ck_assert_double_le(distance(dx, plain.dx[0], count), 1e-6);
        if (run == 2)
            ck_assert_double_le(distance(dx, sum, count), 1e-6);
        for (size_t i = 0; i < count; i++)
            sum[i] += dx[i];
    }
    memory_free(sum);
    memory_free(seed);
    network_free(&net);
    network_free(&plain);
}
END_TEST

/* Two heads on one input, of which one is seeded: the other's tensors get zeros, not what was there before. The
 * second is a stack, whose weight and bias are several tensors each. */
START_TEST(gradients_of_what_is_not_seeded_are_zero)
{
    static const char *const stack[] = {"q", "k", "v"};
    Error error = {0};
    for (int seeded = 0; seeded < 2; seeded++) {
        ParamSet params = {0};
        Graph *graph = graph_new(&params, (GraphOptions){.batch = 2, .weight_gradients = true});
        Value *x = graph_input(graph, 2, 2, 4);
        Value *heads[] = {nn_conv1x1(graph, x, "a", 4, NULL),
                          nn_conv1x1_stack(graph, x, stack, 3, 4)};
        graph_keep(graph, heads[seeded]);
        graph_seed(graph, heads[seeded]);
        must(graph_finish(graph, &error), &error);
        float *weights = memory_small(params.size, sizeof *weights);
        float *gradients = memory_small(params.size, sizeof *gradients);
        params_initialise(&params, 1, weights);
        for (size_t i = 0; i < params.size; i++)
            gradients[i] = NAN;
        fill_normal(value_data(x), value_count(x), 60);
        graph_load_weights(graph, weights);
        must(graph_forward(graph, 0, &error), &error);
        fill_normal(value_gradient(heads[seeded]), value_count(heads[seeded]), 61);
        must(graph_backward(graph, gradients, &error), &error);
        for (int i = 0; i < params.count; i++) {
            const Param *param = &params.items[i];
            const bool idle = (param->name[0] == 'a') != (seeded == 0);
            for (size_t k = 0; k < param->count; k++) {
                const float value = gradients[param->offset + k];
                ck_assert_msg(idle ? value == 0 : isfinite(value) && value != 0, "%s: %g",
                              param->name, value);
            }
        }
        memory_free(weights);
        memory_free(gradients);
        graph_free(graph);
        params_free(&params);
    }
}
END_TEST

/* Only what an operation gives can be seeded: the gradient of an input shares its memory until its last reader. */
START_TEST(inputs_are_not_seeded)
{
    int status = 0;
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        ParamSet params = {0};
        Graph *graph = graph_new(&params, (GraphOptions){.batch = 1, .input_gradients = true});
        fclose(stderr); /* the assertion's words */
        graph_seed(graph, graph_input(graph, 1, 1, 4));
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
END_TEST

/* Where nothing is wanted nothing is done: no memory for gradients, no backward pass. */
START_TEST(inference_has_no_backward)
{
    Network net;
    build(&net, 1, false);
    for (int i = 0; i < net.graph->op_count; i++)
        ck_assert(!net.graph->ops[i]->backward);
    for (int i = 0; i < net.graph->value_count; i++)
        ck_assert_ptr_null(net.graph->values[i]->grad);
    network_free(&net);
}
END_TEST

/* A normalisation before a convolution that Winograd's algorithm computes, unless `direct`; returns
 * the normalised value. */
static Value *build_normalised(Network *net, bool direct)
{
    network_begin(net, (GraphOptions){.batch = 3,
                                      .weight_gradients = true,
                                      .input_gradients = true,
                                      .dropout = true,
                                      .seed = 5,
                                      .direct = direct});
    Value *x = network_input(net, 10, 9, 32), *shift = network_input(net, 1, 1, 40);
    Value *h = nn_conv1x1(net->graph, x, "a", 40, NULL);
    const Norm norm = {.groups = 4, .shift = shift, .silu = true, .dropout = 0.2};
    Value *normalised = nn_group_norm(net->graph, h, "b", norm);
    network_finish(net, nn_conv2d(net->graph, normalised, "c", 48,
                                  (Conv){.kernel = 3, .pad_begin = 1, .pad_end = 1}));
    return normalised;
}

/* Its life ends with the convolution, and the backward pass has the same numbers nevertheless. */
START_TEST(a_normalised_image_is_computed_again_and_not_kept)
{
    for (int threads = 1; threads <= 3; threads += 2) {
        Network net, direct;
        omp_set_num_threads(threads);
        const Value *normalised = build_normalised(&net, false);
        const Value *kept = build_normalised(&direct, true);
        ck_assert_int_eq(normalised->data_last, normalised->producer->index + 1);
        ck_assert_int_ge(kept->data_last, direct.graph->op_count);
        network_backward(&net);
        network_backward(&direct);
        ck_assert_double_le(distance(net.dx[0], direct.dx[0], value_count(net.input[0])), 1e-5);
        for (int i = 0; i < net.params.count; i++) {
            const Param *param = &net.params.items[i];
            ck_assert_double_le(distance(net.gradients + param->offset,
                                         direct.gradients + param->offset, param->count),
                                1e-5);
        }
        network_free(&net);
        network_free(&direct);
    }
}
END_TEST

/* Bytes that malloc has given out. Sanitizers bring an allocator, and a search for leaks, of their
 * own. */
static size_t bytes_in_use(void)
{
#if defined(__GLIBC__) && !defined(VARHEAD_NO_DISPATCH)
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

/* Training takes all its memory before it begins. */
START_TEST(ten_thousand_steps_take_no_memory)
{
    const DType types[] = {DTYPE_F32, DTYPE_BF16};
    for (int k = 0; k < 2; k++) {
        if (primitive_support(types[k]) == SUPPORT_NONE) {
            suite_skips("bf16, which is AVX-512");
            continue;
        }
        omp_set_num_threads(1);
        Network net;
        network_begin(&net, (GraphOptions){.batch = 1, .type = types[k], .weight_gradients = true});
        Value *h = nn_conv2d(net.graph, network_input(&net, 4, 4, 16), "a", 16,
                             (Conv){.kernel = 3, .pad_begin = 1, .pad_end = 1});
        h = nn_group_norm(net.graph, h, "b", (Norm){.groups = 4, .silu = true});
        network_finish(&net, nn_attention(net.graph, nn_conv1x1(net.graph, h, "c", 48, NULL), 1));
        size_t before = 0;
        for (int step = 0; step < 10000; step++) {
            network_backward(&net);
            if (step == 10)
                before = bytes_in_use();
        }
        ck_assert_uint_eq(bytes_in_use(), before);
        network_free(&net);
    }
}
END_TEST

SUITE_MAIN("graph", ten_thousand_steps_take_no_memory, buffers_alive_together_share_no_bytes,
           targets_receive_their_addresses, values_are_intact_when_they_are_read,
           inference_is_small_and_the_same, runs_repeat_to_the_bit, images_do_not_see_each_other,
           threads_change_nothing_but_rounding, seeds_add_up,
           gradients_of_what_is_not_seeded_are_zero, inputs_are_not_seeded,
           inference_has_no_backward, a_normalised_image_is_computed_again_and_not_kept)
