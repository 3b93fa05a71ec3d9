/* The origin server of the proxy benchmark: TLS, HTTP/1.1, keep-alive, one thread, epoll.
 *
 *   upstream PORT CERTIFICATE KEY        listens on 127.0.0.1 until stdin ends
 *
 *   GET  /bytes/N                        N bytes with a Content-Length, head and body written one after the other
 *   GET  /packed/N                       the same of bytes that look like a compressed file
 *   GET  /whole/N                        the same in one write, so that a short answer is one TLS record
 *   GET  /events/N/MS                    N server-sent events, one every MS ms, each carrying now_ns()
 *   POST anything                        reads the body (either framing), answers with its length
 */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum state { HANDSHAKE, HEAD, BODY, REPLY, EVENTS };
enum chunk { SIZE, DATA, DATA_END, TRAILER };

struct connection {
    int fd, timer; /* timer: -1 unless events are being sent */
    SSL *ssl;
    enum state state;
    uint32_t wanted; /* what epoll watches for now */
    int chunked, line; /* line: bytes of the current chunk-size or trailer line */
    enum chunk chunk;
    uint64_t body_left, body_seen;
    uint64_t events_left, reply_left; /* reply_left: body bytes still to send after `out` */
    size_t in_length, out_length, out_sent;
    const char *filler; /* what the body is made of */
    char in[16384], out[8192];
};

static int poller;
static SSL_CTX *context;
static char filler[SCRATCH], packed[SCRATCH], scratch[SCRATCH];

static void watch(struct connection *c, uint32_t events) {
    if (c->wanted == events) return;
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
    c->wanted = events;
}

static void finish(struct connection *c) {
    if (c->timer >= 0) close(c->timer);
    SSL_free(c->ssl);
    close(c->fd);
    free(c);
}

/* After a TLS call that did not succeed: 1 to wait for the socket, 0 to give the connection up. */
static int blocked(struct connection *c, int result) {
    switch (SSL_get_error(c->ssl, result)) {
    case SSL_ERROR_WANT_READ: watch(c, EPOLLIN); return 1;
    case SSL_ERROR_WANT_WRITE: watch(c, EPOLLOUT); return 1;
    default: ERR_clear_error(); return 0;
    }
}

/* `body`: what it is, or NULL for `length` bytes of filler. */
static void reply(struct connection *c, uint64_t length, const char *body, int whole) {
    c->out_length = (size_t)snprintf(c->out, sizeof c->out,
        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %llu\r\n\r\n%s",
        (unsigned long long)length, body ? body : "");
    c->out_sent = 0;
    c->reply_left = body ? 0 : length;
    c->state = REPLY;
    if (whole && c->reply_left <= sizeof c->out - c->out_length) {
        memcpy(c->out + c->out_length, c->filler, c->reply_left);
        c->out_length += c->reply_left;
        c->reply_left = 0;
    }
}

static void reply_received(struct connection *c) {
    char text[32];
    reply(c, (uint64_t)snprintf(text, sizeof text, "%llu", (unsigned long long)c->body_seen), text, 1);
}

static void start_events(struct connection *c, unsigned long count, unsigned long interval_ms) {
    struct itimerspec every = {
        .it_interval = {(time_t)(interval_ms / 1000), (long)(interval_ms % 1000) * 1000000},
        .it_value = {(time_t)(interval_ms / 1000), (long)(interval_ms % 1000) * 1000000}};
    c->out_length = (size_t)snprintf(c->out, sizeof c->out,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
        "Transfer-Encoding: chunked\r\n\r\n");
    c->out_sent = 0;
    c->events_left = count;
    c->state = EVENTS;
    c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    timerfd_settime(c->timer, 0, &every, NULL);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)(uintptr_t)c | 1};
    epoll_ctl(poller, EPOLL_CTL_ADD, c->timer, &event);
}

static void tick(struct connection *c) {
    uint64_t missed;
    if (read(c->timer, &missed, sizeof missed) != sizeof missed || c->out_length != c->out_sent) return;
    char event[64];
    int length = snprintf(event, sizeof event, "data: %020llu\n\n", (unsigned long long)now_ns());
    int last = --c->events_left == 0;
    c->out_length = (size_t)snprintf(
        c->out, sizeof c->out, "%x\r\n%s\r\n%s", (unsigned)length, event, last ? "0\r\n\r\n" : "");
    c->out_sent = 0;
    if (last) {
        close(c->timer);
        c->timer = -1;
        c->reply_left = 0;
        c->state = REPLY;
    }
}

/* `size` bytes of body arrived; returns how many of them belong to it. */
static size_t take_chunked(struct connection *c, const char *data, size_t size) {
    size_t at = 0;
    while (at < size) {
        if (c->chunk == DATA) {
            size_t part = size - at < c->body_left ? size - at : (size_t)c->body_left;
            c->body_left -= part;
            c->body_seen += part;
            at += part;
            if (c->body_left == 0) c->chunk = DATA_END;
            continue;
        }
        char byte = data[at++];
        if (byte == '\r') continue;
        if (byte != '\n') {
            if (c->chunk == SIZE) {
                int digit = byte <= '9' ? byte - '0' : (byte | 32) - 'a' + 10;
                c->body_left = c->body_left * 16 + (uint64_t)digit;
            }
            c->line++;
            continue;
        }
        if (c->chunk == SIZE) c->chunk = c->body_left ? DATA : TRAILER;
        else if (c->chunk == DATA_END) c->chunk = SIZE;
        else if (c->line == 0) {
            reply_received(c);
            return at;
        }
        c->line = 0;
    }
    return at;
}

