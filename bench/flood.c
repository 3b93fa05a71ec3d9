/* One session that floods the proxy, for as long as stdin is open. Says "ready" once it is at it.
 *
 *   flood PROXY_PORT CA HOST:PORT KIND CONNECTIONS [COUNT PREFIX]
 *
 *   refused      pipelined requests, outside of tunnels, for a name that the session may not reach: denied.HOST
 *   passed       pipelined GETs of 1 KiB in tunnels
 *   bulk         bodies without an end in tunnels, down in every other one and up in the rest
 *   handshakes   tunnels opened and closed again, to COUNT names in turn: PREFIX-n.HOST
 *
 * Each connection has a thread, which sends as long as the proxy takes it and reads what comes.
 */
#include "tunnel.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum { BLOCK = 65536 };

/* What a connection sends: `first` once, then `again` for ever. */
struct flow {
    char first[512], again[BLOCK];
    size_t first_length, again_length;
    int plain;
};

static struct flow flows[2];
static int kinds = 1;
static atomic_ulong begun;
static unsigned long names;
static const char *name_prefix;

static void repeat(struct flow *flow, const char *text, size_t length) {
    while (flow->again_length + length <= BLOCK) {
        memcpy(flow->again + flow->again_length, text, length);
        flow->again_length += length;
    }
}

static void refused(struct flow *flow) {
    char text[1024];
    flow->plain = 1;
    repeat(flow, text, (size_t)snprintf(text, sizeof text,
        "GET http://denied.%s/%0200d HTTP/1.1\r\nHost: denied.%s\r\n\r\n", target_host, 0, target_host));
}

static void gets(struct flow *flow, const char *line) {
    char text[1024];
    repeat(flow, text, write_request(text, sizeof text, line, target_host, ""));
}

static void upload(struct flow *flow) {
    flow->first_length = write_request(flow->first, sizeof flow->first, "POST /sink", target_host,
        "Content-Length: 100000000000000\r\n");
    flow->again_length = BLOCK;
    memset(flow->again, 'y', BLOCK);
}

/* One call each; below 0 for "later" and 0 for a connection that is over. */
static int put(struct tunnel *t, const struct flow *flow, const char *data, size_t size) {
    if (!flow->plain) {
        int done = SSL_write(t->ssl, data, (int)size), why = done > 0 ? 0 : SSL_get_error(t->ssl, done);
        return done > 0 ? done : why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? -1 : 0;
    }
    ssize_t done = send(t->fd, data, size, MSG_NOSIGNAL);
    return done > 0 ? (int)done : errno == EAGAIN ? -1 : 0;
}

static int pull(struct tunnel *t, const struct flow *flow) {
    if (!flow->plain) {
        int done = SSL_read(t->ssl, t->in, sizeof t->in), why = done > 0 ? 0 : SSL_get_error(t->ssl, done);
        return done > 0 ? done : why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? -1 : 0;
    }
    ssize_t done = recv(t->fd, t->in, sizeof t->in, 0);
    return done > 0 ? (int)done : done < 0 && errno == EAGAIN ? -1 : 0;
}

static void *flood(void *argument) {
    const struct flow *flow = argument;
    struct tunnel *t = calloc(1, sizeof *t);
    size_t at = 0;
    int in_first = flow->first_length > 0;
    if (flow->plain) t->fd = dial(proxy_port);
    else tunnel_open(t, target_host);
    fcntl(t->fd, F_SETFL, O_NONBLOCK);
    for (;;) {
        const char *data = in_first ? flow->first : flow->again;
        size_t size = in_first ? flow->first_length : flow->again_length;
        int sent = put(t, flow, data + at, size - at), got = pull(t, flow);
        if (sent == 0 || got == 0) die("flood: the proxy ended a connection");
        if (sent > 0 && (at += (size_t)sent) == size) {
            at = 0;
            in_first = 0;
        }
        if (sent < 0 && got < 0) {
            struct pollfd wait = {.fd = t->fd, .events = POLLIN | POLLOUT};
            poll(&wait, 1, -1);
        }
    }
}

static void *shake(void *argument) {
    struct tunnel *t = calloc(1, sizeof *t);
    char host[512], text[1024];
    (void)argument;
    for (;;) {
        snprintf(host, sizeof host, "%s-%lu.%s", name_prefix, begun++ % names, target_host);
        tunnel_open(t, host);
        send_all(t, text, write_request(text, sizeof text, "GET /bytes/1024", host, ""));
        answer(t);
        tunnel_close(t);
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc < 6) die("usage: flood PROXY_PORT CA HOST:PORT KIND CONNECTIONS [COUNT PREFIX]");
    const char *what = argv[4], *colon = strrchr(argv[3], ':');
    pthread_t thread;
    char byte;
    if (colon == NULL) die("%s: not HOST:PORT", argv[3]);
    proxy_port = atoi(argv[1]);
    target_port = atoi(colon + 1);
    snprintf(target_host, sizeof target_host, "%.*s", (int)(colon - argv[3]), argv[3]);
    signal(SIGPIPE, SIG_IGN);
    context = tls_context(TLS_client_method());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_load_verify_locations(context, argv[2], NULL) != 1) die("%s: no certificates", argv[2]);
    int handshakes = strcmp(what, "handshakes") == 0;
    if (strcmp(what, "refused") == 0) refused(&flows[0]);
    else if (strcmp(what, "passed") == 0) gets(&flows[0], "GET /bytes/1024");
    else if (strcmp(what, "bulk") == 0) {
        gets(&flows[0], "GET /bytes/10000000000");
        upload(&flows[1]);
        kinds = 2;
    } else if (!handshakes || argc < 8) die("%s: no such flood, or without COUNT and PREFIX", what);
    if (handshakes) {
        names = strtoul(argv[6], NULL, 10);
        name_prefix = argv[7];
    }
    for (int i = 0; i < atoi(argv[5]); i++)
        pthread_create(&thread, NULL, handshakes ? shake : flood, handshakes ? NULL : &flows[i % kinds]);
    usleep(300000);
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) continue;
    return 0;
}
