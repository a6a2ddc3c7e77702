/* The instructions of pickles, each of one byte with its operand. The machine that they work on has a
 * stack of values and a memory of values by number, the memo. */
#include "exchange/pickle_machine.h"

#include "base/memory.h"

#include <string.h>

/* -- Operands ---------------------------------------------------------------------------------- */

/* The next `count` bytes of the pickle; NULL with the error if it ends before. */
static const uint8_t *take(PickleMachine *m, size_t count)
{
    if (count > m->size - m->at) {
        machine_fail(m, "it ends inside an instruction");
        return NULL;
    }
    m->at += count;
    return m->bytes + m->at - count;
}

/* *value := a number of `count` bytes, the lowest first. */
static bool take_number(PickleMachine *m, size_t count, uint64_t *value)
{
    const uint8_t *bytes = take(m, count);
    *value = 0;
    for (size_t i = 0; bytes && i < count; i++)
        *value |= (uint64_t)bytes[i] << (8 * i);
    return bytes != NULL;
}

static bool push_text(PickleMachine *m, size_t length_bytes)
{
    uint64_t length;
    const uint8_t *bytes = NULL;
    if (!take_number(m, length_bytes, &length))
        return false;
    bytes = take(m, length > m->size ? m->size + 1 : (size_t)length);
    PickleValue *value = bytes ? machine_make(m, PICKLE_TEXT) : NULL;
    if (value) {
        value->as.text.bytes = (const char *)bytes;
        value->as.text.size = (size_t)length;
    }
    return machine_push(m, value);
}

/* An integer of any length in two's complement. */
static bool push_long(PickleMachine *m, size_t length_bytes)
{
    uint64_t length, bits = 0;
    if (!take_number(m, length_bytes, &length))
        return false;
    const uint8_t *bytes = take(m, length > m->size ? m->size + 1 : (size_t)length);
    if (!bytes)
        return false;
    if (length > 8) {
        PickleValue *value = machine_make(m, PICKLE_LONG);
        if (value) {
            value->as.text.bytes = (const char *)bytes;
            value->as.text.size = (size_t)length;
        }
        return machine_push(m, value);
    }
    for (size_t i = 0; i < length; i++)
        bits |= (uint64_t)bytes[i] << (8 * i);
    if (length > 0 && length < 8 && bytes[length - 1] & 0x80)
        bits |= ~(uint64_t)0 << (8 * length);
    int64_t integer;
    memcpy(&integer, &bits, sizeof integer);
    return machine_push_integer(m, integer);
}

/* Eight bytes, the highest first. */
static bool push_real(PickleMachine *m)
{
    const uint8_t *bytes = take(m, 8);
    uint64_t bits = 0;
    PickleValue *value = bytes ? machine_make(m, PICKLE_REAL) : NULL;
    for (int i = 0; value && i < 8; i++)
        bits = bits << 8 | bytes[i];
    if (value)
        memcpy(&value->as.real, &bits, sizeof bits);
    return machine_push(m, value);
}

/* -- Instructions ------------------------------------------------------------------------------- */

/* Instructions that push a constant, and those with a number as operand. */
static bool push_number(PickleMachine *m, uint8_t code, bool *known)
{
    uint64_t value = 0;
    *known = true;
    switch (code) {
    case 'K': /* BININT1 */
        return take_number(m, 1, &value) && machine_push_integer(m, (int64_t)value);
    case 'M': /* BININT2 */
        return take_number(m, 2, &value) && machine_push_integer(m, (int64_t)value);
    case 'J': /* BININT */
        return take_number(m, 4, &value) && machine_push_integer(m, (int32_t)(uint32_t)value);
    case 0x8a: /* LONG1 */
        return push_long(m, 1);
    case 0x8b: /* LONG4 */
        return push_long(m, 4);
    case 'G': /* BINFLOAT */
        return push_real(m);
    case 'N': /* NONE */
        return machine_push(m, machine_make(m, PICKLE_NONE));
    case 0x88: /* NEWTRUE */
        return machine_push_truth(m, true);
    case 0x89: /* NEWFALSE */
        return machine_push_truth(m, false);
    case 'X': /* BINUNICODE */
    case 'T': /* BINSTRING */
    case 'B': /* BINBYTES */
        return push_text(m, 4);
    case 0x8c: /* SHORT_BINUNICODE */
    case 'U':  /* SHORT_BINSTRING */
    case 'C':  /* SHORT_BINBYTES */
        return push_text(m, 1);
    case 0x8d: /* BINUNICODE8 */
        return push_text(m, 8);
    default:
        *known = false;
        return false;
    }
}

