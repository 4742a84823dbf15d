// The mix: four kinds of work on one working set, in rounds, each round's results going into the CRC.
//
// Promises that nothing can be left out by a compiler: everything depends on the seed, which it does not know, and ends
// up in the result. All arithmetic that can wrap is unsigned, so the result is the same everywhere.
#include "mix.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    ROUNDS = 5,    // how often each kind of work is done in an iteration
    NODES = 48,    // of the list
    FINDS = 12,    // searches a round
    SIDE = 9,      // of the square matrices
    TEXT = 512,    // bytes
    SPOILT = 7,    // every so many bytes one is changed for the second reading
};

// An element of the list. Two keys to sort by: one that comes from the seed, one that restores the first order.
struct node {
    struct node *next;
    uint16_t key;
    uint16_t place;
};

// What a piece of the text turned out to be.
enum kind { INTEGER, HEXADECIMAL, FRACTION, POWER, INVALID, KINDS };

typedef bool order(const struct node *, const struct node *);

// The whole working set.
static struct {
    struct node nodes[NODES];
    struct node *list;
    order *orders[2];
    int16_t a[SIDE][SIDE];
    int16_t b[SIDE][SIDE];
    int32_t product[SIDE][SIDE];
    char text[TEXT];
    uint32_t random;
    uint32_t values;
    uint16_t counts[KINDS];
    uint16_t crc;
} work;

_Static_assert(sizeof work <= 2048, "a controller's cache and a small guest's memory hold the working set");

// Xorshift with 32 bits (G. Marsaglia, 2003). Never zero if it does not start so.
static uint32_t next_random(void)
{
    uint32_t x = work.random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return work.random = x;
}

// CRC-16 with the polynomial x^16 + x^12 + x^5 + 1, bit by bit, highest first, as where no table can be afforded.
static void crc_16(uint16_t word)
{
    uint32_t crc = work.crc ^ word;
    for (int bit = 0; bit < 16; bit++)
        crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
    work.crc = (uint16_t)crc;
}

static void crc_32(uint32_t word)
{
    crc_16((uint16_t)word);
    crc_16((uint16_t)(word >> 16));
}

// ---- list

static bool by_key(const struct node *left, const struct node *right)
{
    return left->key <= right->key;
}

static bool by_place(const struct node *left, const struct node *right)
{
    return left->place <= right->place;
}

static struct node *find(struct node *list, uint16_t key)
{
    while (list && list->key != key)
        list = list->next;
    return list;
}

static struct node *reverse(struct node *list)
{
    struct node *reversed = NULL;
    while (list) {
        struct node *rest = list->next;
        list->next = reversed;
        reversed = list;
        list = rest;
    }
    return reversed;
}

// Merges two sorted lists. Equal elements of the left one come first.
static struct node *merge(struct node *left, struct node *right, order *in_order)
{
    struct node *merged = NULL, **end = &merged;
    while (left && right) {
        struct node **least = in_order(left, right) ? &left : &right;
        *end = *least;
        *least = (*least)->next;
        end = &(*end)->next;
    }
    *end = left ? left : right;
    return merged;
}

// Merge sort from the bottom: runs[n] is a sorted list of 2^n elements or empty, as the digits of a binary counter.
static struct node *sort(struct node *list, order *in_order)
{
    struct node *runs[8] = {NULL};
    while (list) {
        struct node *one = list;
        list = list->next;
        one->next = NULL;
        size_t n = 0;
        for (; runs[n]; n++) {
            one = merge(runs[n], one, in_order);
            runs[n] = NULL;
        }
        runs[n] = one;
    }
    struct node *sorted = NULL;
    for (size_t n = 0; n < sizeof runs / sizeof *runs; n++)
        sorted = merge(runs[n], sorted, in_order);
    return sorted;
}

_Static_assert(NODES < 1 << 8, "the sort's counter has eight digits");

