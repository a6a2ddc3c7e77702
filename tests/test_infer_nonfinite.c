/* Tests of a network whose outputs are NaN or infinite: no command turns them into ordinary
 * numbers. (`infer analytic`: tests/test_analytic_files.c. Training: tests/test_train_errors.c.) */
#include "tests/golden_mixture.h"

/* Weights near the end of what a float can hold. */
static void make_overflowing(void)
{
    program_begin();
    hid_t file = file_from("b.h5", GOLDEN_B);
    replace_config(file, mixture_b);
    H5Fclose(file);
    change_tensor("b.h5", "trunk_ema/conv_in.weight", 0, 3e38f);
}

static bool is_there(const char *name)
{
    return access(in_directory(name), F_OK) == 0;
}

/* As a byte of a picture each would be black. */
START_TEST(samples_that_are_no_numbers_are_no_picture)
{
    make_overflowing();
    infer_fails(1, "sn, 5 steps: a sample is not finite",
                "sample --quiet --checkpoint $D/b.h5 --variance sn --steps 5 --count 2 "
                "--out $D/s.png");
    ck_assert(!is_there("s.png"));
    program_end();
}
END_TEST

/* A table of such costs would be refused by whoever reads it, and the command that makes it would be named again. */
START_TEST(costs_that_are_no_numbers_are_not_kept)
{
    make_overflowing();
    infer_fails(1, "the network predicts numbers that are not finite",
                "nll --quiet --checkpoint $D/b.h5 --variance sn --trajectory dp --steps 5 "
                "--images 2 --dp-images 2");
    ck_assert(!is_there("dp-sn.h5"));
    program_end();
}
END_TEST

/* The clip of x_0_hat to [-1, 1] is of numbers. */
START_TEST(an_error_of_the_mean_that_is_no_number_is_shown)
{
    double mean_error;
    make_overflowing();
    infer_ok("truth --quiet --checkpoint $D/b.h5 --variance beta --timesteps 1 --images 2 "
             "--out $D/t.csv");
    FILE *file = fopen(in_directory("t.csv"), "r");
    ck_assert(file && fscanf(file, "%*[^\n] beta,200,%*[^,],%lf", &mean_error) == 1);
    fclose(file);
    ck_assert_msg(isnan(mean_error), "%g", mean_error);
    program_end();
}
END_TEST

SUITE_MAIN("infer_nonfinite", samples_that_are_no_numbers_are_no_picture,
           costs_that_are_no_numbers_are_not_kept, an_error_of_the_mean_that_is_no_number_is_shown)
