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
    ck_assert_ptr_nonnull(strstr(program_output, "takes the linear schedule"));
    infer_ok("import " IMPORT "pesser.ckpt --resolution 16 --run $D/e");
    ck_assert_ptr_nonnull(strstr(program_output, "32 groups of channels, the linear schedule of "
                                                 "1000 timesteps (or --betas), and that they are "
                                                 "told t - 1 (or --time)"));
    infer_ok("import " IMPORT "diffusers-new --run $D/d");
    ck_assert_ptr_null(strstr(program_output, "note:"));
    infer_ok("import " IMPORT "iddpm_plain.pt --config " IMPORT "iddpm_plain.json --run $D/f");
    ck_assert_ptr_null(strstr(program_output, "note:"));
    program_end();
}
END_TEST

/* imports diffusers' folder `from` after `sed -i EDIT FILE` as the run "$D/run". */
static void edit(const char *from, const char *edit, const char *file)
{
    char command[1024];
    snprintf(command, sizeof command,
             "rm -rf $D/m $D/run && cp -rL " IMPORT "%s $D/m && sed -i '%s' $D/m/%s", from, edit,
             file);
    ck_assert_int_eq(system(command), 0);
}

/* A key that is missing has the default of the class, and null is a value of its own. */
START_TEST(a_missing_width_of_heads_is_that_of_the_class)
{
    static const struct {
        const char *edit;
        int width;
    } cases[] = {{"s/\"attention_head_dim\": [0-9a-z]*,/\"attention_head_dim\": null,/", 0},
                 {"s/\"attention_head_dim\": [0-9a-z]*,/\"attention_head_dim\": 16,/", 16},
                 {"/\"attention_head_dim\"/d", 8}};
    program_begin();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        edit("diffusers-defaults", cases[i].edit, "unet/config.json");
        infer_ok("import $D/m --run $D/run");
        Network *network = open_run("run", 3);
        ck_assert_int_eq(network_config(network)->model.head_channels, cases[i].width);
        network_close(network);
    }
    program_end();
}
END_TEST

/* The configuration of the run "$D/run". */
static Config config_of_run(void)
{
    Network *network = open_run("run", 3);
    const Config config = *network_config(network);
    network_close(network);
    return config;
}

START_TEST(schedules_and_predictions_have_our_names)
{
    static const char scheduler[] = "scheduler/scheduler_config.json";
    program_begin();
    edit("diffusers-new", "s/\"beta_schedule\": \"[a-z_]*\"/\"beta_schedule\": \"sigmoid\"/",
         scheduler);
    infer_ok("import $D/m --run $D/run");
    ck_assert_int_eq(config_of_run().diffusion.schedule, SCHEDULE_SIGMOID);
    edit("diffusers-new", "s/\"prediction_type\": \"[a-z_]*\"/\"prediction_type\": \"sample\"/",
         scheduler);
    infer_ok("import $D/m --run $D/run");
    ck_assert_int_eq(config_of_run().model.predicts, PREDICTS_X0);
    write_flags("flags.json", "predict_xstart", "true");
    infer_ok("import " IMPORT "adm.pt --config $D/flags.json --run $D/run --fresh");
    ck_assert_int_eq(config_of_run().model.predicts, PREDICTS_X0);
    ck_assert_int_eq(system("sed 's/beta_schedule: .*/beta_schedule: quad/' " IMPORT
                            "ddim_ckpt.yml >$D/quad.yml"),
                     0);
    infer_ok("import " IMPORT "ddim_ckpt.pth --config $D/quad.yml --run $D/run --fresh");
    ck_assert_int_eq(config_of_run().diffusion.schedule, SCHEDULE_SCALED_LINEAR);
    program_end();
}
END_TEST

/* diffusers 0.8 had another key, which what it has become goes before. */
START_TEST(older_predictions_are_known)
{
    static const struct {
        const char *keys;
        Predicts predicts;
    } cases[] = {{"\"predict_epsilon\": false", PREDICTS_X0},
                 {"\"predict_epsilon\": true", PREDICTS_EPS},
                 {"\"predict_epsilon\": false, \"prediction_type\": \"v_prediction\"", PREDICTS_V}};
    program_begin();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char change[256];
        snprintf(change, sizeof change, "s/\"prediction_type\": \"[a-z_]*\"/%s/", cases[i].keys);
        edit("diffusers-new", change, "scheduler/scheduler_config.json");
        infer_ok("import $D/m --run $D/run");
        ck_assert_int_eq(config_of_run().model.predicts, cases[i].predicts);
    }
    program_end();
}
END_TEST

