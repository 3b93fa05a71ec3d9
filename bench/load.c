/* The load generator of the proxy benchmark. One measurement a run, its figures as one JSON line.
 *
 *   load PROXY_PORT CA HOST:PORT MEASUREMENT ARGUMENTS
 *
 *   rate TUNNELS SECONDS PATH       keep-alive GETs as fast as they are answered
 *   latency REQUESTS PATH           one GET after another on one tunnel
 *   cold WORKERS SECONDS            a new tunnel and one GET, again and again
 *   hosts WORKERS COUNT PREFIX      COUNT new tunnels, each to a name never seen before: PREFIX-n.HOST
 *   handshakes WORKERS COUNT PREFIX     the same without the GET
 *   down BYTES | packed BYTES | up BYTES | chunked BYTES   one transfer on one tunnel; packed: what looks like no text
 *   events COUNT MS TUNNELS         server-sent events while TUNNELS others load the proxy
 *   idle TUNNELS                    one GET on each, says "ready", holds them until stdin ends
 *
 * PROXY_PORT is on 127.0.0.1; 0 goes to 127.0.0.1 and the target's port without a proxy. Names are never
 * resolved here. Every certificate is verified against CA and the host's name; no TLS session is resumed.
 */
#include "tunnel.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>

static const char SHORT[] = "/bytes/1024";

enum { CHUNK = 8192, MOST_SAMPLES = 4000000 };

static atomic_int stopping;
static atomic_ulong done;

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *samples, size_t count, double share) {
    if (count == 0) die("nothing was measured");
    qsort(samples, count, sizeof *samples, by_value);
    return samples[(size_t)((double)(count - 1) * share)];
}

/* Keep `count` tunnels busy until stop_ns or `stopping`; samples in us from start_ns on, if wanted. */
static size_t keep_busy(int count, uint64_t start_ns, uint64_t stop_ns, double *samples) {
    struct tunnel *tunnels = calloc((size_t)count, sizeof *tunnels);
    struct epoll_event events[64];
    size_t finished = 0;
    int poller = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < count; i++) {
        tunnel_open(&tunnels[i], target_host);
        fcntl(tunnels[i].fd, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &tunnels[i]};
        epoll_ctl(poller, EPOLL_CTL_ADD, tunnels[i].fd, &event);
    }
    for (int i = 0; i < count; i++) get(&tunnels[i]);
    while (!stopping && now_ns() < stop_ns) {
        int ready = epoll_wait(poller, events, 64, 20000);
        if (ready == 0) die("no answer within 20 s");
        for (int i = 0; i < ready; i++) {
            struct tunnel *t = events[i].data.ptr;
            int size;
            while ((size = read_some(t)) > 0) {
                if (!take(t, (size_t)size)) continue;
                uint64_t now = now_ns();
                if (now >= start_ns && finished < MOST_SAMPLES) {
                    if (samples) samples[finished] = (double)(now - t->asked_ns) / 1e3;
                    finished++;
                }
                get(t);
            }
            if (SSL_get_error(t->ssl, size) != SSL_ERROR_WANT_READ) die("a tunnel was lost under load");
        }
    }
    for (int i = 0; i < count; i++) tunnel_close(&tunnels[i]);
    close(poller);
    free(tunnels);
    return finished;
}

static void rate(int tunnels, double seconds, const char *path) {
    double *samples = malloc(MOST_SAMPLES * sizeof *samples);
    prepare_get(path);
    uint64_t start = now_ns() + 400000000; /* a warm-up: contexts, pools, the branch predictor */
    uint64_t stop = start + (uint64_t)(seconds * 1e9);
    size_t count = keep_busy(tunnels, start, stop, samples);
    printf("{\"per_s\": %.1f, \"median_us\": %.1f, \"p99_us\": %.1f}\n", (double)count / seconds,
        quantile(samples, count, 0.5), quantile(samples, count, 0.99));
}

