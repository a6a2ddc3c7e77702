/* Tests of `infer import`: networks that other programs wrote give what they give there, and what
 * doesn't fit is refused in one line. Expected outputs are those of the programs' own forward
 * passes in double. */
#define SUITE_TIMEOUT 300
#include "exchange/tensor_table.h"
#include "inference/network.h"
#include "io/checkpoint.h"
#include "model/unet.h"

#include "base/memory.h"
#include "tests/infer_program.h"

#include <dirent.h>

#define IMPORT "tests/golden/import/"

static Error error;

/* The run "$D/run" as a network, ready for `count` images. */
static Network *open_run(const char *run, int count)
{
    NetworkOptions options = {.batch = 8, .type = DTYPE_F32, .source = {.run = in_directory(run)}};
    Network *network;
    assert_ok(network_open(&network, &options, &error));
    assert_ok(network_prepare(network, count, &error));
    return network;
}

/* t [count] := our timesteps: one more than the index t of an expected file, or the n of
 * Extended-Analytic-DPM. */
static void read_timesteps(const char *expected, int *t)
{
    int64_t dims[GOLDEN_MAX_RANK];
    const bool is_ours = golden_exists(expected, "n");
    int64_t *index = golden_ints(expected, is_ours ? "n" : "t", NULL, dims);
    for (int64_t i = 0; i < dims[0]; i++)
        t[i] = (int)index[i] + !is_ours;
    free(index);
}

/* Evaluates the network at the x and t of an expected file; the caller frees. *dims := C, H, W.
 * `head`: of the output, or NULL for eps. */
static float *evaluate_head(Network *network, const char *head, const char *expected,
                            int64_t dims[GOLDEN_MAX_RANK])
{
    int rank, t[16];
    float *x = golden_floats(expected, "x", &rank, dims);
    const size_t count = (size_t)dims[0], size = golden_count(rank, dims);
    read_timesteps(expected, t);
    float *eps = malloc(size * sizeof *eps);
    Prediction outputs = {0};
    if (head) {
        ck_assert_int_ge(network_find_head(network, head), 0);
        outputs.heads[network_find_head(network, head)] = eps;
    } else {
        outputs.eps = eps;
    }
    golden_to_nhwc(x, count, (size_t)dims[1], (size_t)dims[2], (size_t)dims[3]);
    assert_ok(network_evaluate(network, x, t, (int)count, &outputs, &error));
    free(x);
    return eps;
}

static float *evaluate(Network *network, const char *expected, int64_t dims[GOLDEN_MAX_RANK])
{
    return evaluate_head(network, NULL, expected, dims);
}

/* The relative error that is allowed: 1e-5, or twice that of the program's own float32. */
static double tolerance(const char *expected, const char *array)
{
    double own = 0;
    hid_t file = golden_open(expected), data = H5Dopen2(file, array, H5P_DEFAULT);
    if (H5Aexists(data, "f32_error") > 0) {
        hid_t attribute = H5Aopen(data, "f32_error", H5P_DEFAULT);
        ck_assert(H5Aread(attribute, H5T_NATIVE_DOUBLE, &own) >= 0);
        H5Aclose(attribute);
    }
    H5Dclose(data);
    H5Fclose(file);
    return larger(1e-5, 2 * own);
}

/* The run gives `array` of the expected file, as eps or as the output of a head. */
static void check_output(const char *run, const char *head, const char *expected, const char *array)
{
    int64_t dims[GOLDEN_MAX_RANK];
    Network *network = open_run(run, 3);
    float *eps = evaluate_head(network, head, expected, dims);
    float *want = golden_floats(expected, array, NULL, NULL);
    const size_t each = (size_t)(dims[1] * dims[2] * dims[3]);
    double largest = 0, worst = 0;
    golden_to_nhwc(want, (size_t)dims[0], (size_t)dims[1], (size_t)dims[2], (size_t)dims[3]);
    for (size_t i = 0; i < each * (size_t)dims[0]; i++) {
        largest = larger(largest, fabs((double)want[i]));
        worst = larger(worst, fabs((double)eps[i] - (double)want[i]));
    }
    ck_assert_msg(worst <= tolerance(expected, array) * largest, "%s, %s: off by %g of %g",
                  expected, array, worst, largest);
    free(want);
    free(eps);
    network_close(network);
}

