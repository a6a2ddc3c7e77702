/* Private to the reader of pickles: the machine, its stack and its memo (pickle_stack.c), the names
 * that it knows (pickle_calls.c), its instructions (pickle.c).
 *
 * Functions that give a bool or a value fail with the machine's error: false or NULL.
 */
#pragma once

#include "exchange/pickle.h"

typedef struct PickleMachine {
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
} PickleMachine;

/* Both give false. The second adds the place in the pickle. */
bool machine_fail(PickleMachine *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool machine_fail_at(PickleMachine *m, const char *what);

/* A pickle without values, and what STOP makes of it. */
Pickle *pickle_new(void);
bool pickle_set_root(Pickle *pickle, PickleValue *root);

/* -- Values and the stack ---------------------------------------------------------------------- */

/* A new value. A pickle has only so many. */
PickleValue *machine_make(PickleMachine *m, PickleKind kind);

/* Pushing NULL, which machine_make gives with an error, fails. */
bool machine_push(PickleMachine *m, PickleValue *value);
bool machine_push_integer(PickleMachine *m, int64_t integer);
bool machine_push_truth(PickleMachine *m, bool truth);

/* The topmost value, which leaves the stack; and the one of a kind, which stays. */
PickleValue *machine_pop(PickleMachine *m);
PickleValue *machine_top(PickleMachine *m, PickleKind kind);
/* Drops whatever is on top; and everything down to the topmost mark. */
bool machine_pop_any(PickleMachine *m);
bool machine_pop_mark(PickleMachine *m);

void machine_add_item(PickleValue *list, PickleValue *item);

/* A tuple of the `count` topmost values takes their place. */
bool machine_make_tuple(PickleMachine *m, size_t count);
/* A container of everything above the mark takes its place. */
bool machine_make_from_mark(PickleMachine *m, PickleKind kind);
/* Everything above the mark goes to the container below it. */
bool machine_add_from_mark(PickleMachine *m, PickleKind kind);
/* The topmost value goes to the list below it, or the two topmost ones to the dictionary. */
bool machine_append_one(PickleMachine *m);
bool machine_set_item(PickleMachine *m);

/* Remembers the topmost value under a number, and pushes what is remembered under one. */
bool machine_put(PickleMachine *m, uint64_t index);
bool machine_get(PickleMachine *m, uint64_t index);

/* -- Names and calls --------------------------------------------------------------------------- */

/* A module and a name, each a line; and both from the stack. Only known names are pushed. */
bool machine_push_global(PickleMachine *m);
bool machine_push_stack_global(PickleMachine *m);
/* Makes what a known function would make of its arguments. */
bool machine_call(PickleMachine *m);
/* A reference to numbers that lie elsewhere in the file. */
bool machine_push_storage(PickleMachine *m);
/* Attributes of an OrderedDict (_metadata) are dropped. */
bool machine_build(PickleMachine *m);