static void latency(int count, const char *path) {
    struct tunnel *t = calloc(1, sizeof *t);
    double *samples = malloc((size_t)count * sizeof *samples);
    prepare_get(path);
    tunnel_open(t, target_host);
    for (int i = -count / 10; i < count; i++) {
        get(t);
        answer(t);
        if (i >= 0) samples[i] = (double)(now_ns() - t->asked_ns) / 1e3;
    }
    tunnel_close(t);
    printf("{\"median_us\": %.1f, \"p99_us\": %.1f}\n", quantile(samples, (size_t)count, 0.5),
        quantile(samples, (size_t)count, 0.99));
}

struct work {
    const char *prefix; /* NULL: always the same host, until `stopping` */
    unsigned long count;
    int with_get;
};

static atomic_ulong begun;

static void *open_again_and_again(void *argument) {
    const struct work *work = argument;
    struct tunnel *t = calloc(1, sizeof *t);
    char host[512], text[1024];
    unsigned long number;
    while (!stopping && (number = begun++) < work->count) {
        if (work->prefix) snprintf(host, sizeof host, "%s-%lu.%s", work->prefix, number, target_host);
        else snprintf(host, sizeof host, "%s", target_host);
        tunnel_open(t, host);
        if (work->with_get) {
            send_all(t, text, write_request(text, sizeof text, "GET /bytes/1024", host, ""));
            answer(t);
        }
        tunnel_close(t);
        done++;
    }
    free(t);
    return NULL;
}

static void report_tunnels(unsigned long tunnels, uint64_t start) {
    printf("{\"per_s\": %.1f}\n", (double)tunnels / ((double)(now_ns() - start) / 1e9));
}

static void tunnels_per_second(int workers, double seconds, struct work work) {
    pthread_t *threads = calloc((size_t)workers, sizeof *threads);
    uint64_t start = now_ns();
    for (int i = 0; i < workers; i++) pthread_create(&threads[i], NULL, open_again_and_again, &work);
    if (work.prefix == NULL) {
        usleep(300000); /* a warm-up */
        unsigned long before = done;
        start = now_ns();
        usleep((useconds_t)(seconds * 1e6));
        report_tunnels(done - before, start);
        stopping = 1;
    }
    for (int i = 0; i < workers; i++) pthread_join(threads[i], NULL);
    if (work.prefix != NULL) report_tunnels(work.count, start);
    free(threads);
}

static void report_transfer(uint64_t bytes, uint64_t start) {
    printf("{\"mb_per_s\": %.1f}\n", (double)bytes / ((double)(now_ns() - start) / 1e3));
}

static void down(unsigned long bytes, const char *kind) {
    char path[64];
    struct tunnel *t = calloc(1, sizeof *t);
    tunnel_open(t, target_host);
    prepare_get(SHORT); /* the way to the upstream is warm before the clock starts */
    get(t);
    answer(t);
    snprintf(path, sizeof path, "/%s/%lu", kind, bytes);
    prepare_get(path);
    uint64_t start = now_ns();
    get(t);
    answer(t);
    report_transfer(bytes, start);
}

static void up(unsigned long bytes, int chunked) {
    static char chunk[CHUNK + 32];
    struct tunnel *t = calloc(1, sizeof *t);
    char headers[64];
    tunnel_open(t, target_host);
    prepare_get(SHORT);
    get(t);
    answer(t);
    snprintf(headers, sizeof headers, "Content-Length: %lu\r\n", bytes);
    request_length = write_request(request, sizeof request, "POST /sink", target_host,
        chunked ? "Transfer-Encoding: chunked\r\n" : headers);
    memset(chunk, 'y', sizeof chunk);
    uint64_t start = now_ns();
    send_all(t, request, request_length);
    for (unsigned long left = bytes; left > 0;) {
        size_t part = left < CHUNK ? left : CHUNK;
        if (chunked) {
            size_t size = (size_t)sprintf(chunk, "%zx\r\n", part);
            memset(chunk + size, 'y', part);
            memcpy(chunk + size + part, "\r\n", 2);
            send_all(t, chunk, size + part + 2);
        } else send_all(t, chunk, part);
        left -= part;
    }
    if (chunked) send_all(t, "0\r\n\r\n", 5);
    answer(t);
    report_transfer(bytes, start);
}