static void check_eps(const char *run, const char *expected, const char *array)
{
    check_output(run, NULL, expected, array);
}

static const struct {
    const char *what, *expected;
} networks[] = {
    {"diffusers-new", "diffusers-new"},
    {"diffusers-new/unet/diffusion_pytorch_model.safetensors", "diffusers-new"},
    {"diffusers-old", "diffusers-old"},
    {"diffusers-rezipped", "diffusers-old"},
    {"diffusers-strided", "diffusers-strided"},
    {"diffusers-fp16", "diffusers-fp16"},
    {"pesser.ckpt --resolution 16", "pesser"},
    {"pesser_legacy_half.ckpt --resolution 16", "pesser"},
    {"ddim_ckpt.pth --config " IMPORT "ddim_ckpt.yml", "ddim_ckpt"},
    {"diffusers-defaults", "diffusers-defaults"},
    {"diffusers-learned", "diffusers-learned"},
    {"iddpm_plain.pt --config " IMPORT "iddpm_plain.json", "iddpm_plain"},
    {"iddpm_learned.pt --config " IMPORT "iddpm_learned.json", "iddpm_learned"},
    {"adm.pt --config " IMPORT "adm.json", "adm"},
    {"adm_fp16.pt --config " IMPORT "adm_fp16.json", "adm_fp16"},
    {"adm_bf16.pt --config " IMPORT "adm_bf16.json", "adm_bf16"},
};

START_TEST(networks_give_what_their_programs_give)
{
    program_begin();
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        char run[32], expected[256];
        snprintf(run, sizeof run, "run%zu", i);
        snprintf(expected, sizeof expected, IMPORT "%s_expected.h5", networks[i].expected);
        infer_ok("import " IMPORT "%s --run $D/%s", networks[i].what, run);
        check_eps(run, expected, "eps");
    }
    program_end();
}
END_TEST

/* -- Learned variances ---------------------------------------------------------------------------- */

/* The second half of the channels is a second output of our network, `v` in the expected files. */
static void check_second_output(const char *what, const char *expected)
{
    int rank;
    int64_t dims[GOLDEN_MAX_RANK];
    program_begin();
    infer_ok("import " IMPORT "%s --run $D/run", what);
    Checkpoint *checkpoint = NULL;
    ParamSet params = {0};
    assert_ok(checkpoint_open(&checkpoint, in_directory("run/stage1.h5"), &error));
    const Config *config = checkpoint_config(checkpoint);
    ck_assert_int_eq(config->model.learned, LEARNED_RANGE);
    Graph *graph = graph_new(&params, (GraphOptions){.batch = 3});
    const UNet net = unet_build(graph, config);
    float *weights = checkpoint_load_params(checkpoint, "trunk_ema", &params, &error);
    ck_assert_ptr_nonnull(weights);
    assert_ok(graph_finish(graph, &error));
    graph_load_weights(graph, weights);

    float *x = golden_floats(expected, "x", &rank, dims);
    float *want = golden_floats(expected, "v", NULL, NULL);
    int64_t *index = golden_ints(expected, "t", NULL, NULL);
    const size_t count = golden_count(rank, dims);
    double times[3], largest = 0;
    Schedule schedule;
    assert_ok(config_make_schedule(&schedule, config, &error));
    ck_assert_int_eq(dims[0], 3);
    for (int i = 0; i < 3; i++)
        times[i] = schedule_model_time(&schedule, (int)index[i] + 1);
    golden_to_nhwc(x, 3, (size_t)dims[1], (size_t)dims[2], (size_t)dims[3]);
    golden_to_nhwc(want, 3, (size_t)dims[1], (size_t)dims[2], (size_t)dims[3]);
    memcpy(value_data(net.x), x, count * sizeof *x);
    unet_embed_times(times, 3, net.embedding, value_data(net.time));
    assert_ok(graph_forward(graph, 0, &error));
    for (size_t i = 0; i < count; i++)
        largest = larger(largest, fabs((double)want[i]));
    ck_arrays_close("v", value_data(net.v), want, count, tolerance(expected, "v") * largest);
    schedule_free(&schedule);
    graph_free(graph);
    params_free(&params);
    memory_free(weights);
    checkpoint_close(checkpoint);
    free(x);
    free(want);
    free(index);
    program_end();
}

