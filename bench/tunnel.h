/* One client's way to the upstream: through a proxy's CONNECT or straight, then TLS, then requests. */
#ifndef CLAUDERON_BENCH_TUNNEL_H
#define CLAUDERON_BENCH_TUNNEL_H

#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

struct tunnel {
    int fd;
    SSL *ssl;
    char in[SCRATCH];
    size_t in_length;
    uint64_t asked_ns, body_left; /* of a chunked body: what is left of the chunk and its line end */
    int head_seen, chunked;
};

static int proxy_port, target_port;
static char target_host[256];
static SSL_CTX *context;
static char request[512];
static size_t request_length;

static int dial(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 30};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect to 127.0.0.1:%d: %s", port, strerror(errno));
    return fd;
}

static void ask_for_tunnel(int fd, const char *host) {
    char text[1024];
    int length = snprintf(text, sizeof text, "CONNECT %s:%d HTTP/1.1\r\nHost: %s:%d\r\n\r\n", host,
        target_port, host, target_port);
    if (send(fd, text, (size_t)length, MSG_NOSIGNAL) != length) die("CONNECT %s: cannot be sent", host);
    size_t got = 0;
    do {
        ssize_t part = recv(fd, text + got, sizeof text - 1 - got, 0);
        if (part <= 0) die("CONNECT %s: no answer", host);
        got += (size_t)part;
        text[got] = '\0';
    } while (strstr(text, "\r\n\r\n") == NULL);
    if (strncmp(text + 8, " 200", 4) != 0) die("CONNECT %s: %.*s", host, (int)strcspn(text, "\r"), text);
}

static void tunnel_open(struct tunnel *t, const char *host) {
    t->in_length = 0;
    t->body_left = 0;
    t->head_seen = 0;
    t->fd = dial(proxy_port ? proxy_port : target_port);
    if (proxy_port) ask_for_tunnel(t->fd, host);
    t->ssl = SSL_new(context);
    SSL_set_fd(t->ssl, t->fd);
    SSL_set_tlsext_host_name(t->ssl, host);
    SSL_set1_host(t->ssl, host);
    if (SSL_connect(t->ssl) != 1)
        die("TLS with %s: %s", host, X509_verify_cert_error_string(SSL_get_verify_result(t->ssl)));
}

static void tunnel_close(struct tunnel *t) {
    SSL_shutdown(t->ssl);
    SSL_free(t->ssl);
    close(t->fd);
}

static void send_all(struct tunnel *t, const char *data, size_t size) {
    while (size > 0) {
        int part = SSL_write(t->ssl, data, (int)size);
        if (part <= 0) die("sending: connection lost (TLS error %d, %s)", SSL_get_error(t->ssl, part), strerror(errno));
        data += part;
        size -= (size_t)part;
    }
}

/* Go through `size` bytes of a chunked body at `data`; 1 when it is whole. A line that is not whole yet stays in t->in. */
static int take_chunks(struct tunnel *t, char *data, size_t size) {
    for (;;) {
        size_t part = size < t->body_left ? size : (size_t)t->body_left;
        data += part;
        size -= part;
        t->body_left -= part;
        char *end = size ? memchr(data, '\n', size) : NULL;
        if (t->body_left > 0 || end == NULL) break;
        uint64_t length = *data == '\r' ? 0 : strtoull(data, NULL, 16); /* which would go on beyond an empty line */
        size -= (size_t)(end + 1 - data);
        data = end + 1;
        if (length == 0 && t->chunked == 2) return t->head_seen = 0, t->in_length = 0, 1;
        if (length == 0) t->chunked = 2; /* the last chunk; after it comes an empty line, as no proxy here sends trailers */
        else t->body_left = length + 2;
    }
    memmove(t->in, data, size);
    t->in_length = size;
    return 0;
}

/* Take in what SSL_read brought (`size` bytes at the end of t->in); 1 when the response is whole. */
static int take(struct tunnel *t, size_t size) {
    t->in_length += size;
    if (!t->head_seen) {
        t->in[t->in_length] = '\0';
        char *end = strstr(t->in, "\r\n\r\n"), *length;
        if (end == NULL) {
            if (t->in_length > sizeof t->in / 2) die("a response head without an end");
            return 0;
        }
        end[2] = '\0';
        if (strncmp(t->in + 8, " 200", 4) != 0) die("answer: %.300s", t->in);
        length = strcasestr(t->in, "\r\ncontent-length:");
        t->chunked = length == NULL && strcasestr(t->in, "\r\ntransfer-encoding: chunked") != NULL;
        if (length == NULL && !t->chunked) die("an answer without a length: %.300s", t->in);
        t->body_left = length == NULL ? 0 : strtoull(length + 17, NULL, 10);
        t->head_seen = 1;
        size = t->in_length - (size_t)(end + 4 - t->in);
        if (t->chunked) return take_chunks(t, end + 4, size);
    } else if (t->chunked) return take_chunks(t, t->in, t->in_length);
    t->in_length = 0;
    if (size > t->body_left) die("more bytes than the answer has");
    t->body_left -= size;
    if (t->body_left > 0) return 0;
    t->head_seen = 0;
    return 1;
}

static int read_some(struct tunnel *t) {
    return SSL_read(t->ssl, t->in + t->in_length, (int)(sizeof t->in - 1 - t->in_length));
}

static void answer(struct tunnel *t) {
    int size;
    do {
        if ((size = read_some(t)) <= 0) die("answer: connection lost (%s)", strerror(errno));
    } while (!take(t, (size_t)size));
}

static size_t write_request(char *text, size_t room, const char *line, const char *host, const char *headers) {
    return (size_t)snprintf(text, room,
        "%s HTTP/1.1\r\nHost: %s:%d\r\nUser-Agent: bench\r\nAccept: */*\r\n%s\r\n", line, host, target_port,
        headers);
}

__attribute__((unused)) static void prepare_get(const char *path) {
    char line[128];
    snprintf(line, sizeof line, "GET %s", path);
    request_length = write_request(request, sizeof request, line, target_host, "");
}

__attribute__((unused)) static void get(struct tunnel *t) {
    t->asked_ns = now_ns();
    send_all(t, request, request_length);
}

#endif