/* Python writes numbers that JSON does not have. Where the key is read they are refused. */
START_TEST(infinities_are_no_broken_text)
{
    program_begin();
    edit("diffusers-new",
         "s/\"clip_sample\"/\"lambda_min_clipped\": -Infinity, \"a\\\\\": NaN\": [NaN, Infinity], "
         "&/",
         "scheduler/scheduler_config.json");
    infer_ok("import $D/m --run $D/run");
    edit("diffusers-new", "s/\"beta_end\": [^,]*/\"beta_end\": Infinity/",
         "scheduler/scheduler_config.json");
    infer_fails(2, "beta_end is \"Infinity\", expected a number", "import $D/m --run $D/run");
    program_end();
}
END_TEST

/* The norm that diffusers had in the middle before 0.18, which the description does not say. */
START_TEST(weights_say_whether_the_middle_has_a_norm)
{
    program_begin();
    infer_ok("import " IMPORT "diffusers-0.14 --run $D/run");
    ck_assert(config_of_run().model.mid_norm);
    check_eps("run", IMPORT "diffusers-0.14_expected.h5", "eps");
    infer_ok("import " IMPORT "diffusers-learned --run $D/run --fresh");
    ck_assert(!config_of_run().model.mid_norm);
    program_end();
}
END_TEST

START_TEST(a_resolution_may_be_a_pair)
{
    program_begin();
    edit("diffusers-new", "s/\"sample_size\": 16/\"sample_size\": [16, 16]/", "unet/config.json");
    infer_ok("import $D/m --run $D/run");
    ck_assert_int_eq(config_of_run().data.resolution, 16);
    edit("diffusers-new", "s/\"sample_size\": 16/\"sample_size\": [16, 32]/", "unet/config.json");
    infer_fails(2, "sample_size has another form than a square", "import $D/m --run $D/run");
    program_end();
}
END_TEST

/* The program compares each level's resolution with the list. */
START_TEST(resolutions_without_a_level_change_nothing)
{
    program_begin();
    ck_assert_int_eq(
        system("sed '/attn_resolutions/a\\  - 999' " IMPORT "ddim_ckpt.yml >$D/more.yml"), 0);
    infer_ok("import " IMPORT "ddim_ckpt.pth --config $D/more.yml --run $D/run");
    check_eps("run", IMPORT "ddim_ckpt_expected.h5", "eps");
    program_end();
}
END_TEST

START_TEST(a_second_half_of_outputs_without_a_name_is_said)
{
    program_begin();
    infer_ok("import " IMPORT "diffusers-learned --run $D/run");
    ck_assert_ptr_null(strstr(program_output, "learned_range"));
    edit("diffusers-learned", "s/learned_range/fixed_small/", "scheduler/scheduler_config.json");
    infer_ok("import $D/m --run $D/run");
    ck_assert_ptr_nonnull(strstr(program_output, "second half of the outputs for learned_range"));
    program_end();
}
END_TEST

START_TEST(a_moving_average_beside_the_network_is_taken)
{
    program_begin();
    edit("diffusers-new", "", "unet/config.json");
    ck_assert_int_eq(system("cp -r $D/m/unet $D/m/unet_ema && cp " IMPORT
                            "refuse/net-nan/diffusion_pytorch_model.safetensors $D/m/unet/"),
                     0);
    infer_ok("import $D/m --run $D/run");
    ck_assert_ptr_nonnull(strstr(program_output, "unet_ema"));
    ck_assert_ptr_nonnull(strstr(program_output, "the moving average"));
    check_eps("run", IMPORT "diffusers-new_expected.h5", "eps");
    ck_assert_int_eq(system("mv $D/m/unet_ema/diffusion_pytorch_model.safetensors "
                            "$D/m/unet_ema/diffusion_pytorch_model.fp16.safetensors"),
                     0);
    infer_ok("import $D/m --run $D/run --fresh");
    check_eps("run", IMPORT "diffusers-new_expected.h5", "eps");
    program_end();
}
END_TEST

