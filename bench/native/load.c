/* Requests at full speed or at a fixed rate, and what became of them, as one line of JSON.

     load [options] URL…            (http://127.0.0.1:PORT/path; connections take the URLs in turn)

     --connections 64   keep-alive connections, one request outstanding on each
     --count N          end after N requests, or
     --duration 10      send for so many seconds, and wait for the answers
     --rate R           requests a second, sent by the clock whether or not answers came; a latency counts
                        from the instant a request was due, also when no connection was free then.
                        Without it each connection sends its next request when the last was answered
     --method POST
     --header 'K: V'    any number of them
     --body TEXT, --body-file F, or --body-bytes 200 for JSON of exactly that size that holds {us}
     --patience 30      give up when so many seconds passed without an answer

   In path, headers and body {n} is the request's number, {n%1000} the rest of its division by 1000, and
   {us} the µs since 1970 at which it was sent (with --rate: was due). The first answer that is not 2xx is shown on the standard error. */

#define _GNU_SOURCE
#include "figures.h"
#include "http.h"
#include "text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { MOST_TARGETS = 64, EVENTS = 256, PIECE = 16384, SHORTEST_JSON = 33, RETRY_US = 50000 };

struct target {
    struct sockaddr_in address;
    char host[64];
    const char *path;
};

struct connection {
    int descriptor; /* -1: none */
    const struct target *target;
    bool is_connected, is_waiting; /* for the answer to `sent` */
    int64_t begun_us;              /* when the request was sent or due, by the monotonic clock */
    struct message in;
    struct text out;
    size_t out_at;
    bool watches_out;
    struct connection *next_idle, *next_broken;
};

static struct target targets[MOST_TARGETS];
static int target_count;
static const char *method = "POST";
static struct text headers, body;
static bool body_is_fixed;

static int epoll, timer;
static int64_t epoch_us; /* what to add to the monotonic clock */
static int64_t started_us, last_us, stop_us;
static int connections = 64;
static int64_t wanted = -1; /* requests; -1: until stop_us */
static double rate, duration = 10, patience = 30;
static int64_t sent, answered, lost, unconnected, classes[6];
static bool has_complained;
static struct histogram latency;
static struct connection *idle_first, *idle_last, *broken;

static void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void refuse(const char *what, const char *value)
{
    fprintf(stderr, "load: %s '%s'\n", what, value);
    exit(2);
}

static void write_request(struct connection *c, int64_t n, int64_t us)
{
    static struct text filled;
    const struct text *said = &body;
    if (!body_is_fixed) {
        filled.length = 0;
        fill(&filled, body.bytes, body.length, n, us);
        said = &filled;
    }
    struct text *out = &c->out;
    out->length = c->out_at = 0;
    append(out, method, strlen(method));
    append(out, " ", 1);
    fill(out, c->target->path, strlen(c->target->path), n, us);
    append(out, " HTTP/1.1\r\nHost: ", 17);
    append(out, c->target->host, strlen(c->target->host));
    append(out, "\r\n", 2);
    fill(out, headers.bytes, headers.length, n, us);
    append(out, "Content-Length: ", 16);
    append_number(out, (int64_t)said->length);
    append(out, "\r\n\r\n", 4);
    append(out, said->bytes, said->length);
}

static void watch(struct connection *c, uint32_t events, int operation)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll, operation, c->descriptor, &event) < 0)
        fail("epoll_ctl");
    c->watches_out = (events & EPOLLOUT) != 0;
}

static void be_idle(struct connection *c)
{
    c->next_idle = NULL;
    if (idle_first == NULL)
        idle_first = c;
    else
        idle_last->next_idle = c;
    idle_last = c;
}

/* The connection is gone; with it the request that was on its way. It is made again a little later. */
static void lose(struct connection *c)
{
    lost += c->is_waiting;
    unconnected += !c->is_connected;
    close(c->descriptor);
    c->descriptor = -1;
    c->is_waiting = c->is_connected = false;
    c->next_broken = broken;
    broken = c;
}

