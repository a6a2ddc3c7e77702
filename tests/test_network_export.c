/* Tests of `infer export`: an exported network is imported again bit for bit, under the names and
 * shapes that diffusers has. */
#define SUITE_TIMEOUT 900
#include "exchange/tensor_table.h"
#include "tests/imported.h"

/* All tensors of the two runs are the same, bit for bit, and so are the outputs at the images of an
 * expected file. */
static void check_same_networks(const char *run, const char *other, const char *expected)
{
    int64_t dims[GOLDEN_MAX_RANK];
    Network *a = open_run(run, 3), *b = open_run(other, 3);
    float *left = evaluate(a, expected, dims);
    float *right = evaluate(b, expected, dims);
    ck_assert_uint_eq(network_fingerprint(a, &variance_beta),
                      network_fingerprint(b, &variance_beta));
    ck_assert_mem_eq(left, right, (size_t)(dims[0] * dims[1] * dims[2] * dims[3]) * sizeof *left);
    free(left);
    free(right);
    network_close(a);
    network_close(b);
}

static void check_same_runs(const char *run, const char *other)
{
    check_same_networks(run, other, IMPORT "diffusers-new_expected.h5");
}

/* Of the family adm and of networks between the families, with a second output and without. The
 * recipe says the same, too, so that the fingerprints agree. */
static const struct {
    const char *what, *expected;
} exported[] = {
    {"adm.pt --config " IMPORT "adm.json", "adm"},
    {"adm_bf16.pt --config " IMPORT "adm_bf16.json", "adm_bf16"},
    {"iddpm_plain.pt --config " IMPORT "iddpm_plain.json", "iddpm_plain"},
    {"iddpm_learned.pt --config " IMPORT "iddpm_learned.json", "iddpm_learned"},
    {"diffusers-learned", "diffusers-learned"},
    {"diffusers-defaults", "diffusers-defaults"},
};

START_TEST(an_exported_network_of_the_family_adm_is_imported_bit_for_bit)
{
    for (size_t i = 0; i < sizeof exported / sizeof exported[0]; i++) {
        char expected[256];
        snprintf(expected, sizeof expected, IMPORT "%s_expected.h5", exported[i].expected);
        program_begin();
        infer_ok("import " IMPORT "%s --run $D/run", exported[i].what);
        infer_ok("export --run $D/run --format safetensors --out $D/x.safetensors");
        infer_ok("import $D/x.safetensors --run $D/again");
        check_same_networks("run", "again", expected);
        infer_ok("export --run $D/run --format diffusers --out $D/model");
        infer_ok("import $D/model --run $D/third");
        check_eps("third", expected, "eps");
        infer_ok("export --run $D/again --format diffusers --out $D/model2");
        ck_assert_int_eq(system("diff -r $D/model $D/model2 >$D/output"), 0);
        infer_ok("export --run $D/third --format diffusers --out $D/model3");
        ck_assert_int_eq(system("diff -r $D/model $D/model3 >$D/output"), 0);
        program_end();
    }
}
END_TEST

START_TEST(what_a_network_is_told_survives_diffusers)
{
    static const char *const times[] = {"t", "t_minus_1", "index"};
    uint64_t prints[3];
    program_begin();
    for (int time = 0; time < 3; time++) {
        infer_ok("import " IMPORT "diffusers-new --time %s --run $D/run-%d", times[time], time);
        infer_ok("export --run $D/run-%d --format diffusers --out $D/model-%d", time, time);
        infer_ok("import $D/model-%d --run $D/again-%d", time, time);
        Network *network = open_run(time == 0 ? "again-0" : time == 1 ? "again-1" : "again-2", 3);
        ck_assert_int_eq(network_config(network)->model.time, time);
        prints[time] = network_fingerprint(network, &variance_beta);
        network_close(network);
    }
    ck_assert(prints[0] != prints[1] && prints[0] != prints[2] && prints[1] != prints[2]);
    program_end();
}
END_TEST

/* Heads keep the network that they were fitted on, and stage 1 may have another one by now. */
START_TEST(the_network_of_a_run_is_that_of_its_stage_1)
{
    program_begin();
    infer_ok("import " IMPORT "ea_ddpm_npr.pth --head npr --resolution 8 --run $D/run");
    infer_ok("import " IMPORT "pesser.ckpt --resolution 16 --run $D/other");
    ck_assert_int_eq(system("cp $D/other/stage1.h5 $D/run/stage1.h5"), 0);
    infer_ok("export --run $D/run --format safetensors --out $D/x.safetensors");
    infer_ok("export --run $D/other --format safetensors --out $D/y.safetensors");
    ck_assert_int_eq(system("tail -c 100000 $D/x.safetensors >$D/x.end; "
                            "tail -c 100000 $D/y.safetensors | cmp - $D/x.end"),
                     0);
    program_end();
}
END_TEST

