/* Tests of checkpoints: the golden ones load, ours survive a round trip, and a wrong one is refused
 * with one exact line. The wrong ones are made with the HDF5 layer, which has its own tests. */
#include "base/memory.h"
#include "hdf5/hdf5_file.h"
#include "io/checkpoint.h"

#include "tests/expect.h"
#include "tests/golden.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static Error error; /* of the last call */

/* -- Golden files ----------------------------------------------------------------------------- */

/* The tensors of a group as the file has them. */
static void params_of_group(const char *file, const char *group, ParamSet *set)
{
    params_init(set);
    for (int i = 0; i < golden_members(file, group); i++) {
        char path[256];
        char *name = golden_member(file, group, i);
        snprintf(path, sizeof path, "%s/%s", group, name);
        int rank;
        int shape[GOLDEN_MAX_RANK];
        int64_t dims[GOLDEN_MAX_RANK];
        free(golden_floats(file, path, &rank, dims));
        for (int d = 0; d < rank; d++)
            shape[d] = (int)dims[d];
        params_add(set, name, rank, shape, PARAM_ZERO, 0);
        free(name);
    }
}

static void check_group(const char *file, const char *group)
{
    Checkpoint *checkpoint;
    ParamSet set;
    params_of_group(file, group, &set);
    ck_assert_int_ge(set.count, 4);
    float *values = memory_large(set.size, sizeof *values, "test", &error);
    assert_ok(checkpoint_open(&checkpoint, file, &error));
    ck_assert(checkpoint_has(checkpoint, group));
    assert_ok(checkpoint_read_params(checkpoint, group, &set, values, &error));
    for (int i = 0; i < set.count; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", group, set.items[i].name);
        float *expected = golden_floats(file, path, NULL, NULL);
        ck_assert_mem_eq(values + set.items[i].offset, expected,
                         set.items[i].count * sizeof(float));
        free(expected);
    }
    memory_free(values);
    params_free(&set);
    checkpoint_close(checkpoint);
}

static void check_all_groups(const char *file)
{
    check_group(file, "trunk");
    check_group(file, "trunk_ema");
    check_group(file, "heads/sn");
    check_group(file, "heads/npr");
    check_group(file, "heads_ema/sn");
    check_group(file, "heads_ema/npr");
}

static void check_heads(Checkpoint *checkpoint)
{
    ck_assert_int_eq(checkpoint_heads(checkpoint), 2);
    ck_assert_str_eq(checkpoint_head(checkpoint, 0), "npr");
    ck_assert_str_eq(checkpoint_head(checkpoint, 1), "sn");
}

START_TEST(golden_a_loads)
{
    static const char file[] = "tests/golden/golden_a.h5"; /* strings of variable length */
    Checkpoint *checkpoint;
    assert_ok(checkpoint_open(&checkpoint, file, &error));
    ck_assert_str_eq(checkpoint_path(checkpoint), file);
    ck_assert_int_eq(checkpoint_stage(checkpoint), 2);
    ck_assert_int_eq(checkpoint_step(checkpoint), 12345);
    const Config *config = checkpoint_config(checkpoint);
    ck_assert_str_eq(config->name, "golden-a");
    ck_assert_int_eq(config->data.channels, 3);
    ck_assert_int_eq(config->data.resolution, 16);
    ck_assert_int_eq(config->diffusion.timesteps, 1000);
    ck_assert_int_eq(config->head.type, HEAD_SIMPLE);
    check_heads(checkpoint);
    ck_assert(!checkpoint_has(checkpoint, "analytic/ms_eps"));
    checkpoint_close(checkpoint);
    check_all_groups(file);
}
END_TEST

START_TEST(golden_b_loads)
{
    static const char file[] = "tests/golden/golden_b.h5"; /* fixed length, no closing zero */
    Checkpoint *checkpoint;
    assert_ok(checkpoint_open(&checkpoint, file, &error));
    const Config *config = checkpoint_config(checkpoint);
    ck_assert_str_eq(config->name, "golden-b");
    ck_assert_int_eq(config->diffusion.schedule, SCHEDULE_COSINE);
    ck_assert_int_eq(config->diffusion.timesteps, 200);
    ck_assert_int_eq(config->model.norm_groups, 16);
    ck_assert_int_eq(config->head.type, HEAD_COMPLEX);
    check_heads(checkpoint);

    double ms_eps[201];
    ck_assert(checkpoint_has(checkpoint, "analytic/ms_eps"));
    assert_ok(checkpoint_read_doubles(checkpoint, "analytic/ms_eps", 201, ms_eps, &error));
    double *expected = golden_doubles(file, "analytic/ms_eps", NULL, NULL);
    ck_assert_mem_eq(ms_eps, expected, sizeof ms_eps);
    ck_assert(ms_eps[0] == 0 && ms_eps[100] > 0);
    free(expected);
    assert_fails(checkpoint_read_doubles(checkpoint, "analytic/ms_eps", 1001, ms_eps, &error),
                 "golden_b.h5:/analytic/ms_eps: expected shape [1001], found [201]");
    checkpoint_close(checkpoint);
    check_all_groups(file);
}
END_TEST