static void *load_beside(void *argument) {
    keep_busy(*(int *)argument, 0, UINT64_MAX, NULL);
    return NULL;
}

static void events(int count, int interval_ms, int tunnels) {
    struct tunnel *t = calloc(1, sizeof *t);
    double *samples = malloc((size_t)count * sizeof *samples);
    pthread_t beside;
    int seen = 0;
    char line[64], text[1024];
    prepare_get(SHORT);
    if (tunnels > 0) {
        pthread_create(&beside, NULL, load_beside, &tunnels);
        usleep(500000);
    }
    tunnel_open(t, target_host);
    snprintf(line, sizeof line, "GET /events/%d/%d", count, interval_ms);
    send_all(t, text, write_request(text, sizeof text, line, target_host, ""));
    while (seen < count) {
        int size = read_some(t);
        uint64_t now = now_ns();
        if (size <= 0) die("events: connection lost after %d of %d", seen, count);
        t->in_length += (size_t)size;
        t->in[t->in_length] = '\0';
        char *from = t->in, *event;
        /* 26 bytes make an event whole: "data: " and twenty digits. */
        while ((event = strstr(from, "data: ")) != NULL && t->in + t->in_length - event >= 26) {
            samples[seen++] = (double)(now - strtoull(event + 6, NULL, 10)) / 1e3;
            from = event + 26;
        }
        t->in_length -= (size_t)(from - t->in);
        memmove(t->in, from, t->in_length);
    }
    stopping = 1;
    if (tunnels > 0) pthread_join(beside, NULL);
    printf("{\"median_us\": %.1f, \"p99_us\": %.1f}\n", quantile(samples, (size_t)count, 0.5),
        quantile(samples, (size_t)count, 0.99));
}

static void idle(int count) {
    struct tunnel *t = malloc(sizeof *t);
    char byte;
    prepare_get(SHORT);
    for (int i = 0; i < count; i++) {
        tunnel_open(t, target_host);
        get(t);
        answer(t);
    }
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) continue;
}

int main(int argc, char **argv) {
    if (argc < 6) die("usage: load PROXY_PORT CA HOST:PORT MEASUREMENT ARGUMENTS...");
    const char *what = argv[4], *colon = strrchr(argv[3], ':');
    if (colon == NULL) die("%s: not HOST:PORT", argv[3]);
    proxy_port = atoi(argv[1]);
    target_port = atoi(colon + 1);
    snprintf(target_host, sizeof target_host, "%.*s", (int)(colon - argv[3]), argv[3]);
    signal(SIGPIPE, SIG_IGN);
    context = tls_context(TLS_client_method());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_load_verify_locations(context, argv[2], NULL) != 1) die("%s: no certificates", argv[2]);
    if (strcmp(what, "latency") == 0 && argc < 7) die("latency: REQUESTS PATH");
    double first = atof(argv[5]), second = argc > 6 ? atof(argv[6]) : 0;
    const char *third = argc > 7 ? argv[7] : "0";
    if (strcmp(what, "rate") == 0) rate((int)first, second, third);
    else if (strcmp(what, "latency") == 0) latency((int)first, argv[6]);
    else if (strcmp(what, "cold") == 0) tunnels_per_second((int)first, second, (struct work){NULL, ULONG_MAX, 1});
    else if (strcmp(what, "hosts") == 0) tunnels_per_second((int)first, 0, (struct work){third, (unsigned long)second, 1});
    else if (strcmp(what, "handshakes") == 0) tunnels_per_second((int)first, 0, (struct work){third, (unsigned long)second, 0});
    else if (strcmp(what, "down") == 0) down((unsigned long)first, "bytes");
    else if (strcmp(what, "packed") == 0) down((unsigned long)first, "packed");
    else if (strcmp(what, "up") == 0) up((unsigned long)first, 0);
    else if (strcmp(what, "chunked") == 0) up((unsigned long)first, 1);
    else if (strcmp(what, "events") == 0) events((int)first, (int)second, atoi(third));
    else if (strcmp(what, "idle") == 0) idle((int)first);
    else die("%s: no such measurement", what);
    return 0;
}
