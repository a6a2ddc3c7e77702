/* The machine of pickles: a stack of values, a memory of values by number (memo), and a table of
 * instructions of one byte.
 *
 * Values live in blocks that are freed together. They may refer to one another in circles. Nothing
 * here follows references, so that neither circles nor deep nesting matter. The number of values is
 * limited, since an instruction of one byte makes a value of forty.
 */
#include "exchange/pickle.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_VALUES = 1024, MOST_VALUES = 4000000 };

typedef struct Block {
    struct Block *next;
    PickleValue values[BLOCK_VALUES];
} Block;

struct Pickle {
    Block *blocks;
    size_t values;
    PickleValue *root;
};

typedef struct Machine {
    Pickle *pickle;
    const uint8_t *bytes;
    size_t size, at;
    PickleValue **stack;
    size_t height, stack_room;
    PickleValue **memo;
    /* The room in the memo, and how many values it has. */
    size_t memo_size, memo_count;
    const char *origin;
    Error *error;
} Machine;

/* -- Names ------------------------------------------------------------------------------------- */

typedef enum Action { MAKE_DICT, MAKE_TENSOR, MAKE_PARAMETER, STORAGE_TYPE } Action;

/* All that a pickle may name. */
static const struct {
    const char *module, *name;
    Action action;
    TensorType type;
} names[] = {
    {"collections", "OrderedDict", MAKE_DICT, TENSOR_F32},
    {"torch._utils", "_rebuild_tensor_v2", MAKE_TENSOR, TENSOR_F32},
    {"torch._utils", "_rebuild_tensor", MAKE_TENSOR, TENSOR_F32},
    {"torch._utils", "_rebuild_parameter", MAKE_PARAMETER, TENSOR_F32},
    {"torch", "FloatStorage", STORAGE_TYPE, TENSOR_F32},
    {"torch", "HalfStorage", STORAGE_TYPE, TENSOR_F16},
    {"torch", "BFloat16Storage", STORAGE_TYPE, TENSOR_BF16},
    {"torch", "DoubleStorage", STORAGE_TYPE, TENSOR_F64},
    {"torch", "LongStorage", STORAGE_TYPE, TENSOR_INT64},
    {"torch", "IntStorage", STORAGE_TYPE, TENSOR_INT32},
    {"torch", "ShortStorage", STORAGE_TYPE, TENSOR_INT16},
    {"torch", "CharStorage", STORAGE_TYPE, TENSOR_INT8},
    {"torch", "ByteStorage", STORAGE_TYPE, TENSOR_INT8},
    {"torch", "BoolStorage", STORAGE_TYPE, TENSOR_INT8},
};

/* -- Failures ---------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static bool fail(Machine *m, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return error_input(m->error, "%s: has a pickle that can't be read: %s", m->origin, text);
}

static bool fail_at(Machine *m, const char *what)
{
    return fail(m, "%s (byte %zu)", what, m->at);
}

/* -- Values and the stack ---------------------------------------------------------------------- */

/* A new value; NULL with the error if there are too many. */
static PickleValue *make(Machine *m, PickleKind kind)
{
    Pickle *pickle = m->pickle;
    if (pickle->values >= MOST_VALUES) {
        fail(m, "it has more than %d values", MOST_VALUES);
        return NULL;
    }
    if (pickle->values % BLOCK_VALUES == 0) {
        Block *block = memory_small(1, sizeof *block);
        block->next = pickle->blocks;
        pickle->blocks = block;
    }
    PickleValue *value = &pickle->blocks->values[pickle->values++ % BLOCK_VALUES];
    value->kind = kind;
    return value;
}

/* False if `value` is NULL, which make gives with an error. */
static bool push(Machine *m, PickleValue *value)
{
    if (!value)
        return false;
    if (m->height == m->stack_room) {
        m->stack_room = m->stack_room > 0 ? 2 * m->stack_room : 64;
        m->stack = memory_grow(m->stack, m->stack_room, sizeof(PickleValue *));
    }
    m->stack[m->height++] = value;
    return true;
}

