// SPDX-License-Identifier: GPL-3.0-or-later
// torch_pickle.c: the machine: a stack of values, a memo of those that come again, and one function
// for each kind of instruction (torch_pickle.h).
#include "export/torch_pickle.h"

#include <inttypes.h>
#include <string.h>

#include "base/str.h"

enum { VALUES_MAX = 1 << 19 }; // values of a pickle: some 15 a tensor

typedef struct machine {
    const char *path;
    const uint8_t *bytes;
    size_t n, at, began; // began: of the instruction
    arena *arena;
    pickle_value **stack; // NULL is a mark
    pickle_value **memo;
    int depth, stack_room, memos, memo_room, made;
    err *e;
} machine;

typedef struct opcode {
    uint8_t code;
    const char *name;
    bool (*run)(machine *m, int arg); // NULL: refused
    int arg;
} opcode;

static bool damaged(machine *m, const char *what)
{
    return err_set(m->e, ERR_DAMAGED, "'%s': its pickle has %s at byte %zu; get the file again",
                   m->path, what, m->began);
}

// ---- Bytes, values, stack

static const uint8_t *take(machine *m, uint64_t n)
{
    if (n > m->n - m->at)
        return damaged(m, "an instruction that the end cuts off"), NULL;
    m->at += (size_t)n;
    return m->bytes + m->at - n;
}

static bool take_number(machine *m, int width, uint64_t *out)
{
    const uint8_t *b = take(m, (uint64_t)width);
    *out = 0;
    for (int i = 0; b && i < width; i++)
        *out |= (uint64_t)b[i] << 8 * i;
    return b != NULL;
}

// Twice the room where `used` has reached it.
static pickle_value **grown(arena *a, pickle_value **list, int used, int *room)
{
    if (used < *room)
        return list;
    *room = *room ? *room * 2 : 8;
    pickle_value **more = NEW(a, pickle_value *, (size_t)*room);
    if (used)
        memcpy(more, list, sizeof *list * (size_t)used);
    return more;
}

static bool push(machine *m, pickle_value *v)
{
    if (m->depth >= VALUES_MAX)
        return damaged(m, "too many values");
    m->stack = grown(m->arena, m->stack, m->depth, &m->stack_room);
    m->stack[m->depth++] = v;
    return true;
}

static pickle_value *made(machine *m, pickle_value v)
{
    if (m->made++ >= VALUES_MAX)
        return damaged(m, "too many values"), NULL;
    pickle_value *out = NEW(m->arena, pickle_value, 1);
    *out = v;
    return out;
}

static bool push_made(machine *m, pickle_value v)
{
    pickle_value *p = made(m, v);
    return p && push(m, p);
}

static pickle_value *pop(machine *m)
{
    if (m->depth && m->stack[m->depth - 1])
        return m->stack[--m->depth];
    return damaged(m, "too few values"), NULL;
}

// How many values stand above the last mark, which goes with them; -1: there is none.
static int above_mark(machine *m, pickle_value ***list)
{
    for (int at = m->depth - 1; at >= 0; at--)
        if (!m->stack[at]) {
            int n = m->depth - 1 - at;
            m->depth = at;
            *list = m->stack + at + 1;
            return n;
        }
    (void)damaged(m, "no mark");
    return -1;
}

static void add(machine *m, pickle_value *to, pickle_value *v)
{
    to->list = grown(m->arena, to->list, to->n, &to->room);
    to->list[to->n++] = v;
}

// ---- Instructions

static bool run_skip(machine *m, int n)
{
    return take(m, (uint64_t)n) != NULL;
}

static bool run_mark(machine *m, int arg)
{
    (void)arg;
    return push(m, NULL);
}

static bool run_pop(machine *m, int to_mark)
{
    pickle_value **list;
    return to_mark ? above_mark(m, &list) >= 0 : pop(m) != NULL;
}

static bool run_constant(machine *m, int arg)
{
    return push_made(m, arg < 0 ? (pickle_value){.kind = PICKLE_NONE}
                                : (pickle_value){.kind = PICKLE_BOOL, .i = arg});
}

