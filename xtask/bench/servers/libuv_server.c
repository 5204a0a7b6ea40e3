/* hello and echo with libuv.
 *
 * Build it:   cc -O2 libuv_server.c -o libuv_server $(pkg-config --cflags --libs libuv)
 * Run it:     ./libuv_server hello|echo
 */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

enum { READ_SIZE = 4096, BACKLOG = 4096 };

/* What is left to be written, and its bytes behind it. */
struct rest {
    uv_write_t request;
    char bytes[];
};

static int echo;

/* One for all: libuv fills it right after it has asked for it, and then calls on_read. */
static char buffer[READ_SIZE];

static void check(int status, const char *what) {
    if (status < 0) {
        fprintf(stderr, "%s: %s\n", what, uv_strerror(status));
        exit(1);
    }
}

static void *allocate(size_t size) {
    void *memory = malloc(size);
    if (memory == NULL) {
        check(UV_ENOMEM, "malloc");
    }
    return memory;
}

static void on_closed(uv_handle_t *client) {
    free(client);
}

static void close_client(uv_handle_t *client) {
    if (!uv_is_closing(client)) {
        uv_close(client, on_closed);
    }
}

static void on_buffer(uv_handle_t *client, size_t suggested, uv_buf_t *buf) {
    (void)client;
    (void)suggested;
    *buf = uv_buf_init(buffer, sizeof buffer);
}

static void on_read(uv_stream_t *client, ssize_t count, const uv_buf_t *buf);

static void on_written(uv_write_t *request, int status) {
    uv_stream_t *client = request->handle;
    free(request);
    if (status < 0 || uv_read_start(client, on_buffer, on_read) < 0) {
        close_client((uv_handle_t *)client);
    }
}

/* Reads no further before the rest is written. */
static int write_rest(uv_stream_t *client, const char *bytes, size_t count) {
    struct rest *rest = allocate(sizeof *rest + count);
    memcpy(rest->bytes, bytes, count);
    uv_buf_t buf = uv_buf_init(rest->bytes, (unsigned)count);
    uv_read_stop(client);
    int status = uv_write(&rest->request, client, &buf, 1, on_written);
    if (status < 0) {
        free(rest);
    }
    return status;
}

static void on_read(uv_stream_t *client, ssize_t count, const uv_buf_t *buf) {
    static char answer[] = "Hello world\n";
    if (count == 0) {
        return; /* nothing to be read after all */
    }
    if (count < 0) {
        close_client((uv_handle_t *)client);
        return;
    }
    uv_buf_t bytes = echo ? uv_buf_init(buf->base, (unsigned)count)
                          : uv_buf_init(answer, sizeof answer - 1);
    int written = uv_try_write(client, &bytes, 1);
    if (written == UV_EAGAIN) {
        written = 0;
    }
    if (written >= 0 && (size_t)written < bytes.len) {
        written = write_rest(client, bytes.base + written, bytes.len - (size_t)written);
    }
    if (written < 0) {
        close_client((uv_handle_t *)client);
    }
}

static void on_connection(uv_stream_t *server, int status) {
    check(status, "listening");
    uv_tcp_t *client = allocate(sizeof *client);
    check(uv_tcp_init(server->loop, client), "uv_tcp_init");
    if (uv_accept(server, (uv_stream_t *)client) < 0 ||
        uv_read_start((uv_stream_t *)client, on_buffer, on_read) < 0) {
        close_client((uv_handle_t *)client);
    }
}

static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv) {
    if (argc != 2 || (strcmp(argv[1], "hello") != 0 && strcmp(argv[1], "echo") != 0)) {
        fprintf(stderr, "expected what to serve: hello or echo\n");
        return 1;
    }
    echo = strcmp(argv[1], "echo") == 0;
    raise_descriptor_limit();

    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t server;
    struct sockaddr_in address;
    int size = sizeof address;
    check(uv_ip4_addr("127.0.0.1", 0, &address), "uv_ip4_addr");
    check(uv_tcp_init(loop, &server), "uv_tcp_init");
    check(uv_tcp_bind(&server, (const struct sockaddr *)&address, 0), "uv_tcp_bind");
    check(uv_listen((uv_stream_t *)&server, BACKLOG, on_connection), "uv_listen");
    check(uv_tcp_getsockname(&server, (struct sockaddr *)&address, &size), "uv_tcp_getsockname");
    printf("Listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}