static bool push_integer(Machine *m, int64_t integer)
{
    PickleValue *value = make(m, PICKLE_INTEGER);
    if (value)
        value->as.integer = integer;
    return push(m, value);
}

static bool push_truth(Machine *m, bool truth)
{
    PickleValue *value = make(m, PICKLE_TRUTH);
    if (value)
        value->as.truth = truth;
    return push(m, value);
}

/* The topmost value, which leaves the stack; NULL with the error if there is none. */
static PickleValue *pop(Machine *m)
{
    if (m->height == 0 || m->stack[m->height - 1]->kind == PICKLE_MARK) {
        fail_at(m, "an instruction lacks its values");
        return NULL;
    }
    return m->stack[--m->height];
}

/* The topmost value, which stays; NULL with the error unless it is of that kind. */
static PickleValue *top(Machine *m, PickleKind kind)
{
    if (m->height == 0 || m->stack[m->height - 1]->kind != kind) {
        fail_at(m, "an instruction meets a value of another kind");
        return NULL;
    }
    return m->stack[m->height - 1];
}

/* *first := the height above the topmost mark. */
static bool find_mark(Machine *m, size_t *first)
{
    for (size_t i = m->height; i > 0; i--)
        if (m->stack[i - 1]->kind == PICKLE_MARK) {
            *first = i;
            return true;
        }
    return fail_at(m, "a mark is missing");
}

static void add_item(PickleValue *list, PickleValue *item)
{
    if (list->as.list.count == list->as.list.room) {
        list->as.list.room = list->as.list.room > 0 ? 2 * list->as.list.room : 4;
        list->as.list.items =
            memory_grow(list->as.list.items, list->as.list.room, sizeof(PickleValue *));
    }
    list->as.list.items[list->as.list.count++] = item;
}

/* Moves the values from height `first` on to a container, and lowers the stack to `rest`. */
static bool move_items(Machine *m, PickleValue *list, size_t first, size_t rest)
{
    if (list->kind == PICKLE_DICT && (m->height - first) % 2 != 0)
        return fail_at(m, "a key has no value");
    for (size_t i = first; i < m->height; i++)
        add_item(list, m->stack[i]);
    m->height = rest;
    return true;
}

/* A container of the `count` topmost values takes their place. */
static bool make_tuple(Machine *m, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (i >= m->height || m->stack[m->height - 1 - i]->kind == PICKLE_MARK)
            return fail_at(m, "an instruction lacks its values");
    PickleValue *tuple = make(m, PICKLE_TUPLE);
    return tuple && move_items(m, tuple, m->height - count, m->height - count) && push(m, tuple);
}

/* A container of everything above the mark takes its place. */
static bool make_from_mark(Machine *m, PickleKind kind)
{
    size_t first = 0;
    PickleValue *list = make(m, kind);
    return list && find_mark(m, &first) && move_items(m, list, first, first - 1) && push(m, list);
}

/* Everything above the mark goes to the container below it. */
static bool add_from_mark(Machine *m, PickleKind kind)
{
    size_t first = 0;
    if (!find_mark(m, &first))
        return false;
    if (first < 2 || m->stack[first - 2]->kind != kind)
        return fail_at(m, "an instruction meets a value of another kind");
    return move_items(m, m->stack[first - 2], first, first - 1);
}

/* -- Operands ---------------------------------------------------------------------------------- */

/* The next `count` bytes of the pickle; NULL with the error if it ends before. */
static const uint8_t *take(Machine *m, size_t count)
{
    if (count > m->size - m->at) {
        fail(m, "it ends inside an instruction");
        return NULL;
    }
    m->at += count;
    return m->bytes + m->at - count;
}