START_TEST(a_learned_variance_is_a_second_output)
{
    check_second_output("adm.pt --config " IMPORT "adm.json", IMPORT "adm_expected.h5");
    check_second_output("iddpm_learned.pt --config " IMPORT "iddpm_learned.json",
                        IMPORT "iddpm_learned_expected.h5");
    check_second_output("diffusers-learned", IMPORT "diffusers-learned_expected.h5");
}
END_TEST

/* -- Heads ------------------------------------------------------------------------------------- */

static const struct {
    const char *what, *head, *expected, *eps, *output;
} heads[] = {
    {"ea_ddpm_npr.pth --head npr", "npr", "ea_ddpm_npr", "eps", "npr"},
    {"ea_ddpm_sn.ckpt --head sn", "sn", "ea_ddpm_sn", "eps", "sn"},
    {"ea_ddpm_sn.ckpt/models_states/model.pth --head sn", "sn", "ea_ddpm_sn", "not_ema/eps",
     "not_ema/sn"},
    {"ea_dpm_npr.pth --head npr --time t --config " IMPORT "ea_dpm_npr.json", "npr", "ea_dpm_npr",
     "eps", "npr"},
    {"ea_dpm_sn.pth --head sn --config " IMPORT "ea_dpm_sn.json", "sn", "ea_dpm_sn", "eps", "sn"},
};

START_TEST(heads_give_what_their_program_gives)
{
    program_begin();
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        char run[32], expected[256];
        snprintf(run, sizeof run, "run%zu", i);
        snprintf(expected, sizeof expected, IMPORT "%s_expected.h5", heads[i].expected);
        infer_ok("import " IMPORT "%s --resolution 8 --run $D/%s", heads[i].what, run);
        check_eps(run, expected, heads[i].eps);
        check_output(run, heads[i].head, expected, heads[i].output);
        infer_ok("sample --run $D/%s --variance %s --steps 5 --count 1 --out $D/x.h5", run,
                 heads[i].head);
    }
    program_end();
}
END_TEST

START_TEST(a_head_must_be_named_and_joins_its_own_network_only)
{
    program_begin();
    infer_fails(2, "--head npr or --head sn says it",
                "import " IMPORT "ea_ddpm_npr.pth --resolution 8 --run $D/run");
    infer_fails(2, "has no variance head", "import " IMPORT "diffusers-new --head sn --run $D/run");
    infer_ok("import " IMPORT "ea_ddpm_npr.pth --resolution 8 --head npr --run $D/run");
    infer_fails(2, "stage2-npr.h5: is there already",
                "import " IMPORT "ea_ddpm_npr.pth --resolution 8 --head npr --run $D/run");
    infer_fails(2, "holds another network",
                "import " IMPORT "ea_ddpm_sn.ckpt --resolution 8 --head sn --run $D/run");
    infer_ok("import " IMPORT "ea_ddpm_npr.pth --resolution 8 --head sn --run $D/run");
    check_output("run", "npr", IMPORT "ea_ddpm_npr_expected.h5", "npr");
    check_output("run", "sn", IMPORT "ea_ddpm_npr_expected.h5", "npr");
    ck_assert_int_eq(system("train --stage 2 --loss npr --run $D/run --set data.format=mixture "
                            "2>$D/output; test $? = 2 && grep -q 'was imported' $D/output"),
                     0);
    program_end();
}
END_TEST

