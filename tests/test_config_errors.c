/* Tests of wrong configurations: every class of error, with its exact message. */
#include "tests/suite.h"

#include "tests/config_text.h"
#include "tests/scratch.h"

static void ck_message(const char *text, const char *override, const char *message)
{
    Error error;
    check_failure(text, override, &error);
    ck_assert_str_eq(error.message, message);
}

/* ---- Messages ---- */

START_TEST(messages_of_values)
{
    ck_message("name: x\nstage1:\n  lr: 1e-4\n  batch: many\n", NULL,
               "x.yaml:4: stage1.batch: expected an integer from 1 to 65536, got \"many\"");
    ck_message("stage1: {batch: 0}", NULL,
               "x.yaml:1: stage1.batch: expected an integer from 1 to 65536, got \"0\"");
    ck_message("stage1: {batch: '64'}", NULL,
               "x.yaml:1: stage1.batch: expected an integer from 1 to 65536, got the text \"64\"");
    ck_message("stage1: {batch: [64]}", NULL,
               "x.yaml:1: stage1.batch: expected an integer from 1 to 65536, got a list");
    ck_message("stage1: {batch: {a: 1}}", NULL,
               "x.yaml:1: stage1.batch: expected an integer from 1 to 65536, got a mapping");
    ck_message("stage1:\n  batch:\n", NULL,
               "x.yaml:2: stage1.batch: expected an integer from 1 to 65536, got nothing");
    ck_message("stage1: {lr: 0}", NULL,
               "x.yaml:1: stage1.lr: expected a number above 0 up to 1, got \"0\"");
    ck_message("stage2: {ema: 1.0}", NULL,
               "x.yaml:1: stage2.ema: expected a number from 0 to below 1, got \"1.0\"");
    ck_message("stage1: {grad_clip: -1}", NULL,
               "x.yaml:1: stage1.grad_clip: expected a number from 0 to 1000000000, got \"-1\"");
    ck_message("data: {flip: maybe}", NULL,
               "x.yaml:1: data.flip: expected true or false, got \"maybe\"");
    ck_message("precision: fp32", NULL,
               "x.yaml:1: precision: expected auto, f32 or bf16, got \"fp32\"");
    ck_message("diffusion: {schedule: cosin}", NULL,
               "x.yaml:1: diffusion.schedule: expected linear, cosine, "
               "scaled_linear, sigmoid or betas, got \"cosin\"");
    ck_message("seed: -1", NULL,
               "x.yaml:1: seed: expected an integer from 0 to 18446744073709551615, got \"-1\"");
    ck_message("name: a/b", NULL,
               "x.yaml:1: name: expected 1 to 100 letters, digits, '-', '_' and '.', the first of "
               "them not '.', got \"a/b\"");
    ck_message("data: {train: \"a\\tb\"}", NULL,
               "x.yaml:1: data.train: expected a path of at most 511 bytes without control "
               "characters, or a list of paths, got the text \"a?b\"");
    ck_message("data: {train: [a, '']}", NULL,
               "x.yaml:1: data.train: expected a path of at most 511 bytes without control "
               "characters, or a list of paths, got the text \"\" as number 2");
    ck_message("data: {train: []}", NULL,
               "x.yaml:1: data.train: expected a path of at most 511 bytes without control "
               "characters, or a list of paths with at most 511 bytes in all, got 0 of them");
    ck_message("model: {attention: 14}", NULL,
               "x.yaml:1: model.attention: expected a list of 0 to 8 integers from 1 to 1024, "
               "got \"14\"");
    ck_message("model:\n  channel_mult:\n  - 1\n  - two\n", NULL,
               "x.yaml:4: model.channel_mult: expected a list of 1 to 8 integers from 1 to 64, "
               "got \"two\" as number 2");
    ck_message("model: {channel_mult: []}", NULL,
               "x.yaml:1: model.channel_mult: expected a list of 1 to 8 integers from 1 to 64, "
               "got 0 of them");
}
END_TEST