/* *value := a number of `count` bytes, the lowest first. */
static bool take_number(Machine *m, size_t count, uint64_t *value)
{
    const uint8_t *bytes = take(m, count);
    *value = 0;
    for (size_t i = 0; bytes && i < count; i++)
        *value |= (uint64_t)bytes[i] << (8 * i);
    return bytes != NULL;
}

static bool push_text(Machine *m, size_t length_bytes)
{
    uint64_t length;
    const uint8_t *bytes = NULL;
    if (!take_number(m, length_bytes, &length))
        return false;
    bytes = take(m, length > m->size ? m->size + 1 : (size_t)length);
    PickleValue *value = bytes ? make(m, PICKLE_TEXT) : NULL;
    if (value) {
        value->as.text.bytes = (const char *)bytes;
        value->as.text.size = (size_t)length;
    }
    return push(m, value);
}

/* An integer of any length in two's complement. */
static bool push_long(Machine *m, size_t length_bytes)
{
    uint64_t length, bits = 0;
    if (!take_number(m, length_bytes, &length))
        return false;
    const uint8_t *bytes = take(m, length > m->size ? m->size + 1 : (size_t)length);
    if (!bytes)
        return false;
    if (length > 8) {
        PickleValue *value = make(m, PICKLE_LONG);
        if (value) {
            value->as.text.bytes = (const char *)bytes;
            value->as.text.size = (size_t)length;
        }
        return push(m, value);
    }
    for (size_t i = 0; i < length; i++)
        bits |= (uint64_t)bytes[i] << (8 * i);
    if (length > 0 && length < 8 && bytes[length - 1] & 0x80)
        bits |= ~(uint64_t)0 << (8 * length);
    int64_t integer;
    memcpy(&integer, &bits, sizeof integer);
    return push_integer(m, integer);
}

/* Eight bytes, the highest first. */
static bool push_real(Machine *m)
{
    const uint8_t *bytes = take(m, 8);
    uint64_t bits = 0;
    PickleValue *value = bytes ? make(m, PICKLE_REAL) : NULL;
    for (int i = 0; value && i < 8; i++)
        bits = bits << 8 | bytes[i];
    if (value)
        memcpy(&value->as.real, &bits, sizeof bits);
    return push(m, value);
}

/* -- Memo -------------------------------------------------------------------------------------- */

static bool put(Machine *m, uint64_t index)
{
    if (m->height == 0)
        return fail_at(m, "an instruction lacks its values");
    if (index >= m->size)
        return fail_at(m, "it remembers a value under an impossible number");
    if (index >= m->memo_size) {
        const size_t before = m->memo_size;
        m->memo_size = (size_t)index + 1 > 2 * before ? (size_t)index + 1 : 2 * before;
        m->memo = memory_grow(m->memo, m->memo_size, sizeof(PickleValue *));
        memset(m->memo + before, 0, (m->memo_size - before) * sizeof(PickleValue *));
    }
    m->memo_count += m->memo[index] == NULL;
    m->memo[index] = m->stack[m->height - 1];
    return true;
}

static bool get(Machine *m, uint64_t index)
{
    if (index >= m->memo_size || !m->memo[index])
        return fail_at(m, "it asks for a value that it did not remember");
    return push(m, m->memo[index]);
}

/* -- Names and calls ---------------------------------------------------------------------------- */

/* Pushes the name if it is one of the table. */
static bool push_name(Machine *m, const char *module, size_t module_size, const char *name,
                      size_t name_size)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i].module) == module_size && strlen(names[i].name) == name_size &&
            memcmp(names[i].module, module, module_size) == 0 &&
            memcmp(names[i].name, name, name_size) == 0) {
            PickleValue *value = make(m, PICKLE_NAME);
            if (value)
                value->as.name = (int)i;
            return push(m, value);
        }
    return error_input(m->error,
                       "%s: has a pickle that names %.*s.%.*s; only tensors, dictionaries, lists "
                       "and numbers are read, nothing is executed (a state dict has nothing else)",
                       m->origin, (int)(module_size < 80 ? module_size : 80), module,
                       (int)(name_size < 80 ? name_size : 80), name);
}

