/* Tests of Winograd's convolutions against the definition in plain loops in double
 * (engine/product_reference.h), with the kernels of every instruction set that this processor has.
 *
 * Working memory and results are full of NaN before a run, and results have a margin of NaN that
 * must stay. What is allowed is what rounding may do (expected_widen).
 */
#include "base/cpu.h"
#include "base/memory.h"
#include "base/random.h"
#include "engine/primitive.h"
#include "engine/product_log.h"
#include "engine/product_reference.h"
#include "engine/winograd.h"
#include "tests/suite.h"

#include <math.h>

enum { MARGIN = 64, MOST_SETS = 3 };

/* n, height, width, input and output channels. Channels are no multiples of a vector, images none of
 * a tile; there are fewer tiles than outputs and more; and more than a block of the gradient. */
static const int shapes[][5] = {{1, 1, 1, 1, 1},    {1, 1, 1, 33, 17},  {2, 5, 3, 3, 20},
                                {1, 4, 4, 16, 16},  {3, 7, 9, 40, 12},  {2, 8, 8, 32, 48},
                                {1, 13, 6, 17, 65}, {5, 4, 4, 64, 32},  {9, 12, 12, 8, 8},
                                {1, 30, 30, 8, 40}, {13, 16, 12, 9, 8}, {1, 2, 33, 20, 70}};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static ConvShape shape_of(const int *s)
{
    return (ConvShape){.n = s[0],
                       .in_height = s[1],
                       .in_width = s[2],
                       .in_channels = s[3],
                       .out_height = s[1],
                       .out_width = s[2],
                       .out_channels = s[4],
                       .kernel = 3,
                       .stride = 1,
                       .pad_begin = 1,
                       .pad_end = 1};
}

/* The sets of kernels that run here. */
static int list_sets(const WinogradKernels **sets)
{
    int count = 0;
    sets[count++] = &winograd_baseline;
#if defined(__x86_64__) && !defined(VARHEAD_NO_DISPATCH)
    if (cpu_vectors() >= CPU_VECTORS_AVX2)
        sets[count++] = &winograd_avx2;
    else
        suite_skips("AVX2");
    if (cpu_vectors() >= CPU_VECTORS_AVX512)
        sets[count++] = &winograd_avx512;
    else
        suite_skips("AVX-512");
#endif
    return count;
}

/* -- A case ----------------------------------------------------------------------------------- */

/* The operands of a pass: random numbers, but NaN in those that it writes. */
typedef struct Case {
    Winograd winograd;
    size_t counts[OPERAND_COUNT];
    float *memory[OPERAND_COUNT];
    void *operands[OPERAND_COUNT];
} Case;

static bool is_result(ConvPass pass, int operand)
{
    return operand == (pass == CONV_FORWARD         ? OPERAND_DST
                       : pass == CONV_BACKWARD_DATA ? OPERAND_SRC
                                                    : OPERAND_WEIGHTS) ||
           (pass == CONV_BACKWARD_WEIGHTS && operand == OPERAND_BIAS);
}

static Case case_new(const WinogradKernels *kernels, ConvShape shape, ConvPass pass, int threads)
{
    Case c = {.winograd = {kernels, shape, pass, threads},
              .counts = {[OPERAND_SRC] = (size_t)conv_src_count(&shape),
                         [OPERAND_WEIGHTS] = (size_t)conv_weights_count(&shape),
                         [OPERAND_BIAS] = (size_t)shape.out_channels,
                         [OPERAND_DST] = (size_t)conv_dst_count(&shape),
                         [OPERAND_ADDED] = (size_t)conv_dst_count(&shape)}};
    for (int i = 0; i < OPERAND_COUNT; i++) {
        c.memory[i] = memory_small(c.counts[i] + 2 * MARGIN, sizeof(float));
        c.operands[i] = c.memory[i] + MARGIN;
        for (size_t k = 0; k < c.counts[i] + 2 * MARGIN; k++)
            c.memory[i][k] = NAN;
        if (!is_result(pass, i))
            random_normal((RandomKey){.seed = 3, .purpose = RANDOM_NOISE, .sample = (uint32_t)i},
                          c.operands[i], c.counts[i]);
    }
    c.operands[OPERAND_ROWS] = NULL;
    return c;
}

