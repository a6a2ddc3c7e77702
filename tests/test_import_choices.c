/* Tests of `infer import`: what a file does not settle is said or asked for, and `infer info` shows
 * what the import would make of it. */
#define SUITE_TIMEOUT 900
#include "tests/imported.h"

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

SUITE_MAIN("import_choices", flags_that_shapes_do_not_show_change_the_network, every_guess_is_said,
           a_run_is_replaced_only_on_request, the_time_can_be_said,
           info_describes_files_of_other_programs)