static bool containers(PickleMachine *m, uint8_t code, bool *known)
{
    *known = true;
    switch (code) {
    case '(': /* MARK */
        return machine_push(m, machine_make(m, PICKLE_MARK));
    case ')': /* EMPTY_TUPLE */
        return machine_make_tuple(m, 0);
    case 0x85: /* TUPLE1 */
    case 0x86:
    case 0x87: /* TUPLE3 */
        return machine_make_tuple(m, (size_t)(code - 0x84));
    case 't': /* TUPLE */
        return machine_make_from_mark(m, PICKLE_TUPLE);
    case ']': /* EMPTY_LIST */
        return machine_push(m, machine_make(m, PICKLE_LIST));
    case 'l': /* LIST */
        return machine_make_from_mark(m, PICKLE_LIST);
    case '}': /* EMPTY_DICT */
        return machine_push(m, machine_make(m, PICKLE_DICT));
    case 'd': /* DICT */
        return machine_make_from_mark(m, PICKLE_DICT);
    case 'a': /* APPEND */
        return machine_append_one(m);
    case 'e': /* APPENDS */
        return machine_add_from_mark(m, PICKLE_LIST);
    case 's': /* SETITEM */
        return machine_set_item(m);
    case 'u': /* SETITEMS */
        return machine_add_from_mark(m, PICKLE_DICT);
    default:
        *known = false;
        return false;
    }
}

static bool others(PickleMachine *m, uint8_t code)
{
    uint64_t value = 0;
    switch (code) {
    case 0x80: /* PROTO */
        return take_number(m, 1, &value) &&
               (value <= 5 || machine_fail(m, "its protocol is %llu", (unsigned long long)value));
    case 0x95: /* FRAME */
        return take(m, 8) != NULL;
    case 'q': /* BINPUT */
        return take_number(m, 1, &value) && machine_put(m, value);
    case 'r': /* LONG_BINPUT */
        return take_number(m, 4, &value) && machine_put(m, value);
    case 0x94: /* MEMOIZE */
        return machine_put(m, m->memo_count);
    case 'h': /* BINGET */
        return take_number(m, 1, &value) && machine_get(m, value);
    case 'j': /* LONG_BINGET */
        return take_number(m, 4, &value) && machine_get(m, value);
    case '0': /* POP */
        return machine_pop_any(m);
    case '1': /* POP_MARK */
        return machine_pop_mark(m);
    case '2': /* DUP */
        return m->height > 0 ? machine_push(m, m->stack[m->height - 1])
                             : machine_fail_at(m, "an instruction lacks its values");
    case 'c': /* GLOBAL */
        return machine_push_global(m);
    case 0x93: /* STACK_GLOBAL */
        return machine_push_stack_global(m);
    case 'i': /* INST, which calls a class; an unknown one is refused by name */
        return machine_push_global(m) && machine_fail_at(m, "it makes an object of a class");
    case 'R': /* REDUCE */
        return machine_call(m);
    case 'b': /* BUILD */
        return machine_build(m);
    case 'Q': /* BINPERSID */
        return machine_push_storage(m);
    default:
        return machine_fail(m, "the instruction 0x%02x is unknown here (byte %zu)", code,
                            m->at - 1);
    }
}

static bool run(PickleMachine *m)
{
    for (;;) {
        const uint8_t *code = take(m, 1);
        bool known;
        if (!code)
            return false;
        if (*code == '.') /* STOP */
            return pickle_set_root(m->pickle, machine_pop(m));
        bool ok = push_number(m, *code, &known);
        if (!known)
            ok = containers(m, *code, &known);
        if (!known)
            ok = others(m, *code);
        if (!ok)
            return false;
    }
}

bool pickle_read(Pickle **result, const uint8_t *bytes, size_t size, size_t *used,
                 const char *origin, Error *error)
{
    Pickle *pickle = pickle_new();
    PickleMachine machine = {
        .pickle = pickle, .bytes = bytes, .size = size, .origin = origin, .error = error};
    const bool ok = run(&machine);
    *used = machine.at;
    memory_free(machine.stack);
    memory_free(machine.memo);
    *result = ok ? pickle : NULL;
    if (!ok)
        pickle_free(pickle);
    return ok;
}
