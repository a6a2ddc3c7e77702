/* The values of a pickle, the stack and the memo of its machine.
 *
 * Values live in blocks that are freed together. They may refer to one another in circles. Nothing
 * here follows references, so that neither circles nor deep nesting matter. The number of values is
 * limited, since an instruction of one byte makes a value of forty.
 */
#include "exchange/pickle_machine.h"

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

/* -- Failures ---------------------------------------------------------------------------------- */

bool machine_fail(PickleMachine *m, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return error_input(m->error, "%s: has a pickle that can't be read: %s", m->origin, text);
}

bool machine_fail_at(PickleMachine *m, const char *what)
{
    return machine_fail(m, "%s (byte %zu)", what, m->at);
}

/* -- Values and the stack ---------------------------------------------------------------------- */

/* A new value; NULL with the error if there are too many. */
PickleValue *machine_make(PickleMachine *m, PickleKind kind)
{
    Pickle *pickle = m->pickle;
    if (pickle->values >= MOST_VALUES) {
        machine_fail(m, "it has more than %d values", MOST_VALUES);
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
bool machine_push(PickleMachine *m, PickleValue *value)
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

bool machine_push_integer(PickleMachine *m, int64_t integer)
{
    PickleValue *value = machine_make(m, PICKLE_INTEGER);
    if (value)
        value->as.integer = integer;
    return machine_push(m, value);
}

bool machine_push_truth(PickleMachine *m, bool truth)
{
    PickleValue *value = machine_make(m, PICKLE_TRUTH);
    if (value)
        value->as.truth = truth;
    return machine_push(m, value);
}

/* The topmost value, which leaves the stack; NULL with the error if there is none. */
PickleValue *machine_pop(PickleMachine *m)
{
    if (m->height == 0 || m->stack[m->height - 1]->kind == PICKLE_MARK) {
        machine_fail_at(m, "an instruction lacks its values");
        return NULL;
    }
    return m->stack[--m->height];
}

/* The topmost value, which stays; NULL with the error unless it is of that kind. */
PickleValue *machine_top(PickleMachine *m, PickleKind kind)
{
    if (m->height == 0 || m->stack[m->height - 1]->kind != kind) {
        machine_fail_at(m, "an instruction meets a value of another kind");
        return NULL;
    }
    return m->stack[m->height - 1];
}

/* *first := the height above the topmost mark. */
static bool find_mark(PickleMachine *m, size_t *first)
{
    for (size_t i = m->height; i > 0; i--)
        if (m->stack[i - 1]->kind == PICKLE_MARK) {
            *first = i;
            return true;
        }
    return machine_fail_at(m, "a mark is missing");
}

void machine_add_item(PickleValue *list, PickleValue *item)
{
    if (list->as.list.count == list->as.list.room) {
        list->as.list.room = list->as.list.room > 0 ? 2 * list->as.list.room : 4;
        list->as.list.items =
            memory_grow(list->as.list.items, list->as.list.room, sizeof(PickleValue *));
    }
    list->as.list.items[list->as.list.count++] = item;
}

/* Moves the values from height `first` on to a container, and lowers the stack to `rest`. */
static bool move_items(PickleMachine *m, PickleValue *list, size_t first, size_t rest)
{
    if (list->kind == PICKLE_DICT && (m->height - first) % 2 != 0)
        return machine_fail_at(m, "a key has no value");
    for (size_t i = first; i < m->height; i++)
        machine_add_item(list, m->stack[i]);
    m->height = rest;
    return true;
}

/* A container of the `count` topmost values takes their place. */
bool machine_make_tuple(PickleMachine *m, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (i >= m->height || m->stack[m->height - 1 - i]->kind == PICKLE_MARK)
            return machine_fail_at(m, "an instruction lacks its values");
    PickleValue *tuple = machine_make(m, PICKLE_TUPLE);
    return tuple && move_items(m, tuple, m->height - count, m->height - count) &&
           machine_push(m, tuple);
}

/* A container of everything above the mark takes its place. */
bool machine_make_from_mark(PickleMachine *m, PickleKind kind)
{
    size_t first = 0;
    PickleValue *list = machine_make(m, kind);
    return list && find_mark(m, &first) && move_items(m, list, first, first - 1) &&
           machine_push(m, list);
}

/* Everything above the mark goes to the container below it. */
bool machine_add_from_mark(PickleMachine *m, PickleKind kind)
{
    size_t first = 0;
    if (!find_mark(m, &first))
        return false;
    if (first < 2 || m->stack[first - 2]->kind != kind)
        return machine_fail_at(m, "an instruction meets a value of another kind");
    return move_items(m, m->stack[first - 2], first, first - 1);
}

bool machine_append_one(PickleMachine *m)
{
    PickleValue *item = machine_pop(m), *list = item ? machine_top(m, PICKLE_LIST) : NULL;
    if (list)
        machine_add_item(list, item);
    return list != NULL;
}

bool machine_set_item(PickleMachine *m)
{
    PickleValue *value = machine_pop(m), *key = value ? machine_pop(m) : NULL;
    PickleValue *dict = key ? machine_top(m, PICKLE_DICT) : NULL;
    if (dict) {
        machine_add_item(dict, key);
        machine_add_item(dict, value);
    }
    return dict != NULL;
}

bool machine_pop_any(PickleMachine *m)
{
    if (m->height == 0)
        return machine_fail_at(m, "an instruction lacks its values");
    m->height--;
    return true;
}

bool machine_pop_mark(PickleMachine *m)
{
    size_t first = 0;
    if (!find_mark(m, &first))
        return false;
    m->height = first - 1;
    return true;
}

/* -- Memo -------------------------------------------------------------------------------------- */

bool machine_put(PickleMachine *m, uint64_t index)
{
    if (m->height == 0)
        return machine_fail_at(m, "an instruction lacks its values");
    if (index >= m->size)
        return machine_fail_at(m, "it remembers a value under an impossible number");
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

bool machine_get(PickleMachine *m, uint64_t index)
{
    if (index >= m->memo_size || !m->memo[index])
        return machine_fail_at(m, "it asks for a value that it did not remember");
    return machine_push(m, m->memo[index]);
}

/* -- The pickle ------------------------------------------------------------------------------- */

Pickle *pickle_new(void)
{
    return memory_small(1, sizeof(Pickle));
}

bool pickle_set_root(Pickle *pickle, PickleValue *root)
{
    pickle->root = root;
    return root != NULL;
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

bool pickle_each(const Pickle *pickle, PickleKind kind,
                 bool (*visit)(void *context, const PickleValue *value), void *context)
{
    for (const Block *block = pickle->blocks; block; block = block->next)
        for (int i = 0; i < BLOCK_VALUES; i++)
            if (block->values[i].kind == kind && !visit(context, &block->values[i]))
                return false;
    return true;
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