// Of 4 bytes it has a sign.
static bool run_int(machine *m, int width)
{
    uint64_t n;
    if (!take_number(m, width, &n))
        return false;
    return push_made(m,
                     (pickle_value){.kind = PICKLE_INT,
                                    .i = width == 4 ? (int64_t)(int32_t)(uint32_t)n : (int64_t)n});
}

static bool run_long(machine *m, int arg)
{
    uint64_t width, n;
    if (!take_number(m, arg, &width))
        return false;
    if (width > 8)
        return damaged(m, "a number of more than 64 bits");
    if (!take_number(m, (int)width, &n))
        return false;
    if (width && width < 8 && n >> (8 * width - 1))
        n |= ~UINT64_C(0) << 8 * width;
    return push_made(m, (pickle_value){.kind = PICKLE_INT, .i = (int64_t)n});
}

static bool run_float(machine *m, int width)
{
    return take(m, (uint64_t)width) && push_made(m, (pickle_value){.kind = PICKLE_FLOAT});
}

static bool push_text(machine *m, const uint8_t *b, size_t n)
{
    if (!str_utf8((const char *)b, n) || memchr(b, 0, n))
        return damaged(m, "a text that is none");
    return push_made(
        m, (pickle_value){.kind = PICKLE_TEXT,
                          .text = arena_printf(m->arena, "%.*s", (int)n, (const char *)b)});
}

static bool run_text(machine *m, int width)
{
    uint64_t n;
    const uint8_t *b = take_number(m, width, &n) ? take(m, n) : NULL;
    return b && push_text(m, b, (size_t)n);
}

static bool push_tuple(machine *m, pickle_value *const *list, int n)
{
    pickle_value v = {
        .kind = PICKLE_TUPLE, .list = NEW(m->arena, pickle_value *, (size_t)n + 1), .n = n};
    for (int i = 0; i < n; i++)
        v.list[i] = list[i];
    return push_made(m, v);
}

static bool run_tuple(machine *m, int arg)
{
    (void)arg;
    pickle_value **list;
    int n = above_mark(m, &list);
    return n >= 0 && push_tuple(m, list, n);
}

static bool run_tuple_of(machine *m, int n)
{
    pickle_value *last[3];
    for (int i = n; i-- > 0;)
        if (!(last[i] = pop(m)))
            return false;
    return push_tuple(m, last, n);
}

static bool run_empty(machine *m, int kind)
{
    return push_made(m, (pickle_value){.kind = (pickle_kind)kind});
}

// One value, or those above the mark, into the list or dict below. arg: 1 a list, 2 a dict; 4: of
// the mark.
static bool run_add(machine *m, int arg)
{
    pickle_value *few[2], **list = few;
    int each = arg & 3, n = each;
    if (arg & 4)
        n = above_mark(m, &list);
    else
        for (int i = each; i-- > 0;)
            if (!(few[i] = pop(m)))
                return false;
    if (n < 0)
        return false;
    pickle_value *to = m->depth ? m->stack[m->depth - 1] : NULL;
    if (!to || to->kind != (each == 1 ? PICKLE_LIST : PICKLE_DICT) || n % each)
        return damaged(m, "values for what takes none");
    for (int i = 0; i < n; i++)
        add(m, to, list[i]);
    return true;
}

static bool push_name(machine *m, const char *module, const char *name)
{
    const torch_name *known = torch_name_find(module, name);
    if (known)
        return push_made(m, (pickle_value){.kind = PICKLE_NAME, .name = known});
    return err_set(
        m->e, ERR_FORMAT,
        "'%s' holds %.80s.%.80s, and of a pickle only tensors by name are read; write it "
        "by " TORCH_SAVE,
        m->path, module, name);
}

// Two lines.
static bool run_global(machine *m, int arg)
{
    (void)arg;
    const char *words[2];
    for (int i = 0; i < 2; i++) {
        const uint8_t *b = m->bytes + m->at, *end = memchr(b, '\n', m->n - m->at);
        if (!end)
            return damaged(m, "a name that the end cuts off");
        words[i] = str_utf8_escape(m->arena, arena_printf(m->arena, "%.*s", (int)(end - b), b));
        m->at += (size_t)(end - b) + 1;
    }
    return push_name(m, words[0], words[1]);
}

