/* Tests of the check of products: a wrong product is found and not used. In this program
 * tests/preload/onednn_fault.c stands between varhead and oneDNN, and spoils the implementations
 * that ONEDNN_FAULT names. Every test is a process of its own, so each has its own log of products.
 */
#include "base/note.h"
#include "engine/product_check.h"
#include "engine/product_log.h"
#include "engine/product_reference.h"
#include "tests/suite.h"

#include <math.h>

static Error error;

/* A convolution of `channels` to 20 channels; 20 leaves padding in every block. */
static ConvShape shape(int images, int channels, int stride)
{
    return (ConvShape){.n = images,
                       .in_height = 9,
                       .in_width = 9,
                       .in_channels = channels,
                       .out_height = stride == 1 ? 9 : 4,
                       .out_width = stride == 1 ? 9 : 4,
                       .out_channels = 20,
                       .kernel = 3,
                       .stride = stride,
                       .pad_begin = stride == 1,
                       .pad_end = 1};
}

static MatmulShape matmul_shape(int64_t rows)
{
    return (MatmulShape){.batch = 1,
                         .m = rows,
                         .n = 20,
                         .k = 37,
                         .a_row = 37,
                         .a_column = 1,
                         .b_row = 20,
                         .b_column = 1,
                         .c_row = 20};
}

static bool make_conv(const ConvShape *s, ConvPass pass, DType type)
{
    Primitive *p = NULL;
    const Product product = {
        .conv = *s, .pass = pass, .type = type, .dst_type = type, .direct = true};
    const bool done = primitive_conv(&p, &product, &error);
    primitive_free(p);
    return done;
}

static bool make_matmul(int64_t rows)
{
    const MatmulShape s = matmul_shape(rows);
    Primitive *p = NULL;
    const bool done = primitive_matmul(&p, &s, &error);
    primitive_free(p);
    return done;
}

static const ProductLog *last_log(void)
{
    const ProductLog *log = product_log_first();
    while (log && log->next)
        log = log->next;
    return log;
}

static char noted[4][2048];
static int notes;

static void take_note(const char *line)
{
    if (notes < 4)
        snprintf(noted[notes], sizeof noted[0], "%s", line);
    notes++;
}

/* Every pass, type, stride and number of channels that networks have finds an implementation that is
 * right. In float32 the largest error is well within what rounding may do, and above zero: something
 * was compared. In bfloat16 one rounding of the result is nearly all that is allowed. */
START_TEST(sound_products_are_right)
{
    static const int channels[] = {1, 3, 16, 33};
    const DType types[] = {DTYPE_F32, DTYPE_BF16};
    double most = 0;
    for (int t = 0; t < 2 && primitive_support(types[t]) != SUPPORT_NONE; t++)
        for (int c = 0; c < 4; c++)
            for (int stride = 1; stride <= 2; stride++)
                for (int pass = CONV_FORWARD; pass <= CONV_BACKWARD_WEIGHTS; pass++) {
                    const ConvShape s = shape(3, channels[c], stride);
                    must(make_conv(&s, (ConvPass)pass, types[t]), &error);
                    const ProductLog *log = last_log();
                    ck_assert(log->is_checked && log->off <= 1);
                    most = t == 0 && log->off > most ? log->off : most;
                }
    must(make_matmul(50), &error);
    ck_assert_double_gt(most, 0);
    ck_assert_double_le(most, 0.5);
}
END_TEST

/* The first choice is spoiled: the next is taken, and one note says which was left out. */
static void check_next(const ConvShape *first, const ConvShape *second, ConvPass pass)
{
    must(make_conv(first, pass, DTYPE_F32), &error);
    char *preferred = strdup(last_log()->chosen.implementation);
    setenv("ONEDNN_FAULT", preferred, 1);
    notes = 0;
    note_show(take_note);
    must(make_conv(second, pass, DTYPE_F32), &error);
    const ProductLog *log = last_log();
    ck_assert_str_ne(log->chosen.implementation, preferred);
    ck_assert_msg(log->left_out && strstr(log->left_out, preferred), "%s", log->left_out);
    ck_assert_int_ge(notes, 1);
    ck_assert_msg(strstr(noted[0], primitive_library()) && strstr(noted[0], preferred) &&
                      strstr(noted[0], "nan"),
                  "%s", noted[0]);
    const int before = notes;
    ConvShape third = *second;
    third.n++;
    must(make_conv(&third, pass, DTYPE_F32), &error);
    ck_assert_int_eq(notes, before);
    unsetenv("ONEDNN_FAULT");
    free(preferred);
}

START_TEST(a_wrong_forward_pass_is_left_out)
{
    const ConvShape a = shape(2, 3, 1), b = shape(3, 3, 1);
    check_next(&a, &b, CONV_FORWARD);
}
END_TEST

START_TEST(a_wrong_last_channel_is_seen)
{
    setenv("ONEDNN_FAULT_AT", "last", 1);
    const ConvShape a = shape(2, 3, 2), b = shape(3, 3, 2);
    check_next(&a, &b, CONV_FORWARD);
}
END_TEST

START_TEST(a_wrong_last_channel_of_a_gradient_is_seen)
{
    setenv("ONEDNN_FAULT_AT", "last", 1);
    const ConvShape a = shape(2, 3, 2), b = shape(3, 3, 2);
    check_next(&a, &b, CONV_BACKWARD_DATA);
}
END_TEST

START_TEST(a_wrong_gradient_of_images_is_left_out)
{
    const ConvShape a = shape(2, 24, 1), b = shape(3, 24, 1);
    check_next(&a, &b, CONV_BACKWARD_DATA);
}
END_TEST

