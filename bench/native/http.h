/* One HTTP/1.1 message at a time out of bytes that come in pieces of any size. */

#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LONGEST_HEAD = 1 << 20, LONGEST_LINE = 1 << 12 };

enum progress { UNFINISHED, FINISHED, BROKEN };

enum stage { HEAD, LENGTH_BODY, ENDLESS_BODY, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, WHOLE };

struct message {
    char *bytes; /* what was read; the body is decoded in place */
    size_t length, room;
    enum stage stage;
    size_t at;   /* how far it was understood */
    size_t head; /* where the body begins */
    size_t body; /* where the body ends so far, decoded */
    uint64_t left; /* bytes of the body or the chunk that are missing */
    int status;    /* of a response */
    size_t method, target, target_length; /* of a request: the method's length, and where the target is */
    bool keep_alive, chunked;
};

/* See that at least `wanted` more bytes can be read; ends the program if there is no memory. */
static inline void message_reserve(struct message *m, size_t wanted)
{
    if (m->room - m->length >= wanted)
        return;
    m->room = m->room * 2 > m->length + wanted ? m->room * 2 : m->length + wanted;
    m->bytes = realloc(m->bytes, m->room);
    if (m->bytes == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
}

/* Begin anew; what was read beyond the last message is the beginning of the next. */
static inline void message_next(struct message *m)
{
    size_t rest = m->stage == WHOLE ? m->length - m->at : 0;
    if (rest > 0)
        memmove(m->bytes, m->bytes + m->at, rest);
    *m = (struct message){.bytes = m->bytes, .room = m->room, .length = rest};
}

static inline bool is_named(const char *line, const char *colon, const char *name)
{
    return (size_t)(colon - line) == strlen(name) && strncasecmp(line, name, (size_t)(colon - line)) == 0;
}

/* Whether a comma-separated value holds the token. */
static inline bool has_token(const char *value, const char *end, const char *token)
{
    size_t length = strlen(token);
    while (value < end) {
        const char *comma = memchr(value, ',', (size_t)(end - value));
        const char *stop = comma ? comma : end;
        while (value < stop && (*value == ' ' || *value == '\t'))
            value++;
        const char *last = stop;
        while (last > value && (last[-1] == ' ' || last[-1] == '\t'))
            last--;
        if ((size_t)(last - value) == length && strncasecmp(value, token, length) == 0)
            return true;
        value = stop + 1;
    }
    return false;
}

/* Digits alone, to the end; false for anything else. */
static inline bool read_number(const char *text, const char *end, int base, uint64_t *number)
{
    *number = 0;
    if (text == end)
        return false;
    for (; text < end; text++) {
        int digit = *text >= '0' && *text <= '9' ? *text - '0' : (*text | 32) >= 'a' ? (*text | 32) - 'a' + 10 : 99;
        if (digit >= base || *number >> 56)
            return false;
        *number = *number * (uint64_t)base + (uint64_t)digit;
    }
    return true;
}

static inline bool parse_first_line(struct message *m, const char *end, bool is_response)
{
    const char *line = m->bytes;
    if (is_response) {
        if (end - line < 12 || memcmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ')
            return false;
        uint64_t status;
        if (!read_number(line + 9, line + 12, 10, &status))
            return false;
        m->status = (int)status;
        m->keep_alive = line[7] == '1';
        return true;
    }
    const char *space = memchr(line, ' ', (size_t)(end - line));
    if (space == NULL || end - space < 11 || memcmp(end - 9, " HTTP/1.", 8) != 0)
        return false;
    m->method = (size_t)(space - line);
    m->target = m->method + 1;
    m->target_length = (size_t)(end - 9 - (space + 1));
    m->keep_alive = end[-1] == '1';
    return m->method > 0 && m->target_length > 0;
}

static inline bool parse_head(struct message *m, bool is_response)
{
    const char *end = m->bytes + m->head - 2;
    const char *line = memmem(m->bytes, m->head, "\r\n", 2);
    bool has_length = false;
    m->left = 0;
    if (!parse_first_line(m, line, is_response))
        return false;
    for (line += 2; line < end;) {
        const char *stop = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);
        const char *colon = memchr(line, ':', (size_t)(stop - line));
        if (colon == NULL)
            return false;
        const char *value = colon + 1, *last = stop;
        while (value < last && (*value == ' ' || *value == '\t'))
            value++;
        while (last > value && (last[-1] == ' ' || last[-1] == '\t'))
            last--;
        if (is_named(line, colon, "content-length")) {
            uint64_t length;
            if (!read_number(value, last, 10, &length) || (has_length && length != m->left))
                return false;
            m->left = length;
            has_length = true;
        } else if (is_named(line, colon, "transfer-encoding")) {
            m->chunked = has_token(value, last, "chunked");
        } else if (is_named(line, colon, "connection")) {
            m->keep_alive = m->keep_alive && !has_token(value, last, "close");
        }
        line = stop + 2;
    }
    bool is_bodiless = is_response && (m->status == 204 || m->status == 304);
    if (m->chunked && has_length)
        return false;
    if (is_bodiless)
        m->chunked = false, m->left = 0;
    m->stage = m->chunked ? CHUNK_SIZE : LENGTH_BODY;
    if (is_response && !is_bodiless && !m->chunked && !has_length) {
        m->stage = ENDLESS_BODY;
        m->keep_alive = false;
    }
    m->at = m->body = m->head;
    return true;
}

/* The end of the line at `at`, or NULL while it is not there. */
static inline char *end_of_line(struct message *m)
{
    return memmem(m->bytes + m->at, m->length - m->at, "\r\n", 2);
}

/* Understand what was read. FINISHED: one message is whole. After the end of the stream, a response
   without a length is finished by `is_over`. */
static inline enum progress message_advance(struct message *m, bool is_response, bool is_over)
{
    for (;;) {
        switch (m->stage) {
        case HEAD: {
            size_t from = m->at > 3 ? m->at - 3 : 0;
            char *blank = memmem(m->bytes + from, m->length - from, "\r\n\r\n", 4);
            m->at = m->length;
            if (blank == NULL)
                return m->length > LONGEST_HEAD ? BROKEN : UNFINISHED;
            m->head = (size_t)(blank + 4 - m->bytes);
            if (!parse_head(m, is_response))
                return BROKEN;
            if (is_response && m->status < 200) {
                m->stage = WHOLE; /* 100 Continue and its like: what follows is the response */
                m->at = m->head;
                message_next(m);
            }
            break;
        }
        case LENGTH_BODY:
            if (m->length - m->at < m->left)
                return UNFINISHED;
            m->at = m->body = m->at + (size_t)m->left;
            m->stage = WHOLE;
            break;
        case ENDLESS_BODY:
            m->at = m->body = m->length;
            if (!is_over)
                return UNFINISHED;
            m->stage = WHOLE;
            break;
        case CHUNK_SIZE: {
            char *end = end_of_line(m);
            if (end == NULL)
                return m->length - m->at > LONGEST_LINE ? BROKEN : UNFINISHED;
            char *start = m->bytes + m->at;
            char *semicolon = memchr(start, ';', (size_t)(end - start));
            char *stop = semicolon ? semicolon : end;
            while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t'))
                stop--;
            if (!read_number(start, stop, 16, &m->left))
                return BROKEN;
            m->at = (size_t)(end + 2 - m->bytes);
            m->stage = m->left > 0 ? CHUNK_DATA : TRAILER;
            break;
        }
        case CHUNK_DATA: {
            size_t there = m->length - m->at;
            size_t taken = there < m->left ? there : (size_t)m->left;
            memmove(m->bytes + m->body, m->bytes + m->at, taken);
            m->body += taken;
            m->at += taken;
            m->left -= taken;
            if (m->left > 0)
                return UNFINISHED;
            m->stage = CHUNK_END;
            break;
        }
        case CHUNK_END:
            if (m->length - m->at < 2)
                return UNFINISHED;
            if (memcmp(m->bytes + m->at, "\r\n", 2) != 0)
                return BROKEN;
            m->at += 2;
            m->stage = CHUNK_SIZE;
            break;
        case TRAILER: {
            char *end = end_of_line(m);
            if (end == NULL)
                return m->length - m->at > LONGEST_LINE ? BROKEN : UNFINISHED;
            if (end == m->bytes + m->at)
                m->stage = WHOLE;
            m->at = (size_t)(end + 2 - m->bytes);
            break;
        }
        case WHOLE:
            return FINISHED;
        }
    }
}

#endif