static bool run_stack_global(machine *m, int arg)
{
    (void)arg;
    const pickle_value *name = pop(m), *module = name ? pop(m) : NULL;
    if (!module)
        return false;
    if (name->kind != PICKLE_TEXT || module->kind != PICKLE_TEXT)
        return damaged(m, "a name that is no text");
    return push_name(m, module->text, name->text);
}

static bool run_reduce(machine *m, int arg)
{
    (void)arg;
    const pickle_value *args = pop(m), *f = args ? pop(m) : NULL;
    pickle_value v = {0};
    const char *why;
    if (!f)
        return false;
    return torch_call(f, args, &v, m->arena, &why) ? push_made(m, v) : damaged(m, why);
}

static bool run_persistent(machine *m, int arg)
{
    (void)arg;
    const pickle_value *id = pop(m);
    pickle_value v = {.kind = PICKLE_STORAGE};
    const char *why;
    if (!id)
        return false;
    return torch_storage(id, &v, &why) ? push_made(m, v) : damaged(m, why);
}

// What an OrderedDict is given beside its items, torch's _metadata, says nothing of the weights.
static bool run_build(machine *m, int arg)
{
    (void)arg;
    if (!pop(m))
        return false;
    return (m->depth && m->stack[m->depth - 1] && m->stack[m->depth - 1]->kind == PICKLE_DICT) ||
           damaged(m, "a state for what has none");
}

static bool run_put(machine *m, int width)
{
    uint64_t at = (uint64_t)m->memos; // width 0: the next
    if (width && !take_number(m, width, &at))
        return false;
    if (at >= VALUES_MAX || !m->depth || !m->stack[m->depth - 1])
        return damaged(m, "a memo of nothing");
    while ((uint64_t)m->memos <= at) {
        m->memo = grown(m->arena, m->memo, m->memos, &m->memo_room);
        m->memo[m->memos++] = NULL;
    }
    m->memo[at] = m->stack[m->depth - 1];
    return true;
}

static bool run_get(machine *m, int width)
{
    uint64_t at;
    if (!take_number(m, width, &at))
        return false;
    if (at >= (uint64_t)m->memos || !m->memo[at])
        return damaged(m, "a memo that is not there");
    return push(m, m->memo[at]);
}

// ---- All of them

static const opcode opcodes[] = {
#define PICKLE(code, name, run, arg) {code, #name, run, arg},
#include "export/torch_pickle.def"
#undef PICKLE
};

static const opcode *opcode_find(uint8_t code)
{
    for (size_t i = 0; i < sizeof opcodes / sizeof *opcodes; i++)
        if (opcodes[i].code == code)
            return &opcodes[i];
    return NULL;
}

static bool step(machine *m, uint8_t code)
{
    const opcode *o = opcode_find(code);
    if (!o)
        return damaged(m, "an instruction that Python has not");
    return o->run ? o->run(m, o->arg)
                  : err_set(m->e, ERR_FORMAT,
                            "'%s': its pickle has the instruction %s at byte %zu, which no "
                            "state_dict needs; write it by " TORCH_SAVE,
                            m->path, o->name, m->began);
}

const pickle_value *pickle_read(const char *path, const uint8_t *bytes, size_t n, arena *a, err *e)
{
    machine m = {.path = path, .bytes = bytes, .n = n, .arena = a, .e = e};
    while (m.at < n) {
        m.began = m.at;
        uint8_t code = bytes[m.at++];
        if (code == '.')
            return pop(&m);
        if (!step(&m, code))
            return NULL;
    }
    m.began = n;
    (void)damaged(&m, "no last instruction");
    return NULL;
}

const char *pickle_says(pickle_kind k)
{
    static const char *const says[] = {
        "nothing", "true or false", "a number", "a number",  "a text",   "a tuple",
        "a list",  "a dictionary",  "a name",   "a storage", "a tensor",
    };
    return says[k];
}
