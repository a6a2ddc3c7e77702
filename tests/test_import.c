/* Tests of `infer import`: networks that other programs wrote give what they give there. Expected
 * outputs are those of the programs' own forward passes in double. */
#define SUITE_TIMEOUT 900
#include "diffusion/reverse.h"
#include "tests/imported.h"

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

/* The network is told what it was told in its training, and the schedule has the same alpha_bar. */
static void check_schedule(const char *run, const char *expected)
{
    int t[16];
    int64_t dims[GOLDEN_MAX_RANK];
    Network *network = open_run(run, 1);
    const Schedule *schedule = network_schedule(network);
    double *told = golden_doubles(expected, "model_time", NULL, dims);
    read_timesteps(expected, t);
    for (int64_t i = 0; i < dims[0]; i++)
        ck_assert_double_eq_tol(schedule_model_time(schedule, t[i]), told[i],
                                1e-9 * told[i] + 1e-300);
    free(told);
    if (golden_exists(expected, "alphas_cumprod")) {
        double *alpha_bar = golden_doubles(expected, "alphas_cumprod", NULL, dims);
        ck_assert_int_eq(dims[0], schedule->timesteps);
        for (int i = 0; i < schedule->timesteps; i++)
            ck_assert_double_eq_tol(schedule->alpha_bar[i + 1], alpha_bar[i], 1e-6 * alpha_bar[i]);
        free(alpha_bar);
    }
    network_close(network);
}

START_TEST(networks_give_what_their_programs_give)
{
    program_begin();
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        char run[32], expected[256];
        snprintf(run, sizeof run, "run%zu", i);
        snprintf(expected, sizeof expected, IMPORT "%s_expected.h5", networks[i].expected);
        infer_ok("import " IMPORT "%s --run $D/%s", networks[i].what, run);
        check_eps(run, expected, "eps");
        check_schedule(run, expected);
    }
    program_end();
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
        check_schedule(run, expected);
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

/* -- Samples ------------------------------------------------------------------------------------ */

/* Of the stored samples: whether x_0_hat is clipped, and the timestep of the last step's end. */
static const struct {
    const char *group;
    bool clip;
    int last;
} samples[] = {{"ddim10_trailing_noclip", false, 0},
               {"ddim10_leading", true, 0},
               {"ddim10_leading_offset1", true, 1}};

/* x [count] := the next images, a hundred timesteps before t. */
static void step_of_ddim(Network *network, int t, int s, bool clip, float *x, size_t count,
                         size_t images)
{
    int times[16];
    float *eps = malloc(count * sizeof *eps);
    ReverseOptions options = reverse_defaults(SAMPLER_DDIM);
    options.clip_x0 = clip;
    const ReverseStep step = reverse_step(network_schedule(network), &options, s, t);
    for (size_t i = 0; i < images; i++)
        times[i] = t;
    assert_ok(network_evaluate(network, x, times, (int)images, &(Prediction){.eps = eps}, &error));
    for (size_t i = 0; i < count; i++)
        x[i] = (float)reverse_mean(&step, (double)x[i], (double)eps[i]);
    free(eps);
}

/* x is an array of the group: within 1e-4, or, where images are clipped, within ten times the error
 * of diffusers' own float32. */
static void check_sample(const char *expected, const char *group, const char *array, const float *x)
{
    char path[64];
    int rank;
    int64_t dims[GOLDEN_MAX_RANK];
    double largest = 0;
    snprintf(path, sizeof path, "%s/%s", group, array);
    float *want = golden_floats(expected, path, &rank, dims);
    const size_t size = golden_count(rank, dims);
    golden_to_nhwc(want, (size_t)dims[0], (size_t)dims[1], (size_t)dims[2], (size_t)dims[3]);
    for (size_t i = 0; i < size; i++)
        largest = larger(largest, fabs((double)want[i]));
    ck_arrays_close(path, x, want, size, larger(1e-4, 10 * own_error(expected, path)) * largest);
    free(want);
}

/* Ten steps of DDIM from the stored x_T, at 1000, 900, .. or at 901, 801, .. or one later. */
START_TEST(ten_steps_are_those_of_diffusers)
{
    const char *expected = IMPORT "diffusers-new_expected.h5";
    program_begin();
    infer_ok("import " IMPORT "diffusers-new --run $D/run");
    for (size_t k = 0; k < sizeof samples / sizeof samples[0]; k++) {
        char path[64];
        int rank;
        int64_t dims[GOLDEN_MAX_RANK], steps[GOLDEN_MAX_RANK];
        snprintf(path, sizeof path, "%s/timesteps", samples[k].group);
        int64_t *index = golden_ints(expected, path, NULL, steps);
        snprintf(path, sizeof path, "%s/x_T", samples[k].group);
        float *x = golden_floats(expected, path, &rank, dims);
        golden_to_nhwc(x, (size_t)dims[0], (size_t)dims[1], (size_t)dims[2], (size_t)dims[3]);
        Network *network = open_run("run", (int)dims[0]);
        for (int64_t i = 0; i < steps[0]; i++) {
            const int s = i + 1 < steps[0] ? (int)index[i + 1] + 1 : samples[k].last;
            step_of_ddim(network, (int)index[i] + 1, s, samples[k].clip, x,
                         golden_count(rank, dims), (size_t)dims[0]);
            if (i == 0)
                check_sample(expected, samples[k].group, "x_after_first_step", x);
        }
        check_sample(expected, samples[k].group, "x_0", x);
        network_close(network);
        free(index);
        free(x);
    }
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

SUITE_MAIN("import", networks_give_what_their_programs_give, heads_give_what_their_program_gives,
           a_head_must_be_named_and_joins_its_own_network_only, ten_steps_are_those_of_diffusers,
           heads_are_trained_on_an_imported_network)
