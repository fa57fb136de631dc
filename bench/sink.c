/* An SMTP sink that takes everything and keeps nothing: cc -O2 -o sink sink.c; ./sink [PORT]

   One process, epoll. A BDAT chunk is skipped by its size (RFC 3030) without a look at it; DATA is read
   to its dot. Prints its port, then nothing more. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE = 2048, ANSWERS = 1 << 16 };

struct session {
    int fd;
    uint64_t skip;     /* bytes of a chunk still to come */
    int last;          /* the chunk ends a mail */
    int in_data, seen; /* within DATA, and how much of CR LF . CR LF was seen */
    char line[LINE];
    size_t filled, pending;
    char answers[ANSWERS];
};

static void flush(struct session *s) {
    size_t at = 0;
    while (at < s->pending) {
        ssize_t n = send(s->fd, s->answers + at, s->pending - at, MSG_NOSIGNAL);
        if (n <= 0) break;
        at += (size_t)n;
    }
    s->pending = 0;
}

static void answer(struct session *s, const char *text) {
    size_t n = strlen(text);
    if (s->pending + n > ANSWERS) flush(s);
    memcpy(s->answers + s->pending, text, n);
    s->pending += n;
}

/* 0 when the session is over */
static int command(struct session *s) {
    if (!strncasecmp(s->line, "BDAT ", 5)) {
        s->skip = strtoull(s->line + 5, NULL, 10);
        s->last = strcasestr(s->line + 5, "LAST") != NULL;
        if (!s->skip) answer(s, "250 ok\r\n");
    } else if (!strncasecmp(s->line, "EHLO", 4)) {
        answer(s, "250-sink.example.org\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n");
    } else if (!strncasecmp(s->line, "DATA", 4)) {
        s->in_data = 1;
        s->seen = 2;
        answer(s, "354 go\r\n");
    } else if (!strncasecmp(s->line, "QUIT", 4)) {
        answer(s, "221 bye\r\n");
        return 0;
    } else {
        answer(s, "250 ok\r\n");
    }
    return 1;
}

static int feed(struct session *s, const char *data, size_t n) {
    static const char end[] = "\r\n.\r\n";
    size_t at = 0;
    while (at < n) {
        if (s->skip) {
            size_t take = s->skip < n - at ? (size_t)s->skip : n - at;
            s->skip -= take;
            at += take;
            if (!s->skip) answer(s, "250 ok\r\n");
        } else if (s->in_data) {
            char c = data[at++];
            if (c == end[s->seen]) {
                if (++s->seen == 5) {
                    s->in_data = 0;
                    answer(s, "250 ok\r\n");
                }
            } else {
                s->seen = c == '\r';
            }
        } else {
            const char *stop = memchr(data + at, '\n', n - at);
            size_t take = stop ? (size_t)(stop - data) + 1 - at : n - at;
            if (s->filled + take >= LINE) return 0;
            memcpy(s->line + s->filled, data + at, take);
            s->filled += take;
            at += take;
            if (stop) {
                s->line[s->filled] = 0;
                s->filled = 0;
                if (!command(s)) return 0;
            }
        }
    }
    return 1;
}

int main(int argc, char **argv) {
    static char data[1 << 18];
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? (uint16_t)atoi(argv[1]) : 0)};
    socklen_t size = sizeof where;
    int one = 1, listening = socket(AF_INET, SOCK_STREAM, 0), events = epoll_create1(0);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listening, (struct sockaddr *)&where, size) || listen(listening, 1024)) return perror("listen"), 1;
    getsockname(listening, (struct sockaddr *)&where, &size);
    printf("%d\n", ntohs(where.sin_port));
    fflush(stdout);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(events, EPOLL_CTL_ADD, listening, &event);
    for (;;) {
        struct epoll_event found[64];
        int n = epoll_wait(events, found, 64, -1);
        for (int i = 0; i < n; i++) {
            struct session *s = found[i].data.ptr;
            if (!s) {
                int fd = accept(listening, NULL, NULL);
                if (fd < 0) continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                s = calloc(1, sizeof *s);
                if (!s) return 1;
                s->fd = fd;
                answer(s, "220 sink.example.org ESMTP\r\n");
                flush(s);
                event.data.ptr = s;
                epoll_ctl(events, EPOLL_CTL_ADD, fd, &event);
                continue;
            }
            ssize_t got = recv(s->fd, data, sizeof data, 0);
            int goes_on = got > 0 && feed(s, data, (size_t)got);
            flush(s);
            if (!goes_on) {
                close(s->fd);
                free(s);
            }
        }
    }
}