static void list_fill(void)
{
    work.orders[0] = by_key;
    work.orders[1] = by_place;
    work.list = NULL;
    for (size_t n = NODES; n-- > 0;) {
        struct node *node = &work.nodes[n];
        // Few enough values for some searches to succeed.
        *node = (struct node){.next = work.list, .key = next_random() % (2 * NODES), .place = (uint16_t)n};
        work.list = node;
    }
}

static void list_round(void)
{
    for (int n = 0; n < FINDS; n++) {
        const struct node *found = find(work.list, next_random() % (2 * NODES));
        crc_16(found ? found->place : NODES);
        work.list = reverse(work.list);
    }
    // The orders come from memory, as callbacks do, so each comparison is an indirect call.
    for (size_t n = 0; n < 2; n++) {
        work.list = sort(work.list, work.orders[n]);
        uint32_t sum = 0;
        for (const struct node *node = work.list; node; node = node->next)
            sum = sum * 31 + node->key;
        crc_32(sum);
    }
}

// ---- matrices

static void matrix_fill(void)
{
    for (size_t row = 0; row < SIDE; row++) {
        for (size_t column = 0; column < SIDE; column++) {
            work.a[row][column] = (int16_t)(next_random() % 2001) - 1000;
            work.b[row][column] = (int16_t)(next_random() % 2001) - 1000;
        }
    }
}

static void matrix_add(int16_t (*matrix)[SIDE], int16_t constant)
{
    for (size_t row = 0; row < SIDE; row++)
        for (size_t column = 0; column < SIDE; column++)
            matrix[row][column] = (int16_t)(matrix[row][column] + constant);
}

// product = a * b; elements stay below 10^8, so nothing overflows.
static void matrix_multiply(void)
{
    for (size_t row = 0; row < SIDE; row++) {
        for (size_t column = 0; column < SIDE; column++) {
            int32_t sum = 0;
            for (size_t n = 0; n < SIDE; n++)
                sum += work.a[row][n] * work.b[n][column];
            work.product[row][column] = sum;
        }
    }
}

// As above, but of each term two fields of bits are multiplied.
static void matrix_multiply_bits(void)
{
    for (size_t row = 0; row < SIDE; row++) {
        for (size_t column = 0; column < SIDE; column++) {
            uint32_t sum = 0;
            for (size_t n = 0; n < SIDE; n++) {
                uint32_t term = (uint32_t)(work.a[row][n] * work.b[n][column]);
                sum += (term >> 3 & 0x3f) * (term >> 9 & 0xff);
            }
            work.product[row][column] = (int32_t)sum;
        }
    }
}

// Rises and falls along the product, weighted by how far.
static uint32_t matrix_sum(void)
{
    uint32_t sum = 0;
    int32_t last = 0;
    for (size_t row = 0; row < SIDE; row++) {
        for (size_t column = 0; column < SIDE; column++) {
            int32_t element = work.product[row][column];
            sum += element > last ? 10 : (uint32_t)(last - element) & 0xf;
            last = element;
        }
    }
    return sum;
}

static void matrix_round(int round)
{
    int16_t constant = (int16_t)(round * 5 + 1);
    matrix_add(work.a, constant);
    matrix_multiply();
    crc_32(matrix_sum());
    matrix_multiply_bits();
    crc_32(matrix_sum());
    matrix_add(work.a, (int16_t)-constant);
}

// ---- text

static size_t put_digits(size_t at, uint32_t count, uint32_t base)
{
    while (count-- > 0 && at < TEXT)
        work.text[at++] = "0123456789abcdef"[next_random() % base];
    return at;
}

static size_t put(size_t at, char c)
{
    if (at < TEXT)
        work.text[at++] = c;
    return at;
}