/* -- A small network of our own --------------------------------------------------------------- */

enum { SMALL_SIZE = 4 * 3 * 3 + 4 + 1 };

static void small_set(ParamSet *set)
{
    params_init(set);
    params_add(set, "conv_in.weight", 4, (int[]){4, 1, 3, 3}, PARAM_ZERO, 0);
    params_add(set, "conv_in.bias", 1, (int[]){4}, PARAM_ZERO, 0);
    params_add(set, "scale", 2, (int[]){1, 1}, PARAM_ZERO, 0);
    ck_assert_uint_eq(set->size, SMALL_SIZE);
}

static void fill(float *values, float first)
{
    for (int i = 0; i < SMALL_SIZE; i++)
        values[i] = first + (float)i / 16;
}

static bool write_small(const char *path, int stage, int64_t step, float first)
{
    ParamSet set;
    Config config;
    CheckpointWriter *writer;
    float values[SMALL_SIZE];
    const double losses[3] = {0.1, 1e-300, -3};
    small_set(&set);
    config_defaults(&config);
    fill(values, first);
    bool ok = checkpoint_create(&writer, path, &config, stage, step, &error);
    if (ok) {
        ok = checkpoint_write_params(writer, "trunk", &set, values, &error) &&
             checkpoint_write_params(writer, "heads_ema/sn", &set, values, &error) &&
             checkpoint_write_params(writer, "optimizer/first_moment/heads/sn", &set, values,
                                     &error) &&
             checkpoint_write_doubles(writer, "analytic/ms_eps", 3, losses, &error);
        if (ok)
            ok = checkpoint_commit(writer, &error);
        else
            checkpoint_discard(writer);
    }
    params_free(&set);
    return ok;
}

START_TEST(a_checkpoint_survives)
{
    const char *path = scratch_path("stage2-sn.h5");
    assert_ok(write_small(path, 2, (int64_t)1 << 40, 1));
    ck_assert_int_eq(scratch_count(), 1);

    Checkpoint *checkpoint;
    ParamSet set;
    Config defaults;
    float expected[SMALL_SIZE], values[SMALL_SIZE];
    double losses[3];
    char keys[256];
    small_set(&set);
    fill(expected, 1);
    config_defaults(&defaults);
    assert_ok(checkpoint_open(&checkpoint, path, &error));
    ck_assert_int_eq(checkpoint_stage(checkpoint), 2);
    ck_assert_int_eq(checkpoint_step(checkpoint), (int64_t)1 << 40);
    ck_assert_int_eq(config_differences(checkpoint_config(checkpoint), &defaults, CONFIG_WHOLE,
                                        keys, sizeof keys),
                     0);
    ck_assert_int_eq(checkpoint_heads(checkpoint), 1);
    ck_assert_str_eq(checkpoint_head(checkpoint, 0), "sn");
    ck_assert(checkpoint_has(checkpoint, "optimizer"));
    ck_assert(!checkpoint_has(checkpoint, "trunk_ema"));
    static const char *const groups[] = {"trunk", "heads_ema/sn",
                                         "optimizer/first_moment/heads/sn"};
    for (int i = 0; i < 3; i++) {
        memset(values, 0, sizeof values);
        assert_ok(checkpoint_check_params(checkpoint, groups[i], &set, &error));
        assert_ok(checkpoint_read_params(checkpoint, groups[i], &set, values, &error));
        ck_assert_mem_eq(values, expected, sizeof values);
    }
    assert_ok(checkpoint_read_doubles(checkpoint, "analytic/ms_eps", 3, losses, &error));
    ck_assert(losses[0] == 0.1 && losses[1] == 1e-300 && losses[2] == -3);
    checkpoint_close(checkpoint);
    params_free(&set);
}
END_TEST

