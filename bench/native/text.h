/* Text that grows, and templates. */

#ifndef TEXT_H
#define TEXT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
    char *bytes;
    size_t length, room;
};

static inline void append(struct text *text, const char *bytes, size_t length)
{
    if (text->room - text->length < length) {
        text->room = (text->room + length) * 2;
        text->bytes = realloc(text->bytes, text->room);
        if (text->bytes == NULL) {
            fprintf(stderr, "out of memory\n");
            exit(1);
        }
    }
    if (length > 0)
        memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static inline void append_number(struct text *text, int64_t number)
{
    char digits[24];
    int at = sizeof digits;
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    append(text, digits + at, sizeof digits - (size_t)at);
}

/* Append a template with its placeholders filled. */
static inline void fill(struct text *text, const char *from, size_t length, int64_t n, int64_t us)
{
    for (const char *end = from + length; from < end;) {
        const char *brace = memchr(from, '{', (size_t)(end - from));
        const char *stop = brace ? brace : end;
        append(text, from, (size_t)(stop - from));
        from = stop;
        if (from == end)
            return;
        if (end - from >= 3 && memcmp(from, "{n}", 3) == 0) {
            append_number(text, n);
            from += 3;
        } else if (end - from >= 5 && memcmp(from, "{n%", 3) == 0) {
            int64_t count = 0;
            for (from += 3; from < end && *from >= '0' && *from <= '9'; from++)
                count = count * 10 + *from - '0';
            from += from < end; /* the brace */
            append_number(text, count > 0 ? n % count : n);
        } else if (end - from >= 4 && memcmp(from, "{us}", 4) == 0) {
            append_number(text, us);
            from += 4;
        } else {
            append(text, from++, 1);
        }
    }
}

#endif