/* -- Refusals ---------------------------------------------------------------------------------- */

/* No entry but for this list is left out, so that a new file is tested at once. */
START_TEST(what_must_be_refused_is_refused_in_one_line)
{
    int count = 0;
    program_begin();
    DIR *entries = opendir(IMPORT "refuse");
    ck_assert_ptr_nonnull(entries);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "expected.json") == 0)
            continue;
        infer_fails(2, "", "import " IMPORT "refuse/%s --run $D/run", entry->d_name);
        count++;
    }
    closedir(entries);
    ck_assert_int_eq(count, 52);
    ck_assert_msg(access(in_directory("run"), F_OK) != 0, "a refusal left a run behind");
    program_end();
}
END_TEST

static const struct {
    const char *what, *message;
} refusals[] = {
    {"lucidrains.pt", "denoising-diffusion-pytorch"},
    {"unknown_names.pth", "3 tensors, and they are of no network that is known"},
    {"net-missing", "1 missing, the first mid_block.resnets.1.conv2.bias; of 112 tensors"},
    {"net-extra", "1 unknown, the first mid_block.resnets.2.conv1.bias;"},
    {"net-shape", "conv_out.weight of shape [3, 8, 1, 1] instead of [3, 8, 3, 3]"},
    {"net-nan", "up_blocks.0.resnets.0.conv1.weight has a number that is not finite"},
    {"net-groups", "a divisor of model.channels = 8, got \"3\""},
    {"cfg-classes", "num_class_embeds is 10"},
    {"cfg-fourier", "time_embedding_type is \"fourier\""},
    {"cfg-skip", "SkipDownBlock2D"},
    {"cfg-condition", "UNet2DConditionModel"},
    {"cfg-act", "act_fn is \"gelu\""},
    {"cfg-scale", "mid_block_scale_factor is 1.41421356, expected 1"},
};

START_TEST(a_network_that_does_not_fit_is_refused_with_the_reason)
{
    program_begin();
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        infer_fails(2, refusals[i].message, "import " IMPORT "refuse/%s --run $D/run",
                    refusals[i].what);
    infer_fails(2, "not of ddpm", "import " IMPORT "diffusers-new --family ddpm --run $D/run");
    infer_fails(2, "no section data",
                "import " IMPORT "ddim_ckpt.pth --config " IMPORT
                "diffusers-new/unet/config.json --run $D/run");
    infer_fails(2, "--resolution", "import " IMPORT "diffusers-new/unet --run $D/run --resolution");
    infer_fails(2, "without unet/", "import " IMPORT "refuse --run $D/run");
    infer_fails(2, "expected --run DIR", "import " IMPORT "diffusers-new");
    infer_fails(2, "got 2", "import a b --run $D/run");
    program_end();
}
END_TEST

/* The flags of `adm.json` with one of them changed. */
static void write_flags(const char *name, const char *flag, const char *value)
{
    char text[4096], key[64];
    FILE *from = fopen(IMPORT "adm.json", "r"), *to = fopen(in_directory(name), "w");
    ck_assert(from && to);
    text[fread(text, 1, sizeof text - 1, from)] = '\0';
    snprintf(key, sizeof key, "\"%s\": ", flag);
    char *at = strstr(text, key);
    ck_assert_msg(at != NULL, "no flag %s", flag);
    at += strlen(key);
    const size_t old = strcspn(at, ",\n") + (*at == '"' ? strcspn(strchr(at, ','), "\n") : 0);
    fprintf(to, "%.*s%s%s%s", (int)(at - text), text, value, *at == '"' ? "," : "", at + old);
    fclose(from);
    fclose(to);
}

