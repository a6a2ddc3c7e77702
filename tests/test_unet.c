/* Tests of the U-Net and the heads as wholes. Their gradients are compared with differences, on odd
 * shapes and with dropout. Further tests cover details that are easily built differently from the
 * published network (traps 9, 10 and 12 of the list in test_infer.c). In test_model.c outputs and
 * gradients are compared with an independent implementation. */
#include "base/memory.h"
#include "engine/graph_tell.h"
#include "engine/op.h"
#include "model/head.h"
#include "tests/reference.h"
#include "tests/small_unet.h"
#include "tests/suite.h"

#include <omp.h>

/* A bias of the keys adds the same to all scores of a query, which softmax ignores: its gradient is
 * zero but for rounding, and that is small against the queries'. */
static bool ignored_by_softmax(const Network *net, const Leaf *leaf)
{
    size_t length = strlen(leaf->name);
    if (length < 7 || strcmp(leaf->name + length - 7, ".k.bias") != 0)
        return false;
    char name[PARAM_NAME_SIZE];
    snprintf(name, sizeof name, "%.*s.q.bias", (int)length - 7, leaf->name);
    const Param *query = &net->params.items[params_find(&net->params, name)];
    ck_assert_double_le(norm_of(leaf->gradient, leaf->count),
                        1e-4 * norm_of(net->gradients + query->offset, query->count));
    return true;
}

/* Every tensor's gradient, and the inputs'. */
static void check_gradients(Network *net, const char *what)
{
    net->step = 3;
    network_backward(net);
    for (int i = 0; i < network_leaves(net); i++) {
        Leaf leaf = network_leaf(net, i);
        if (!ignored_by_softmax(net, &leaf))
            network_check_leaf(net, leaf, 1, what);
    }
}

static const GraphOptions training = {
    .weight_gradients = true, .input_gradients = true, .dropout = true, .seed = 5};

static void check_unet(const SmallUNet *small)
{
    omp_set_num_threads(1); /* a thousand small runs */
    Network net;
    Config config = small_config(small);
    GraphOptions options = training;
    options.batch = small->batch;
    network_unet(&net, &config, options);
    check_gradients(&net, small->what);
    network_free(&net);
}

START_TEST(gradients_of_three_small_images_are_differences)
{
    check_unet(&small_unets[0]);
}
END_TEST

START_TEST(gradients_of_one_larger_image_are_differences)
{
    check_unet(&small_unets[1]);
}
END_TEST

/* The family adm, and each of its options alone in a network of the family ddpm. A learned variance
 * has no part in the loss. */

static Config adm_config(void)
{
    Config config = small_config(&small_unets[0]);
    config.model.family = FAMILY_ADM;
    config.model.head_channels = 4;
    config.model.attentions = 2; /* the groups of two channels see an added time */
    config.model.attention[0] = 12;
    config.model.attention[1] = 6;
    return config;
}

static void check_config(const Config *config, const char *what)
{
    omp_set_num_threads(1);
    Network net;
    GraphOptions options = training;
    options.batch = 2;
    network_unet(&net, config, options);
    check_gradients(&net, what);
    network_free(&net);
}

START_TEST(gradients_of_an_adm_network_are_differences)
{
    const Config config = adm_config();
    check_config(&config, "adm");
}
END_TEST

START_TEST(gradients_of_networks_between_the_families_are_differences)
{
    Config config = small_config(&small_unets[0]);
    config.model.resampling = RESAMPLING_BLOCK;
    config.model.heads = 3;
    config.model.mid_norm = false;
    check_config(&config, "ddpm with blocks between the levels");
    config = adm_config();
    config.model.resampling = RESAMPLING_CONV;
    config.model.head_channels = 0;
    check_config(&config, "adm with convolutions between the levels");
}
END_TEST

START_TEST(a_second_output_leaves_the_first_and_its_gradients_alone)
{
    omp_set_num_threads(1);
    Config config = adm_config();
    Network without, with;
    GraphOptions options = training;
    options.batch = 2;
    network_unet(&without, &config, options);
    config.model.learned = LEARNED_RANGE;
    const UNet unet = network_unet(&with, &config, options);
    network_backward(&without);
    /* The weights start by their names, so that those of both are the same. */
    network_backward(&with);
    ck_assert_mem_eq(value_data(with.out), value_data(without.out),
                     value_count(with.out) * sizeof(float));
    ck_assert_uint_eq(value_count(unet.v), value_count(unet.eps));
    for (int i = 0; i < with.params.count; i++) {
        const Param *param = &with.params.items[i];
        const float *gradient = with.gradients + param->offset;
        const int same = params_find(&without.params, param->name);
        if (same >= 0)
            ck_assert_mem_eq(gradient, without.gradients + without.params.items[same].offset,
                             param->count * sizeof *gradient);
        else
            ck_assert(norm_of(gradient, param->count) == 0.0);
    }
    network_free(&without);
    network_free(&with);
}
END_TEST