/* A module and a name, each a line. */
static bool global(Machine *m)
{
    const char *text[2];
    size_t length[2];
    for (int i = 0; i < 2; i++) {
        const uint8_t *end = memchr(m->bytes + m->at, '\n', m->size - m->at);
        if (!end)
            return fail(m, "it ends inside a name");
        text[i] = (const char *)m->bytes + m->at;
        length[i] = (size_t)(end - m->bytes) - m->at;
        m->at += length[i] + 1;
    }
    return push_name(m, text[0], length[0], text[1], length[1]);
}

static bool stack_global(Machine *m)
{
    const PickleValue *name = pop(m), *module = name ? pop(m) : NULL;
    if (!module)
        return false;
    if (name->kind != PICKLE_TEXT || module->kind != PICKLE_TEXT)
        return fail_at(m, "a name is no text");
    return push_name(m, module->as.text.bytes, module->as.text.size, name->as.text.bytes,
                     name->as.text.size);
}

static const PickleValue *argument(const PickleValue *tuple, size_t index, PickleKind kind)
{
    const PickleValue *value = index < tuple->as.list.count ? tuple->as.list.items[index] : NULL;
    return value && value->kind == kind ? value : NULL;
}

/* OrderedDict(), or OrderedDict([[key, value], ...]). */
static bool make_dict(Machine *m, const PickleValue *arguments)
{
    PickleValue *dict = make(m, PICKLE_DICT);
    const PickleValue *pairs = argument(arguments, 0, PICKLE_LIST);
    if (!dict || (arguments->as.list.count > 0 && !pairs))
        return dict ? fail_at(m, "an OrderedDict is made of something unknown") : false;
    for (size_t i = 0; pairs && i < pairs->as.list.count; i++) {
        const PickleValue *pair = pairs->as.list.items[i];
        if ((pair->kind != PICKLE_LIST && pair->kind != PICKLE_TUPLE) || pair->as.list.count != 2)
            return fail_at(m, "an OrderedDict is made of something unknown");
        add_item(dict, pair->as.list.items[0]);
        add_item(dict, pair->as.list.items[1]);
    }
    return push(m, dict);
}

/* _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks). */
static bool make_tensor(Machine *m, const PickleValue *arguments)
{
    PickleValue *tensor = make(m, PICKLE_TENSOR);
    if (!tensor)
        return false;
    tensor->as.tensor.storage = argument(arguments, 0, PICKLE_STORAGE);
    tensor->as.tensor.offset = argument(arguments, 1, PICKLE_INTEGER);
    tensor->as.tensor.shape = argument(arguments, 2, PICKLE_TUPLE);
    tensor->as.tensor.stride = argument(arguments, 3, PICKLE_TUPLE);
    if (!tensor->as.tensor.storage || !tensor->as.tensor.offset || !tensor->as.tensor.shape ||
        !tensor->as.tensor.stride)
        return fail_at(m, "a tensor is made of something unknown");
    return push(m, tensor);
}

static bool reduce(Machine *m)
{
    const PickleValue *arguments = pop(m), *function = arguments ? pop(m) : NULL;
    if (!function)
        return false;
    if (function->kind != PICKLE_NAME || arguments->kind != PICKLE_TUPLE)
        return fail_at(m, "it calls something that is no function");
    const Action action = names[function->as.name].action;
    if (action == MAKE_DICT)
        return make_dict(m, arguments);
    if (action == MAKE_TENSOR)
        return make_tensor(m, arguments);
    PickleValue *data = (PickleValue *)argument(arguments, 0, PICKLE_TENSOR);
    if (action == MAKE_PARAMETER && data)
        return push(m, data);
    return fail_at(m, "it calls something that is no function");
}