START_TEST(a_stage_1_checkpoint_has_no_heads)
{
    const char *path = scratch_path("stage1.h5");
    Config config;
    CheckpointWriter *writer;
    Checkpoint *checkpoint;
    config_defaults(&config);
    assert_ok(checkpoint_create(&writer, path, &config, 1, 0, &error));
    assert_ok(checkpoint_commit(writer, &error));
    assert_ok(checkpoint_open(&checkpoint, path, &error));
    ck_assert_int_eq(checkpoint_stage(checkpoint), 1);
    ck_assert_int_eq(checkpoint_step(checkpoint), 0);
    ck_assert_int_eq(checkpoint_heads(checkpoint), 0);
    checkpoint_close(checkpoint);
}
END_TEST

/* -- What a checkpoint says of itself --------------------------------------------------------- */

/* How a file is made wrong; what is left out is as it should be. */
typedef struct Wrong {
    const char *format; /* "-": none */
    int64_t version;
    int64_t stage;
    int64_t step;
    const char *config; /* "-": none */
    const char *group;  /* one more, with a scalar in it */
} Wrong;

static const char *write_wrong(Wrong wrong)
{
    const char *path = scratch_path("wrong.h5");
    const double zero = 0;
    Hdf5File *file;
    const char *format = wrong.format ? wrong.format : "varhead-checkpoint";
    const char *config = wrong.config ? wrong.config : "name: x\n";
    assert_ok(hdf5_create(&file, path, &error));
    if (strcmp(format, "-") != 0)
        assert_ok(hdf5_write_attribute_string(file, "/", "format", format, &error));
    if (strcmp(config, "-") != 0)
        assert_ok(hdf5_write_string(file, "config", config, &error));
    if (wrong.group != NULL)
        assert_ok(hdf5_write(file, wrong.group, HDF5_FLOAT64, 0, NULL, &zero, &error));
    assert_ok(hdf5_write_attribute_int(file, "/", "version", wrong.version, &error));
    assert_ok(hdf5_write_attribute_int(file, "/", "stage", wrong.stage, &error));
    assert_ok(hdf5_write_attribute_int(file, "/", "step", wrong.step, &error));
    assert_ok(hdf5_commit(file, &error));
    return path;
}