/* Heads. Their inputs read the kept values of another graph: here of one that has nothing else. */

static void check_head(HeadType type)
{
    omp_set_num_threads(1);
    Error error = {0};
    Config config = small_config(&small_unets[0]);
    config.head.type = type;
    const int batch = 3, size = config.data.resolution;
    ParamSet none = {0};
    Graph *trunk = graph_new(&none, (GraphOptions){.batch = batch});
    Value *features = graph_input(trunk, size, size, SMALL_CHANNELS);
    Value *temb = graph_input(trunk, 1, 1, 4 * SMALL_CHANNELS);
    graph_keep(trunk, features);
    graph_keep(trunk, temb);
    must(graph_finish(trunk, &error), &error);

    Network net;
    GraphOptions options = training;
    options.batch = batch;
    network_begin(&net, options);
    Head head = head_build(net.graph, &config, 1, features, temb);
    network_add_input(&net, head.features);
    if (head.temb)
        network_add_input(&net, head.temb);
    network_finish(&net, head.out);
    ck_assert_int_eq(net.inputs, type == HEAD_COMPLEX ? 2 : 1);
    ck_assert_ptr_eq(value_data(head.features), value_data(features));
    check_gradients(&net, type == HEAD_COMPLEX ? "complex head" : "simple head");
    network_free(&net);
    graph_free(trunk);
}

START_TEST(gradients_of_heads_are_differences)
{
    check_head(HEAD_SIMPLE);
    check_head(HEAD_COMPLEX);
}
END_TEST

/* Trap 9: frequencies fall from 1 to 1/10000 inclusive; sines come first. */
START_TEST(embedding_is_the_published_one)
{
    const double times[] = {1000.0, 12.5};
    float rows[2][12];
    unet_embed_times(times, 2, (TimeEmbedding){.channels = 12, .freq_shift = 1}, rows[0]);
    for (int n = 0; n < 2; n++)
        for (int i = 0; i < 6; i++) {
            double phase = times[n] * pow(10.0, -0.8 * i);
            ck_assert_double_eq_tol(rows[n][i], sin(phase), 0x1p-24);
            ck_assert_double_eq_tol(rows[n][6 + i], cos(phase), 0x1p-24);
        }
    ck_assert_double_eq_tol(rows[0][0], 0.826879540532, 1e-7); /* sin 1000 */
    ck_assert_double_eq_tol(rows[0][5], 0.099833416647, 1e-8); /* sin 0.1 */
    ck_assert_double_eq_tol(rows[0][6], 0.562379076290, 1e-7); /* cos 1000 */

    const TimeEmbedding other = {.channels = 12, .cosines_first = true};
    unet_embed_times(times, 2, other, rows[0]);
    for (int n = 0; n < 2; n++)
        for (int i = 0; i < 6; i++) {
            double phase = times[n] * pow(10.0, -4.0 * i / 6);
            ck_assert_double_eq_tol(rows[n][i], cos(phase), 0x1p-24);
            ck_assert_double_eq_tol(rows[n][6 + i], sin(phase), 0x1p-24);
        }

    float odd[5];
    unet_embed_times(times, 1, (TimeEmbedding){.channels = 5, .freq_shift = 1}, odd);
    ck_assert_double_eq_tol(odd[1], 0.099833416647, 1e-8);
    ck_assert_double_eq_tol(odd[2], 0.562379076290, 1e-7);
    ck_assert(odd[4] == 0.0f);
}
END_TEST

/* How much the output depends on the time, with `groups` groups on every level of 12 channels; and
 * the largest gradient of what brings the time into a block, relative to that of its neighbour. */
static double dependence_on_time(int groups, double *gradient)
{
    omp_set_num_threads(1);
    Network net;
    Config config = small_config(&small_unets[0]);
    config.model.channel_mult[1] = 1;
    config.model.norm_groups = groups;
    network_unet(&net, &config, (GraphOptions){.batch = 3, .weight_gradients = true});
    network_backward(&net);
    *gradient = 0;
    for (int i = 0; i < net.params.count; i++) {
        Leaf leaf = network_leaf(&net, i);
        char *end = strstr(leaf.name, "temb_proj.weight");
        if (!end)
            continue;
        double length = norm_of(leaf.gradient, leaf.count);
        memcpy(end, "conv1", sizeof "conv1");
        strcat(leaf.name, ".weight");
        const Param *conv = &net.params.items[params_find(&net.params, leaf.name)];
        *gradient = larger(*gradient, length / norm_of(net.gradients + conv->offset, conv->count));
    }

    const size_t count = value_count(net.out);
    float *out = memory_small(count, sizeof *out);
    memcpy(out, value_data(net.out), count * sizeof *out);
    unet_embed_times((const double[]){20, 900, 333}, 3,
                     (TimeEmbedding){.channels = SMALL_CHANNELS, .freq_shift = 1}, net.x[1]);
    double change = distance(network_forward(&net), out, count);
    memory_free(out);
    network_free(&net);
    return change;
}