/* Removes a line of the flags. */
static void drop_flag(const char *from, const char *flag)
{
    char command[512];
    snprintf(command, sizeof command, "sed '/\"%s\"/d' " IMPORT "%s >$D/flags.json", flag, from);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(flags_that_are_missing_or_unknown_are_said)
{
    static const char *const guided[] = {"use_new_attention_order", "rescale_timesteps",
                                         "predict_xstart"};
    program_begin();
    for (size_t i = 0; i < sizeof guided / sizeof guided[0]; i++) {
        char text[128];
        drop_flag("adm.json", guided[i]);
        infer_ok("import " IMPORT "adm.pt --config $D/flags.json --run $D/run --fresh");
        snprintf(text, sizeof text, "does not say %s; the defaults of guided-diffusion", guided[i]);
        ck_assert_ptr_nonnull(strstr(program_output, text));
    }
    ck_assert_int_eq(system("sed 's/use_new_attention_order/use_new_atention_order/' " IMPORT
                            "adm.json >$D/flags.json"),
                     0);
    infer_ok("import " IMPORT "adm.pt --config $D/flags.json --run $D/run --fresh");
    ck_assert_ptr_nonnull(strstr(program_output, "does not say use_new_attention_order"));
    ck_assert_ptr_nonnull(strstr(program_output, "change nothing: use_new_atention_order"));
    program_end();
}
END_TEST

/* At another resolution attention stays at its level. */
START_TEST(the_resolution_can_be_said)
{
    static const char *const from[] = {"ddim_ckpt.pth --config " IMPORT "ddim_ckpt.yml",
                                       "$D/own.safetensors"};
    program_begin();
    infer_ok("import " IMPORT "ddim_ckpt.pth --config " IMPORT "ddim_ckpt.yml --run $D/first");
    infer_ok("export --run $D/first --format safetensors --out $D/own.safetensors");
    for (int i = 0; i < 2; i++) {
        infer_ok("import %s%s --resolution 32 --run $D/run --fresh", i == 0 ? IMPORT : "", from[i]);
        Network *first = open_run("first", 3), *network = open_run("run", 3);
        const Config *was = network_config(first), *is = network_config(network);
        ck_assert_int_eq(is->data.resolution, 32);
        ck_assert_int_eq(is->model.attentions, was->model.attentions);
        for (int k = 0; k < is->model.attentions; k++)
            ck_assert_int_eq(is->model.attention[k] * was->data.resolution,
                             was->model.attention[k] * 32);
        network_close(first);
        network_close(network);
    }
    program_end();
}
END_TEST

/* A run's heads were fitted on its network. */
START_TEST(a_network_with_heads_on_it_is_not_replaced)
{
    program_begin();
    infer_ok("import " IMPORT "ea_ddpm_npr.pth --head npr --resolution 8 --run $D/run");
    infer_fails(2, "run/stage2-npr.h5: is a head on the network that would be replaced",
                "import " IMPORT "pesser.ckpt --resolution 16 --run $D/run --fresh");
    infer_fails(2, "run/stage2-npr.h5: is a head on the network that would be replaced",
                "import " IMPORT "ea_ddpm_sn.ckpt --head sn --resolution 8 --run $D/run --fresh");
    check_output("run", "npr", IMPORT "ea_ddpm_npr_expected.h5", "npr");
    infer_ok("import " IMPORT "ea_ddpm_npr.pth --head npr --resolution 8 --run $D/run --fresh");
    ck_assert_int_eq(system("rm $D/run/stage1.h5"), 0);
    infer_fails(2, "stage2-npr.h5: is a head on the network that would be replaced",
                "import " IMPORT "pesser.ckpt --resolution 16 --run $D/run");
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

SUITE_MAIN("import_choices", older_predictions_are_known, infinities_are_no_broken_text,
           weights_say_whether_the_middle_has_a_norm, a_resolution_may_be_a_pair,
           resolutions_without_a_level_change_nothing,
           flags_that_shapes_do_not_show_change_the_network, every_guess_is_said,
           a_missing_width_of_heads_is_that_of_the_class, schedules_and_predictions_have_our_names,
           a_second_half_of_outputs_without_a_name_is_said,
           a_moving_average_beside_the_network_is_taken, flags_that_are_missing_or_unknown_are_said,
           the_resolution_can_be_said, a_network_with_heads_on_it_is_not_replaced,
           a_run_is_replaced_only_on_request, the_time_can_be_said,
           info_describes_files_of_other_programs)