START_TEST(wrong_descriptions_are_refused)
{
    static const struct {
        Wrong wrong;
        const char *text;
    } cases[] = {
        {{.format = "-", .version = 1, .stage = 1},
         "wrong.h5: is an HDF5 file, but no checkpoint: it has no attribute format "
         "\"varhead-checkpoint\""},
        {{.format = "other", .version = 1, .stage = 1},
         "wrong.h5: attribute format: expected \"varhead-checkpoint\", found \"other\""},
        {{.version = 2, .stage = 1},
         "wrong.h5: is a checkpoint of format version 2, this program reads version 1: use the "
         "varhead that wrote it, or a later one"},
        {{.version = 0, .stage = 1}, "there is no format version 0, this program reads version 1"},
        {{.version = 1, .stage = 3}, "wrong.h5: attribute stage: expected 1 or 2, found 3"},
        {{.version = 1, .stage = 1, .step = -1},
         "wrong.h5: attribute step: expected 0 or more, found -1"},
        {{.version = 1, .stage = 1, .config = "-"}, "wrong.h5:/config: is missing"},
        {{.version = 1, .stage = 1, .config = "name: x\nmodle: {}\n"}, "wrong.h5:/config:2"},
        {{.version = 1, .stage = 1, .config = "name: [\n"}, "wrong.h5:/config:"},
        {{.version = 1, .stage = 1, .group = "heads_ema/sn"},
         "wrong.h5:/heads_ema/sn: expected the group of a head"},
        {{.version = 1, .stage = 1, .group = "heads_ema/../etc/x"},
         "wrong.h5:/heads_ema/..: expected the group of a head"},
        {{.version = 1, .stage = 1, .group = "heads_ema/Sn\033[2J/x"},
         "/heads_ema/Sn?[2J: expected"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Checkpoint *checkpoint;
        assert_fails(checkpoint_open(&checkpoint, write_wrong(cases[i].wrong), &error),
                     cases[i].text);
        ck_assert_ptr_null(checkpoint);
    }
    Checkpoint *checkpoint;
    assert_fails(checkpoint_open(&checkpoint, "tests/golden/gmm.h5", &error), "but no checkpoint");
    assert_fails(checkpoint_open(&checkpoint, "tests/suite.h", &error), "is not an HDF5 file");
    assert_fails(checkpoint_open(&checkpoint, scratch_path("none.h5"), &error), "no such file");
}
END_TEST

START_TEST(missing_attributes_are_named)
{
    const char *path = scratch_path("a.h5");
    Hdf5File *file;
    Checkpoint *checkpoint;
    assert_ok(hdf5_create(&file, path, &error));
    assert_ok(hdf5_write_attribute_string(file, "/", "format", "varhead-checkpoint", &error));
    assert_ok(hdf5_write_attribute_int(file, "/", "version", 1, &error));
    assert_ok(hdf5_write_attribute_string(file, "/", "stage", "1", &error));
    assert_ok(hdf5_commit(file, &error));
    assert_fails(checkpoint_open(&checkpoint, path, &error),
                 "a.h5: attribute stage: expected an integer, found strings");
}
END_TEST

/* -- Tensors ---------------------------------------------------------------------------------- */

/* A checkpoint whose trunk_ema has three tensors: a weight of the given length and values, a bias
 * of the given name, and a scale stored as float64. */
static const char *write_tensors(int64_t out_channels, const char *bias, float value, double scale)
{
    const char *path = scratch_path("c.h5");
    float weight[4 * 9], zeros[4] = {0};
    Hdf5File *file;
    for (int i = 0; i < 36; i++)
        weight[i] = value;
    assert_ok(hdf5_create(&file, path, &error));
    assert_ok(hdf5_write_attribute_string(file, "/", "format", "varhead-checkpoint", &error));
    assert_ok(hdf5_write_attribute_int(file, "/", "version", 1, &error));
    assert_ok(hdf5_write_attribute_int(file, "/", "stage", 1, &error));
    assert_ok(hdf5_write_attribute_int(file, "/", "step", 5, &error));
    assert_ok(hdf5_write_string(file, "config", "name: x\n", &error));
    assert_ok(hdf5_write(file, "trunk_ema/conv_in.weight", HDF5_FLOAT32, 4,
                         (int64_t[]){out_channels, 1, 3, 3}, weight, &error));
    assert_ok(hdf5_write(file, bias, HDF5_FLOAT32, 1, (int64_t[]){4}, zeros, &error));
    assert_ok(
        hdf5_write(file, "trunk_ema/scale", HDF5_FLOAT64, 2, (int64_t[]){1, 1}, &scale, &error));
    assert_ok(hdf5_commit(file, &error));
    return path;
}

START_TEST(wrong_tensors_are_refused)
{
    static const char good[] = "trunk_ema/conv_in.bias";
    static const struct {
        int64_t out_channels;
        const char *bias;
        float value;
        double scale;
        const char *text; /* NULL: it loads */
    } cases[] = {
        {4, good, 1, 2, NULL},
        {3, good, 1, 2,
         "c.h5:/trunk_ema/conv_in.weight: expected shape [4, 1, 3, 3], found [3, 1, 3, 3]"},
        {4, "trunk_ema/conv_in.offset", 1, 2, "c.h5:/trunk_ema/conv_in.bias: is missing"},
        {4, "trunk_ema/conv_in.bias/deep", 1, 2,
         "c.h5:/trunk_ema/conv_in.bias: expected a data set, found a group"},
        {4, good, NAN, 2, "c.h5:/trunk_ema/conv_in.weight: expected finite numbers, found nan"},
        {4, good, 1, INFINITY, "c.h5:/trunk_ema/scale: expected finite numbers, found inf"},
        {4, good, 1, 1e300, "c.h5:/trunk_ema/scale: expected finite numbers, found inf"},
    };
    ParamSet set;
    float values[SMALL_SIZE];
    Checkpoint *checkpoint;
    small_set(&set);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *path =
            write_tensors(cases[i].out_channels, cases[i].bias, cases[i].value, cases[i].scale);
        assert_ok(checkpoint_open(&checkpoint, path, &error));
        if (cases[i].text != NULL) {
            assert_fails(checkpoint_read_params(checkpoint, "trunk_ema", &set, values, &error),
                         cases[i].text);
        } else {
            assert_ok(checkpoint_read_params(checkpoint, "trunk_ema", &set, values, &error));
            ck_assert(values[0] == 1 && values[36] == 0 && values[40] == 2);
        }
        assert_fails(checkpoint_read_params(checkpoint, "trunk", &set, values, &error),
                     "c.h5:/trunk: is missing");
        checkpoint_close(checkpoint);
    }
    set.count--; /* the file now has one tensor too many */
    assert_ok(checkpoint_open(&checkpoint, write_tensors(4, good, 1, 2), &error));
    assert_fails(
        checkpoint_check_params(checkpoint, "trunk_ema", &set, &error),
        "c.h5:/trunk_ema/scale: unexpected, the network of this configuration has no such");
    checkpoint_close(checkpoint);
    params_free(&set);
}
END_TEST