/* Trap 10: a norm that follows the time's addition to the channels, one channel to a group, takes
 * it away again with the mean. Two channels to a group see it. */
START_TEST(groups_of_one_channel_hide_the_time)
{
    double gradient;
    ck_assert_double_le(dependence_on_time(SMALL_CHANNELS, &gradient), 1e-4);
    ck_assert_double_le(gradient, 1e-5);
    ck_assert_double_ge(dependence_on_time(SMALL_GROUPS, &gradient), 0.1);
    ck_assert_double_ge(gradient, 1e-2);
}
END_TEST

/* What the U-Net's operations make of their inputs, against plain loops. */
typedef struct Inspection {
    Network net;
    Reference reference;
    double *weights;
} Inspection;

static const Op *op_with(const Graph *graph, const char *weight)
{
    int index = params_find(graph->params, weight);
    ck_assert_msg(index >= 0, "no parameter %s", weight);
    for (int i = 0; i < graph->op_count; i++)
        if (graph->ops[i]->weight == index)
            return graph->ops[i];
    ck_abort_msg("no operation with %s", weight);
    return NULL;
}

/* Runs the first small U-Net with everything kept. */
static void inspect(Inspection *in)
{
    omp_set_num_threads(1);
    Config config = small_config(&small_unets[0]);
    *in = (Inspection){.weights = NULL};
    network_begin(&in->net, (GraphOptions){.batch = 3});
    UNet unet = unet_build(in->net.graph, &config);
    network_add_input(&in->net, unet.x);
    network_add_input(&in->net, unet.time);
    for (int i = 0; i < in->net.graph->value_count; i++)
        graph_keep(in->net.graph, in->net.graph->values[i]);
    network_finish(&in->net, unet.eps);
    small_times(&in->net, unet.embedding);
    network_forward(&in->net);
    in->weights = memory_small(in->net.params.size, sizeof *in->weights);
    for (size_t i = 0; i < in->net.params.size; i++)
        in->weights[i] = in->net.weights[i];
    in->reference = (Reference){.params = &in->net.params, .weights = in->weights};
}

static void inspect_end(Inspection *in)
{
    reference_free(&in->reference);
    memory_free(in->weights);
    network_free(&in->net);
}

static Tensor tensor_of(Inspection *in, const Value *value)
{
    Tensor t = tensor_new(&in->reference, value->n, value->h, value->w, value->c);
    for (size_t i = 0; i < tensor_size(t); i++)
        t.at[i] = ((const float *)value->data)[i];
    return t;
}

/* Largest difference of a value from a tensor, relative to the tensor's largest element; infinite
 * if they are not of one shape. */
static double off_by(const Value *value, Tensor t)
{
    if (value->n != t.n || value->h != t.h || value->w != t.w || value->c != t.c)
        return INFINITY;
    double largest = 0, worst = 0;
    for (size_t i = 0; i < tensor_size(t); i++) {
        worst = larger(worst, fabs(((const float *)value->data)[i] - t.at[i]));
        largest = larger(largest, fabs(t.at[i]));
    }
    return worst / largest;
}

/* Trap 12, the way down: zeros on the right and on the bottom, and nowhere else. */
START_TEST(downsampling_pads_right_and_bottom)
{
    Inspection in;
    inspect(&in);
    const char *name = "down.0.downsample.conv";
    const Op *op = op_with(in.net.graph, "down.0.downsample.conv.weight");
    Tensor x = tensor_of(&in, op->in[0]);
    Reference *r = &in.reference;
    ck_assert_int_eq(op->out->h, 6);
    ck_assert_double_le(off_by(op->out, reference_conv(r, x, name, x.c, 3, 2, 0, 1)), 1e-5);
    ck_assert_double_ge(off_by(op->out, reference_conv(r, x, name, x.c, 3, 2, 1, 0)), 0.1);
    inspect_end(&in);
}
END_TEST

