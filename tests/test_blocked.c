/* Tests of packed weights: each element's address is computed on its own, from the definition in
 * blocked.h, and compared. */
#include "base/memory.h"
#include "engine/blocked.h"
#include "tests/suite.h"

enum { OUT = 0, IN = 1 };

/* Dimensions, inner blocks (outermost first) and the type; strides follow, the inner blocks being
 * the innermost of all and the dimensions outside of them in the order of `order`. */
typedef struct Layout {
    const char *name;
    int rank;
    int64_t dims[4];
    int order[4];
    int inner_count, inner_dim[4];
    int64_t inner_block[4];
    DType type;
} Layout;

static const Layout layouts[] = {
    {"OIhw16i16o", 4, {40, 20, 3, 3}, {0, 1, 2, 3}, 2, {IN, OUT}, {16, 16}, DTYPE_F32},
    {"OIhw8i16o2i", 4, {33, 35, 3, 3}, {0, 1, 2, 3}, 3, {IN, OUT, IN}, {8, 16, 2}, DTYPE_BF16},
    {"IOhw16o16i2o", 4, {64, 1, 3, 3}, {1, 0, 2, 3}, 3, {OUT, IN, OUT}, {16, 16, 2}, DTYPE_BF16},
    {"Owi8o", 4, {3, 5, 1, 4}, {0, 2, 3, 1}, 1, {OUT}, {8}, DTYPE_F32},
    {"oihw", 4, {7, 6, 3, 2}, {0, 1, 2, 3}, 0, {0}, {0}, DTYPE_F32},
    {"hwio", 4, {7, 6, 3, 3}, {2, 3, 1, 0}, 0, {0}, {0}, DTYPE_BF16},
    {"AB16b64a", 2, {100, 30, 1, 1}, {0, 1, 2, 3}, 2, {1, 0}, {16, 64}, DTYPE_F32},
    {"BA16a16b2a", 2, {100, 30, 1, 1}, {1, 0, 2, 3}, 3, {0, 1, 0}, {16, 16, 2}, DTYPE_BF16},
};
enum { LAYOUTS = sizeof layouts / sizeof layouts[0] };

static BlockedLayout blocked(const Layout *l)
{
    BlockedLayout b = {.rank = l->rank, .type = l->type, .inner_count = l->inner_count};
    int64_t step[4] = {1, 1, 1, 1}, stride = 1;
    for (int i = 0; i < l->inner_count; i++) {
        b.inner_dim[i] = l->inner_dim[i];
        b.inner_block[i] = l->inner_block[i];
        step[l->inner_dim[i]] *= l->inner_block[i];
        stride *= l->inner_block[i];
    }
    for (int k = l->rank - 1; k >= 0; k--) {
        int d = 0;
        for (int i = 0, at = 0; i < 4; i++)
            if (l->order[i] < l->rank && at++ == k)
                d = l->order[i];
        const int64_t count = (l->dims[d] + step[d] - 1) / step[d];
        b.dims[d] = l->dims[d];
        b.padded[d] = count * step[d];
        b.strides[d] = stride;
        stride *= count;
    }
    b.bytes = (size_t)stride * dtype_size(l->type);
    return b;
}

static int64_t address(const BlockedLayout *b, const int64_t *position)
{
    int64_t rest[4], step[4] = {1, 1, 1, 1}, inside = 0, unit = 1, outside = 0;
    for (int d = 0; d < b->rank; d++)
        rest[d] = position[d];
    for (int i = b->inner_count - 1; i >= 0; i--) {
        const int d = b->inner_dim[i];
        inside += rest[d] % b->inner_block[i] * unit;
        rest[d] /= b->inner_block[i];
        unit *= b->inner_block[i];
        step[d] *= b->inner_block[i];
    }
    for (int d = 0; d < b->rank; d++)
        outside += position[d] / step[d] * b->strides[d];
    return outside + inside;
}

/* Position number i, in the order of the plain array [dims], the last dimension fastest. */
static void unravel(const BlockedLayout *b, int64_t i, int64_t *position)
{
    for (int d = b->rank - 1; d >= 0; d--) {
        position[d] = i % b->dims[d];
        i /= b->dims[d];
    }
}

