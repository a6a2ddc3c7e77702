/* Tests of correct configurations: defaults, recipes, every key and round trips. (Overrides and
 * differences: test_config_changes.c. Wrong ones: test_config_errors.c. Hostile ones:
 * test_config_hostile.c.) */
#include "tests/suite.h"

#include "config/config_keys.h"
#include "tests/config_text.h"

#include <math.h>

static const char *const recipes[] = {
    "configs/fashion-mnist.yaml", "configs/quick.yaml",   "configs/cifar10.yaml",
    "configs/cifar10-small.yaml", "configs/mixture.yaml", "configs/fashion-reference.yaml",
    "configs/cifar10-adm.yaml"};
enum { RECIPES = sizeof recipes / sizeof recipes[0] };

/* ---- What is read ---- */

/* The defaults are part of the format: a checkpoint may leave any key out. Changing one changes the
 * meaning of files that exist. */
START_TEST(defaults_are_the_documented_ones)
{
    static const char documented[] =
        "name: fashion-mnist\n"
        "data: {format: auto, floats: refuse, resize: none,\n"
        "       background: refuse, on_broken: stop, cache: auto, cache_limit: 128, channels: 1,\n"
        "       resolution: 28, flip: true}\n"
        "diffusion: {schedule: linear, timesteps: 1000}\n"
        "model: {channels: 64, channel_mult: [1, 2, 2], res_blocks: 2, attention: [14], dropout: "
        "0.1,\n"
        "        norm_groups: 32}\n"
        "head: {type: simple}\n"
        "stage1: {variance: beta_tilde, steps: 20000, batch: 128, lr: 2.0e-4, warmup: 500,\n"
        "         grad_clip: 1.0, ema: 0.9999, shard: false, transport: f32}\n"
        "stage2: {solver: auto, steps: 5000, batch: 128, lr: 1.0e-4, ema: 0.999, images: 10000,\n"
        "         time_bins: 0, ridge: -1, memory: 1, trunk_dropout: false, correlation: auto}\n"
        "checkpoint: {every: 1000, keep: 0}\n"
        "train: {on_nonfinite: stop}\n"
        "seed: 1234\n"
        "precision: auto\n"
        "convolution: auto\n";
    Config defaults, text, nothing;
    Error error = {0};
    config_defaults(&defaults);
    ck_assert_msg(config_parse(&text, documented, "documented", NULL, 0, &error), "%s",
                  error.message);
    char keys[1024];
    int count = config_differences(&defaults, &text, CONFIG_WHOLE, keys, sizeof keys);
    ck_assert_msg(count == 0, "other than documented: %s", keys);

    ck_assert(config_parse(&nothing, NULL, "defaults", NULL, 0, &error));
    ck_assert_int_eq(memcmp(&defaults, &nothing, sizeof nothing), 0);
}
END_TEST

/* The recipe says every key, or a change of a default would go unnoticed. */
START_TEST(default_recipe_is_complete)
{
    FILE *file = fopen(recipes[0], "r");
    ck_assert_ptr_nonnull(file);
    char text[16384] = "";
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    ck_assert_uint_gt(size, 0);
    const char *at = text; /* the recipe has the order of the table */
    for (int i = 0; i < config_key_count; i++) {
        const char *path = config_keys[i].path;
        const char *dot = strrchr(path, '.');
        char line[64];
        snprintf(line, sizeof line, "\n%s%s:", dot ? "  " : "", dot ? dot + 1 : path);
        at = strstr(at, line);
        ck_assert_msg(at != NULL, "%s has no %s", recipes[0], path);
    }
}
END_TEST

START_TEST(empty_texts_give_defaults)
{
    static const char *const texts[] = {
        "",
        "\n\n",
        "# nothing but a comment\n",
        "---\n",
        "--- {}\n",
        "{}",
        "model:\n",
        "data:\nmodel: {}\nstage1: # all commented out\n#  steps: 3\n",
        "\xef\xbb\xbf",
        "\xef\xbb\xbfseed: 1234\n",
        "seed: 1234\r\nprecision: auto\r\n",
        "---\nseed: 1234\n...\n",
        "%YAML 1.1\n---\nseed: 1234\n"};
    Config defaults;
    config_defaults(&defaults);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        Config config = parse(texts[i]);
        ck_assert_int_eq(memcmp(&defaults, &config, sizeof config), 0);
    }
}
END_TEST