START_TEST(messages_of_keys)
{
    ck_message("name: x\nmodel:\n  res_blocks: 2\n  chanels: 64\n", NULL,
               "x.yaml:4: unknown key \"model.chanels\"; did you mean \"model.channels\"?");
    ck_message("modle: {channels: 64}", NULL,
               "x.yaml:1: unknown key \"modle\"; did you mean \"model\"?");
    ck_message("channels: 64", NULL,
               "x.yaml:1: unknown key \"channels\"; did you mean \"data.channels\" or "
               "\"model.channels\"?");
    ck_message("model: {lr: 64}", NULL,
               "x.yaml:1: unknown key \"model.lr\"; did you mean \"stage1.lr\" or \"stage2.lr\"?");
    ck_message("head: {depth_of_it: 64}", NULL,
               "x.yaml:1: unknown key \"head.depth_of_it\"; the keys of head are type");
    ck_message("zzz: 1", NULL,
               "x.yaml:1: unknown key \"zzz\"; the keys are name, data, diffusion, model, head, "
               "stage1, stage2, checkpoint, train, seed, precision, convolution");
    ck_message("stage1: {batch: 1}\nseed: 3\nstage1: {lr: 1}", NULL,
               "x.yaml:3: stage1: expected once, got it in line 1 already");
    ck_message("seed: 3\n\nseed: 3", NULL,
               "x.yaml:3: seed: expected once, got it in line 1 already");
    ck_message("model: 3", NULL, "x.yaml:1: model: expected a mapping of keys, got \"3\"");
    ck_message("\n[a]: 3", NULL, "x.yaml:2: expected a key, got a list");
    ck_message("- a\n", NULL,
               "x.yaml:1: expected a mapping of keys (\"model: {channels: 64}\"), got a list");
    ck_message("hello", NULL,
               "x.yaml:1: expected a mapping of keys (\"model: {channels: 64}\"), got \"hello\"");
    ck_message("seed: !!int 3", NULL,
               "x.yaml:1: seed: expected a value without a tag, got \"tag:yaml.org,2002:int\"");
}
END_TEST

START_TEST(messages_of_syntax)
{
    ck_message("seed: 3\nmodel: {channels: 3\nname: x\n", NULL,
               "x.yaml:3: expected YAML, but did not find expected ',' or '}' while parsing a flow "
               "mapping from line 2");
    ck_message("seed: 3\nnmae\nmodel: {}\n", NULL,
               "x.yaml:3: expected YAML, but could not find expected ':' while scanning a simple "
               "key from line 2");
    ck_message("seed: 3\nname: @x\n", NULL,
               "x.yaml:2: expected YAML, but found character that cannot start any token while "
               "scanning for the next token");
    ck_message("seed: 3\n---\nseed: 4\n", NULL,
               "x.yaml:2: expected one YAML document, got a second one");
    ck_message("seed: 3\nname: \xff\n", NULL,
               "x.yaml:2: expected YAML, but invalid leading UTF-8 octet");
    ck_message("seed: 3\n\nname: \x01\n", NULL,
               "x.yaml:3: expected YAML, but control characters are not allowed");
    ck_message("seed: *nowhere\n", NULL, "x.yaml:1: expected YAML, but found undefined alias");
}
END_TEST

START_TEST(messages_of_overrides)
{
    ck_message("", "stage1.batch=many",
               "--set stage1.batch=many: expected an integer from 1 to 65536, got \"many\"");
    ck_message("", "model.chanels=3",
               "--set model.chanels=3: unknown key \"model.chanels\"; did you mean "
               "\"model.channels\"?");
    ck_message("", "stage1.batch", "--set stage1.batch: expected KEY=VALUE");
    ck_message("", "=3",
               "--set =3: unknown key \"\"; the keys are name, data, diffusion, model, "
               "head, stage1, stage2, checkpoint, train, seed, precision, convolution");
    ck_message("", "head={type: simple}",
               "--set head={type: simple}: expected a key of section head: type");
    ck_message("", "seed=",
               "--set seed=: expected an integer from 0 to 18446744073709551615, got nothing");
    ck_message("", "model.attention=[14",
               "--set model.attention=[14: expected YAML, but did not find expected ',' or ']' "
               "while parsing a flow sequence");
    ck_message("", "seed=1\n---\n2",
               "--set seed=1?---?2: expected one YAML document, got a second one");
    ck_message("seed: 1", "seed=two",
               "--set seed=two: expected an integer from 0 to 18446744073709551615, got \"two\"");
    ck_message("seed: one", "seed=2", /* an override does not mend a broken file */
               "x.yaml:1: seed: expected an integer from 0 to 18446744073709551615, got \"one\"");
}
END_TEST

