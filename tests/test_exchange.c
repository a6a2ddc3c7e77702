/* Tests of reading weights of other programs: files that PyTorch, diffusers and safetensors wrote, and
 * small files whose numbers are known. */
#include "exchange/names.h"
#include "exchange/tensor_table.h"

#include "base/memory.h"
#include "tests/expect.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#define IMPORT "tests/golden/import/"

static Error error;

static TensorFile *open_file(const char *path)
{
    TensorFile *file;
    assert_ok(tensor_file_open(&file, path, &error));
    return file;
}

/* The numbers of a tensor; the caller frees. */
static float *numbers(TensorFile *file, int group, const char *name)
{
    const TensorTable *table = tensor_file_table(file);
    const int index = tensor_find(table, group, name);
    ck_assert_msg(index >= 0, "there is no tensor %s", name);
    float *to = memory_small((size_t)table->tensors[index].count + 1, sizeof *to);
    const TensorWish wish = {.tensor = index, .to = to};
    assert_ok(tensor_file_read(file, &wish, 1, &error));
    return to;
}

/* Reads all tensors of the first group, one after the other, in one call; the caller frees. */
static float *all_numbers(TensorFile *file, size_t *count)
{
    const TensorTable *table = tensor_file_table(file);
    const TensorGroup *group = &table->groups[0];
    TensorWish *wishes = memory_small((size_t)group->count, sizeof *wishes);
    size_t size = 0;
    for (int i = 0; i < group->count; i++)
        size += (size_t)table->tensors[group->first + i].count;
    float *to = memory_small(size + 1, sizeof *to);
    size_t at = 0;
    for (int i = 0; i < group->count; i++) {
        wishes[i] = (TensorWish){.tensor = group->first + i, .to = to + at};
        at += (size_t)table->tensors[group->first + i].count;
    }
    assert_ok(tensor_file_read(file, wishes, group->count, &error));
    memory_free(wishes);
    *count = size;
    return to;
}

/* -- Numbers ----------------------------------------------------------------------------------- */

static void check_numbers(TensorFile *file, int group, const char *name, const float *want,
                          size_t count)
{
    float *got = numbers(file, group, name);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(got[i] == want[i], "%s[%zu] is %g, not %g", name, i, (double)got[i],
                      (double)want[i]);
    memory_free(got);
}

static void check_small(TensorFile *file, int group)
{
    check_numbers(file, group, "a", (const float[]){0, 1, 2, 3, 4, 5}, 6);
    check_numbers(file, group, "half", (const float[]){1, -2, 0.5f, 0x1p-24f}, 4);
    check_numbers(file, group, "bfloat", (const float[]){1, -2}, 2);
    check_numbers(file, group, "double", (const float[]){0.1f, -3}, 2);
    check_numbers(file, group, "scalar", (const float[]){5}, 1);
}

START_TEST(all_floating_types_are_read)
{
    static const char *const paths[] = {"tests/corpus/safetensors/small.safetensors",
                                        "tests/corpus/torch/small.pt",
                                        "tests/corpus/torch/small-old.pt"};
    for (int i = 0; i < 3; i++) {
        TensorFile *file = open_file(paths[i]);
        check_small(file, 0);
        tensor_file_close(file);
    }
}
END_TEST

/* One in a list, and one under a number. */
START_TEST(tensors_without_a_name_do_not_matter)
{
    TensorFile *file = open_file("tests/corpus/torch/elsewhere-old.pt");
    ck_assert_int_eq(tensor_file_table(file)->tensor_count, 1);
    check_numbers(file, 0, "a", (const float[]){0, 1, 2, 3, 4, 5}, 6);
    tensor_file_close(file);
}
END_TEST

START_TEST(views_are_read_through_their_strides)
{
    static const char *const paths[] = {"tests/corpus/torch/small.pt",
                                        "tests/corpus/torch/small-old.pt"};
    for (int i = 0; i < 2; i++) {
        TensorFile *file = open_file(paths[i]);
        check_numbers(file, 0, "transposed", (const float[]){0, 3, 1, 4, 2, 5}, 6);
        check_numbers(file, 0, "second", (const float[]){1, 3, 5}, 3);
        check_numbers(file, 0, "repeated", (const float[]){2, 2, 2, 2}, 4);
        tensor_file_close(file);
    }
}
END_TEST

/* Protocol 4, deflated, and one dictionary inside two places of the object. */
START_TEST(a_dictionary_inside_others_is_found_once)
{
    TensorFile *file = open_file("tests/corpus/torch/small-protocol4.pt");
    const TensorTable *table = tensor_file_table(file);
    ck_assert_int_eq(table->group_count, 1);
    ck_assert_str_eq(table->groups[0].name, "[0]");
    check_small(file, 0);
    tensor_file_close(file);
}
END_TEST

