#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "client.h"
#include "link.h"
#include "table.h"

const char client_stats_usage[] = "usage: oiduna stats [--json | --openmetrics] [--watch] [--socket PATH]\n";

enum form { FORM_TABLE, FORM_JSON, FORM_OPENMETRICS };

static void print(FILE *out, json_object *result, enum form form)
{
    switch (form) {
    case FORM_TABLE:
        table_print(out, result);
        break;
    case FORM_JSON:
        fprintf(out, "%s\n", json_object_to_json_string_ext(result, JSON_C_TO_STRING_PRETTY));
        break;
    case FORM_OPENMETRICS:
        fputs(json_object_get_string(result), out);
        break;
    }
}

/* how many lines stay on the terminal, below which the cursor stands */
static int rows(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_row < 2 ? INT_MAX : size.ws_row - 1;
}

/* On a terminal each picture takes the place of the one before, a line at a time, so that nothing flickers. The top of
 * it matters most: what the window has no room for is left out. */
static void print_in_place(json_object *result, enum form form)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (!f)
        return;
    print(f, result, form);
    fclose(f);
    fputs("\033[H", stdout);
    int left = rows();
    for (const char *line = text, *end; (end = strchr(line, '\n')) && left--; line = end + 1)
        printf("%.*s\033[K\n", (int)(end - line), line);
    fputs("\033[J", stdout);
    free(text);
}

/* One look. 0, or 1 when the daemon is gone or refuses. */
static int look(struct link *l, enum form form, bool in_place)
{
    const char *method = form == FORM_OPENMETRICS ? "metrics" : "stats";
    struct link_answer answer;
    if (link_call(l, method, NULL, &answer))
        return 1;
    if (!answer.result) {
        link_refused(method, &answer);
        return 1;
    }
    if (in_place)
        print_in_place(answer.result, form);
    else
        print(stdout, answer.result, form);
    json_object_put(answer.result);
    return fflush(stdout) ? 1 : 0;
}

/* Once a second, until interrupted. */
static int watch(struct link *l, enum form form)
{
    bool terminal = isatty(STDOUT_FILENO);
    if (terminal)
        fputs("\033[2J", stdout);
    for (;;) {
        int r = look(l, form, terminal);
        if (r)
            return r;
        sleep(1);
    }
}

int client_stats(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"openmetrics", no_argument, NULL, 'o'},
                                            {"watch", no_argument, NULL, 'w'},
                                            {"socket", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    const char *socket = NULL;
    enum form form = FORM_TABLE;
    bool watches = false, misused = false;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        bool is_form = c == 'j' || c == 'o';
        if (c == 's')
            socket = optarg;
        else if (c == 'w')
            watches = true;
        else if (is_form && form == FORM_TABLE)
            form = c == 'j' ? FORM_JSON : FORM_OPENMETRICS;
        else
            misused = true;
    }
    if (misused || optind != argc) {
        fputs(client_stats_usage, stderr);
        return 2;
    }
    struct link *l = link_open(socket);
    if (!l)
        return 1;
    int r = watches ? watch(l, form) : look(l, form, false);
    link_close(l);
    return r;
}