static const struct {
    const char *flag, *value, *message;
} flags[] = {
    {"class_cond", "true", "class_cond is true, expected false"},
    {"num_heads", "0", "num_heads is 0"},
    {"noise_schedule", "\"quad\"", "noise_schedule is \"quad\""},
    {"channel_mult", "\"0.5,1\"", "channel_mult is 0.5,1, expected integers"},
    {"channel_mult", "\"\"", "none is usual for images of 16 x 16"},
    {"num_head_channels", "24", "model.head_channels: expected a divisor of 32"},
    {"use_scale_shift_norm", "false",
     "emb_layers.1.weight of shape [64, 128] instead of [32, 128]"},
    {"resblock_updown", "false", "the first input_blocks.2.0.op.weight"},
    {"learn_sigma", "false", "out.2.weight of shape [6, 32, 3, 3] instead of [3, 32, 3, 3]"},
    {"attention_resolutions", "\"16,8\"", "the first input_blocks.1.1.norm.weight"},
};

START_TEST(flags_that_do_not_fit_are_refused_with_the_reason)
{
    program_begin();
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        write_flags("flags.json", flags[i].flag, flags[i].value);
        infer_fails(2, flags[i].message,
                    "import " IMPORT "adm.pt --config $D/flags.json --run $D/run");
    }
    infer_fails(2, "--config FILE says them", "import " IMPORT "adm.pt --run $D/run");
    infer_fails(2, "expected the flags of",
                "import " IMPORT "adm.pt --config " IMPORT "ddim_ckpt.yml --run $D/run");
    infer_fails(2, "not of diffusers",
                "import " IMPORT "adm.pt --family diffusers --config " IMPORT
                "adm.json --run $D/run");
    program_end();
}
END_TEST

/* The order of queries, keys and values is a flag: with the other one the network gives something
 * else. So is the order of the time embedding in a description of diffusers. */
START_TEST(flags_that_shapes_do_not_show_change_the_network)
{
    static const char *const changes[][2] = {{"use_new_attention_order", "false"},
                                             {"num_head_channels", "8"},
                                             {"noise_schedule", "\"linear\""}};
    int64_t dims[GOLDEN_MAX_RANK];
    program_begin();
    infer_ok("import " IMPORT "adm.pt --config " IMPORT "adm.json --run $D/run");
    Network *network = open_run("run", 3);
    float *eps = evaluate(network, IMPORT "adm_expected.h5", dims);
    const size_t size = (size_t)(dims[0] * dims[1] * dims[2] * dims[3]);
    network_close(network);
    for (int i = 0; i < 3; i++) {
        write_flags("flags.json", changes[i][0], changes[i][1]);
        infer_ok("import " IMPORT "adm.pt --config $D/flags.json --run $D/run --fresh");
        network = open_run("run", 3);
        float *other = evaluate(network, IMPORT "adm_expected.h5", dims);
        const bool is_schedule = i == 2; /* the network is told the same */
        ck_assert_int_eq(memcmp(eps, other, size * sizeof *eps) == 0, is_schedule);
        ck_assert_int_eq(network_config(network)->diffusion.schedule,
                         is_schedule ? SCHEDULE_LINEAR : SCHEDULE_COSINE);
        free(other);
        network_close(network);
    }
    free(eps);
    program_end();
}
END_TEST

/* -- Choices ------------------------------------------------------------------------------------ */

START_TEST(every_guess_is_said)
{
    program_begin();
    infer_ok("import " IMPORT "ddim_ckpt.pth --resolution 8 --run $D/a");
    ck_assert_ptr_nonnull(strstr(program_output, "takes [4] of"));
    ck_assert_ptr_nonnull(strstr(program_output, "the moving average"));
    infer_ok("import " IMPORT "pesser_legacy_half.ckpt --run $D/b");
    ck_assert_ptr_nonnull(strstr(program_output, "guesses 32 x 32 images"));
    infer_ok("import " IMPORT "diffusers-strided --run $D/c");
    ck_assert_ptr_nonnull(strstr(program_output, "takes the linear schedule"));
    infer_ok("import " IMPORT "diffusers-new --run $D/d");
    ck_assert_ptr_null(strstr(program_output, "note:"));
    program_end();
}
END_TEST