START_TEST(every_key_is_read)
{
    Config c = parse("name: run-7_b.2\n"
                     "data: {format: hdf5, train: a/b.h5, test: 'c d.h5', channels: 3,\n"
                     "       resolution: 64, flip: no}\n"
                     "diffusion: {schedule: cosine, timesteps: 4000}\n"
                     "model: {channels: 96, channel_mult: [1, 2, 3, 4], res_blocks: 3,\n"
                     "        attention: [32, 16], dropout: .25, norm_groups: 24}\n"
                     "head: {type: complex}\n"
                     "stage1: {variance: beta, steps: 3000000, batch: 7, lr: 3e-4, warmup: 0,\n"
                     "         grad_clip: 0, ema: 0.5, shard: true, transport: bf16}\n"
                     "stage2: {solver: adam, steps: 1000000000, batch: 65536, lr: 1, ema: 0,\n"
                     "         images: 7, time_bins: 3, ridge: 0.5, trunk_dropout: ON}\n"
                     "checkpoint: {every: 17}\n"
                     "seed: 18446744073709551615\n"
                     "precision: bf16\n"
                     "convolution: direct\n");
    ck_assert_str_eq(c.name, "run-7_b.2");
    ck_assert_int_eq(c.data.format, DATA_HDF5);
    ck_assert_str_eq(c.data.train, "a/b.h5");
    ck_assert_str_eq(c.data.test, "c d.h5");
    ck_assert_int_eq(c.data.channels, 3);
    ck_assert_int_eq(c.data.resolution, 64);
    ck_assert(!c.data.flip);
    ck_assert_int_eq(c.diffusion.schedule, SCHEDULE_COSINE);
    ck_assert_int_eq(c.diffusion.timesteps, 4000);
    ck_assert_int_eq(c.model.channels, 96);
    ck_assert_int_eq(c.model.levels, 4);
    for (int i = 0; i < CONFIG_MAX_LEVELS; i++)
        ck_assert_int_eq(c.model.channel_mult[i], i < 4 ? i + 1 : 0);
    ck_assert_int_eq(c.model.res_blocks, 3);
    ck_assert_int_eq(c.model.attentions, 2);
    ck_assert_int_eq(c.model.attention[0], 32);
    ck_assert_int_eq(c.model.attention[1], 16);
    ck_assert_int_eq(c.model.attention[2], 0);
    ck_assert(c.model.dropout == 0.25);
    ck_assert_int_eq(c.model.norm_groups, 24);
    ck_assert_int_eq(c.head.type, HEAD_COMPLEX);
    ck_assert_int_eq(c.stage1.variance, FIXED_BETA);
    ck_assert_int_eq(c.stage1.steps, 3000000);
    ck_assert_int_eq(c.stage1.batch, 7);
    ck_assert(c.stage1.lr == 3e-4);
    ck_assert_int_eq(c.stage1.warmup, 0);
    ck_assert(c.stage1.grad_clip == 0);
    ck_assert(c.stage1.ema == 0.5);
    ck_assert(c.stage1.shard);
    ck_assert_int_eq(c.stage1.transport, TRANSPORT_BF16);
    ck_assert_int_eq(c.stage2.solver, SOLVER_ADAM);
    ck_assert_int_eq(c.stage2.images, 7);
    ck_assert_int_eq(c.stage2.time_bins, 3);
    ck_assert(c.stage2.ridge == 0.5);
    ck_assert_int_eq(c.stage2.steps, 1000000000);
    ck_assert_int_eq(c.stage2.batch, 65536);
    ck_assert(c.stage2.lr == 1);
    ck_assert(c.stage2.ema == 0);
    ck_assert(c.stage2.trunk_dropout);
    ck_assert_int_eq(c.checkpoint.every, 17);
    ck_assert(c.seed == UINT64_MAX);
    ck_assert_int_eq(c.precision, PRECISION_BF16);
    ck_assert_int_eq(c.convolution, CONVOLUTION_DIRECT);
    check_round_trip(&c);
}
END_TEST