/* ("storage", type, key, device, numbers), and in old files None or a view of another storage. */
static bool push_storage(Machine *m)
{
    const PickleValue *id = pop(m);
    if (!id)
        return false;
    if (id->kind != PICKLE_TUPLE || !argument(id, 0, PICKLE_TEXT) ||
        !pickle_is_text(argument(id, 0, PICKLE_TEXT), "storage"))
        return fail_at(m, "it refers to something that is no storage of numbers");
    const PickleValue *type = argument(id, 1, PICKLE_NAME), *key = argument(id, 2, PICKLE_TEXT);
    const PickleValue *count = argument(id, 4, PICKLE_INTEGER);
    if (!type || names[type->as.name].action != STORAGE_TYPE || !key || !count ||
        count->as.integer < 0)
        return fail_at(m, "a storage of numbers is made of something unknown");
    if (id->as.list.count > 6 || (id->as.list.count == 6 && !argument(id, 5, PICKLE_NONE)))
        return fail_at(m, "a storage is a view of another one, as very old files have it");
    PickleValue *storage = make(m, PICKLE_STORAGE);
    if (storage) {
        storage->as.storage.type = names[type->as.name].type;
        storage->as.storage.key = key;
        storage->as.storage.count = count->as.integer;
    }
    return push(m, storage);
}

/* Attributes of an OrderedDict (_metadata) are dropped. */
static bool build(Machine *m)
{
    return pop(m) && (top(m, PICKLE_DICT) != NULL);
}

static bool append_one(Machine *m)
{
    PickleValue *item = pop(m), *list = item ? top(m, PICKLE_LIST) : NULL;
    if (list)
        add_item(list, item);
    return list != NULL;
}

static bool set_item(Machine *m)
{
    PickleValue *value = pop(m), *key = value ? pop(m) : NULL;
    PickleValue *dict = key ? top(m, PICKLE_DICT) : NULL;
    if (dict) {
        add_item(dict, key);
        add_item(dict, value);
    }
    return dict != NULL;
}

static bool pop_any(Machine *m)
{
    if (m->height == 0)
        return fail_at(m, "an instruction lacks its values");
    m->height--;
    return true;
}

static bool pop_mark(Machine *m)
{
    size_t first = 0;
    if (!find_mark(m, &first))
        return false;
    m->height = first - 1;
    return true;
}

/* -- Instructions ------------------------------------------------------------------------------- */

