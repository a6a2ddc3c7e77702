/* Tests of schedules whose betas are given: as a list in a recipe, in a text file, and in the
 * description of a network of diffusers. */
#define SUITE_TIMEOUT 900
#include "tests/config_text.h"
#include "tests/imported.h"
#include "tests/scratch.h"

/* betas [timesteps] := those of the linear schedule of diffusers. */
static void linear_betas(double *betas, int timesteps)
{
    for (int i = 0; i < timesteps; i++)
        betas[i] = 1e-4 + i * ((0.02 - 1e-4) / (timesteps - 1));
}

/* Writes numbers with `between` after each; "%.17g" keeps all of their bits. */
static void write_betas(const char *path, const char *before, const char *between, int timesteps)
{
    double betas[CONFIG_MAX_BETAS + 1];
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    linear_betas(betas, timesteps);
    fputs(before, file);
    for (int i = 0; i < timesteps; i++)
        fprintf(file, "%.17g%s", betas[i], before[0] == '[' && i + 1 == timesteps ? "]" : between);
    ck_assert_int_eq(fclose(file), 0);
}

/* "diffusion.betas=PATH", good until the next call. */
static const char *override_with(const char *path)
{
    static char text[600];
    snprintf(text, sizeof text, "diffusion.betas=%s", path);
    return text;
}

/* -- Schedules --------------------------------------------------------------------------------- */

START_TEST(given_betas_make_the_schedule)
{
    enum { N = 1000 };
    double betas[N];
    Schedule given, linear;
    linear_betas(betas, N);
    const ScheduleOptions options = {.kind = SCHEDULE_BETAS, .timesteps = N, .betas = betas};
    assert_ok(schedule_make_as(&given, &options, &error));
    assert_ok(schedule_make(&linear, SCHEDULE_LINEAR, N, &error));
    for (int t = 1; t <= N; t++) {
        ck_assert(given.beta[t] == betas[t - 1]);
        ck_assert_double_eq_tol(given.alpha_bar[t], linear.alpha_bar[t],
                                1e-12 * linear.alpha_bar[t]);
    }
    schedule_free(&given);
    schedule_free(&linear);
    static const double impossible[] = {0, 1, -0.1, NAN};
    for (int i = 0; i < 4; i++) {
        betas[7] = impossible[i];
        ck_assert(!schedule_make_as(&given, &options, &error));
        ck_assert_ptr_nonnull(strstr(error.message, "beta 8 of the schedule"));
    }
}
END_TEST

/* -- Configurations ---------------------------------------------------------------------------- */

static void check_linear(const Config *config, int timesteps)
{
    double betas[CONFIG_MAX_BETAS];
    linear_betas(betas, timesteps);
    ck_assert_int_eq(config->diffusion.schedule, SCHEDULE_BETAS);
    ck_assert_int_eq(config->diffusion.timesteps, timesteps);
    ck_assert_int_eq(config->diffusion.beta_count, timesteps);
    for (int i = 0; i < timesteps; i++)
        ck_assert(config->diffusion.betas[i] == betas[i]);
    check_round_trip(config);
}

/* Columns, JSON, and one line; the most numbers, too. The file decides the schedule and its timesteps
 * against a recipe, and loses against other overrides. */
START_TEST(a_file_of_betas_is_an_override)
{
    static const struct {
        const char *before, *between;
        int timesteps;
    } files[] = {{"", "\n", 500}, {"[", ", ", 1000}, {"  ", " \r\n", 2}, {"", "\t", 4096}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *path = scratch_path("betas.txt");
        write_betas(path, files[i].before, files[i].between, files[i].timesteps);
        Config config =
            parse_with("diffusion: {schedule: cosine, timesteps: 7}", override_with(path));
        check_linear(&config, files[i].timesteps);
        const char *both[] = {override_with(path), "diffusion.schedule=cosine"};
        Error why = {0};
        ck_assert(!config_parse(&config, "", "x.yaml", both, 2, &why));
        ck_assert_ptr_nonnull(strstr(why.message, "expected betas, since diffusion.betas has"));
        both[1] = "diffusion.timesteps=7";
        ck_assert(!config_parse(&config, "", "x.yaml", both, 2, &why));
        ck_assert_ptr_nonnull(strstr(why.message, "the numbers of diffusion.betas"));
    }
}
END_TEST