START_TEST(a_run_is_replaced_only_on_request)
{
    program_begin();
    infer_ok("import " IMPORT "diffusers-new --run $D/run");
    infer_fails(2, "--fresh replaces it", "import " IMPORT "diffusers-old --run $D/run");
    check_eps("run", IMPORT "diffusers-new_expected.h5", "eps");
    infer_ok("import " IMPORT "diffusers-old --run $D/run --fresh --quiet");
    ck_assert_str_eq(program_output, "");
    check_eps("run", IMPORT "diffusers-old_expected.h5", "eps");
    program_end();
}
END_TEST

/* Another time than the network was told in its training gives something else. */
START_TEST(the_time_can_be_said)
{
    program_begin();
    infer_ok("import " IMPORT "diffusers-new --time t --run $D/run");
    Network *network = open_run("run", 3);
    ck_assert_int_eq(network_config(network)->model.time, MODEL_TIME_T);
    network_close(network);
    infer_ok("import " IMPORT "diffusers-new --time index --run $D/run --fresh");
    check_eps("run", IMPORT "diffusers-new_expected.h5", "eps"); /* the same for N = 1000 */
    program_end();
}
END_TEST

/* -- Samples ------------------------------------------------------------------------------------ */

/* Ten steps of DDIM at the timesteps 100, 200, .., 1000 from the stored x_T, without clipping. (With
 * clipping diffusers' own float32 is off by 5e-4.) */
START_TEST(ten_steps_are_those_of_diffusers)
{
    int rank;
    int64_t dims[GOLDEN_MAX_RANK];
    const char *expected = IMPORT "diffusers-new_expected.h5";
    float *x = golden_floats(expected, "ddim10_trailing_noclip/x_T", &rank, dims);
    float *want = golden_floats(expected, "ddim10_trailing_noclip/x_0", NULL, NULL);
    const size_t count = (size_t)dims[0], each = (size_t)(dims[1] * dims[2] * dims[3]);
    golden_to_nhwc(x, count, (size_t)dims[1], (size_t)dims[2], (size_t)dims[3]);
    golden_to_nhwc(want, count, (size_t)dims[1], (size_t)dims[2], (size_t)dims[3]);
    program_begin();
    infer_ok("import " IMPORT "diffusers-new --run $D/run");
    Network *network = open_run("run", (int)count);
    const Schedule *schedule = network_schedule(network);
    float *eps = malloc(count * each * sizeof *eps);
    const Prediction outputs = {.eps = eps};
    double largest = 0;
    for (size_t i = 0; i < count * each; i++)
        largest = larger(largest, fabs((double)want[i]));
    for (int t = 1000; t > 0; t -= 100) {
        int times[16];
        const int s = t - 100;
        for (size_t i = 0; i < count; i++)
            times[i] = t;
        assert_ok(network_evaluate(network, x, times, (int)count, &outputs, &error));
        for (size_t i = 0; i < count * each; i++) {
            const double x_0 = ((double)x[i] - sqrt(schedule->beta_bar[t]) * (double)eps[i]) /
                               sqrt(schedule->alpha_bar[t]);
            x[i] = (float)(sqrt(schedule->alpha_bar[s]) * x_0 +
                           sqrt(schedule->beta_bar[s]) * (double)eps[i]);
        }
    }
    ck_arrays_close("x_0", x, want, count * each, 1e-4 * largest);
    network_close(network);
    free(eps);
    free(x);
    free(want);
    program_end();
}
END_TEST

/* `train --stage 2` needs no recipe: the imported network is one. */
START_TEST(heads_are_trained_on_an_imported_network)
{
    program_begin();
    infer_ok("import " IMPORT "diffusers-new --run $D/run");
    ck_assert_int_eq(system("train --stage 2 --loss npr,sn --run $D/run --set data.format=mixture "
                            "--set stage2.solver=adam --set stage2.steps=2 --set stage2.batch=2 "
                            ">$D/output 2>&1"),
                     0);
    infer_ok("nll --run $D/run --variance beta,npr,sn --steps 5 --images 1");
    infer_ok("info $D/run/stage2-npr+sn.h5");
    program_end();
}
END_TEST