/* -- Files of other programs ------------------------------------------------------------------- */

/* A tensor that repeats one number (stride 0) may be another. */
static void check_same(const char *path, const char *other)
{
    TensorFile *a = open_file(path), *b = open_file(other);
    const TensorTable *table = tensor_file_table(a);
    ck_assert_int_eq(table->tensor_count, tensor_file_table(b)->tensor_count);
    for (int i = 0; i < table->tensor_count; i++) {
        const Tensor *tensor = &table->tensors[i];
        float *left = numbers(a, 0, tensor->name), *right = numbers(b, 0, tensor->name);
        ck_assert_msg(tensor->stride[0] == 0 ||
                          memcmp(left, right, (size_t)tensor->count * sizeof *left) == 0,
                      "%s differs", tensor->name);
        memory_free(left);
        memory_free(right);
    }
    tensor_file_close(a);
    tensor_file_close(b);
}

START_TEST(strided_tensors_are_those_of_the_contiguous_file)
{
    check_same(IMPORT "diffusers-strided/diffusion_pytorch_model.bin",
               IMPORT "diffusers-new/unet/diffusion_pytorch_model.safetensors");
}
END_TEST

START_TEST(a_deflated_archive_has_the_numbers_of_the_stored_one)
{
    check_same(IMPORT "diffusers-rezipped/diffusion_pytorch_model.bin",
               IMPORT "diffusers-old/diffusion_pytorch_model.bin");
}
END_TEST

START_TEST(one_pass_reads_what_single_reads_give)
{
    static const char *const paths[] = {IMPORT "diffusers-strided/diffusion_pytorch_model.bin",
                                        IMPORT "pesser_legacy_half.ckpt"};
    for (int k = 0; k < 2; k++) {
        TensorFile *file = open_file(paths[k]);
        const TensorTable *table = tensor_file_table(file);
        size_t count, at = 0;
        float *all = all_numbers(file, &count);
        for (int i = 0; i < table->groups[0].count; i += 7, at = 0) {
            const Tensor *tensor = &table->tensors[i];
            for (int j = 0; j < i; j++)
                at += (size_t)table->tensors[j].count;
            float *one = numbers(file, 0, tensor->name);
            ck_assert_mem_eq(one, all + at, (size_t)tensor->count * sizeof *one);
            memory_free(one);
        }
        memory_free(all);
        tensor_file_close(file);
    }
}
END_TEST

START_TEST(every_state_dict_of_a_list_is_a_group)
{
    TensorFile *file = open_file(IMPORT "ddim_ckpt.pth");
    const TensorTable *table = tensor_file_table(file);
    int model = -1, average = -1;
    for (int i = 0; i < table->group_count; i++) {
        model = strcmp(table->groups[i].name, "[0]") == 0 ? i : model;
        average = strcmp(table->groups[i].name, "[4]") == 0 ? i : average;
    }
    ck_assert_int_ge(model, 0);
    ck_assert_int_ge(average, 0);
    ck_assert_int_ge(tensor_find(table, model, "module.conv_in.weight"), 0);
    ck_assert_int_ge(tensor_find(table, average, "conv_in.weight"), 0);
    tensor_file_close(file);
}
END_TEST

START_TEST(a_moving_average_has_the_word_ema_in_its_name)
{
    static const char *const averages[] = {"ema",
                                           "model_ema",
                                           "EMA",
                                           "ema_0.9999",
                                           "[4]",
                                           "ema_models_states.model",
                                           "state.ema-model"};
    static const char *const others[] = {"",          "model",         "no_ema",          "non-ema",
                                         "schema",    "model_non_ema", "remapped_schema", "[3]",
                                         "emanation", "theme"};
    for (size_t i = 0; i < sizeof averages / sizeof averages[0]; i++)
        ck_assert_msg(names_say_average(averages[i]), "%s is an average", averages[i]);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_msg(!names_say_average(others[i]), "%s is no average", others[i]);
}
END_TEST

SUITE_MAIN("exchange", a_moving_average_has_the_word_ema_in_its_name, all_floating_types_are_read,
           tensors_without_a_name_do_not_matter, views_are_read_through_their_strides,
           a_dictionary_inside_others_is_found_once,
           strided_tensors_are_those_of_the_contiguous_file,
           a_deflated_archive_has_the_numbers_of_the_stored_one,
           one_pass_reads_what_single_reads_give, every_state_dict_of_a_list_is_a_group)
