/* Tests of reading weights of other programs: what is broken, or would execute something, is refused
 * in one line, and never crashes the reader. */
#include "exchange/tensor_table.h"

#include "base/memory.h"
#include "tests/expect.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#define REFUSE "tests/golden/import/refuse/"

static Error error;

/* Opens the file and reads all of it. */
static bool reads(const char *path)
{
    TensorFile *file;
    error = (Error){0};
    if (!tensor_file_open(&file, path, &error))
        return false;
    const TensorTable *table = tensor_file_table(file);
    bool ok = true;
    for (int i = 0; ok && i < table->tensor_count; i++) {
        float *to = memory_large((size_t)table->tensors[i].count, sizeof *to, "a tensor", &error);
        ck_assert_ptr_nonnull(to);
        const TensorWish wish = {.tensor = i, .to = to};
        ok = tensor_file_read(file, &wish, 1, &error);
        memory_free(to);
    }
    tensor_file_close(file);
    return ok;
}

static void check_refused(const char *path, const char *text)
{
    ck_assert_msg(!reads(path), "%s was read", path);
    ck_assert_msg(error.kind == ERROR_INPUT, "%s: %s", path, error.message);
    ck_assert_msg(strstr(error.message, text) != NULL, "\"%s\" lacks \"%s\"", error.message, text);
    ck_assert_ptr_null(strchr(error.message, '\n'));
}

START_TEST(a_pickle_that_names_a_function_is_refused_by_name)
{
    check_refused(REFUSE "os_system.pth", "posix.system");
    check_refused(REFUSE "os_system_legacy.pth", "posix.system");
    check_refused(REFUSE "builtins_eval.pth", "__builtin__.eval");
    check_refused(REFUSE "spliced.pth", "posix.system");
    check_refused(REFUSE "whole_module.pth", "__main__.Unet");
    check_refused(REFUSE "complex.pth", "torch.ComplexFloatStorage");
}
END_TEST

START_TEST(a_pickle_without_tensors_is_refused)
{
    check_refused(REFUSE "no_tensors.pth", "no tensors");
    check_refused(REFUSE "deep.pth", "no tensors");
    check_refused(REFUSE "plain_pickle.pkl", "");
}
END_TEST

START_TEST(tensors_outside_their_storage_are_refused)
{
    check_refused(REFUSE "offset_beyond.pth", "reaches to number");
    check_refused(REFUSE "stride_beyond.pth", "reaches to number");
    check_refused(REFUSE "negative_offset.pth", "impossible");
    check_refused(REFUSE "negative_stride.pth", "impossible");
    check_refused(REFUSE "negative_size.pth", "impossible");
    check_refused(REFUSE "huge_size.pth", "impossible");
    check_refused(REFUSE "stride_overflow.pth", "impossible");
    check_refused(REFUSE "strides_missing.pth", "no possible shape");
    check_refused(REFUSE "short_storage.pth", "expected 64 numbers of float32");
    check_refused(REFUSE "huge_numel.pth", "expected 2305843009213693952 numbers");
    check_refused(REFUSE "no_storage.pth", "no member data/0");
}
END_TEST

START_TEST(files_of_something_else_are_refused_with_their_kind)
{
    check_refused(REFUSE "html.pth", "an HTML page");
    check_refused(REFUSE "lfs_pointer.pth", "a pointer of Git LFS");
    check_refused(REFUSE "empty.pth", "is empty");
    check_refused("tests/golden/golden_a.h5", "an HDF5 file");
    check_refused("README.md", "text, which begins with");
    check_refused("lib", "is a directory");
    check_refused("absent.pt", "no such file");
}
END_TEST

START_TEST(damaged_files_are_refused)
{
    check_refused(REFUSE "truncated.pth", "is it complete?");
    check_refused(REFUSE "truncated_legacy.pth", "is it complete?");
    check_refused(REFUSE "bad_crc.pth", "can't be read");
    check_refused(REFUSE "big_endian.pth", "byte order big");
}
END_TEST