static void case_free(Case *c)
{
    for (int i = 0; i < OPERAND_COUNT; i++)
        memory_free(c->memory[i]);
}

static void case_run(Case *c)
{
    Error error = {0};
    const size_t bytes = winograd_scratch_bytes(&c->winograd) +
                         (c->operands[OPERAND_ROWS] ? winograd_rows_bytes(&c->winograd) : 0);
    unsigned char *scratch = memory_large(bytes + MARGIN, 1, "scratch", &error);
    must(scratch != NULL, &error);
    memset(scratch, 0xff, bytes + MARGIN);
    winograd_run(&c->winograd, c->operands, scratch);
    for (size_t i = bytes; i < bytes + MARGIN; i++)
        ck_assert_msg(scratch[i] == 0xff, "wrote beyond its working memory");
    memory_free(scratch);
    for (int i = 0; i < OPERAND_COUNT; i++)
        for (size_t k = 0; k < MARGIN; k++)
            ck_assert_msg(isnan(c->memory[i][k]) && isnan(c->memory[i][MARGIN + c->counts[i] + k]),
                          "wrote beyond operand %d", i);
}

/* The position of element `index` of the result, in its dimensions. */
static void find_position(const Case *c, size_t index, int64_t *at)
{
    const ConvShape *s = &c->winograd.shape;
    const ConvPass pass = c->winograd.pass;
    const int64_t channels = pass == CONV_FORWARD ? s->out_channels : s->in_channels;
    const bool weights = pass == CONV_BACKWARD_WEIGHTS;
    const int64_t dims[] = {0, weights ? s->in_channels : s->in_height, weights ? 3 : s->in_width,
                            weights ? 3 : channels};
    int64_t rest = (int64_t)index;
    for (int d = 3; d > 0; d--, rest /= dims[d + 1])
        at[d] = rest % dims[d];
    at[0] = rest;
}

static void check_element(const Case *c, const char *what, float got, const Expected *want)
{
    const ConvShape *s = &c->winograd.shape;
    ck_assert_msg(fabs((double)got - want->value) <= expected_tolerance(want, DTYPE_F32),
                  "%s: %s of pass %d is %.9g, not %.9g; [%d, %d, %d, %d] -> %d",
                  c->winograd.kernels->name, what, c->winograd.pass, (double)got, want->value, s->n,
                  s->in_height, s->in_width, s->in_channels, s->out_channels);
}

static void case_check(const Case *c)
{
    const ConvPass pass = c->winograd.pass;
    const Product product = {
        .conv = c->winograd.shape, .pass = pass, .added = c->operands[OPERAND_ADDED] != NULL};
    ProductOperands operands;
    for (int i = 0; i < OPERAND_COUNT; i++)
        operands.of[i] = (Tensor){c->operands[i], DTYPE_F32};
    const int result = pass == CONV_FORWARD         ? OPERAND_DST
                       : pass == CONV_BACKWARD_DATA ? OPERAND_SRC
                                                    : OPERAND_WEIGHTS;
    const ConvShape *s = &c->winograd.shape;
    const int64_t terms = pass == CONV_FORWARD         ? 9 * s->in_channels
                          : pass == CONV_BACKWARD_DATA ? 9 * s->out_channels
                                                       : s->n * s->in_height * s->in_width;
    for (size_t i = 0; i < c->counts[result]; i++) {
        int64_t at[4];
        find_position(c, i, at);
        Expected want = product_element(&product, &operands, at);
        expected_widen(&want, terms, 1);
        check_element(c, "an element", ((const float *)c->operands[result])[i], &want);
    }
    for (int64_t o = 0; pass == CONV_BACKWARD_WEIGHTS && o < c->winograd.shape.out_channels; o++) {
        const Expected want = product_bias_gradient(&product, &operands, o);
        check_element(c, "the bias", ((const float *)c->operands[OPERAND_BIAS])[o], &want);
    }
}

/* -- Tests ------------------------------------------------------------------------------------ */

static void check_pass(ConvPass pass)
{
    const WinogradKernels *sets[MOST_SETS];
    const int count = list_sets(sets);
    for (int set = 0; set < count; set++)
        for (int i = 0; i < SHAPES; i++) {
            Case c = case_new(sets[set], shape_of(shapes[i]), pass, 2);
            case_run(&c);
            case_check(&c);
            case_free(&c);
        }
}

