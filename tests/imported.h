/* Networks that `infer import` made: opened, evaluated at the images of an expected file, and compared
 * with what the network's own program gives there (tests/golden/import). */
#pragma once

#include "inference/network.h"
#include "io/checkpoint.h"

#include "tests/infer_program.h"

#define IMPORT "tests/golden/import/"

static Error error;

/* The run "$D/run" as a network, ready for `count` images. */
static inline Network *open_run(const char *run, int count)
{
    NetworkOptions options = {.batch = 8, .type = DTYPE_F32, .source = {.run = in_directory(run)}};
    Network *network;
    assert_ok(network_open(&network, &options, &error));
    assert_ok(network_prepare(network, count, &error));
    return network;
}

/* t [count] := our timesteps: one more than the index t of an expected file, or the n of
 * Extended-Analytic-DPM. */
static inline void read_timesteps(const char *expected, int *t)
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
static inline float *evaluate_head(Network *network, const char *head, const char *expected,
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

static inline float *evaluate(Network *network, const char *expected, int64_t dims[GOLDEN_MAX_RANK])
{
    return evaluate_head(network, NULL, expected, dims);
}

/* The relative error of the program's own float32; 0 where the file does not say it. */
static inline double own_error(const char *expected, const char *array)
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
    return own;
}

/* The relative error that is allowed: 1e-5, or twice that of the program's own float32. */
static inline double tolerance(const char *expected, const char *array)
{
    return larger(1e-5, 2 * own_error(expected, array));
}

/* The run gives `array` of the expected file, as eps or as the output of a head. */
static inline void check_output(const char *run, const char *head, const char *expected,
                                const char *array)
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

static inline void check_eps(const char *run, const char *expected, const char *array)
{
    check_output(run, NULL, expected, array);
}

/* The flags of `adm.json` with one of them changed. */
static inline void write_flags(const char *name, const char *flag, const char *value)
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