START_TEST(messages_of_the_whole)
{
    ck_message("model:\n  channels: 33\n", NULL,
               "x.yaml:2: model.channels: expected an even number (the time embedding has sines "
               "and cosines), got \"33\"");
    ck_message("name: x\ndata: {resolution: 30}\n", NULL,
               "x.yaml:2: data.resolution: expected a multiple of 4 (model.channel_mult has 3 "
               "levels), got \"30\"");
    ck_message("model: {channel_mult: [1, 1, 1, 1]}\n", NULL,
               "x.yaml:1: data.resolution: expected a multiple of 8 (model.channel_mult has 4 "
               "levels), got \"28\" by default");
    ck_message("data: {resolution: 28}", "model.channel_mult=[1, 1, 1, 1]",
               "--set model.channel_mult=[1, 1, 1, 1]: data.resolution: expected a multiple of 8 "
               "(model.channel_mult has 4 levels), got \"28\"");
    ck_message("model:\n  attention: [14, 16]\n", NULL,
               "x.yaml:2: model.attention: expected resolutions of levels, which are 28, 14, 7, "
               "got \"[14, 16]\"");
    ck_message("\ndata: {resolution: 32}\n", NULL,
               "x.yaml:2: model.attention: expected resolutions of levels, which are 32, 16, 8, "
               "got \"[14]\" by default");
    ck_message("model:\n  channels: 32\n  norm_groups: 32\n", NULL,
               "x.yaml:3: model.norm_groups: expected at most 16, two channels of model.channels = "
               "32 in each group (a group of one subtracts the time embedding along with its mean, "
               "and the block is blind to t), got \"32\"");
    /* Where the time scales and shifts what the norm gives, any divisor will do. */
    parse("model: {family: adm, channels: 32, norm_groups: 32}");
    ck_message(
        "model: {channels: 32, norm_groups: 8, heads: 3}", NULL,
        "x.yaml:1: model.heads: expected a divisor of 64, the channels of attention at level "
        "1, got \"3\"");
    ck_message("model: {channels: 32, norm_groups: 8, head_channels: 24}", NULL,
               "x.yaml:1: model.head_channels: expected a divisor of 64, the channels of attention "
               "at level 1, got \"24\"");
    ck_message("model: {channels: 80}", "model.norm_groups=32",
               "--set model.norm_groups=32: expected a divisor of model.channels = 80, got \"32\"");
    ck_message("model: {channels: 4096, channel_mult: [1, 3]}", NULL,
               "x.yaml:1: model.channel_mult: expected factors of at most 2 (model.channels is "
               "4096, and a level has at most 8192 channels), got \"[1, 3]\"");
    ck_message("diffusion: {timesteps: 20}", NULL,
               "x.yaml:1: diffusion.timesteps: expected an integer from 21 to 100000 for a linear "
               "schedule, got \"20\"");
    ck_message("data: {format: idx, train: a.gz, channels: 3}", NULL,
               "x.yaml:1: data.channels: expected 1, since data.format is idx, got \"3\"");
    ck_message("data:\n  format: hdf5\n", NULL,
               "x.yaml:2: data.train: expected a path since data.format is hdf5 (\"\" for none), "
               "got nothing");
}
END_TEST

/* What is quoted from a file is short, and cut between characters. */
START_TEST(long_values_are_clipped)
{
    char text[4096] = "stage1: {batch: é";
    for (int i = 0; i < 1000; i++)
        strcat(text, "é");
    strcat(text, "}");
    Error error;
    check_failure(text, NULL, &error);
    char expected[512] = "x.yaml:1: stage1.batch: expected an integer from 1 to 65536, got \"";
    for (int i = 0; i < 50; i++)
        strcat(expected, "é");
    strcat(expected, "...\"");
    ck_assert_str_eq(error.message, expected);

    char *huge = memory_small(200001, 1);
    memset(huge, 'x', 200000);
    check_failure(huge, NULL, &error);
    ck_assert_str_eq(error.message, "x.yaml: expected at most 16384 bytes of YAML");
    memcpy(huge, "name=", 5);
    check_failure(NULL, huge, &error);
    ck_assert_ptr_nonnull(strstr(error.message, "expected at most 16384 bytes"));
    memcpy(huge, "namex", 5);
    check_failure(NULL, huge, &error);
    ck_assert_ptr_nonnull(strstr(error.message, "expected KEY=VALUE"));
    memory_free(huge);
}
END_TEST

/* ---- Files ---- */