START_TEST(a_recipe_lists_betas_or_names_their_file)
{
    char text[700];
    Config config = parse("diffusion: {betas: [0.1, 2.0e-1, .3]}");
    ck_assert_int_eq(config.diffusion.schedule, SCHEDULE_BETAS);
    ck_assert_int_eq(config.diffusion.timesteps, 3);
    ck_assert(config.diffusion.betas[1] == 0.2);
    check_round_trip(&config);

    Error why = {0};
    write_betas(scratch_path("betas.txt"), "", "\n", 300);
    snprintf(text, sizeof text, "diffusion: {betas: \"%s\"}\n", scratch_path("betas.txt"));
    scratch_write(scratch_path("recipe.yaml"), text, strlen(text));
    ck_assert_msg(config_load(&config, scratch_path("recipe.yaml"), NULL, 0, &why), "%s",
                  why.message);
    check_linear(&config, 300);
    /* A checkpoint has the numbers themselves. */
    check_failure(text, NULL, &why);
    ck_assert_ptr_nonnull(strstr(why.message, "x.yaml:1: diffusion.betas: expected at most 4096"));
}
END_TEST

static const struct {
    const char *text, *message;
} wrong[] = {
    {"diffusion: {schedule: betas}", "since diffusion.schedule is betas, got nothing"},
    {"diffusion: {schedule: betas, betas: []}", "since diffusion.schedule is betas"},
    {"diffusion: {betas: [0.1]}", "diffusion.timesteps: expected an integer from 2"},
    {"diffusion: {betas: [0.1, 0.2], timesteps: 3}", "expected 2, the numbers of diffusion.betas"},
    {"diffusion: {betas: [0.1, 0.2], schedule: cosine}", "expected betas, since"},
    {"diffusion: {betas: [0.1, 1]}", "got \"1\" as number 2"},
    {"diffusion: {betas: [0, 0.1]}", "got \"0\" as number 1"},
    {"diffusion: {betas: [0.1, nan]}", "got \"nan\" as number 2"},
    {"diffusion: {betas: [0.1, [0.2]]}", "got a list as number 2"},
    {"diffusion: {betas: {a: 1}}", "got a mapping"},
    {"diffusion: {betas: }", "got nothing"},
};

START_TEST(impossible_betas_are_refused)
{
    Error why;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        check_failure(wrong[i].text, NULL, &why);
        ck_assert_msg(strstr(why.message, wrong[i].message) != NULL, "no <%s> in <%s>",
                      wrong[i].message, why.message);
    }
    static const char *const files[][2] = {{"", "holds no numbers"},
                                           {"0.1 0.2 x", "number 3 is \"x\", expected one above 0"},
                                           {"0.1\n1.0\n", "number 2 is \"1.0\""},
                                           {"[0.1, 0.2", "a bracket at the beginning and none"},
                                           {"[0.1, [0.2]]", "number 2 is \"[0.2]\""},
                                           {"0.1,,0.2", "a comma without a number before it"},
                                           {"<!DOCTYPE html><html>", "is an HTML page"}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        scratch_write(scratch_path("betas.txt"), files[i][0], strlen(files[i][0]));
        check_failure(NULL, override_with(scratch_path("betas.txt")), &why);
        ck_assert_msg(strstr(why.message, files[i][1]) != NULL, "no <%s> in <%s>", files[i][1],
                      why.message);
    }
    write_betas(scratch_path("betas.txt"), "", "\n", CONFIG_MAX_BETAS + 1);
    check_failure(NULL, override_with(scratch_path("betas.txt")), &why);
    ck_assert_ptr_nonnull(strstr(why.message, "expected at most 4096 numbers, got more"));
    check_failure(NULL, override_with(scratch_path("absent")), &why);
    ck_assert_ptr_nonnull(strstr(why.message, "No such file"));
    check_failure(NULL, override_with(scratch_directory), &why);
}
END_TEST

