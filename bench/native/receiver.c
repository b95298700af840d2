/* The destination of a benchmark: takes any request, answers it, and counts.

     receiver [--port 0] [--status 200] [--delay-ms 0] [--mark '"us":'] [--any]

   Prints {"port":…} once it listens on 127.0.0.1; with --any on every address, so 127.0.1.1 to
   127.0.1.100 are a hundred hosts. GET /stats answers what was counted, GET /reset
   counts from zero. The digits behind the mark in a body are the µs since 1970 at which the request
   was caused; the time from then until it came in whole is a latency. */

#define _GNU_SOURCE
#include "figures.h"
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { SECONDS = 3600, EVENTS = 256, PIECE = 16384 };

struct connection {
    int descriptor;
    struct message in;
    char *out; /* what could not be written at once */
    size_t out_length, out_at;
    bool is_delayed;     /* the request is whole, its answer waits for the delay */
    bool has_begun;      /* counted among those that run */
    bool ends_after_out;
    struct connection *next_free;
};

/* Answers that wait; the delay is the same for all, so the first in is the first due. */
struct delayed {
    struct connection *connection;
    int64_t due_us;
};

static struct {
    uint64_t requests, broken;
    int64_t first_us, last_us;
    double cpu_before;
    int seconds; /* how many of the arrays are used */
    uint32_t requests_in[SECONDS], most_in[SECONDS];
    struct histogram latency;
} counted;

static int epoll, timer, running;
static int status = 200;
static int64_t delay_us;
static const char *mark = "\"us\":";
static struct connection *closed; /* freed once the events at hand are done: they may name them */
static struct delayed *queue;
static size_t queue_first, queue_count, queue_room;