static size_t take_body(struct connection *c, const char *data, size_t size) {
    if (c->chunked) return take_chunked(c, data, size);
    size_t part = size < c->body_left ? size : (size_t)c->body_left;
    c->body_left -= part;
    c->body_seen += part;
    if (c->body_left == 0) reply_received(c);
    return part;
}

static const char *header(const char *head, const char *name) {
    const char *found = strcasestr(head, name);
    return found ? found + strlen(name) : NULL;
}

static int take_head(struct connection *c, char *end) {
    unsigned long first = 0, second = 0;
    const char *value;
    end[2] = '\0';
    c->filler = filler;
    if (sscanf(c->in, "GET /bytes/%lu", &first) == 1) reply(c, first, NULL, 0);
    else if (sscanf(c->in, "GET /packed/%lu", &first) == 1) {
        c->filler = packed;
        reply(c, first, NULL, 0);
    }
    else if (sscanf(c->in, "GET /whole/%lu", &first) == 1) reply(c, first, NULL, 1);
    else if (sscanf(c->in, "GET /events/%lu/%lu", &first, &second) == 2) start_events(c, first, second);
    else if (strncmp(c->in, "POST ", 5) == 0) {
        c->state = BODY;
        c->body_seen = c->body_left = 0;
        c->chunk = SIZE;
        c->line = 0;
        c->chunked = header(c->in, "\r\ntransfer-encoding: chunked") != NULL;
        if (!c->chunked && (value = header(c->in, "\r\ncontent-length:")) != NULL)
            c->body_left = strtoull(value, NULL, 10);
    } else return 0;
    size_t used = (size_t)(end + 4 - c->in);
    c->in_length -= used;
    memmove(c->in, c->in + used, c->in_length);
    if (c->state == BODY && c->in_length > 0) {
        used = take_body(c, c->in, c->in_length);
        c->in_length -= used;
        memmove(c->in, c->in + used, c->in_length);
    }
    return 1;
}

static int send_out(struct connection *c) {
    int result;
    while (c->out_sent < c->out_length) {
        result = SSL_write(c->ssl, c->out + c->out_sent, (int)(c->out_length - c->out_sent));
        if (result <= 0) return result;
        c->out_sent += (size_t)result;
    }
    while (c->state == REPLY && c->reply_left > 0) {
        result = SSL_write(c->ssl, c->filler, c->reply_left < SCRATCH ? (int)c->reply_left : SCRATCH);
        if (result <= 0) return result;
        c->reply_left -= (uint64_t)result;
    }
    return 1;
}

/* Go on with a connection until it would block; 0 when it is over. */
static int serve(struct connection *c) {
    for (;;) {
        int result = 1;
        if (c->state == HANDSHAKE) {
            if ((result = SSL_accept(c->ssl)) == 1) c->state = HEAD;
        } else if (c->state == HEAD) {
            c->in[c->in_length] = '\0';
            char *end = strstr(c->in, "\r\n\r\n");
            if (end != NULL) {
                if (!take_head(c, end)) return 0;
                continue;
            }
            size_t room = sizeof c->in - 1 - c->in_length;
            if (room == 0) return 0;
            result = SSL_read(c->ssl, c->in + c->in_length, (int)room);
            if (result > 0) c->in_length += (size_t)result;
        } else if (c->state == BODY) {
            if ((result = SSL_read(c->ssl, scratch, sizeof scratch)) > 0) take_body(c, scratch, (size_t)result);
        } else {
            result = send_out(c);
            if (result > 0 && c->state == EVENTS) {
                /* Nothing to say until the next tick; a reader that leaves shows itself here. */
                result = SSL_read(c->ssl, scratch, sizeof scratch);
            } else if (result > 0) c->state = HEAD;
        }
        if (result <= 0) return blocked(c, result);
    }
}

static void welcome(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct connection *c = calloc(1, sizeof *c);
        c->fd = fd;
        c->timer = -1;
        c->ssl = SSL_new(context);
        SSL_set_fd(c->ssl, fd);
        c->wanted = EPOLLIN;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    }
}

static int listen_on(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1024) != 0)
        die("port %d: %s", port, strerror(errno));
    return listener;
}

int main(int argc, char **argv) {
    if (argc != 4) die("usage: upstream PORT CERTIFICATE KEY");
    signal(SIGPIPE, SIG_IGN);
    context = tls_context(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(context, argv[2]) != 1
        || SSL_CTX_use_PrivateKey_file(context, argv[3], SSL_FILETYPE_PEM) != 1)
        die("%s: not a usable certificate and key", argv[2]);
    memset(filler, 'x', sizeof filler);
    srandom(1);
    for (size_t i = 0; i < sizeof packed; i++) packed[i] = (char)(random() >> 8);
    int listener = listen_on(atoi(argv[1]));
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    event.data.ptr = &poller; /* any address that is no connection: stdin */
    epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    puts("ready");
    fflush(stdout);
    struct epoll_event events[128];
    for (;;) {
        int count = epoll_wait(poller, events, 128, -1);
        for (int i = 0; i < count; i++) {
            struct connection *c = (struct connection *)(uintptr_t)(events[i].data.u64 & ~(uint64_t)1);
            if (c == NULL) welcome(listener);
            else if (events[i].data.ptr == &poller) return 0;
            else {
                if (events[i].data.u64 & 1) tick(c);
                if (!serve(c)) {
                    /* Its timer may be in this very batch: what follows for it must not be served. */
                    for (int j = i + 1; j < count; j++)
                        if ((events[j].data.u64 & ~(uint64_t)1) == (uint64_t)(uintptr_t)c)
                            events[j].data.u64 = (uint64_t)(uintptr_t)NULL;
                    finish(c);
                }
            }
        }
    }
}