START_TEST(a_wrong_gradient_of_weights_is_left_out)
{
    const ConvShape a = shape(2, 24, 1), b = shape(3, 24, 1);
    check_next(&a, &b, CONV_BACKWARD_WEIGHTS);
}
END_TEST

/* Where nothing is right, one line says what, by which library, and no primitive is given. */
START_TEST(without_a_right_one_there_is_none)
{
    setenv("ONEDNN_FAULT", "", 1);
    const ConvShape s = shape(2, 3, 1);
    ck_assert(!make_conv(&s, CONV_FORWARD, DTYPE_F32));
    ck_assert_int_eq(error.kind, ERROR_RUNTIME);
    const char *const parts[] = {primitive_library(), "[2, 9, 9, 3] -> [2, 9, 9, 20]",
                                 "computes wrong numbers", "expected", "got nan"};
    for (int i = 0; i < 5; i++)
        ck_assert_msg(strstr(error.message, parts[i]), "\"%s\" in: %s", parts[i], error.message);
    ck_assert(!make_matmul(50));
    ck_assert_msg(strstr(error.message, "matrix product 1 x [50, 37] [37, 20]"), "%s",
                  error.message);
}
END_TEST

/* Equal products are checked once: spoiling comes too late for the second. */
START_TEST(a_product_is_checked_once)
{
    const ConvShape s = shape(2, 3, 1);
    must(make_conv(&s, CONV_FORWARD, DTYPE_F32), &error);
    setenv("ONEDNN_FAULT", "", 1);
    must(make_conv(&s, CONV_FORWARD, DTYPE_F32), &error);
    ck_assert_int_eq(product_log_first()->uses, 2);
    ck_assert_ptr_null(product_log_first()->next);
}
END_TEST

/* -- The reference ---------------------------------------------------------------------------- */

/* A case small enough to be worked out by hand: one image of 2 x 2, a kernel of 3 x 3 that holds
 * 1, 2, ..., 9. */
static const float image[] = {1, 10, 100, 1000}, kernel[] = {1, 2, 3, 4, 5, 6, 7, 8, 9},
                   bias[] = {0.5f}, gradient[] = {1, 2, 3, 4};

static Product by_hand(ConvPass pass)
{
    return (Product){.pass = pass,
                     .conv = {.n = 1,
                              .in_height = 2,
                              .in_width = 2,
                              .in_channels = 1,
                              .out_height = 2,
                              .out_width = 2,
                              .out_channels = 1,
                              .kernel = 3,
                              .stride = 1,
                              .pad_begin = 1,
                              .pad_end = 1}};
}

static double at(const Product *p, int a, int b, int c, int d)
{
    ProductOperands o = {{[OPERAND_SRC] = {image, DTYPE_F32},
                          [OPERAND_WEIGHTS] = {kernel, DTYPE_F32},
                          [OPERAND_BIAS] = {bias, DTYPE_F32},
                          [OPERAND_DST] = {gradient, DTYPE_F32}}};
    const int64_t position[] = {a, b, c, d};
    return product_element(p, &o, position).value;
}

START_TEST(the_reference_is_the_definition)
{
    const Product forward = by_hand(CONV_FORWARD);
    ck_assert_double_eq(at(&forward, 0, 0, 0, 0), 0.5 + 5 + 60 + 800 + 9000);
    ck_assert_double_eq(at(&forward, 0, 1, 1, 0), 0.5 + 1 + 20 + 400 + 5000);
    const Product data = by_hand(CONV_BACKWARD_DATA);
    ck_assert_double_eq(at(&data, 0, 0, 0, 0), 5 * 1 + 4 * 2 + 2 * 3 + 1 * 4);
    ck_assert_double_eq(at(&data, 0, 1, 1, 0), 9 * 1 + 8 * 2 + 6 * 3 + 5 * 4);
    const Product weights = by_hand(CONV_BACKWARD_WEIGHTS);
    ck_assert_double_eq(at(&weights, 0, 0, 1, 1), 1 + 20 + 300 + 4000);
    ck_assert_double_eq(at(&weights, 0, 0, 0, 0), 4 * 1);
    ck_assert_double_eq(at(&weights, 0, 0, 2, 2), 1 * 1000);
}
END_TEST

START_TEST(a_matrix_product_is_the_definition)
{
    const Product p = {.is_matmul = true,
                       .matmul = {.batch = 1,
                                  .m = 2,
                                  .n = 2,
                                  .k = 2,
                                  .a_row = 2,
                                  .a_column = 1,
                                  .b_row = 1,
                                  .b_column = 2,
                                  .c_row = 2}};
    ProductOperands o = {
        {[OPERAND_SRC] = {gradient, DTYPE_F32}, [OPERAND_WEIGHTS] = {image, DTYPE_F32}}};
    const int64_t position[] = {0, 1, 1};
    const Expected e = product_element(&p, &o, position);
    ck_assert_double_eq(e.value, 3 * 100 + 4 * 1000); /* b is transposed */
    ck_assert_double_eq(e.squares, 300.0 * 300 + 4000.0 * 4000);
    ck_assert_int_eq(e.terms, 2);
}
END_TEST

SUITE_MAIN("products", sound_products_are_right, a_wrong_forward_pass_is_left_out,
           a_wrong_last_channel_is_seen, a_wrong_last_channel_of_a_gradient_is_seen,
           a_wrong_gradient_of_images_is_left_out, a_wrong_gradient_of_weights_is_left_out,
           without_a_right_one_there_is_none, a_product_is_checked_once,
           the_reference_is_the_definition, a_matrix_product_is_the_definition)