static void connect_again(struct connection *c)
{
    int on = 1;
    if (c->descriptor >= 0)
        close(c->descriptor);
    c->is_connected = false;
    c->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->descriptor < 0)
        fail("socket");
    setsockopt(c->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->in.stage = WHOLE;
    c->in.at = c->in.length;
    message_next(&c->in);
    int result = connect(c->descriptor, (const struct sockaddr *)&c->target->address, sizeof c->target->address);
    if (result < 0 && errno != EINPROGRESS)
        lose(c);
    else
        watch(c, EPOLLOUT, EPOLL_CTL_ADD);
}

static void write_rest(struct connection *c)
{
    ssize_t gone = send(c->descriptor, c->out.bytes + c->out_at, c->out.length - c->out_at, MSG_NOSIGNAL);
    if (gone < 0 && errno != EAGAIN) {
        lose(c);
        return;
    }
    c->out_at += gone > 0 ? (size_t)gone : 0;
    bool is_unsent = c->out_at < c->out.length;
    if (is_unsent != c->watches_out)
        watch(c, is_unsent ? EPOLLIN | EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD);
}

static int64_t due_us(int64_t n)
{
    return started_us + (int64_t)((double)n * 1e6 / rate);
}

static bool may_send(int64_t now)
{
    if (wanted >= 0 && sent >= wanted)
        return false;
    return rate > 0 ? due_us(sent) <= now : wanted >= 0 || now < stop_us;
}

static void send_request(struct connection *c, int64_t now)
{
    c->begun_us = rate > 0 ? due_us(sent) : now;
    write_request(c, sent, c->begun_us + epoch_us);
    sent++;
    c->is_waiting = true;
    write_rest(c);
}

/* Let what has nothing to do send what is to be sent. */
static void send_all(void)
{
    while (idle_first != NULL) {
        int64_t now = clock_us(CLOCK_MONOTONIC);
        if (!may_send(now))
            return;
        struct connection *c = idle_first;
        idle_first = c->next_idle;
        send_request(c, now);
    }
}

static void complain(const struct connection *c)
{
    if (has_complained)
        return;
    has_complained = true;
    size_t length = c->in.body - c->in.head;
    fprintf(stderr, "load: answered %d: %.*s\n", c->in.status, (int)(length < 500 ? length : 500),
            c->in.bytes + c->in.head);
}

static void take_answer(struct connection *c)
{
    last_us = clock_us(CLOCK_MONOTONIC);
    answered++;
    classes[c->in.status / 100 < 6 ? c->in.status / 100 : 0]++;
    histogram_add(&latency, last_us - c->begun_us);
    if (c->in.status / 100 != 2)
        complain(c);
    c->is_waiting = false;
    bool stays = c->in.keep_alive && c->out_at == c->out.length;
    message_next(&c->in);
    if (stays)
        be_idle(c);
    else
        connect_again(c);
}

static void unlist(struct connection *c)
{
    struct connection *before = NULL;
    for (struct connection *at = idle_first; at != NULL; before = at, at = at->next_idle) {
        if (at != c)
            continue;
        if (before == NULL)
            idle_first = c->next_idle;
        else
            before->next_idle = c->next_idle;
        if (idle_last == c)
            idle_last = before;
        return;
    }
}

static void read_more(struct connection *c)
{
    message_reserve(&c->in, PIECE);
    ssize_t got = recv(c->descriptor, c->in.bytes + c->in.length, c->in.room - c->in.length, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got > 0)
        c->in.length += (size_t)got;
    if (!c->is_waiting) { /* closed by the other side while idle, or an answer to nothing */
        unlist(c);
        connect_again(c);
        return;
    }
    enum progress progress = message_advance(&c->in, true, got <= 0);
    if (progress == FINISHED)
        take_answer(c);
    else if (progress == BROKEN || got <= 0)
        lose(c);
}