static void ck_name(Config config, const char *name)
{
    ck_assert_str_eq(config.name, name);
}

START_TEST(a_value_may_be_written_in_several_ways)
{
    ck_assert(parse("data: {flip: TRUE}").data.flip);
    ck_assert(!parse("data: {flip: Off}").data.flip);
    ck_assert(parse("stage1: {lr: 2.0E-4}").stage1.lr == 2e-4);
    ck_assert(parse("stage1: {lr: +.5}").stage1.lr == 0.5);
    ck_assert(parse("stage1: {lr: 1.}").stage1.lr == 1);
    ck_assert(!signbit(parse("stage1: {ema: -0.0}").stage1.ema));
    ck_assert_int_eq(parse("stage1: {steps: +12}").stage1.steps, 12);
    ck_name(parse("name: 123"), "123");
    ck_name(parse("name: 'true'"), "true");
    ck_assert_int_eq(parse("precision: 'f32'").precision, PRECISION_F32);
    ck_assert_int_eq(parse("stage1.batch: 5").stage1.batch, 5); /* with its dots, as in --set */
    ck_assert_int_eq(parse("\"seed\": 5").seed, 5);
    ck_assert_int_eq(parse("model:\n  attention:\n  - 14\n  - 7\n").model.attentions, 2);
    ck_assert_int_eq(parse("model: {attention: []}").model.attentions, 0);

    Config c = parse("stage1: &s {batch: 9, lr: 1.0e-3}\nstage2: *s\n"); /* an alias is a copy */
    ck_assert_int_eq(c.stage2.batch, 9);
    ck_assert(c.stage2.lr == 1e-3);
}
END_TEST

/* ---- Files of images ---- */

START_TEST(golden_configurations_are_complete)
{
    Config a = parse(golden_a), b = parse(golden_b);
    ck_assert_str_eq(a.name, "golden-a");
    ck_assert_int_eq(a.data.channels, 3);
    ck_assert_int_eq(a.data.resolution, 16);
    ck_assert_int_eq(a.model.levels, 2);
    ck_assert_int_eq(a.model.norm_groups, 8);
    ck_assert_int_eq(a.head.type, HEAD_SIMPLE);
    ck_assert_str_eq(a.data.train, ""); /* and not Fashion-MNIST, whose images are others */
    ck_assert_str_eq(a.data.test, "");
    ck_assert_str_eq(b.name, "golden-b");
    ck_assert_int_eq(b.diffusion.schedule, SCHEDULE_COSINE);
    ck_assert_int_eq(b.diffusion.timesteps, 200);
    ck_assert_int_eq(b.model.attentions, 2);
    ck_assert_int_eq(b.model.attention[0], 4);
    ck_assert_int_eq(b.head.type, HEAD_COMPLEX);
    ck_assert_int_eq(b.stage1.batch, 128);
    check_round_trip(&a);
    check_round_trip(&b);
}
END_TEST

static void ck_files(Config config, const char *train, const char *test)
{
    ck_assert_str_eq(config.data.train, train);
    ck_assert_str_eq(config.data.test, test);
}

