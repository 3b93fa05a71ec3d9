/* A relay between two TLS connections that knows no HTTP: what two TLS ends and one thread between them can do.
 *
 *   relay PORT UPSTREAM_PORT CERTIFICATE KEY UPSTREAM_CA
 *
 * Listens on 127.0.0.1:PORT, answers every CONNECT with 200, shows one certificate to everybody, and passes bytes to
 * and from 127.0.0.1:UPSTREAM_PORT, whose certificate is verified for the CONNECT's host. No pool, no log, no policy.
 */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENT, UPSTREAM, MOST_HEAD = 4096 };

struct pair;

struct end {
    struct pair *pair;
    int fd, ready, watched; /* ready: its handshake is complete */
    SSL *ssl;
    size_t from, left; /* what it could not send yet, in data */
    char data[READ_AHEAD];
};

struct pair {
    struct end ends[2];
    size_t head_length;
    int over; /* one end has closed: the rest is sent, then both end */
    struct pair *next_dead;
};

static int poller, upstream_port;
static SSL_CTX *serving, *asking;
static struct pair *dead;

static void watch(struct end *end, int events) {
    struct epoll_event event = {.events = (uint32_t)events, .data.ptr = end};
    if (end->watched == events) return;
    epoll_ctl(poller, end->watched < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, end->fd, &event);
    end->watched = events;
}

static void drop(struct pair *pair) {
    if (pair->over == 2) return;
    pair->over = 2;
    for (int i = 0; i < 2; i++) {
        struct end *end = &pair->ends[i];
        if (end->ssl != NULL && end->ready) SSL_shutdown(end->ssl);
        SSL_free(end->ssl);
        if (end->fd >= 0) close(end->fd);
    }
    ERR_clear_error(); /* or the next connection's errors would be taken for this one's */
    pair->next_dead = dead; /* an event of this turn may still name it */
    dead = pair;
}

static void be_prompt(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* Begin both handshakes for `host`. */
static void join(struct pair *pair, const char *host) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)upstream_port)};
    struct end *client = &pair->ends[CLIENT], *upstream = &pair->ends[UPSTREAM];
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    upstream->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(upstream->fd, (struct sockaddr *)&address, sizeof address) != 0) return drop(pair);
    fcntl(upstream->fd, F_SETFL, O_NONBLOCK);
    be_prompt(upstream->fd);
    client->ssl = SSL_new(serving);
    SSL_set_fd(client->ssl, client->fd);
    SSL_set_accept_state(client->ssl);
    upstream->ssl = SSL_new(asking);
    SSL_set_fd(upstream->ssl, upstream->fd);
    SSL_set_connect_state(upstream->ssl);
    SSL_set_tlsext_host_name(upstream->ssl, host);
    SSL_set1_host(upstream->ssl, host);
}

static void read_head(struct pair *pair) {
    static const char yes[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    struct end *client = &pair->ends[CLIENT];
    ssize_t got = recv(client->fd, client->data + pair->head_length, MOST_HEAD - pair->head_length, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return drop(pair);
    pair->head_length += (size_t)got;
    client->data[pair->head_length] = '\0';
    if (strstr(client->data, "\r\n\r\n") == NULL) {
        if (pair->head_length == MOST_HEAD) drop(pair);
        return;
    }
    if (strncmp(client->data, "CONNECT ", 8) != 0) return drop(pair);
    client->data[8 + strcspn(client->data + 8, ": ")] = '\0';
    if (send(client->fd, yes, sizeof yes - 1, MSG_NOSIGNAL) < 0) return drop(pair);
    join(pair, client->data + 8);
}

/* 1 when the handshake is complete, 0 when it waits; ends the pair if it failed. */
static int shake(struct end *end) {
    if (end->ready) return 1;
    int done = SSL_do_handshake(end->ssl);
    if (done == 1) return end->ready = 1;
    int error = SSL_get_error(end->ssl, done);
    if (error == SSL_ERROR_WANT_READ) watch(end, EPOLLIN);
    else if (error == SSL_ERROR_WANT_WRITE) watch(end, EPOLLOUT);
    else drop(end->pair);
    return 0;
}

/* Pass on what comes from one end until it has no more or the other takes no more; 0 if the pair ended. */
static int pump(struct end *source, struct end *sink) {
    for (;;) {
        while (sink->left > 0) {
            int sent = SSL_write(sink->ssl, sink->data + sink->from, (int)sink->left);
            if (sent <= 0) {
                if (SSL_get_error(sink->ssl, sent) == SSL_ERROR_WANT_WRITE) return 1;
                drop(source->pair);
                return 0;
            }
            sink->from += (size_t)sent;
            sink->left -= (size_t)sent;
        }
        int got = SSL_read(source->ssl, sink->data, READ_AHEAD);
        if (got <= 0) {
            if (SSL_get_error(source->ssl, got) == SSL_ERROR_WANT_READ) return 1;
            drop(source->pair);
            return 0;
        }
        sink->from = 0;
        sink->left = (size_t)got;
    }
}

static void go_on(struct pair *pair) {
    struct end *client = &pair->ends[CLIENT], *upstream = &pair->ends[UPSTREAM];
    if (client->ssl == NULL) read_head(pair);
    if (pair->over || client->ssl == NULL) return;
    int both = shake(client);
    if (pair->over) return;
    both &= shake(upstream);
    if (pair->over) return;
    if (!both) { /* what comes early waits in the socket */
        if (client->ready) watch(client, 0);
        if (upstream->ready) watch(upstream, 0);
        return;
    }
    if (!pump(client, upstream) || !pump(upstream, client)) return;
    watch(client, (upstream->left ? 0 : EPOLLIN) | (client->left ? EPOLLOUT : 0));
    watch(upstream, (client->left ? 0 : EPOLLIN) | (upstream->left ? EPOLLOUT : 0));
}

static void accept_all(int listener) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        struct pair *pair = calloc(1, sizeof *pair);
        be_prompt(fd);
        for (int i = 0; i < 2; i++) {
            pair->ends[i].pair = pair;
            pair->ends[i].fd = i == CLIENT ? fd : -1;
            pair->ends[i].watched = -1;
        }
        watch(&pair->ends[CLIENT], EPOLLIN);
    }
}

int main(int argc, char **argv) {
    if (argc != 6) die("usage: relay PORT UPSTREAM_PORT CERTIFICATE KEY UPSTREAM_CA");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    struct epoll_event events[64], listening = {.events = EPOLLIN, .data.ptr = NULL};
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    signal(SIGPIPE, SIG_IGN);
    upstream_port = atoi(argv[2]);
    serving = tls_context(TLS_server_method());
    asking = tls_context(TLS_client_method());
    if (SSL_CTX_use_certificate_chain_file(serving, argv[3]) != 1) die("%s: no certificate", argv[3]);
    if (SSL_CTX_use_PrivateKey_file(serving, argv[4], SSL_FILETYPE_PEM) != 1) die("%s: no key", argv[4]);
    SSL_CTX_set_verify(asking, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_load_verify_locations(asking, argv[5], NULL) != 1) die("%s: no certificates", argv[5]);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1024) != 0)
        die("port %s: %s", argv[1], strerror(errno));
    poller = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &listening);
    for (;;) {
        int count = epoll_wait(poller, events, 64, -1);
        for (int i = 0; i < count; i++) {
            struct end *end = events[i].data.ptr;
            if (end == NULL) accept_all(listener);
            else if (!end->pair->over) go_on(end->pair);
        }
        while (dead != NULL) {
            struct pair *gone = dead;
            dead = gone->next_dead;
            free(gone);
        }
    }
}