START_TEST(info_describes_files_of_other_programs)
{
    program_begin();
    infer_ok("info " IMPORT "diffusers-fp16");
    ck_assert_ptr_nonnull(strstr(program_output, "208 tensors, 64483 numbers of float16"));
    ck_assert_ptr_nonnull(strstr(program_output, "16 x 16, 3 channels"));
    ck_assert_ptr_nonnull(strstr(program_output, "import     possible"));
    infer_ok("info " IMPORT "ddim_ckpt.pth");
    ck_assert_ptr_nonnull(strstr(program_output, "[4]: 104 tensors"));
    infer_ok("info " IMPORT "refuse/unknown_names.pth");
    ck_assert_ptr_nonnull(strstr(program_output, "3 tensors"));
    ck_assert_ptr_nonnull(strstr(program_output, "not possible: "));
    infer_ok("info --quiet " IMPORT "diffusers-new");
    ck_assert_str_eq(program_output, "");
    infer_fails(2, "posix.system", "info " IMPORT "refuse/os_system.pth");
    program_end();
}
END_TEST

/* All tensors of the two runs are the same, bit for bit, and so are the outputs at the images of an
 * expected file. */
static void check_same_networks(const char *run, const char *other, const char *expected)
{
    int64_t dims[GOLDEN_MAX_RANK];
    Network *a = open_run(run, 3), *b = open_run(other, 3);
    float *left = evaluate(a, expected, dims);
    float *right = evaluate(b, expected, dims);
    ck_assert_uint_eq(network_fingerprint(a, &variance_beta),
                      network_fingerprint(b, &variance_beta));
    ck_assert_mem_eq(left, right, (size_t)(dims[0] * dims[1] * dims[2] * dims[3]) * sizeof *left);
    free(left);
    free(right);
    network_close(a);
    network_close(b);
}

static void check_same_runs(const char *run, const char *other)
{
    check_same_networks(run, other, IMPORT "diffusers-new_expected.h5");
}

/* Of the family adm and of networks between the families, with a second output and without. The
 * recipe says the same, too, so that the fingerprints agree. */
static const struct {
    const char *what, *expected;
} exported[] = {
    {"adm.pt --config " IMPORT "adm.json", "adm"},
    {"adm_bf16.pt --config " IMPORT "adm_bf16.json", "adm_bf16"},
    {"iddpm_plain.pt --config " IMPORT "iddpm_plain.json", "iddpm_plain"},
    {"diffusers-learned", "diffusers-learned"},
    {"diffusers-defaults", "diffusers-defaults"},
};

START_TEST(an_exported_network_of_the_family_adm_is_imported_bit_for_bit)
{
    for (size_t i = 0; i < sizeof exported / sizeof exported[0]; i++) {
        char expected[256];
        snprintf(expected, sizeof expected, IMPORT "%s_expected.h5", exported[i].expected);
        program_begin();
        infer_ok("import " IMPORT "%s --run $D/run", exported[i].what);
        infer_ok("export --run $D/run --format safetensors --out $D/x.safetensors");
        infer_ok("import $D/x.safetensors --run $D/again");
        check_same_networks("run", "again", expected);
        infer_ok("export --run $D/run --format diffusers --out $D/model");
        infer_ok("import $D/model --run $D/third");
        check_eps("third", expected, "eps");
        infer_ok("export --run $D/again --format diffusers --out $D/model2");
        ck_assert_int_eq(system("diff -r $D/model $D/model2 >$D/output"), 0);
        infer_ok("export --run $D/third --format diffusers --out $D/model3");
        ck_assert_int_eq(system("diff -r $D/model $D/model3 >$D/output"), 0);
        program_end();
    }
}
END_TEST

