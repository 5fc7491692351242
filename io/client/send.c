/* A file becomes a submission, through the control socket or over OSC; its receipts are printed as they arrive.
 *
 * --at and --tracks edit the text of the document instead of its parsed value, so that the daemon sees what the author
 * wrote, mistakes included.
 *
 * --watch watches the file's directory, not the file: editors write a new file and rename it. Saving while a receipt is
 * still pending is normal; the older submission is then superseded, and this is printed. */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>
#include "io/sys/file.h"
#include "io/wire/json.h"
#include "io/wire/rpc.h"
#include "io/wire/span.h"
#include "ir/scan.h"
#include "client.h"
#include "connection.h"
#include "post.h"

const char client_send_usage[] = "usage: oiduna send FILE|- [--watch] [--at now|beat|bar|seq] [--tracks ID,ID...]\n"
                                 "                   [--to HOST[:PORT] | --socket PATH]\n";

enum { SETTLE_MS = 30 }; /* an editor saves with several writes and renames; read the file after the last one */

struct sending {
    const char *file;
    char prefix[256]; /* printed before "accepted": the name of the watched file */
    const char *at;
    const char *tracks;
    size_t bytes_max;
    struct connection *connection; /* this or post, the other is NULL */
    struct post *post;
    char *text; /* the document as sent */
    size_t len;
};

/* The state of the newest submission. */
enum end { END_OPEN, END_APPLIED, END_SUPERSEDED, END_REFUSED, END_LOST };

/* Takes ownership of `object`. Returns a malloced copy of it in which `name` has that value. */
static char *apply_with(char *object, const char *name, const char *value)
{
    size_t len;
    char *out = object ? span_with((struct span){object, strlen(object)}, name, value, &len) : NULL;
    char *ended = out ? realloc(out, len + 1) : NULL;
    free(object);
    if (ended)
        ended[len] = 0;
    else
        free(out);
    return ended;
}

static json_object *apply_ids(const char *ids)
{
    json_object *list = json_object_new_array();
    char *copy = strdup(ids), *rest = copy;
    for (char *id; rest && (id = strsep(&rest, ","));)
        json_object_array_add(list, json_object_new_string(id));
    free(copy);
    return list;
}

static char *apply_text(const struct sending *s, struct span before)
{
    bool given = before.len && before.text[0] == '{';
    char *apply = given ? strndup(before.text, before.len) : strdup("{}");
    if (s->at) {
        char quoted[16];
        snprintf(quoted, sizeof quoted, "\"%s\"", s->at);
        apply = apply_with(apply, "timing", quoted);
    }
    if (s->tracks) {
        json_object *ids = apply_ids(s->tracks);
        apply = apply_with(apply, "track_ids", json_object_to_json_string(ids));
        json_object_put(ids);
    }
    return apply;
}

/* --at and --tracks replace the corresponding keys of the document's apply. */
static int send_override(struct sending *s)
{
    struct span document = span_trim((struct span){s->text, s->len});
    if (!s->at && !s->tracks)
        return 0;
    char *apply = apply_text(s, span_member(document, "apply"));
    size_t len = 0;
    char *text = apply ? span_with(document, "apply", apply, &len) : NULL;
    free(apply);
    if (!text)
        return -ENOMEM;
    free(s->text);
    s->text = text;
    s->len = len;
    return 0;
}

/* Reads the file, checks that it is JSON, overrides. Returns -1 on failure; prints why. (The daemon cannot give the
 * line of a mistake: it receives one line.) */
static int send_read(struct sending *s)
{
    struct scan scan;
    struct scan_error wrong;
    free(s->text);
    s->text = NULL;
    int r = file_read(s->file, s->bytes_max, &s->text, &s->len);
    if (r) {
        fprintf(stderr, "oiduna: %s: %s\n", s->file, file_reason(r));
        return -1;
    }
    if (s->len > s->bytes_max) {
        fprintf(stderr, "oiduna: %s: too large (limits.session_bytes: %zu bytes)\n", s->file, s->bytes_max);
        return -1;
    }
    if (scan_json(s->text, s->len, &scan, &wrong)) {
        fprintf(stderr, "oiduna: %s:%d:%d: %s\n", s->file, wrong.line, wrong.column, wrong.why);
        return -1;
    }
    if (scan.first != '{') {
        fprintf(stderr, "oiduna: %s: a session must be a JSON object\n", s->file);
        return -1;
    }
    if (send_override(s)) {
        fputs("oiduna: send: out of memory\n", stderr);
        return -1;
    }
    return 0;
}