static void write_file(const char *path, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static void ck_load_message(const char *path, const char *expected)
{
    Config config;
    Error error = {0};
    char message[512];
    snprintf(message, sizeof message, "%s%s", path, expected);
    ck_assert(!config_load(&config, path, NULL, 0, &error));
    ck_assert_int_eq(error.kind, ERROR_INPUT);
    ck_assert_str_eq(error.message, message);
}

START_TEST(messages_of_files)
{
    const char *path = scratch_path("x.yaml"), *directory = scratch_directory;

    ck_load_message(path, ": expected a configuration, got: No such file or directory");
    ck_load_message(directory, ": expected a configuration, got: Is a directory");
    write_file(path, "seed: 1\n\0\n", 10);
    ck_load_message(path, ":2: expected YAML, got a NUL byte");
    write_file(path, "seed: 1\nstage1: {bach: 2}\n", 26);
    ck_load_message(path, ":2: unknown key \"stage1.bach\"; did you mean \"stage1.batch\"?");
    char *huge = memory_small(100000, 1);
    memset(huge, '#', 100000);
    write_file(path, huge, 100000);
    memory_free(huge);
    ck_load_message(path, ": expected at most 16384 bytes of YAML");

    /* Nobody means a recipe without a word for one of a day's training. */
    static const char *const empty[] = {"", "\n", "# to be written\n", "---\n", "\xef\xbb\xbf"};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        write_file(path, empty[i], strlen(empty[i]));
        ck_load_message(
            path, ": holds no key, expected a recipe ({} for one in which all is the default)");
    }
    write_file(path, "\xff\xfen\0a\0m\0e\0", 10);
    ck_load_message(path, ":1: is text in UTF-16, expected a recipe: YAML in UTF-8");
    write_file(path, "<!DOCTYPE html>\n<p>Sign in</p>\n", 31);
    ck_load_message(
        path, ":1: is an HTML page (did the download go wrong?), expected a recipe: YAML in UTF-8");

    Config config, defaults;
    Error error = {0};
    config_defaults(&defaults);
    write_file(path, "{}", 2);
    ck_assert(config_load(&config, path, NULL, 0, &error));
    ck_assert_int_eq(memcmp(&config, &defaults, sizeof config), 0);

    /* UTF-8's mark is no part of the text: before a comment, before a key, in a value of --set. */
    static const char *const marked[] = {"\xef\xbb\xbf# made by an editor\nseed: 77\n",
                                         "\xef\xbb\xbfseed: 77\n",
                                         "\xef\xbb\xbf---\r\nseed: 77\r\n"};
    for (size_t i = 0; i < sizeof marked / sizeof marked[0]; i++) {
        write_file(path, marked[i], strlen(marked[i]));
        const char *override = i == 1 ? "stage1.batch=\xef\xbb\xbf"
                                        "32"
                                      : "\xef\xbb\xbfstage1.batch=32";
        ck_assert_msg(config_load(&config, path, &override, 1, &error), "%s", error.message);
        ck_assert(config.seed == 77 && config.stage1.batch == 32);
    }
    write_file(path, "\xef\xbb\xbf# one\nstage1: {bach: 2}\n", 27);
    ck_load_message(path, ":2: unknown key \"stage1.bach\"; did you mean \"stage1.batch\"?");
}
END_TEST

/* ---- The group norms of the network ---- */

/* Whether every group norm of the reference network has whole groups of two or more channels:
 * the network is walked as it is built, concatenations included. */
static bool norms_fit(const Config *config)
{
    int widths[CONFIG_MAX_LEVELS], saved[256], top = 0, last = config->model.levels - 1;
    int groups = config->model.norm_groups, width = config->model.channels;
    bool fit = true;
    for (int i = 0; i <= last; i++)
        widths[i] = width * config->model.channel_mult[i];
    saved[top++] = width;
    for (int i = 0; i <= last; i++) {
        for (int block = 0; block < config->model.res_blocks; block++) {
            fit = fit && width % groups == 0 && width >= 2 * groups;
            width = saved[top++] = widths[i];
            fit = fit && width % groups == 0 && width >= 2 * groups;
        }
        if (i < last)
            saved[top++] = width;
    }
    for (int i = last; i >= 0; i--) {
        for (int block = 0; block <= config->model.res_blocks; block++) {
            int wide = width + saved[--top];
            width = widths[i];
            fit = fit && wide % groups == 0 && wide >= 2 * groups;
            fit = fit && width % groups == 0 && width >= 2 * groups;
        }
    }
    ck_assert_int_eq(top, 0);
    return fit;
}

START_TEST(norm_check_is_that_of_the_network)
{
    static const char *const mults[] = {"[1]", "[2, 1, 3]", "[3, 2]", "[1, 2, 2]", "[4, 1]"};
    int accepted = 0, refused = 0;
    for (int channels = 4; channels <= 48; channels += 2) {
        for (int groups = 1; groups <= 48; groups++) {
            char text[256];
            snprintf(text, sizeof text,
                     "model: {channels: %d, norm_groups: %d, attention: [], channel_mult: %s, "
                     "res_blocks: %d}",
                     channels, groups, mults[groups % 5], 1 + channels % 3);
            Config config, expected;
            Error error = {0};
            bool ok = config_parse(&config, text, "x.yaml", NULL, 0, &error);
            expected = parse_with(text, "model.norm_groups=1");
            expected.model.norm_groups = groups;
            ck_assert_msg(ok == norms_fit(&expected), "%s", text);
            accepted += ok;
            refused += !ok;
        }
    }
    ck_assert_int_gt(accepted, 50);
    ck_assert_int_gt(refused, 50);
}
END_TEST

SUITE_MAIN("config_errors", messages_of_values, messages_of_keys, messages_of_syntax,
           messages_of_overrides, messages_of_the_whole, long_values_are_clipped, messages_of_files,
           norm_check_is_that_of_the_network)
