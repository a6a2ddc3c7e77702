/* Tests of the correlations of a head in a checkpoint: they survive a round trip, and damaged ones are
 * refused with a line that names the place.
 */
#include "tests/suite.h"

#include "base/memory.h"
#include "io/correlation_file.h"
#include "tests/config_text.h"
#include "tests/expect.h"
#include "tests/scratch.h"

#include <hdf5.h>
#include <math.h>

enum { BINS = 3, ROWS = 12, SIZE = BINS * ROWS * ROWS };

static Error error; /* of the last call */

/* Blocks of 2x2 pixels and three channels. */
static CorrelationFit make_fit(void)
{
    CorrelationFit fit = {.correlation = {.shape = {.side = 16, .channels = 3, .size = 2},
                                          .bins = time_bins_even(BINS, 1000)}};
    fit.correlation.matrix = memory_small(SIZE, sizeof(float));
    for (int i = 0; i < SIZE; i++) {
        const int bin = i / (ROWS * ROWS), row = i / ROWS % ROWS, column = i % ROWS;
        fit.correlation.matrix[i] = (float)pow(0.2 + 0.2 * bin, abs(row - column));
    }
    for (int bin = 0; bin < BINS; bin++) {
        fit.share[bin] = 0.1 * bin;
        fit.gain[bin] = 0.02 * (bin + 1);
        fit.gain_error[bin] = 0.001;
    }
    return fit;
}

static const char *write_file(const CorrelationFit *fit)
{
    const char *path = scratch_path("a.h5");
    const Config config = parse(golden_a);
    CheckpointWriter *writer = NULL;
    must(checkpoint_create(&writer, path, &config, 2, 0, &error), &error);
    must(correlation_file_write(writer, "nll", fit, &error), &error);
    must(checkpoint_commit(writer, &error), &error);
    return path;
}

START_TEST(correlations_survive_a_round_trip)
{
    CorrelationFit fit = make_fit();
    Checkpoint *checkpoint = NULL;
    BlockCorrelation got;
    must(checkpoint_open(&checkpoint, write_file(&fit), &error), &error);
    ck_assert(correlation_file_has(checkpoint, "nll"));
    ck_assert(!correlation_file_has(checkpoint, "npr"));
    must(correlation_file_read(checkpoint, "nll", &got, &error), &error);
    ck_assert_mem_eq(got.matrix, fit.correlation.matrix, SIZE * sizeof(float));
    ck_assert_mem_eq(&got.bins, &fit.correlation.bins, sizeof got.bins);
    ck_assert_mem_eq(&got.shape, &fit.correlation.shape, sizeof got.shape);
    ck_assert_double_eq_tol(correlation_file_gain(checkpoint, "nll", BINS), 0.04, 1e-15);
    checkpoint_close(checkpoint);
    memory_free(got.matrix);
    correlation_fit_free(&fit);
}
END_TEST

static void refused(const char *path, const char *text)
{
    Checkpoint *checkpoint = NULL;
    BlockCorrelation got;
    must(checkpoint_open(&checkpoint, path, &error), &error);
    ck_assert(!correlation_file_read(checkpoint, "nll", &got, &error));
    ck_assert_ptr_null(got.matrix);
    ck_assert_int_eq(error.kind, ERROR_INPUT);
    ck_assert_msg(strstr(error.message, text) != NULL, "expected \"%s\" in: %s", text,
                  error.message);
    checkpoint_close(checkpoint);
}

START_TEST(damaged_matrices_are_refused)
{
    CorrelationFit fit = make_fit();
    fit.correlation.matrix[2 * ROWS * ROWS + 1] = 0.5f; /* bin 2 is not symmetric */
    refused(write_file(&fit), "/correlation/nll/matrix: expected symmetric, positive definite "
                              "matrices with a diagonal of 1, found another at [2]");
    correlation_fit_free(&fit);
}
END_TEST

START_TEST(damaged_bins_are_refused)
{
    CorrelationFit fit = make_fit();
    fit.correlation.bins.first[1] = 900; /* after the next one */
    refused(write_file(&fit), "/correlation/nll/bins: expected rising numbers from 0 to 1000");
    correlation_fit_free(&fit);
}
END_TEST

/* Sets an integer attribute of the group. */
static const char *with_attribute(const CorrelationFit *fit, const char *name, int64_t value)
{
    const char *path = write_file(fit);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t group = H5Gopen2(file, "correlation/nll", H5P_DEFAULT);
    hid_t attribute = H5Aopen(group, name, H5P_DEFAULT);
    ck_assert(attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_INT64, &value) >= 0);
    H5Aclose(attribute);
    H5Gclose(group);
    H5Fclose(file);
    return path;
}

START_TEST(impossible_shapes_are_refused)
{
    CorrelationFit fit = make_fit();
    refused(with_attribute(&fit, "block", 3), "attribute block: expected 2, 4 or 8");
    refused(with_attribute(&fit, "block", 4), "correlation/nll/matrix");
    refused(with_attribute(&fit, "time_bins", 0), "attribute time_bins: expected 1 to 64, found 0");
    refused(with_attribute(&fit, "time_bins", 1LL << 40), "attribute time_bins");
    correlation_fit_free(&fit);
}
END_TEST

SUITE_MAIN("correlation_file", correlations_survive_a_round_trip, damaged_matrices_are_refused,
           damaged_bins_are_refused, impossible_shapes_are_refused)