START_TEST(files_follow_the_images)
{
    Config usual;
    config_defaults(&usual);
    ck_files(parse("seed: 1"), usual.data.train, usual.data.test);
    ck_files(parse("data: {format: idx}"), usual.data.train, usual.data.test);
    ck_files(parse("data: {resolution: 28, channels: 1}"), usual.data.train, usual.data.test);
    ck_files(parse("data: {format: mixture}"), "", "");
    ck_files(parse("data: {train: other.gz}"), "other.gz", "auto");
    ck_files(parse("data: {train: other.gz, test: ''}"), "other.gz", "");
    ck_files(parse("data: {format: hdf5, train: a.h5}"), "a.h5", "auto");
    ck_files(parse("data: {format: mixture, train: other.gz}"), "other.gz", "");
    ck_files(parse("data: {train: ''}"), "", "");
    ck_files(parse("data: {train: , test: ''}"), "", "");
    ck_files(parse_with(golden_a, "data.test="), "", "");

    const char *both[] = {"data.format=hdf5", "data.train=a.h5", "data.test="};
    Config config;
    Error error = {0};
    ck_assert(config_parse(&config, golden_a, "x.yaml", both, 3, &error));
    ck_assert_str_eq(config.data.train, "a.h5");

    /* A file that has everything can be turned into the mixture with one override. */
    const char *mixture = "data.format=mixture";
    ck_assert(config_load(&config, "configs/quick.yaml", &mixture, 1, &error));
    ck_assert_int_eq(config.data.format, DATA_MIXTURE);
}
END_TEST

START_TEST(paths_may_be_a_list)
{
    const Config config = parse("data: {train: [a.tar, 'b c', d], test: [e]}");
    ck_files(config, "a.tar\nb c\nd", "e");
    check_round_trip(&config);
    char *yaml = config_to_yaml(&config);
    ck_assert_ptr_nonnull(strstr(yaml, "  train: [a.tar, \"b c\", d]\n  test: e\n"));
    memory_free(yaml);
    ck_files(parse_with("seed: 1", "data.train=[x, y]"), "x\ny", "auto");
}
END_TEST

/* ---- Round trips ---- */

START_TEST(recipes_round_trip)
{
    for (int i = 0; i < RECIPES; i++) {
        Config config;
        Error error = {0};
        ck_assert_msg(config_load(&config, recipes[i], NULL, 0, &error), "%s", error.message);
        const char *base = strrchr(recipes[i], '/') + 1; /* runs must not share a directory */
        ck_assert_int_eq(strncmp(config.name, base, strlen(config.name)), 0);
        ck_assert_str_eq(base + strlen(config.name), ".yaml");
        check_round_trip(&config);
    }
}
END_TEST

START_TEST(strings_round_trip)
{
    static const char *const paths[] = {
        "",         " ",       " a ", "a: b",   "- a",  "#a",     "a #b",   "'",    "\"", "\\",
        "true",     "Null",    "~",   "12",     "1e5",  "[a]",    "{a}",    "&a",   "*a", "!a",
        "%a",       "@a",      "`a",  "a\\nb",  "C:\\", "ü/日本", "\\\"\\", "🙂", ",",  "?",
        "\xc2\xa0", "../x.gz", "./x", "/tmp/x", "a,b",  "$HOME",  "a\"b'c", "|",    ">",  "..."};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        Config config;
        config_defaults(&config);
        memset(config.data.train, 0, sizeof config.data.train);
        snprintf(config.data.train, sizeof config.data.train, "%s", paths[i]);
        check_round_trip(&config);
    }
    Config config; /* the longest, and one that doubles when quoted */
    config_defaults(&config);
    memset(config.data.train, '"', CONFIG_TEXT_SIZE - 1);
    memset(config.data.test, 'x', CONFIG_TEXT_SIZE - 1);
    check_round_trip(&config);
}
END_TEST

/* Doubles of every size, from counting bits: printed text must find back to the same bits. */
START_TEST(numbers_round_trip)
{
    uint64_t bits = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < 3000; i++) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        Config config;
        config_defaults(&config);
        double fraction = ((double)(bits >> 11) + 0.5) * 0x1p-53;
        config.stage1.lr = ldexp(fraction, -(i % 1000));
        config.stage1.ema = fraction;
        config.stage1.grad_clip = ldexp(fraction, i % 30);
        config.stage2.lr = i % 2 ? 5e-324 : 1 - 0x1p-53;
        config.seed = bits;
        check_round_trip(&config);
    }
}
END_TEST