__attribute__((format(printf, 1, 2))) static void send_say(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    fflush(stdout);
}

static void send_print_warnings(const struct sending *s, json_object *result)
{
    json_object *list = NULL;
    if (!json_object_object_get_ex(result, "warnings", &list) || !json_object_is_type(list, json_type_array))
        return;
    for (size_t i = 0; i < json_object_array_length(list); i++)
        fprintf(stderr, "oiduna: %s: warning: %s\n", s->file,
                json_object_get_string(json_object_array_get_idx(list, i)));
}

static enum end send_submit_by_connection(struct sending *s)
{
    struct connection_answer answer;
    /* a request is one line; newlines between values can be spaces */
    char *line = malloc(s->len + 1);
    if (!line)
        return END_LOST;
    for (size_t i = 0; i < s->len; i++)
        line[i] = s->text[i] == '\n' || s->text[i] == '\r' ? ' ' : s->text[i];
    line[s->len] = 0;
    int r = connection_call(s->connection, "session", line, &answer);
    free(line);
    if (r)
        return END_LOST;
    if (!answer.result) {
        connection_refused(s->file, &answer);
        return END_REFUSED;
    }
    send_print_warnings(s, answer.result);
    json_object_put(answer.result);
    send_say("%saccepted\n", s->prefix);
    return END_OPEN;
}

/* Waits at most timeout_ms for a receipt. */
static enum end send_receipt_by_connection(struct sending *s, int timeout_ms)
{
    char method[64];
    json_object *params, *v;
    bool lost;
    while (connection_notification(s->connection, timeout_ms, method, &params, &lost)) {
        enum end end = !strcmp(method, "applied")      ? END_APPLIED
                       : !strcmp(method, "superseded") ? END_SUPERSEDED
                                                       : END_OPEN;
        bool ours = json_object_object_get_ex(params, "request", &v) &&
                    json_object_get_int64(v) == connection_serial(s->connection);
        if (ours && end == END_APPLIED)
            send_say("applied at step %.0f\n", json_number(params, "step"));
        else if (end == END_SUPERSEDED)
            send_say("superseded by a newer submission\n");
        json_object_put(params);
        if (ours && end != END_OPEN)
            return end;
    }
    if (lost)
        fputs("oiduna: control socket: the daemon is gone\n", stderr);
    return lost ? END_LOST : END_OPEN;
}

static enum end send_receipt_by_post(struct sending *s, int timeout_ms)
{
    for (struct post_answer a;;) {
        post_next(s->post, timeout_ms, &a);
        switch (a.event) {
        case POST_NOTHING:
            return END_OPEN;
        case POST_ACCEPTED:
            send_say("%saccepted\n", s->prefix);
            break;
        case POST_WARNING:
            fprintf(stderr, "oiduna: %s: warning: %s\n", s->file, a.text);
            break;
        case POST_REFUSED:
            fprintf(stderr, "oiduna: %s: %s\n", s->file, a.text);
            return END_REFUSED;
        case POST_APPLIED:
            send_say("applied at step %lld\n", (long long)a.step);
            return END_APPLIED;
        case POST_SUPERSEDED:
            send_say("superseded by a newer submission\n");
            return END_SUPERSEDED;
        case POST_SILENT:
            fputs("oiduna: send: no answer; check that the daemon runs there and that its osc.allow includes this "
                  "machine\n",
                  stderr);
            return END_LOST;
        }
    }
}

static enum end send_submit(struct sending *s)
{
    if (s->connection)
        return send_submit_by_connection(s);
    return post_document(s->post, s->text, s->len) ? END_LOST : END_OPEN;
}

static enum end send_receipt(struct sending *s, int timeout_ms)
{
    return s->connection ? send_receipt_by_connection(s, timeout_ms) : send_receipt_by_post(s, timeout_ms);
}

static int send_once(struct sending *s)
{
    if (send_read(s))
        return 1;
    enum end end = send_submit(s);
    while (end == END_OPEN)
        end = send_receipt(s, -1);
    return end == END_APPLIED || end == END_SUPERSEDED ? 0 : 1;
}

/* The file's directory, because some editors replace the file, and for a symbolic link also the directory of its
 * target, because others write through the link. */
struct watched {
    int fd;
    char *path[2], *name[2];
};