static void fail(const char *what)
{
    fprintf(stderr, "receiver: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void watch(int descriptor, void *pointer, uint32_t events, int operation)
{
    struct epoll_event event = {.events = events, .data.ptr = pointer};
    if (epoll_ctl(epoll, operation, descriptor, &event) < 0)
        fail("epoll_ctl");
}

static int second_of(int64_t now_us)
{
    int64_t second = (now_us - counted.first_us) / 1000000;
    int index = second < 0 ? 0 : second >= SECONDS ? SECONDS - 1 : (int)second;
    if (index >= counted.seconds)
        counted.seconds = index + 1;
    return index;
}

static void count_beginning(struct connection *c)
{
    c->has_begun = true;
    running++;
    if (counted.first_us == 0)
        counted.first_us = clock_us(CLOCK_REALTIME);
}

static void count_end(struct connection *c)
{
    if (c->has_begun)
        running--;
    c->has_begun = false;
}

static void count_request(const struct message *in)
{
    int64_t now = clock_us(CLOCK_REALTIME);
    if (counted.first_us == 0)
        counted.first_us = now;
    int second = second_of(now);
    counted.requests++;
    counted.last_us = now;
    counted.requests_in[second]++;
    if ((uint32_t)running > counted.most_in[second])
        counted.most_in[second] = (uint32_t)running;
    const char *end = in->bytes + in->body;
    const char *at = memmem(in->bytes + in->head, in->body - in->head, mark, strlen(mark));
    if (at == NULL)
        return;
    at += strlen(mark);
    const char *last = at;
    while (last < end && *last >= '0' && *last <= '9')
        last++;
    uint64_t caused;
    if (read_number(at, last, 10, &caused))
        histogram_add(&counted.latency, now - (int64_t)caused);
}

static void hang_up(struct connection *c)
{
    if (c->descriptor < 0)
        return;
    close(c->descriptor);
    c->descriptor = -1;
    count_end(c);
    if (!c->is_delayed) { /* else the queue still names it */
        c->next_free = closed;
        closed = c;
    }
}

static void free_closed(void)
{
    while (closed != NULL) {
        struct connection *c = closed;
        closed = c->next_free;
        free(c->in.bytes);
        free(c->out);
        free(c);
    }
}

static void write_out(struct connection *c, const char *bytes, size_t length)
{
    ssize_t sent = 0;
    if (c->out_length == 0) {
        sent = send(c->descriptor, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            hang_up(c);
            return;
        }
        if (sent == (ssize_t)length)
            return;
    }
    size_t rest = length - (sent > 0 ? (size_t)sent : 0);
    c->out = realloc(c->out, c->out_length + rest);
    if (c->out == NULL)
        fail("memory");
    memcpy(c->out + c->out_length, bytes + length - rest, rest);
    c->out_length += rest;
    watch(c->descriptor, c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
}

static void write_rest(struct connection *c)
{
    ssize_t sent = send(c->descriptor, c->out + c->out_at, c->out_length - c->out_at, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN)
        return;
    if (sent < 0) {
        hang_up(c);
        return;
    }
    c->out_at += (size_t)sent;
    if (c->out_at < c->out_length)
        return;
    c->out_length = c->out_at = 0;
    watch(c->descriptor, c, EPOLLIN, EPOLL_CTL_MOD);
    if (c->ends_after_out)
        hang_up(c);
}

static void answer_with(struct connection *c, int code, const char *type, const char *body, size_t length)
{
    char head[256];
    bool is_bodiless = code == 204 || code == 304;
    int head_length = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\n", code, code < 300 ? "OK" : "Refused");
    if (!is_bodiless)
        head_length += snprintf(head + head_length, sizeof head - (size_t)head_length,
                                "Content-Type: %s\r\nContent-Length: %zu\r\n", type, length);
    if (!c->in.keep_alive)
        head_length += snprintf(head + head_length, sizeof head - (size_t)head_length, "Connection: close\r\n");
    memcpy(head + head_length, "\r\n", 2);
    head_length += 2;
    if (is_bodiless || (c->in.method == 4 && memcmp(c->in.bytes, "HEAD", 4) == 0))
        length = 0;
    count_end(c);
    if (length <= sizeof head - (size_t)head_length) {
        memcpy(head + head_length, body, length);
        write_out(c, head, (size_t)head_length + length);
    } else {
        write_out(c, head, (size_t)head_length);
        if (c->descriptor >= 0)
            write_out(c, body, length);
    }
    if (c->descriptor >= 0 && !c->in.keep_alive) {
        c->ends_after_out = true;
        if (c->out_length == 0)
            hang_up(c);
    }
}

static void print_series(FILE *out, const char *name, const uint32_t *values)
{
    fprintf(out, ",\"%s\":[", name);
    for (int i = 0; i < counted.seconds; i++)
        fprintf(out, i ? ",%u" : "%u", values[i]);
    fputc(']', out);
}

static void answer_stats(struct connection *c)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL)
        fail("memory");
    fprintf(out, "{\"requests\":%llu,\"broken\":%llu,\"first_us\":%lld,\"last_us\":%lld,\"cpu_seconds\":%.6f",
            (unsigned long long)counted.requests, (unsigned long long)counted.broken, (long long)counted.first_us,
            (long long)counted.last_us, cpu_seconds() - counted.cpu_before);
    print_series(out, "requests_per_second", counted.requests_in);
    print_series(out, "most_at_once_per_second", counted.most_in);
    fputs(",\"latency_us\":", out);
    histogram_print(out, &counted.latency);
    fputs(",\"latency_buckets\":[", out);
    for (int i = 0, some = 0; i < BUCKETS; i++)
        if (counted.latency.counts[i] > 0)
            fprintf(out, some++ ? ",[%llu,%llu]" : "[%llu,%llu]", (unsigned long long)histogram_upper(i),
                    (unsigned long long)counted.latency.counts[i]);
    fputs("]}", out);
    fclose(out);
    answer_with(c, 200, "application/json", text, length);
    free(text);
}

static void delay_answer(struct connection *c)
{
    if (queue_count == queue_room) {
        size_t room = queue_room ? queue_room * 2 : 1024;
        struct delayed *larger = malloc(room * sizeof *larger);
        if (larger == NULL)
            fail("memory");
        for (size_t i = 0; i < queue_count; i++)
            larger[i] = queue[(queue_first + i) % queue_room];
        free(queue);
        queue = larger;
        queue_room = room;
        queue_first = 0;
    }
    int64_t due = clock_us(CLOCK_MONOTONIC) + delay_us;
    queue[(queue_first + queue_count++) % queue_room] = (struct delayed){c, due};
    c->is_delayed = true;
    if (queue_count == 1) {
        struct itimerspec at = {.it_value = {due / 1000000, due % 1000000 * 1000}};
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
    }
}

static bool asks(const struct message *in, const char *path)
{
    return in->method == 3 && memcmp(in->bytes, "GET", 3) == 0 && in->target_length == strlen(path) &&
           memcmp(in->bytes + in->target, path, in->target_length) == 0;
}

/* Take every request that is there, one after the other; one whose answer is delayed holds up the next. */
static void take_requests(struct connection *c)
{
    while (c->descriptor >= 0 && !c->is_delayed && !c->ends_after_out) {
        enum progress progress = message_advance(&c->in, false, false);
        if (c->in.stage != HEAD && !c->has_begun && !asks(&c->in, "/stats") && !asks(&c->in, "/reset"))
            count_beginning(c);
        if (progress == UNFINISHED)
            return;
        if (progress == BROKEN) {
            counted.broken++;
            c->in.keep_alive = false;
            answer_with(c, 400, "text/plain", "not a request that this understands\n", 36);
            return;
        }
        if (asks(&c->in, "/stats")) {
            answer_stats(c);
        } else if (asks(&c->in, "/reset")) {
            memset(&counted, 0, sizeof counted);
            counted.cpu_before = cpu_seconds();
            answer_with(c, 200, "application/json", "{}", 2);
        } else {
            count_request(&c->in);
            if (delay_us > 0) {
                delay_answer(c);
                return;
            }
            answer_with(c, status, "text/plain", "ok", 2);
        }
        message_next(&c->in);
    }
}

static void answer_delayed(void)
{
    uint64_t expirations;
    if (read(timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN)
        fail("timer");
    int64_t now = clock_us(CLOCK_MONOTONIC);
    while (queue_count > 0 && queue[queue_first].due_us <= now) {
        struct connection *c = queue[queue_first].connection;
        queue_first = (queue_first + 1) % queue_room;
        queue_count--;
        c->is_delayed = false;
        if (c->descriptor < 0) {
            c->next_free = closed;
            closed = c;
            continue;
        }
        answer_with(c, status, "text/plain", "ok", 2);
        message_next(&c->in);
        take_requests(c);
    }
    if (queue_count > 0) {
        int64_t due = queue[queue_first].due_us;
        struct itimerspec at = {.it_value = {due / 1000000, due % 1000000 * 1000}};
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
    }
}

static void read_more(struct connection *c)
{
    message_reserve(&c->in, PIECE);
    ssize_t got = recv(c->descriptor, c->in.bytes + c->in.length, c->in.room - c->in.length, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        hang_up(c);
        return;
    }
    c->in.length += (size_t)got;
    take_requests(c);
}

static void accept_all(int listener)
{
    for (;;) {
        int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor < 0)
            return;
        int on = 1;
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct connection *c = calloc(1, sizeof *c);
        if (c == NULL)
            fail("memory");
        c->descriptor = descriptor;
        watch(descriptor, c, EPOLLIN, EPOLL_CTL_ADD);
    }
}

static int listen_on(int port, in_addr_t at)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(at);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 4096) < 0)
        fail("cannot listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("{\"port\":%d}\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(int count, char **words)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},
        {"status", required_argument, NULL, 's'},
        {"delay-ms", required_argument, NULL, 'd'},
        {"mark", required_argument, NULL, 'm'},
        {"any", no_argument, NULL, 'a'},
        {NULL, 0, NULL, 0},
    };
    int port = 0;
    in_addr_t at = INADDR_LOOPBACK;
    for (int option; (option = getopt_long(count, words, "", options, NULL)) != -1;) {
        switch (option) {
        case 'p': port = atoi(optarg); break;
        case 's': status = atoi(optarg); break;
        case 'd': delay_us = (int64_t)(atof(optarg) * 1000); break;
        case 'm': mark = optarg; break;
        case 'a': at = INADDR_ANY; break;
        default: return 2;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    int listener = listen_on(port, at);
    watch(listener, &listener, EPOLLIN, EPOLL_CTL_ADD);
    watch(timer, &timer, EPOLLIN, EPOLL_CTL_ADD);
    counted.cpu_before = cpu_seconds();
    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr == &listener) {
                accept_all(listener);
            } else if (events[i].data.ptr == &timer) {
                answer_delayed();
            } else {
                struct connection *c = events[i].data.ptr;
                if (c->descriptor >= 0 && events[i].events & EPOLLOUT && c->out_length > 0)
                    write_rest(c);
                if (c->descriptor >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                    read_more(c);
            }
        }
        free_closed();
    }
}
