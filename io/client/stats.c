#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "client.h"
#include "connection.h"
#include "table.h"

const char client_stats_usage[] = "usage: oiduna stats [--json | --openmetrics] [--watch] [--socket PATH]\n";

enum form { FORM_TABLE, FORM_JSON, FORM_OPENMETRICS };

static void stats_print(FILE *out, json_object *result, enum form form)
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

/* The number of lines that fit, with the cursor below them. */
static int terminal_rows(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_row < 2 ? INT_MAX : size.ws_row - 1;
}

/* Overwrites the previous table line by line, so that nothing flickers. The top matters most: what does not fit the
 * window is left out. */
static void stats_print_in_place(json_object *result, enum form form)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (!f)
        return;
    stats_print(f, result, form);
    fclose(f);
    fputs("\033[H", stdout);
    int left = terminal_rows();
    for (const char *line = text, *end; (end = strchr(line, '\n')) && left--; line = end + 1)
        printf("%.*s\033[K\n", (int)(end - line), line);
    fputs("\033[J", stdout);
    free(text);
}

/* Asks once. Returns 1 if the daemon is gone or refuses; prints why. */
static int stats_look(struct connection *c, enum form form, bool in_place)
{
    const char *method = form == FORM_OPENMETRICS ? "metrics" : "stats";
    struct connection_answer answer;
    if (connection_call(c, method, NULL, &answer))
        return 1;
    if (!answer.result) {
        connection_refused(method, &answer);
        return 1;
    }
    if (in_place)
        stats_print_in_place(answer.result, form);
    else
        stats_print(stdout, answer.result, form);
    json_object_put(answer.result);
    return fflush(stdout) ? 1 : 0;
}

/* Once a second, until interrupted. */
static int stats_watch(struct connection *c, enum form form)
{
    bool terminal = isatty(STDOUT_FILENO);
    if (terminal)
        fputs("\033[2J", stdout);
    for (;;) {
        int r = stats_look(c, form, terminal);
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
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        bool is_form = option == 'j' || option == 'o';
        if (option == 's')
            socket = optarg;
        else if (option == 'w')
            watches = true;
        else if (is_form && form == FORM_TABLE)
            form = option == 'j' ? FORM_JSON : FORM_OPENMETRICS;
        else
            misused = true;
    }
    if (misused || optind != argc) {
        fputs(client_stats_usage, stderr);
        return 2;
    }
    struct connection *c = connection_open(socket);
    if (!c)
        return 1;
    int r = watches ? stats_watch(c, form) : stats_look(c, form, false);
    connection_close(c);
    return r;
}