// Numbers of all kinds with commas between; the last may be cut off.
static void text_fill(void)
{
    size_t at = 0;
    while (at < TEXT) {
        uint32_t choice = next_random();
        if (choice & 1)
            at = put(at, choice & 2 ? '-' : '+');
        switch (choice >> 8 & 3) {
        case 0:
            at = put_digits(at, 1 + (choice >> 12) % 8, 10);
            break;
        case 1:
            at = put_digits(put(put(at, '0'), 'x'), 1 + (choice >> 12) % 6, 16);
            break;
        case 2:
            at = put_digits(at, 1 + (choice >> 12) % 4, 10);
            at = put_digits(put(at, '.'), 1 + (choice >> 16) % 4, 10);
            break;
        default:
            at = put_digits(at, 1 + (choice >> 12) % 2, 10);
            at = put_digits(put(put(at, 'e'), '-'), 1 + (choice >> 16) % 2, 10);
            break;
        }
        at = put(at, ',');
    }
}

enum state { START, SIGN, ZERO, WHOLE, BASE, HEX, POINT, TENTHS, E, E_SIGN, EXPONENT, WRONG };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static uint32_t hex_digit(char c)
{
    if (is_digit(c))
        return (uint32_t)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (uint32_t)(c - 'a' + 10);
    return 16;
}

// Where one character leads. Digits are added to `value`, in whatever base they are.
static enum state step(enum state state, char c, uint32_t *value)
{
    if (is_digit(c) && state != HEX && state != BASE)
        *value = *value * 10 + (uint32_t)(c - '0');
    switch (state) {
    case START:
        if (c == '+' || c == '-')
            return SIGN;
        // A sign is optional.
        [[fallthrough]];
    case SIGN:
        return c == '0' ? ZERO : is_digit(c) ? WHOLE : WRONG;
    case ZERO:
        if (c == 'x')
            return BASE;
        [[fallthrough]];
    case WHOLE:
        return is_digit(c) ? WHOLE : c == '.' ? POINT : c == 'e' ? E : WRONG;
    case BASE:
    case HEX:
        if (hex_digit(c) == 16)
            return WRONG;
        *value = *value * 16 + hex_digit(c);
        return HEX;
    case POINT:
    case TENTHS:
        return is_digit(c) ? TENTHS : c == 'e' && state == TENTHS ? E : WRONG;
    case E:
        if (c == '+' || c == '-')
            return E_SIGN;
        [[fallthrough]];
    case E_SIGN:
    case EXPONENT:
        return is_digit(c) ? EXPONENT : WRONG;
    case WRONG:
        break;
    }
    return WRONG;
}

static enum kind kind_of(enum state state)
{
    switch (state) {
    case ZERO:
    case WHOLE:
        return INTEGER;
    case HEX:
        return HEXADECIMAL;
    case TENTHS:
        return FRACTION;
    case EXPONENT:
        return POWER;
    default:
        return INVALID;
    }
}

// Reads the whole text: how many numbers of each kind, and the sum of their digits' values.
static void text_read(void)
{
    enum state state = START;
    uint32_t value = 0;
    for (size_t at = 0; at < TEXT; at++) {
        char c = work.text[at];
        if (c != ',') {
            state = step(state, c, &value);
            continue;
        }
        enum kind kind = kind_of(state);
        work.counts[kind]++;
        work.values += kind == INVALID ? 1 : value;
        state = START;
        value = 0;
    }
}

static void text_spoil(size_t first, char change)
{
    for (size_t at = first; at < TEXT; at += SPOILT)
        work.text[at] ^= change;
}

static void text_round(int round)
{
    size_t first = (size_t)round % SPOILT;
    char change = (char)(1 + round);
    text_read();
    text_spoil(first, change);
    text_read();
    text_spoil(first, change);
    for (size_t kind = 0; kind < KINDS; kind++)
        crc_16(work.counts[kind]);
    crc_32(work.values);
}

uint16_t mix_iteration(uint32_t seed)
{
    work.random = seed | 1;
    work.crc = 0;
    work.values = 0;
    for (size_t kind = 0; kind < KINDS; kind++)
        work.counts[kind] = 0;
    list_fill();
    matrix_fill();
    text_fill();
    for (int round = 0; round < ROUNDS; round++) {
        list_round();
        matrix_round(round);
        text_round(round);
    }
    return work.crc;
}