START_TEST(heads_of_several_widths_are_no_network_of_diffusers)
{
    program_begin();
    ck_assert_int_eq(system("train --stage 1 --run $D/run --quiet --set data.format=mixture "
                            "--set data.channels=1 --set data.resolution=8 "
                            "--set model.channels=8 --set 'model.channel_mult=[1, 2]' "
                            "--set 'model.attention=[8]' --set model.heads=2 "
                            "--set model.norm_groups=4 --set stage1.steps=1 --set stage1.batch=2"),
                     0);
    infer_fails(2, "heads of 4 and of 8 channels",
                "export --run $D/run --format diffusers --out $D/model");
    infer_ok("export --run $D/run --format safetensors --out $D/x.safetensors");
    program_end();
}
END_TEST

START_TEST(an_exported_network_is_imported_bit_for_bit)
{
    program_begin();
    infer_ok("import " IMPORT "diffusers-new --run $D/run");
    infer_ok("export --run $D/run --format diffusers --out $D/model");
    ck_assert_ptr_null(strstr(program_output, "note:"));
    infer_ok("import $D/model --run $D/again");
    check_same_runs("run", "again");
    infer_ok("export --run $D/run --format safetensors --out $D/x.safetensors");
    infer_ok("import $D/x.safetensors --run $D/third");
    check_same_runs("run", "third");
    infer_ok("export --run $D/run --format hdf5 --out $D/x.h5");
    infer_ok("info $D/x.h5");
    infer_fails(2, "is there already", "export --run $D/run --format hdf5 --out $D/x.h5");
    infer_fails(2, "is there already", "export --run $D/run --format diffusers --out $D/model");
    infer_fails(2, "expected --format", "export --run $D/run --out $D/y");
    program_end();
}
END_TEST

/* Names and shapes are those of the file that diffusers wrote. */
static void check_folder(const char *what)
{
    TensorFile *theirs, *ours;
    char path[256];
    program_begin();
    infer_ok("import " IMPORT "%s --run $D/run", what);
    infer_ok("export --run $D/run --format diffusers --out $D/model");
    snprintf(path, sizeof path, IMPORT "%s/unet/diffusion_pytorch_model.safetensors", what);
    assert_ok(tensor_file_open(&theirs, path, &error));
    assert_ok(tensor_file_open(
        &ours, in_directory("model/unet/diffusion_pytorch_model.safetensors"), &error));
    const TensorTable *want = tensor_file_table(theirs), *got = tensor_file_table(ours);
    ck_assert_int_eq(got->tensor_count, want->tensor_count);
    for (int i = 0; i < want->tensor_count; i++) {
        const Tensor *tensor = &want->tensors[i];
        const int index = tensor_find(got, 0, tensor->name);
        ck_assert_msg(index >= 0, "%s is missing", tensor->name);
        ck_assert_int_eq(got->tensors[index].rank, tensor->rank);
        ck_assert_mem_eq(got->tensors[index].shape, tensor->shape, sizeof tensor->shape);
    }
    tensor_file_close(theirs);
    tensor_file_close(ours);
    program_end();
}

START_TEST(an_exported_folder_has_the_names_and_shapes_of_diffusers)
{
    check_folder("diffusers-new");
    check_folder("diffusers-defaults");
    check_folder("diffusers-learned");
}
END_TEST

SUITE_MAIN("import", networks_give_what_their_programs_give, a_learned_variance_is_a_second_output,
           heads_give_what_their_program_gives, a_head_must_be_named_and_joins_its_own_network_only,
           what_must_be_refused_is_refused_in_one_line,
           flags_that_do_not_fit_are_refused_with_the_reason,
           flags_that_shapes_do_not_show_change_the_network,
           a_network_that_does_not_fit_is_refused_with_the_reason, every_guess_is_said,
           a_run_is_replaced_only_on_request, the_time_can_be_said,
           ten_steps_are_those_of_diffusers, heads_are_trained_on_an_imported_network,
           info_describes_files_of_other_programs, an_exported_network_is_imported_bit_for_bit,
           an_exported_network_of_the_family_adm_is_imported_bit_for_bit,
           heads_of_several_widths_are_no_network_of_diffusers,
           an_exported_folder_has_the_names_and_shapes_of_diffusers)