static float number(int64_t i)
{
    return (float)(i % 251 + 1) * 1.0625f + (float)(i % 7) * 0.0009765625f;
}

typedef struct Packed {
    BlockedLayout layout;
    BlockedPlan *plan;
    int64_t count, strides[4];
    float *plain;
    void *packed;
} Packed;

static Packed pack(const Layout *l)
{
    Packed p = {.layout = blocked(l), .count = 1};
    for (int d = l->rank - 1; d >= 0; d--) {
        p.strides[d] = p.count;
        p.count *= l->dims[d];
    }
    p.plan = blocked_plan(&p.layout, p.strides);
    p.plain = memory_small((size_t)p.count, sizeof *p.plain);
    p.packed = memory_small(p.layout.bytes, 1);
    for (int64_t i = 0; i < p.count; i++)
        p.plain[i] = number(i);
    blocked_pack(p.plan, p.plain, p.packed);
    return p;
}

static void packed_free(Packed *p)
{
    blocked_plan_free(p->plan);
    memory_free(p->plain);
    memory_free(p->packed);
}

/* Every element is at its address, rounded to the type, and everything else is still zero. */
START_TEST(elements_are_at_their_addresses_and_padding_is_zero)
{
    for (int k = 0; k < LAYOUTS; k++) {
        Packed p = pack(&layouts[k]);
        const DType type = p.layout.type;
        float *expected = memory_small(p.layout.bytes, sizeof *expected);
        for (int64_t i = 0; i < p.count; i++) {
            int64_t position[4];
            unravel(&p.layout, i, position);
            const int64_t at = address(&p.layout, position);
            ck_assert_msg(expected[at] == 0, "%s: two elements at one address", layouts[k].name);
            expected[at] =
                type == DTYPE_F32 ? number(i) : bf16_to_float(bf16_from_float(number(i)));
        }
        for (size_t at = 0; at < p.layout.bytes / dtype_size(type); at++)
            ck_assert_msg(load(p.packed, type, at) == expected[at],
                          "%s: expected %g at %zu, got %g", layouts[k].name, expected[at], at,
                          load(p.packed, type, at));
        memory_free(expected);
        packed_free(&p);
    }
}
END_TEST

START_TEST(unpacking_is_the_way_back)
{
    for (int k = 0; k < LAYOUTS; k++) {
        Packed p = pack(&layouts[k]);
        float *back = memory_small((size_t)p.count, sizeof *back);
        blocked_unpack(p.plan, p.packed, back);
        for (int64_t i = 0; i < p.count; i++) {
            const float rounded = bf16_to_float(bf16_from_float(number(i)));
            ck_assert_msg(back[i] == (p.layout.type == DTYPE_F32 ? number(i) : rounded),
                          "%s: element %lld", layouts[k].name, (long long)i);
        }
        memory_free(back);
        packed_free(&p);
    }
}
END_TEST

/* The plain array may be any: here a transposed matrix. */
START_TEST(plain_strides_are_the_callers)
{
    Layout l = layouts[LAYOUTS - 2];
    BlockedLayout b = blocked(&l);
    const int64_t strides[] = {1, l.dims[0]};
    BlockedPlan *plan = blocked_plan(&b, strides);
    float *plain = memory_small((size_t)(l.dims[0] * l.dims[1]), sizeof *plain);
    float *packed = memory_small(b.bytes, 1);
    for (int64_t i = 0; i < l.dims[0] * l.dims[1]; i++)
        plain[i] = number(i);
    blocked_pack(plan, plain, packed);
    for (int64_t i = 0; i < l.dims[0] * l.dims[1]; i++) {
        const int64_t position[] = {i % l.dims[0], i / l.dims[0]};
        ck_assert_float_eq(packed[address(&b, position)], number(i));
    }
    blocked_plan_free(plan);
    memory_free(plain);
    memory_free(packed);
}
END_TEST

SUITE_MAIN("blocked layouts", elements_are_at_their_addresses_and_padding_is_zero,
           unpacking_is_the_way_back, plain_strides_are_the_callers)