START_TEST(a_failed_export_leaves_nothing_behind)
{
    program_begin();
    infer_ok("import " IMPORT "diffusers-new --run $D/run");
    ck_assert_int_eq(system("mkdir -p $D/a/unet $D/b && echo '{}' >$D/a/unet/config.json && "
                            "echo '{}' >$D/b/model_index.json"),
                     0);
    infer_fails(2, "a/unet/config.json: is there already",
                "export --run $D/run --format diffusers --out $D/a");
    infer_fails(2, "b/model_index.json: is there already",
                "export --run $D/run --format diffusers --out $D/b");
    ck_assert_int_eq(system("test \"$(find $D/a $D/b -type f | wc -l)\" = 2"), 0);
    program_end();
}
END_TEST

START_TEST(heads_of_several_widths_are_no_network_of_diffusers)
{
    program_begin();
    ck_assert_int_eq(system("train --stage 1 --run $D/run --quiet --set data.format=mixture "
                            "--set data.channels=1 --set data.resolution=8 "
                            "--set model.channels=8 --set 'model.channel_mult=[1, 2]' "
                            "--set 'model.attention=[8]' --set model.heads=2 "
                            "--set model.norm_groups=4 --set stage1.steps=1 --set stage1.batch=2"),
                     0);
    infer_fails(2, "heads of 4 and of 8 channels",
                "export --run $D/run --format diffusers --out $D/model");
    infer_ok("export --run $D/run --format safetensors --out $D/x.safetensors");
    program_end();
}
END_TEST

START_TEST(an_exported_network_is_imported_bit_for_bit)
{
    program_begin();
    infer_ok("import " IMPORT "diffusers-new --run $D/run");
    infer_ok("export --run $D/run --format diffusers --out $D/model");
    ck_assert_ptr_null(strstr(program_output, "note:"));
    infer_ok("import $D/model --run $D/again");
    check_same_runs("run", "again");
    infer_ok("export --run $D/run --format safetensors --out $D/x.safetensors");
    infer_ok("import $D/x.safetensors --run $D/third");
    check_same_runs("run", "third");
    infer_ok("export --run $D/run --format hdf5 --out $D/x.h5");
    infer_ok("info $D/x.h5");
    infer_fails(2, "is there already", "export --run $D/run --format hdf5 --out $D/x.h5");
    infer_fails(2, "is there already", "export --run $D/run --format diffusers --out $D/model");
    infer_fails(2, "expected --format", "export --run $D/run --out $D/y");
    program_end();
}
END_TEST

/* Names and shapes are those of the file that diffusers wrote. */
static void check_folder(const char *what)
{
    TensorFile *theirs, *ours;
    char path[256];
    program_begin();
    infer_ok("import " IMPORT "%s --run $D/run", what);
    infer_ok("export --run $D/run --format diffusers --out $D/model");
    snprintf(path, sizeof path, IMPORT "%s/unet/diffusion_pytorch_model.safetensors", what);
    assert_ok(tensor_file_open(&theirs, path, &error));
    assert_ok(tensor_file_open(
        &ours, in_directory("model/unet/diffusion_pytorch_model.safetensors"), &error));
    const TensorTable *want = tensor_file_table(theirs), *got = tensor_file_table(ours);
    ck_assert_int_eq(got->tensor_count, want->tensor_count);
    for (int i = 0; i < want->tensor_count; i++) {
        const Tensor *tensor = &want->tensors[i];
        const int index = tensor_find(got, 0, tensor->name);
        ck_assert_msg(index >= 0, "%s is missing", tensor->name);
        ck_assert_int_eq(got->tensors[index].rank, tensor->rank);
        ck_assert_mem_eq(got->tensors[index].shape, tensor->shape, sizeof tensor->shape);
    }
    tensor_file_close(theirs);
    tensor_file_close(ours);
    program_end();
}

START_TEST(an_exported_folder_has_the_names_and_shapes_of_diffusers)
{
    check_folder("diffusers-new");
    check_folder("diffusers-defaults");
    check_folder("diffusers-learned");
}
END_TEST

SUITE_MAIN("network_export", an_exported_network_is_imported_bit_for_bit,
           an_exported_network_of_the_family_adm_is_imported_bit_for_bit,
           what_a_network_is_told_survives_diffusers, the_network_of_a_run_is_that_of_its_stage_1,
           a_failed_export_leaves_nothing_behind,
           heads_of_several_widths_are_no_network_of_diffusers,
           an_exported_folder_has_the_names_and_shapes_of_diffusers)
