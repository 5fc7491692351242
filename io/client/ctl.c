/* The words of the shell become one request with typed parameters; the answer is printed in words. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "io/wire/json.h"
#include "io/wire/plain.h"
#include "io/wire/rpc.h"
#include "client.h"
#include "connection.h"
#include "help.h"

const char client_ctl_usage[] = "usage: oiduna ctl [--socket PATH] [--json] COMMAND [ARGUMENT]...\n"
                                "       `oiduna help ctl` lists the commands\n";

static int ctl_usage(void)
{
    fputs(client_ctl_usage, stderr);
    return 2;
}

static int ctl_wrong(const char *command, const char *why)
{
    fprintf(stderr, "oiduna: %s: %s\n", command, why);
    return 2;
}

/* Returns NULL if the word is not of that type. */
static json_object *ctl_value(enum argument_type type, const char *word)
{
    double number;
    int on;
    if (type == ARGUMENT_NUMBER)
        return word_number(word, &number) ? json_object_new_double(number) : NULL;
    if (type == ARGUMENT_FLAG)
        return (on = word_flag(word)) < 0 ? NULL : json_object_new_boolean(on);
    return json_object_new_string(word);
}

/* `session FILE`: the daemon reads the file, so it needs the absolute path. */
static json_object *ctl_session_parameters(const char *file)
{
    char *path = realpath(file, NULL);
    json_object *o = json_object_new_object();
    json_object_object_add(o, "file", json_object_new_string(path ? path : file));
    free(path);
    return o;
}

/* Returns NULL if an argument is wrong; prints why. */
static json_object *ctl_parameters(const struct command_info *info, int n, char **word)
{
    json_object *params = json_object_new_array();
    const struct argument_info *a = info->argument;
    const char *why = NULL;
    char text[160];
    for (int i = 0; i < n && !why; i++) {
        json_object *v = a->name ? ctl_value(a->type, word[i]) : NULL;
        if (!a->name)
            why = "too many arguments; see `oiduna help ctl`";
        else if (!v)
            snprintf(text, sizeof text, "%.100s: must be %s", word[i],
                     a->type == ARGUMENT_FLAG ? "on or off" : "a number"),
                why = text;
        else
            json_object_array_add(params, v);
        a += a->name && a->type != ARGUMENT_WORDS;
    }
    if (!why && a->name && !a->optional)
        snprintf(text, sizeof text, "missing argument '%s'; see `oiduna help ctl`", a->name), why = text;
    if (!why && info != command_info(COMMAND_SESSION))
        return params;
    json_object_put(params);
    return why ? ctl_wrong(info->name, why), NULL : ctl_session_parameters(word[0]);
}

static void ctl_print(const char *method, json_object *result, bool json)
{
    if (json)
        puts(json_object_to_json_string_ext(result, JSON_C_TO_STRING_PRETTY));
    else {
        plain_result(stdout, method, result, "\n");
        putchar('\n');
    }
    fflush(stdout);
}

static int ctl_follow(struct connection *c, bool json)
{
    char method[64];
    json_object *params;
    bool lost = false;
    while (connection_notification(c, -1, method, &params, &lost)) {
        if (json)
            printf("{\"method\":\"%s\",\"params\":%s}\n", method, json_object_to_json_string(params));
        else {
            plain_notification(stdout, method, params);
            putchar('\n');
        }
        fflush(stdout);
        json_object_put(params);
    }
    fputs("oiduna: control socket: the daemon is gone\n", stderr);
    return 1;
}

/* Whether MIDI can arrive at all. Returns false if there is no sequencer; prints why. */
static bool ctl_has_midi(const char *socket)
{
    struct connection *c = connection_open(socket);
    struct connection_answer answer = {.result = NULL};
    bool has = c != NULL;
    if (c && !connection_call(c, "midi/ports", "[]", &answer) && answer.result &&
        *json_text(answer.result, "missing")) {
        fprintf(stderr, "oiduna: midi: %s\n", json_text(answer.result, "missing"));
        has = false;
    }
    json_object_put(answer.result);
    if (c)
        connection_close(c);
    return has;
}

/* quietly: prints the notifications only, not the answer to `subscribe`. */
static int ctl_ask(const char *socket, const char *method, json_object *params, bool json, bool quietly)
{
    struct connection *c = connection_open(socket);
    struct connection_answer answer;
    if (!c)
        return 1;
    int r = connection_call(c, method, json_object_to_json_string(params), &answer) ? 1 : 0;
    if (!r && !answer.result) {
        connection_refused(method, &answer);
        r = 1;
    } else if (!r) {
        if (!quietly)
            ctl_print(method, answer.result, json);
        json_object_put(answer.result);
        if (!strcmp(method, "subscribe"))
            r = ctl_follow(c, json);
    }
    connection_close(c);
    return r;
}

/* Translates `midi ports`, `midi connect` … into the method of the socket, for `monitor` and `learn` a subscription
 * whose topic replaces the words. Returns NULL if it is none of them. */
static const char *ctl_midi_method(int *n, char ***word)
{
    static char topic[8], *topics[] = {topic};
    const char *subcommand = *n ? **word : "";
    ++*word;
    --*n;
    if (!strcmp(subcommand, "ports") && !*n)
        return "midi/ports";
    if (!strcmp(subcommand, "connect") && *n == 2)
        return "midi/connect";
    if ((strcmp(subcommand, "monitor") && strcmp(subcommand, "learn")) || *n)
        return NULL;
    strcpy(topic, strcmp(subcommand, "learn") ? "midi" : "learn");
    *word = topics;
    *n = 1;
    return "subscribe";
}

int client_ctl(int argc, char **argv)
{
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
    const char *socket = NULL;
    bool json = false;
    for (int c; (c = getopt_long(argc, argv, "+", options, NULL)) != -1;) {
        if (c == 's')
            socket = optarg;
        else if (c == 'j')
            json = true;
        else
            return ctl_usage();
    }
    if (optind == argc)
        return ctl_usage();
    const char *method = argv[optind];
    int n = argc - optind - 1;
    char **word = argv + optind + 1;
    if (!strcmp(method, "help") && !n)
        return help_print(stdout, "ctl");
    bool waits = !strcmp(method, "midi") && n && (!strcmp(*word, "monitor") || !strcmp(*word, "learn"));
    if (!strcmp(method, "midi") && !(method = ctl_midi_method(&n, &word)))
        return ctl_wrong("midi", "needs ports, connect DESTINATION PORT, monitor or learn");
    enum command_kind kind = command_find(method);
    enum query_kind query = query_find(method);
    if (kind == COMMAND_COUNT && query == QUERY_COUNT) {
        fprintf(stderr, "oiduna: %s: unknown command; see `oiduna help ctl`\n", method);
        return 2;
    }
    json_object *params = ctl_parameters(query < QUERY_COUNT ? query_info(query) : command_info(kind), n, word);
    if (!params)
        return 2;
    if (waits && !ctl_has_midi(socket)) {
        json_object_put(params);
        return 1;
    }
    int r = ctl_ask(socket, method, params, json, waits);
    json_object_put(params);
    return r;
}