/* The exact text: other programs read it, and a checkpoint keeps it. */
START_TEST(yaml_has_every_key)
{
    Config config = parse("name: 7-up\ndata: {format: hdf5, train: 'it''s.h5', test: t.h5}\n"
                          "model: {attention: []}\nstage1: {lr: 1e-5, grad_clip: 1}\n");
    char *yaml = config_to_yaml(&config);
    ck_assert_str_eq(yaml, "name: \"7-up\"\n"
                           "data:\n"
                           "  format: hdf5\n"
                           "  train: \"it's.h5\"\n"
                           "  test: t.h5\n"
                           "  floats: refuse\n"
                           "  resize: none\n"
                           "  background: refuse\n"
                           "  on_broken: stop\n"
                           "  cache: auto\n"
                           "  cache_limit: 128.0\n"
                           "  channels: 1\n"
                           "  resolution: 28\n"
                           "  flip: true\n"
                           "diffusion:\n"
                           "  schedule: linear\n"
                           "  timesteps: 1000\n"
                           "  beta_start: 0.0\n"
                           "  beta_end: 0.0\n"
                           "  betas: []\n"
                           "model:\n"
                           "  family: ddpm\n"
                           "  channels: 64\n"
                           "  channel_mult: [1, 2, 2]\n"
                           "  res_blocks: 2\n"
                           "  attention: []\n"
                           "  heads: 1\n"
                           "  head_channels: 0\n"
                           "  dropout: 0.1\n"
                           "  norm_groups: 32\n"
                           "  norm_eps: 0.0\n"
                           "  time_into: auto\n"
                           "  resampling: auto\n"
                           "  down_padding: auto\n"
                           "  embedding: auto\n"
                           "  freq_shift: auto\n"
                           "  mid_norm: true\n"
                           "  time: t\n"
                           "  predicts: eps\n"
                           "  learned: none\n"
                           "head:\n"
                           "  type: simple\n"
                           "stage1:\n"
                           "  variance: beta_tilde\n"
                           "  objective: eps\n"
                           "  vlb_weight: 0.001\n"
                           "  time_sampling: uniform\n"
                           "  steps: 20000\n"
                           "  batch: 128\n"
                           "  lr: 1.0e-05\n"
                           "  warmup: 500\n"
                           "  grad_clip: 1.0\n"
                           "  ema: 0.9999\n"
                           "  shard: false\n"
                           "  transport: f32\n"
                           "stage2:\n"
                           "  solver: auto\n"
                           "  steps: 5000\n"
                           "  batch: 128\n"
                           "  lr: 0.0001\n"
                           "  ema: 0.999\n"
                           "  images: 10000\n"
                           "  time_bins: 0\n"
                           "  ridge: -1.0\n"
                           "  memory: 1.0\n"
                           "  trunk_dropout: false\n"
                           "  correlation: auto\n"
                           "checkpoint:\n"
                           "  every: 1000\n"
                           "  keep: 0\n"
                           "train:\n"
                           "  on_nonfinite: stop\n"
                           "seed: 1234\n"
                           "precision: auto\n"
                           "convolution: auto\n");
    memory_free(yaml);
}
END_TEST

START_TEST(help_has_every_key)
{
    char *help = config_help();
    for (int i = 0; i < config_key_count; i++) {
        char start[64], fallback[128];
        snprintf(start, sizeof start, "  %s ", config_keys[i].path);
        snprintf(fallback, sizeof fallback, "default %s\n", config_keys[i].fallback);
        char *line = strstr(help, start);
        ck_assert_msg(line != NULL, "%s", config_keys[i].path);
        char *after = strstr(line, fallback);
        ck_assert_msg(after != NULL && after - line < 300, "%s", config_keys[i].path);
    }
    memory_free(help);
}
END_TEST

SUITE_MAIN("config", defaults_are_the_documented_ones, default_recipe_is_complete,
           empty_texts_give_defaults, every_key_is_read, a_value_may_be_written_in_several_ways,
           golden_configurations_are_complete, files_follow_the_images, paths_may_be_a_list,
           recipes_round_trip, strings_round_trip, numbers_round_trip, yaml_has_every_key,
           help_has_every_key)