/* The way up: the image is doubled first, and the doubled one convolved. */
START_TEST(upsampling_doubles_before_it_convolves)
{
    Inspection in;
    inspect(&in);
    const char *name = "up.1.upsample.conv";
    const Op *op = op_with(in.net.graph, "up.1.upsample.conv.weight");
    const Op *last = op_with(in.net.graph, "up.1.attn.1.proj_out.weight");
    Tensor x = tensor_of(&in, last->out);
    Reference *r = &in.reference;
    Tensor doubled_first = reference_conv(r, reference_upsample(r, x), name, x.c, 3, 1, 1, 1);
    Tensor doubled_last = reference_upsample(r, reference_conv(r, x, name, x.c, 3, 1, 1, 1));
    ck_assert_double_le(off_by(op->out, doubled_first), 1e-5);
    ck_assert_double_ge(off_by(op->out, doubled_last), 0.1);
    inspect_end(&in);
}
END_TEST

/* The middle has attention whatever the list says; elsewhere the level's resolution decides. */
START_TEST(attention_goes_by_resolution)
{
    static const char *const names[] = {"mid.attn_1",  "down.0.attn.0", "up.0.attn.0",
                                        "up.0.attn.1", "down.1.attn.0", "up.1.attn.0",
                                        "up.1.attn.1"};
    const int lists[] = {0, 12, 6};
    const int expected[3][7] = {{1}, {1, 1, 1, 1}, {1, 0, 0, 0, 1, 1, 1}};
    for (int k = 0; k < 3; k++) {
        SmallUNet small = small_unets[0];
        small.attention = lists[k];
        Config config = small_config(&small);
        ParamSet params = {0};
        Graph *graph = graph_new(&params, (GraphOptions){.batch = 1});
        unet_build(graph, &config);
        for (int i = 0; i < 7; i++) {
            char weight[PARAM_NAME_SIZE];
            snprintf(weight, sizeof weight, "%s.q.weight", names[i]);
            ck_assert_msg((params_find(&params, weight) >= 0) == expected[k][i],
                          "attention at %d: %s", lists[k], names[i]);
        }
        graph_free(graph);
        params_free(&params);
    }
}
END_TEST

/* Dropout is for training alone: the graph's option turns it off, as does a probability of 0. */
START_TEST(dropout_is_on_only_when_asked_for)
{
    omp_set_num_threads(1);
    Config config = small_config(&small_unets[0]);
    Network net;
    float *plain = NULL;
    for (int k = 0; k < 3; k++) {
        config.model.dropout = k == 1 ? 0.0 : 0.1;
        network_unet(&net, &config, (GraphOptions){.batch = 3, .dropout = k > 0, .seed = 5});
        const size_t bytes = value_count(net.out) * sizeof(float);
        if (k == 0)
            plain = memcpy(memory_small(1, bytes), network_forward(&net), bytes);
        for (net.step = 0; net.step < 2; net.step++) {
            bool same = memcmp(network_forward(&net), plain, bytes) == 0;
            ck_assert_int_eq(same, k < 2);
        }
        network_free(&net);
    }
    memory_free(plain);
}
END_TEST

/* What a graph has told of: gradients as they were then, and how often. */
typedef struct Told {
    const Network *net;
    float *then;
    int *times;
} Told;

static void take_note(void *context, size_t first, size_t count)
{
    Told *told = context;
    for (size_t i = first; i < first + count; i++) {
        told->then[i] = told->net->gradients[i];
        told->times[i]++;
    }
}

/* Each gradient once, in every kind of layer, and it changes no more. */
START_TEST(gradients_are_told_of_when_they_are_complete)
{
    for (int adm = 0; adm < 2; adm++) {
        Network net;
        Config config = adm ? adm_config() : small_config(&small_unets[0]);
        GraphOptions options = training;
        options.batch = small_unets[0].batch;
        network_unet(&net, &config, options);
        const size_t size = net.params.size;
        Told told = {&net, memory_small(size, sizeof(float)), memory_small(size, sizeof(int))};
        graph_tell(net.graph, take_note, &told);
        network_backward(&net);
        for (size_t i = 0; i < size; i++) {
            ck_assert_int_eq(told.times[i], 1);
            ck_assert_float_eq(told.then[i], net.gradients[i]);
        }
        memory_free(told.then);
        memory_free(told.times);
        network_free(&net);
    }
}
END_TEST

SUITE_MAIN("unet", gradients_are_told_of_when_they_are_complete,
           gradients_of_three_small_images_are_differences,
           gradients_of_one_larger_image_are_differences, gradients_of_heads_are_differences,
           gradients_of_an_adm_network_are_differences,
           gradients_of_networks_between_the_families_are_differences,
           a_second_output_leaves_the_first_and_its_gradients_alone, embedding_is_the_published_one,
           groups_of_one_channel_hide_the_time, downsampling_pads_right_and_bottom,
           upsampling_doubles_before_it_convolves, attention_goes_by_resolution,
           dropout_is_on_only_when_asked_for)