START_TEST(wrong_headers_of_safetensors_are_refused)
{
    static const char *const cases[][2] = {{"st-header-too-long", "is it complete?"},
                                           {"st-header-cut", "no JSON"},
                                           {"st-header-negative", "is it complete?"},
                                           {"st-not-json", "no JSON"},
                                           {"st-deep-json", "no JSON"},
                                           {"st-offsets-beyond", "impossible data_offsets"},
                                           {"st-offsets-reversed", "impossible"},
                                           {"st-shape-mismatch", "32 bytes"},
                                           {"st-overlap", "begins at byte"},
                                           {"st-dtype", "F8_E4M3"},
                                           {"st-huge-shape", "no possible shape"},
                                           {"st-truncated", "impossible data_offsets"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[256];
        snprintf(path, sizeof path, REFUSE "%s/diffusion_pytorch_model.safetensors", cases[i][0]);
        check_refused(path, cases[i][1]);
    }
}
END_TEST

/* A safetensors file of this header and eight bytes of numbers. */
static void check_header(const char *header, const char *text)
{
    char bytes[512] = {0};
    const size_t length = strlen(header);
    bytes[0] = (char)length;
    bytes[1] = (char)(length >> 8);
    memcpy(bytes + 8, header, length);
    scratch_write(scratch_path("x.safetensors"), bytes, 8 + length + 8);
    check_refused(scratch_path("x.safetensors"), text);
}

START_TEST(other_wrong_headers_of_safetensors_are_refused)
{
    check_header("{}", "no tensors");
    check_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                 "end at byte 4 of 8");
    check_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                 "begins at byte 4");
    check_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                 "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                 "no JSON");
    check_header("{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}",
                 "no possible shape");
    check_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],"
                 "\"data_offsets\":[0,8]}}",
                 "no possible shape");
    check_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2.5],\"data_offsets\":[0,8]}}",
                 "no possible shape");
    check_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}",
                 "no possible shape");
    check_header(
        "{\"__metadata__\":5,\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
        "__metadata__ is no object with texts");
    check_header("{\"__metadata__\":{\"x\":5},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_"
                 "offsets\":[0,8]}}",
                 "__metadata__ has under x no text");
    check_header("{\"a\":{\"dtype\":4,\"shape\":[2],\"data_offsets\":[0,8]}}", "the type (none)");
    check_header("{\"a\":[]}", "the type (none)");
    check_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", "impossible data_offsets");
}
END_TEST

/* Each value would take some eighty bytes of memory. */
START_TEST(a_header_of_many_values_is_refused)
{
    enum { VALUES = 4000001, BYTES = 8 + 2 * VALUES + 8 };
    char *bytes = memory_large(BYTES, 1, "a header", &error);
    ck_assert_ptr_nonnull(bytes);
    for (int i = 0; i < 4; i++)
        bytes[i] = (char)((2 * VALUES) >> (8 * i));
    for (int i = 0; i < VALUES; i++)
        memcpy(bytes + 8 + 2 * i, i == 0 ? "[1" : ",1", 2);
    scratch_write(scratch_path("x.safetensors"), bytes, BYTES);
    memory_free(bytes);
    check_refused(scratch_path("x.safetensors"), "the header has more than 4000000 values");
}
END_TEST

/* A file cut anywhere is refused when it is opened or when it is read. */
START_TEST(truncated_files_are_refused)
{
    static const char *const paths[] = {
        "tests/corpus/torch/small.pt", "tests/corpus/torch/small-old.pt",
        "tests/corpus/torch/small-protocol4.pt", "tests/corpus/safetensors/small.safetensors"};
    for (int k = 0; k < 4; k++) {
        size_t size;
        char *bytes = scratch_read(paths[k], &size);
        for (size_t cut = 0; cut < size; cut += cut % 5 + 1) {
            scratch_write(scratch_path("cut"), bytes, cut);
            check_refused(scratch_path("cut"), "");
        }
        free(bytes);
    }
}
END_TEST