static bool watch_directory(int fd, const char *file)
{
    char *copy = strdup(file);
    bool done = copy && inotify_add_watch(fd, dirname(copy), IN_CLOSE_WRITE | IN_MOVED_TO) >= 0;
    free(copy);
    return done;
}

static void unwatch(struct watched *w)
{
    if (w->fd >= 0)
        close(w->fd);
    free(w->path[0]);
    free(w->path[1]);
}

static int watch_begin(struct watched *w, const char *file)
{
    *w = (struct watched){.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), .path = {strdup(file), realpath(file, NULL)}};
    if (w->fd < 0 || !w->path[0] || !watch_directory(w->fd, file) ||
        (w->path[1] && !watch_directory(w->fd, w->path[1])))
        return -1;
    for (int i = 0; i < 2; i++)
        w->name[i] = w->path[i] ? basename(w->path[i]) : w->name[0];
    return 0;
}

/* Reads the pending events. Returns whether one of them is about the file. */
static bool was_saved(const struct watched *w)
{
    _Alignas(struct inotify_event) char buffer[8192];
    bool saved = false;
    for (ssize_t n; (n = read(w->fd, buffer, sizeof buffer)) > 0;)
        for (const char *p = buffer; p < buffer + n;) {
            const struct inotify_event *e = (const struct inotify_event *)p;
            bool named = e->len && (!strcmp(e->name, w->name[0]) || !strcmp(e->name, w->name[1]));
            saved |= named || e->mask & IN_Q_OVERFLOW;
            p += sizeof *e + e->len;
        }
    return saved;
}

static enum end send_saved(struct sending *s)
{
    if (send_read(s))
        return END_REFUSED; /* the music goes on; the next save may be valid */
    enum end end = send_submit(s);
    return end == END_OPEN ? send_receipt(s, 0) : end;
}

static int send_watch(struct sending *s)
{
    struct watched w;
    if (watch_begin(&w, s->file)) {
        fprintf(stderr, "oiduna: %s: cannot watch: %s\n", s->file, strerror(errno));
        unwatch(&w);
        return 1;
    }
    snprintf(s->prefix, sizeof s->prefix, "%s: ", w.name[0]);
    enum end end = send_saved(s);
    while (end != END_LOST) {
        struct pollfd p[2] = {
            {.fd = w.fd, .events = POLLIN},
            {.fd = s->connection ? connection_fd(s->connection) : post_fd(s->post), .events = POLLIN}};
        /* while an answer over UDP is pending, post_next must run to send again */
        poll(p, 2, s->post && end == END_OPEN ? 100 : -1);
        if (p[1].revents || (s->post && end == END_OPEN))
            end = send_receipt(s, 0);
        if (p[0].revents && was_saved(&w)) {
            poll(NULL, 0, SETTLE_MS);
            was_saved(&w);
            end = send_saved(s);
        }
    }
    unwatch(&w);
    return 1;
}

static bool send_is_timing(const char *s)
{
    return !strcmp(s, "now") || !strcmp(s, "beat") || !strcmp(s, "bar") || !strcmp(s, "seq");
}

static int send_usage(void)
{
    fputs(client_send_usage, stderr);
    return 2;
}

int client_send(int argc, char **argv, size_t bytes_max)
{
    static const struct option options[] = {
        {"watch", no_argument, NULL, 'w'},        {"at", required_argument, NULL, 'a'},
        {"tracks", required_argument, NULL, 't'}, {"to", required_argument, NULL, 'T'},
        {"socket", required_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
    struct sending s = {.bytes_max = bytes_max};
    const char *to = NULL, *socket = NULL;
    bool watches = false;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'w')
            watches = true;
        else if (c == 'a' && send_is_timing(optarg))
            s.at = optarg;
        else if (c == 't')
            s.tracks = optarg;
        else if (c == 'T')
            to = optarg;
        else if (c == 's')
            socket = optarg;
        else
            return send_usage();
    }
    if (optind + 1 != argc || (to && socket))
        return send_usage();
    s.file = argv[optind];
    if (watches && !strcmp(s.file, "-")) {
        fputs("oiduna: send: --watch needs a file, not standard input\n", stderr);
        return 2;
    }
    if (to ? !(s.post = post_open(to)) : !(s.connection = connection_open(socket)))
        return 1;
    int r = watches ? send_watch(&s) : send_once(&s);
    connection_close(s.connection);
    post_close(s.post);
    free(s.text);
    return r;
}