START_TEST(the_forward_pass_is_its_definition)
{
    check_pass(CONV_FORWARD);
}
END_TEST

START_TEST(the_gradient_of_the_input_is_its_definition)
{
    check_pass(CONV_BACKWARD_DATA);
}
END_TEST

START_TEST(the_gradient_of_the_weights_is_its_definition)
{
    check_pass(CONV_BACKWARD_WEIGHTS);
}
END_TEST

START_TEST(nothing_need_be_added)
{
    Case c = case_new(winograd_kernels(), shape_of(shapes[4]), CONV_FORWARD, 2);
    c.operands[OPERAND_ADDED] = NULL;
    case_run(&c);
    case_check(&c);
    case_free(&c);
}
END_TEST

/* Bits of the result: of a pass with all its images. */
static void check_bits(const Case *a, const Case *b, size_t count, const char *what)
{
    for (int i = 0; i < OPERAND_COUNT; i++)
        if (is_result(a->winograd.pass, i))
            ck_assert_msg(memcmp(a->operands[i], b->operands[i],
                                 (count < a->counts[i] ? count : a->counts[i]) * sizeof(float)) ==
                              0,
                          "%s: the bits of pass %d depend on the %s", a->winograd.kernels->name,
                          a->winograd.pass, what);
}

START_TEST(bits_do_not_depend_on_the_threads)
{
    const WinogradKernels *sets[MOST_SETS];
    const int count = list_sets(sets), threads[] = {2, 3, 7};
    for (int set = 0; set < count; set++)
        for (int i = 4; i < SHAPES; i++)
            for (int pass = CONV_FORWARD; pass <= CONV_BACKWARD_WEIGHTS; pass++) {
                Case one = case_new(sets[set], shape_of(shapes[i]), (ConvPass)pass, 1);
                case_run(&one);
                for (int k = 0; k < 3; k++) {
                    Case other =
                        case_new(sets[set], shape_of(shapes[i]), (ConvPass)pass, threads[k]);
                    case_run(&other);
                    check_bits(&one, &other, SIZE_MAX, "threads");
                    case_free(&other);
                }
                case_free(&one);
            }
}
END_TEST

/* Eight images have fewer tiles than a column has outputs, and fifty have more: the weights are
 * brought to their points last and first. */
START_TEST(an_image_does_not_depend_on_the_others)
{
    const WinogradKernels *sets[MOST_SETS];
    const int count = list_sets(sets);
    for (int set = 0; set < count; set++) {
        Case few = case_new(sets[set], shape_of((int[]){8, 4, 4, 24, 48}), CONV_FORWARD, 2);
        Case many = case_new(sets[set], shape_of((int[]){70, 4, 4, 24, 48}), CONV_FORWARD, 2);
        case_run(&few);
        case_run(&many);
        check_bits(&few, &many, few.counts[OPERAND_DST], "other images");
        case_free(&few);
        case_free(&many);
    }
}
END_TEST

/* Rows of a case's input, which lies in its memory. */
static void copy_rows(const void *context, int first, int last, float *to)
{
    const Case *c = context;
    const ConvShape *s = &c->winograd.shape;
    const ptrdiff_t row = (ptrdiff_t)s->in_width * s->in_channels;
    ck_assert(0 <= first && first < last && last <= s->n * s->in_height);
    memcpy(to, c->memory[OPERAND_SRC] + MARGIN + first * row,
           (size_t)((last - first) * row) * sizeof(float));
}

START_TEST(the_gradient_takes_its_input_row_by_row)
{
    const WinogradKernels *sets[MOST_SETS];
    const int count = list_sets(sets);
    for (int set = 0; set < count; set++)
        for (int i = 0; i < SHAPES; i++) {
            Case whole = case_new(sets[set], shape_of(shapes[i]), CONV_BACKWARD_WEIGHTS, 1);
            Case rows = case_new(sets[set], shape_of(shapes[i]), CONV_BACKWARD_WEIGHTS, 3);
            const RowSource source = {copy_rows, &rows};
            case_run(&whole);
            rows.operands[OPERAND_SRC] = NULL;
            rows.operands[OPERAND_ROWS] = (void *)&source;
            case_run(&rows);
            check_bits(&whole, &rows, SIZE_MAX, "source of the input");
            case_free(&whole);
            case_free(&rows);
        }
}
END_TEST