/* Instructions that push a constant, and those with a number as operand. */
static bool push_number(Machine *m, uint8_t code, bool *known)
{
    uint64_t value = 0;
    *known = true;
    switch (code) {
    case 'K': /* BININT1 */
        return take_number(m, 1, &value) && push_integer(m, (int64_t)value);
    case 'M': /* BININT2 */
        return take_number(m, 2, &value) && push_integer(m, (int64_t)value);
    case 'J': /* BININT */
        return take_number(m, 4, &value) && push_integer(m, (int32_t)(uint32_t)value);
    case 0x8a: /* LONG1 */
        return push_long(m, 1);
    case 0x8b: /* LONG4 */
        return push_long(m, 4);
    case 'G': /* BINFLOAT */
        return push_real(m);
    case 'N': /* NONE */
        return push(m, make(m, PICKLE_NONE));
    case 0x88: /* NEWTRUE */
        return push_truth(m, true);
    case 0x89: /* NEWFALSE */
        return push_truth(m, false);
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

static bool containers(Machine *m, uint8_t code, bool *known)
{
    *known = true;
    switch (code) {
    case '(': /* MARK */
        return push(m, make(m, PICKLE_MARK));
    case ')': /* EMPTY_TUPLE */
        return make_tuple(m, 0);
    case 0x85: /* TUPLE1 */
    case 0x86:
    case 0x87: /* TUPLE3 */
        return make_tuple(m, (size_t)(code - 0x84));
    case 't': /* TUPLE */
        return make_from_mark(m, PICKLE_TUPLE);
    case ']': /* EMPTY_LIST */
        return push(m, make(m, PICKLE_LIST));
    case 'l': /* LIST */
        return make_from_mark(m, PICKLE_LIST);
    case '}': /* EMPTY_DICT */
        return push(m, make(m, PICKLE_DICT));
    case 'd': /* DICT */
        return make_from_mark(m, PICKLE_DICT);
    case 'a': /* APPEND */
        return append_one(m);
    case 'e': /* APPENDS */
        return add_from_mark(m, PICKLE_LIST);
    case 's': /* SETITEM */
        return set_item(m);
    case 'u': /* SETITEMS */
        return add_from_mark(m, PICKLE_DICT);
    default:
        *known = false;
        return false;
    }
}

static bool others(Machine *m, uint8_t code)
{
    uint64_t value = 0;
    switch (code) {
    case 0x80: /* PROTO */
        return take_number(m, 1, &value) &&
               (value <= 5 || fail(m, "its protocol is %llu", (unsigned long long)value));
    case 0x95: /* FRAME */
        return take(m, 8) != NULL;
    case 'q': /* BINPUT */
        return take_number(m, 1, &value) && put(m, value);
    case 'r': /* LONG_BINPUT */
        return take_number(m, 4, &value) && put(m, value);
    case 0x94: /* MEMOIZE */
        return put(m, m->memo_count);
    case 'h': /* BINGET */
        return take_number(m, 1, &value) && get(m, value);
    case 'j': /* LONG_BINGET */
        return take_number(m, 4, &value) && get(m, value);
    case '0': /* POP */
        return pop_any(m);
    case '1': /* POP_MARK */
        return pop_mark(m);
    case '2': /* DUP */
        return m->height > 0 ? push(m, m->stack[m->height - 1])
                             : fail_at(m, "an instruction lacks its values");
    case 'c': /* GLOBAL */
        return global(m);
    case 0x93: /* STACK_GLOBAL */
        return stack_global(m);
    case 'R': /* REDUCE */
        return reduce(m);
    case 'b': /* BUILD */
        return build(m);
    case 'Q': /* BINPERSID */
        return push_storage(m);
    default:
        return fail(m, "the instruction 0x%02x is unknown here (byte %zu)", code, m->at - 1);
    }
}

static bool run(Machine *m)
{
    for (;;) {
        const uint8_t *code = take(m, 1);
        bool known;
        if (!code)
            return false;
        if (*code == '.') /* STOP */
            return (m->pickle->root = pop(m)) != NULL;
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
    Pickle *pickle = memory_small(1, sizeof *pickle);
    Machine machine = {
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

void pickle_free(Pickle *pickle)
{
    if (!pickle)
        return;
    while (pickle->blocks) {
        Block *block = pickle->blocks;
        pickle->blocks = block->next;
        for (int i = 0; i < BLOCK_VALUES; i++)
            if (block->values[i].kind == PICKLE_LIST || block->values[i].kind == PICKLE_TUPLE ||
                block->values[i].kind == PICKLE_DICT)
                memory_free(block->values[i].as.list.items);
        memory_free(block);
    }
    memory_free(pickle);
}

PickleValue *pickle_root(const Pickle *pickle)
{
    return pickle->root;
}

bool pickle_is_text(const PickleValue *value, const char *text)
{
    return value->kind == PICKLE_TEXT && value->as.text.size == strlen(text) &&
           memcmp(value->as.text.bytes, text, value->as.text.size) == 0;
}

PickleValue *pickle_member(const PickleValue *dict, const char *key)
{
    PickleValue *found = NULL;
    for (size_t i = 0; dict->kind == PICKLE_DICT && i + 1 < dict->as.list.count; i += 2)
        if (pickle_is_text(dict->as.list.items[i], key))
            found = dict->as.list.items[i + 1]; /* the last one counts, as in Python */
    return found;
}