/* A damaged size may ask for more than there is: like malloc, AddressSanitizer is to say no to
 * HDF5 instead of ending the program. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* Reads a checkpoint with every third of its bytes damaged in turn. Returns how many of these
 * files were refused, or -1 if one was without a proper error. */
static int count_refused(const char *path)
{
    struct stat status;
    ParamSet set;
    float values[SMALL_SIZE];
    int refused = 0;
    int fd = open(path, O_RDWR);
    small_set(&set);
    for (off_t i = 0; fstat(fd, &status) == 0 && i < status.st_size; i += 3) {
        char byte, damaged;
        if (pread(fd, &byte, 1, i) != 1)
            return -1;
        damaged = (char)(byte ^ 1 << i % 8);
        if (pwrite(fd, &damaged, 1, i) != 1)
            return -1;
        Checkpoint *checkpoint;
        error = (Error){0};
        if (!checkpoint_open(&checkpoint, path, &error) ||
            !checkpoint_read_params(checkpoint, "heads_ema/sn", &set, values, &error)) {
            if (error.kind != ERROR_INPUT || error.message[0] == '\0')
                return -1;
            refused++;
        }
        checkpoint_close(checkpoint);
        if (pwrite(fd, &byte, 1, i) != 1)
            return -1;
    }
    return refused;
}

/* What we write carries checksums in all its metadata: whatever byte is damaged, it is an error
 * or a weight, never a crash. In a process of its own, since HDF5 forgets memory on such files. */
START_TEST(a_damaged_byte_is_harmless)
{
    const char *path = scratch_path("a.h5");
    assert_ok(write_small(path, 2, 3, 1));
    struct stat file;
    ck_assert_int_eq(stat(path, &file), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(count_refused(path) > file.st_size / 30 ? 0 : 1);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status), "signal %d", WTERMSIG(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* -- Never half a file ------------------------------------------------------------------------ */

START_TEST(a_full_disk_leaves_the_old_checkpoint)
{
    const char *path = scratch_path("stage1.h5");
    assert_ok(write_small(path, 1, 1, 1));
    size_t size;
    char *bytes = scratch_read(path, &size);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    for (rlim_t most = 0; most < size; most += 500) {
        limit.rlim_cur = most;
        setrlimit(RLIMIT_FSIZE, &limit);
        error = (Error){0};
        bool written = write_small(path, 1, 2, 2);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_FSIZE, &limit);
        ck_assert(!written);
        ck_assert_int_eq(error.kind, ERROR_RUNTIME);
        ck_assert_ptr_nonnull(
            strstr(error.message, "stage1.h5: cannot be written: File too large"));
        ck_assert(scratch_same_bytes(path, bytes, size));
        ck_assert_int_eq(scratch_count(), 1);
    }
    free(bytes);
    assert_ok(write_small(path, 1, 2, 2));
}
END_TEST

/* A child overwrites a checkpoint again and again until it is killed; the file is a whole one, of
 * one step and not of two. */
START_TEST(killing_a_writer_leaves_a_whole_checkpoint)
{
    const char *path = scratch_path("stage1.h5");
    assert_ok(write_small(path, 1, 0, 0));
    ParamSet set;
    small_set(&set);
    for (int attempt = 0; attempt < 20; attempt++) {
        pid_t child = fork();
        if (child == 0)
            for (int64_t step = 0;; step++)
                if (!write_small(path, 1, step, (float)step))
                    _exit(1);
        usleep((useconds_t)(3000 + 1777 * attempt));
        kill(child, SIGKILL);
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status));

        Checkpoint *checkpoint;
        float expected[SMALL_SIZE], values[SMALL_SIZE];
        assert_ok(checkpoint_open(&checkpoint, path, &error));
        fill(expected, (float)checkpoint_step(checkpoint));
        assert_ok(checkpoint_read_params(checkpoint, "trunk", &set, values, &error));
        ck_assert_mem_eq(values, expected, sizeof values);
        checkpoint_close(checkpoint);
        ck_assert_int_le(scratch_count(), 2); /* leftovers don't pile up */
    }
    assert_ok(write_small(path, 1, 0, 0));
    ck_assert_int_eq(scratch_count(), 1);
    params_free(&set);
}
END_TEST

SUITE_MAIN("checkpoint", golden_a_loads, golden_b_loads, a_checkpoint_survives,
           a_stage_1_checkpoint_has_no_heads, wrong_descriptions_are_refused,
           missing_attributes_are_named, wrong_tensors_are_refused, a_damaged_byte_is_harmless,
           a_full_disk_leaves_the_old_checkpoint, killing_a_writer_leaves_a_whole_checkpoint)