static void on_event(struct connection *c, uint32_t events)
{
    if (c->descriptor < 0)
        return;
    if (!c->is_connected) {
        int failure = 0;
        socklen_t size = sizeof failure;
        getsockopt(c->descriptor, SOL_SOCKET, SO_ERROR, &failure, &size);
        if (failure != 0) {
            lose(c);
            return;
        }
        c->is_connected = true;
        watch(c, EPOLLIN, EPOLL_CTL_MOD);
        be_idle(c);
        return;
    }
    if (events & EPOLLOUT && c->out_at < c->out.length)
        write_rest(c);
    if (c->descriptor >= 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_more(c);
}

static void set_timer(int64_t at_us)
{
    struct itimerspec at = {.it_value = {at_us / 1000000, at_us % 1000000 * 1000}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

/* Connect anew what was lost, now and then. */
static void mend(void)
{
    static int64_t mended_us;
    int64_t now = clock_us(CLOCK_MONOTONIC);
    if (broken == NULL || now - mended_us < RETRY_US)
        return;
    mended_us = now;
    struct connection *next = broken;
    broken = NULL;
    while (next != NULL) {
        struct connection *c = next;
        next = c->next_broken;
        connect_again(c);
    }
}

/* Wait for events, no longer than until the next request is due, and act on them. */
static void turn(void)
{
    struct epoll_event events[EVENTS];
    int64_t now = clock_us(CLOCK_MONOTONIC);
    if (rate > 0 && idle_first != NULL && (wanted < 0 || sent < wanted))
        set_timer(due_us(sent) > now ? due_us(sent) : now);
    int ready = epoll_wait(epoll, events, EVENTS, broken ? RETRY_US / 1000 : 100);
    if (ready < 0 && errno != EINTR)
        fail("epoll_wait");
    for (int i = 0; i < ready; i++) {
        uint64_t expirations;
        if (events[i].data.ptr != NULL)
            on_event(events[i].data.ptr, events[i].events);
        else if (read(timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN)
            fail("timer");
    }
    mend();
}

static void parse_target(const char *url)
{
    if (target_count == MOST_TARGETS)
        refuse("more than 64 targets; the first beyond them is", url);
    struct target *target = &targets[target_count++];
    const char *host = strncmp(url, "http://", 7) == 0 ? url + 7 : NULL;
    const char *path = host ? strchr(host, '/') : NULL;
    if (path == NULL || (size_t)(path - host) >= sizeof target->host)
        refuse("a target is http://IPv4[:PORT]/path, not", url);
    memcpy(target->host, host, (size_t)(path - host));
    target->path = path;
    char number[64];
    strcpy(number, target->host);
    char *colon = strchr(number, ':');
    if (colon != NULL)
        *colon = 0;
    target->address.sin_family = AF_INET;
    target->address.sin_port = htons((uint16_t)(colon ? atoi(colon + 1) : 80));
    if (inet_pton(AF_INET, number, &target->address.sin_addr) != 1)
        refuse("a target's host is an IPv4 address, not", number);
}

static void read_file(const char *name)
{
    char piece[PIECE];
    FILE *file = fopen(name, "rb");
    if (file == NULL)
        fail(name);
    for (size_t got; (got = fread(piece, 1, sizeof piece, file)) > 0;)
        append(&body, piece, got);
    fclose(file);
}

static void make_body(int64_t size)
{
    if (size < SHORTEST_JSON) {
        while (size-- > 0)
            append(&body, "x", 1);
        return;
    }
    append(&body, "{\"us\":{us},\"fill\":\"", 19);
    for (int64_t i = SHORTEST_JSON; i < size; i++)
        append(&body, "x", 1);
    append(&body, "\"}", 2);
}

static void print_result(double cpu)
{
    double seconds = (double)(last_us - started_us) / 1e6;
    printf("{\"requests\":%lld,\"seconds\":%.6f,\"rate\":%.1f,\"statuses\":{", (long long)answered, seconds,
           seconds > 0 ? (double)answered / seconds : 0.0);
    for (int i = 0, some = 0; i < 6; i++)
        if (classes[i] > 0)
            printf(some++ ? ",\"%dxx\":%lld" : "\"%dxx\":%lld", i, (long long)classes[i]);
    printf("},\"errors\":%lld,\"unanswered\":%lld,\"first_us\":%lld,\"last_us\":%lld,\"cpu_seconds\":%.6f,"
           "\"latency_us\":",
           (long long)(lost + unconnected), (long long)(sent - answered), (long long)(started_us + epoch_us),
           (long long)(last_us + epoch_us), cpu);
    histogram_print(stdout, &latency);
    puts("}");
}

/* Whether everything was sent, and answered or lost. */
static bool is_over(int64_t now)
{
    bool is_sent = wanted >= 0 ? sent >= wanted : now >= stop_us;
    return is_sent && answered + lost >= sent;
}

static void read_options(int count, char **words)
{
    static const struct option options[] = {
        {"connections", required_argument, NULL, 'c'}, {"count", required_argument, NULL, 'n'},
        {"duration", required_argument, NULL, 'd'},    {"rate", required_argument, NULL, 'r'},
        {"method", required_argument, NULL, 'm'},      {"header", required_argument, NULL, 'h'},
        {"body", required_argument, NULL, 'b'},        {"body-file", required_argument, NULL, 'f'},
        {"body-bytes", required_argument, NULL, 's'},  {"patience", required_argument, NULL, 'p'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(count, words, "", options, NULL)) != -1;) {
        switch (option) {
        case 'c': connections = atoi(optarg); break;
        case 'n': wanted = atoll(optarg); break;
        case 'd': duration = atof(optarg); break;
        case 'r': rate = atof(optarg); break;
        case 'm': method = optarg; break;
        case 'h': append(&headers, optarg, strlen(optarg)), append(&headers, "\r\n", 2); break;
        case 'b': append(&body, optarg, strlen(optarg)); break;
        case 'f': read_file(optarg); break;
        case 's': make_body(atoll(optarg)); break;
        case 'p': patience = atof(optarg); break;
        default: exit(2);
        }
    }
    for (int i = optind; i < count; i++)
        parse_target(words[i]);
    if (target_count == 0 || connections < 1) {
        fprintf(stderr, "load: give at least one URL, and at least one connection\n");
        exit(2);
    }
    if (rate > 0 && wanted < 0)
        wanted = (int64_t)(rate * duration);
    body_is_fixed = body.bytes == NULL || (memmem(body.bytes, body.length, "{n", 2) == NULL &&
                                           memmem(body.bytes, body.length, "{us}", 4) == NULL);
}

/* Connect all before the clock starts; ends the program where nobody listens. */
static void connect_all(void)
{
    struct connection *all = calloc((size_t)connections, sizeof *all);
    if (all == NULL)
        fail("memory");
    for (int i = 0; i < connections; i++) {
        struct connection *c = &all[i];
        int on = 1;
        c->target = &targets[i % target_count];
        c->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(c->descriptor, (const struct sockaddr *)&c->target->address, sizeof c->target->address) < 0)
            fail(c->target->host);
        setsockopt(c->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        fcntl(c->descriptor, F_SETFL, O_NONBLOCK);
        c->is_connected = true;
        watch(c, EPOLLIN, EPOLL_CTL_ADD);
        be_idle(c);
    }
}

static void run(void)
{
    started_us = last_us = clock_us(CLOCK_MONOTONIC);
    epoch_us = clock_us(CLOCK_REALTIME) - started_us;
    stop_us = started_us + (int64_t)(duration * 1e6);
    int64_t heard_us = started_us, heard = 0;
    for (;;) {
        send_all();
        int64_t now = clock_us(CLOCK_MONOTONIC);
        if (is_over(now))
            return;
        bool is_at_rest = idle_first != NULL && answered + lost == sent;
        if (answered > heard || is_at_rest)
            heard = answered, heard_us = now;
        if (now - heard_us > (int64_t)(patience * 1e6)) {
            fprintf(stderr, "load: no answer for %g s\n", patience);
            return;
        }
        turn();
    }
}

int main(int count, char **words)
{
    read_options(count, words);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event wakes = {.events = EPOLLIN};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &wakes) < 0)
        fail("timer");
    connect_all();
    double cpu_before = cpu_seconds();
    run();
    print_result(cpu_seconds() - cpu_before);
    return answered == classes[2] && lost + unconnected == 0 && sent == answered ? 0 : 1;
}