/* -- Networks of other programs ---------------------------------------------------------------- */

/* Copies the folder diffusers-new to $D/model, with other betas. */
static void write_model(const char *betas)
{
    ck_assert_int_eq(system("rm -rf $D/model && cp -r " IMPORT "diffusers-new $D/model && "
                            "chmod -R u+w $D/model"),
                     0);
    FILE *file = fopen(in_directory("model/scheduler/scheduler_config.json"), "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "{\"num_train_timesteps\": 1000, \"trained_betas\": %s}", betas);
    ck_assert_int_eq(fclose(file), 0);
}

/* A line of JSON with all betas; the caller frees. */
static char *betas_in_json(int timesteps)
{
    size_t size;
    write_betas(in_directory("list"), "[", ",", timesteps);
    char *text = scratch_read(in_directory("list"), &size);
    text = realloc(text, size + 1);
    text[size] = '\0';
    return text;
}

START_TEST(trained_betas_of_diffusers_are_the_schedule)
{
    program_begin();
    char *json = betas_in_json(1000);
    write_model(json);
    infer_ok("import $D/model --run $D/run");
    ck_assert_ptr_nonnull(strstr(program_output, "betas schedule, 1000 timesteps"));
    check_eps("run", IMPORT "diffusers-new_expected.h5", "eps");
    Network *network = open_run("run", 1);
    check_linear(network_config(network), 1000);
    network_close(network);
    infer_ok("export --run $D/run --format diffusers --out $D/again");
    infer_ok("import $D/again --run $D/run2");
    infer_ok("export --run $D/run --format safetensors --out $D/x.safetensors");
    infer_ok("import $D/x.safetensors --run $D/run3");
    for (int i = 2; i <= 3; i++) {
        char run[16];
        snprintf(run, sizeof run, "run%d", i);
        network = open_run(run, 1);
        check_linear(network_config(network), 1000);
        network_close(network);
    }
    free(json);
    json = betas_in_json(999);
    write_model(json);
    infer_fails(2, "trained_betas has 999 numbers, expected num_train_timesteps, which is 1000",
                "import $D/model --run $D/no");
    free(json);
    write_model("[0.1, 2]");
    infer_fails(2, "has as number 2 something", "import $D/model --run $D/no");
    write_model("\"linear\"");
    infer_fails(2, "trained_betas is no list", "import $D/model --run $D/no");
    program_end();
}
END_TEST

START_TEST(an_import_takes_the_betas_of_a_file)
{
    program_begin();
    write_betas(in_directory("betas.txt"), "", "\n", 500);
    infer_ok("import " IMPORT "pesser.ckpt --resolution 16 --betas $D/betas.txt --run $D/run");
    Network *network = open_run("run", 1);
    check_linear(network_config(network), 500);
    ck_assert_int_eq(network_config(network)->model.time, MODEL_TIME_INDEX);
    network_close(network);
    infer_fails(2, "has 500 betas, and the description of the network 1000 timesteps",
                "import " IMPORT "diffusers-new --betas $D/betas.txt --run $D/no");
    write_betas(in_directory("betas.txt"), "", "\n", 1000);
    infer_ok("import " IMPORT "adm.pt --config " IMPORT
             "adm.json --betas $D/betas.txt --run $D/adm");
    network = open_run("adm", 1);
    check_linear(network_config(network), 1000);
    network_close(network);
    program_end();
}
END_TEST

SUITE_MAIN("betas", given_betas_make_the_schedule, a_file_of_betas_is_an_override,
           a_recipe_lists_betas_or_names_their_file, impossible_betas_are_refused,
           trained_betas_of_diffusers_are_the_schedule, an_import_takes_the_betas_of_a_file)