/* Python's shorthand: what the pickle does, and why it is refused. */
static void check_pickle(const char *object, size_t size, const char *text)
{
    static const char before[] =
        "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03."
        "\x80\x02}U\x0dlittle_endian\x88s.";
    char bytes[1024];
    memcpy(bytes, before, sizeof before - 1);
    memcpy(bytes + sizeof before - 1, object, size);
    scratch_write(scratch_path("x.pt"), bytes, sizeof before - 1 + size);
    check_refused(scratch_path("x.pt"), text);
}
#define PICKLE(bytes, text) check_pickle(bytes, sizeof bytes - 1, text)

START_TEST(impossible_pickles_are_refused)
{
    PICKLE("\x80\x02.", "lacks its values");
    PICKLE("\x80\x02}", "ends inside an instruction");
    PICKLE("\x80\x02(.", "lacks its values");
    PICKLE("\x80\x02t.", "a mark is missing");
    PICKLE("\x80\x02h\x07.", "did not remember");
    PICKLE("\x80\x02Nr\xff\xff\xff\xff.", "impossible number");
    PICKLE("\x80\x02X\xff\xff\xff\xff"
           "a.",
           "ends inside an instruction");
    PICKLE("\x80\x02](K\x01K\x02u.", "another kind");
    PICKLE("\x80\x02}(K\x01u.", "a key has no value");
    PICKLE("\x80\x02K\x01K\x02"
           "a.",
           "another kind");
    PICKLE("\x80\x02K\x01)R.", "no function");
    PICKLE("\x80\x02"
           "ccollections\nOrderedDict\nK\x01R.",
           "no function");
    PICKLE("\x80\x02"
           "ccollections\nOrderedDict\nK\x01\x85R.",
           "something unknown");
    PICKLE("\x80\x02"
           "ctorch._utils\n_rebuild_tensor_v2\n)R.",
           "a tensor is made of something unknown");
    PICKLE("\x80\x02K\x01Q.", "no storage");
    PICKLE("\x80\x02]N\x85Q.", "no storage");
    PICKLE("\x80\x02"
           "cos\nsystem\n.",
           "names os.system");
    PICKLE("\x80\x04\x8c\x02os\x8c\x06system\x93.", "names os.system");
    PICKLE("\x80\x02"
           "cos\nsys",
           "inside a name");
    PICKLE("\x80\x02(ios\nsystem\n.", "names os.system");
    PICKLE("\x80\x02(icollections\nOrderedDict\n.", "makes an object of a class");
    PICKLE("\x80\x02"
           "ctorch._utils\n_rebuild_tensor_v2\n(("
           "U\x07storage"
           "ctorch\nFloatStorage\n"
           "U\x01"
           "0U\x03"
           "cpuK\x01tQK\x00K\x01\x85K\x01\x85\x89N}U\x03neg\x88stR.",
           "marked as negated or conjugate");
    PICKLE("\x80\x02)\x81.", "instruction 0x81");
    PICKLE("\x80\x02\x82\x01.", "instruction 0x82");
    PICKLE("\x80\x09N.", "protocol is 9");
    PICKLE("\x80\x02N.", "holds no state dict");
    PICKLE("\x80\x02]q\x00h\x00"
           "a.",
           "no tensors");
}
END_TEST

SUITE_MAIN("exchange_refusals", a_pickle_that_names_a_function_is_refused_by_name,
           a_pickle_without_tensors_is_refused, tensors_outside_their_storage_are_refused,
           files_of_something_else_are_refused_with_their_kind, damaged_files_are_refused,
           wrong_headers_of_safetensors_are_refused, other_wrong_headers_of_safetensors_are_refused,
           a_header_of_many_values_is_refused, truncated_files_are_refused,
           impossible_pickles_are_refused)