static const char *implementation(const ConvShape *shape, bool direct)
{
    static char name[64];
    Error error = {0};
    Primitive *p = NULL;
    must(primitive_conv(&p, &(Product){.conv = *shape, .direct = direct}, &error), &error);
    snprintf(name, sizeof name, "%s", primitive_implementation(p));
    primitive_free(p);
    return name;
}

START_TEST(a_fixed_rule_says_where_it_is_taken)
{
    ConvShape shape = shape_of((int[]){4, 8, 8, 64, 32});
    ck_assert_str_eq(implementation(&shape, false), winograd_kernels()->name);
    ck_assert_str_ne(implementation(&shape, true), winograd_kernels()->name);
    shape.in_channels = 3;
    ck_assert_str_ne(implementation(&shape, false), winograd_kernels()->name);
    shape = shape_of((int[]){4, 2, 2, 64, 32});
    ck_assert_str_ne(implementation(&shape, false), winograd_kernels()->name);
    shape = shape_of((int[]){1, 8, 8, 64, 32});
    ck_assert_str_ne(implementation(&shape, false), winograd_kernels()->name);
    shape = shape_of((int[]){4, 5, 5, 64, 32});
    ck_assert_str_ne(implementation(&shape, false), winograd_kernels()->name);
    shape = shape_of((int[]){4, 6, 6, 64, 32});
    ck_assert_str_eq(implementation(&shape, false), winograd_kernels()->name);
    shape = shape_of((int[]){4, 8, 8, 64, 32});
    shape.stride = 2;
    shape.out_height = shape.out_width = 4;
    ck_assert_str_ne(implementation(&shape, false), winograd_kernels()->name);
}
END_TEST

/* The check finds a rounding error within its bound, and above zero: it looked at something. No other
 * test has this shape, whose products may be in the same log. */
START_TEST(every_product_is_checked_when_it_is_made)
{
    const ConvShape shape = shape_of((int[]){3, 12, 12, 48, 40});
    for (int pass = CONV_FORWARD; pass <= CONV_BACKWARD_WEIGHTS; pass++) {
        Error error = {0};
        Primitive *p = NULL;
        must(primitive_conv(&p, &(Product){.conv = shape, .pass = (ConvPass)pass}, &error), &error);
        primitive_free(p);
    }
    int count = 0;
    for (const ProductLog *log = product_log_first(); log; log = log->next) {
        if (!strstr(log->product, "[3, 12, 12, 48]"))
            continue;
        count++;
        ck_assert_str_eq(log->chosen.implementation, winograd_kernels()->name);
        ck_assert_msg(log->is_checked && log->off > 0 && log->off <= 0.5, "off by %g of the bound",
                      log->off);
    }
    ck_assert_int_eq(count, 3);
}
END_TEST

START_TEST(the_variable_of_onednn_holds_these_kernels_too)
{
    unsetenv("ONEDNN_MAX_CPU_ISA");
    unsetenv("DNNL_MAX_CPU_ISA");
    const CpuVectors best = cpu_vectors();
    setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1);
    ck_assert_int_eq(cpu_vectors(), best < CPU_VECTORS_AVX2 ? best : CPU_VECTORS_AVX2);
    setenv("ONEDNN_MAX_CPU_ISA", "sse41", 1);
    ck_assert_int_eq(cpu_vectors(), CPU_VECTORS_BASELINE);
    setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_AMX", 1);
    ck_assert_int_eq(cpu_vectors(), best);
    unsetenv("ONEDNN_MAX_CPU_ISA");
    setenv("DNNL_MAX_CPU_ISA", "AVX", 1);
    ck_assert_int_eq(cpu_vectors(), CPU_VECTORS_BASELINE);
}
END_TEST

SUITE_MAIN("winograd", the_forward_pass_is_its_definition,
           the_gradient_of_the_input_is_its_definition,
           the_gradient_of_the_weights_is_its_definition, nothing_need_be_added,
           bits_do_not_depend_on_the_threads, the_gradient_takes_its_input_row_by_row,
           an_image_does_not_depend_on_the_others, a_fixed_rule_says_where_it_is_taken,
           every_product_is_checked_when_it_is_made, the_variable_of_onednn_holds_these_kernels_too)
