/* One word line from the shell becomes one request with typed parameters; the answer is printed for people. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "io/wire/json.h"
#include "io/wire/plain.h"
#include "io/wire/rpc.h"
#include "client.h"
#include "help.h"
#include "link.h"

const char client_ctl_usage[] = "usage: oiduna ctl [--socket PATH] [--json] COMMAND [ARGUMENT]...\n"
                                "       'oiduna help ctl' lists the commands\n";

static int usage(void)
{
    fputs(client_ctl_usage, stderr);
    return 2;
}

static int wrong(const char *command, const char *why)
{
    fprintf(stderr, "oiduna: %s: %s\n", command, why);
    return 2;
}

/* ---- words to values ---------------------------------------------------------------------------------------- */

/* NULL: the word is not of that type */
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

/* The session command of the shell names a file, which the daemon reads from where it is. */
static json_object *session_parameters(const char *file)
{
    char *path = realpath(file, NULL);
    json_object *o = json_object_new_object();
    json_object_object_add(o, "file", json_object_new_string(path ? path : file));
    free(path);
    return o;
}

/* NULL: said what is wrong */
static json_object *ctl_parameters(const struct command_info *info, int n, char **word)
{
    json_object *params = json_object_new_array();
    const struct argument_info *a = info->argument;
    const char *why = NULL;
    char text[160];
    for (int i = 0; i < n && !why; i++) {
        json_object *v = a->name ? ctl_value(a->type, word[i]) : NULL;
        if (!a->name)
            why = "too many arguments; see 'oiduna help ctl'";
        else if (!v)
            snprintf(text, sizeof text, "%.100s: must be %s", word[i],
                     a->type == ARGUMENT_FLAG ? "on or off" : "a number"),
                why = text;
        else
            json_object_array_add(params, v);
        a += a->name && a->type != ARGUMENT_WORDS;
    }
    if (!why && a->name && !a->optional)
        snprintf(text, sizeof text, "missing argument '%s'; see 'oiduna help ctl'", a->name), why = text;
    if (!why && info != command_info(COMMAND_SESSION))
        return params;
    json_object_put(params);
    return why ? wrong(info->name, why), NULL : session_parameters(word[0]);
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

static void print_result(const char *method, json_object *result, bool json)
{
    if (json)
        puts(json_object_to_json_string_ext(result, JSON_C_TO_STRING_PRETTY));
    else {
        plain_result(stdout, method, result, "\n");
        putchar('\n');
    }
    fflush(stdout);
}

static int follow(struct link *l, bool json)
{
    char method[64];
    json_object *params;
    bool lost = false;
    while (link_notification(l, -1, method, &params, &lost)) {
        if (json)
            printf("{\"method\":\"%s\",\"params\":%s}\n", method, json_object_to_json_string(params));
        else {
            plain_notification(stdout, method, params);
            putchar('\n');
        }
        fflush(stdout);
        json_object_put(params);
    }
    fputs("oiduna: control socket: the daemon has gone\n", stderr);
    return 1;
}

/* Whoever waits for MIDI is told where there is none to come. false: said so */
static bool has_midi(const char *socket)
{
    struct link *l = link_open(socket);
    struct link_answer answer = {.result = NULL};
    bool has = l != NULL;
    if (l && !link_call(l, "midi/ports", "[]", &answer) && answer.result && *json_text(answer.result, "missing")) {
        fprintf(stderr, "oiduna: midi: %s\n", json_text(answer.result, "missing"));
        has = false;
    }
    json_object_put(answer.result);
    if (l)
        link_close(l);
    return has;
}

/* quietly: what comes says enough, without the answer that it will */
static int ask(const char *socket, const char *method, json_object *params, bool json, bool quietly)
{
    struct link *l = link_open(socket);
    struct link_answer answer;
    if (!l)
        return 1;
    int r = link_call(l, method, json_object_to_json_string(params), &answer) ? 1 : 0;
    if (!r && !answer.result) {
        link_refused(method, &answer);
        r = 1;
    } else if (!r) {
        if (!quietly)
            print_result(method, answer.result, json);
        json_object_put(answer.result);
        if (!strcmp(method, "subscribe"))
            r = follow(l, json);
    }
    link_close(l);
    return r;
}

/* `midi ports` and its kin are, on the socket, methods and topics of a subscription: what is asked is written anew. */
static const char *midi_method(int *n, char ***word)
{
    static char topic[8], *topics[] = {topic};
    const char *what = *n ? **word : "";
    ++*word;
    --*n;
    if (!strcmp(what, "ports") && !*n)
        return "midi/ports";
    if (!strcmp(what, "connect") && *n == 2)
        return "midi/connect";
    if ((strcmp(what, "monitor") && strcmp(what, "learn")) || *n)
        return NULL;
    strcpy(topic, strcmp(what, "learn") ? "midi" : "learn");
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
            return usage();
    }
    if (optind == argc)
        return usage();
    const char *method = argv[optind];
    int n = argc - optind - 1;
    char **word = argv + optind + 1;
    if (!strcmp(method, "help") && !n)
        return help_print(stdout, "ctl");
    bool waits = !strcmp(method, "midi") && n && (!strcmp(*word, "monitor") || !strcmp(*word, "learn"));
    if (!strcmp(method, "midi") && !(method = midi_method(&n, &word)))
        return wrong("midi", "wants ports, connect DESTINATION PORT, monitor or learn");
    enum command_kind kind = command_find(method);
    enum query_kind query = query_find(method);
    if (kind == COMMAND_COUNT && query == QUERY_COUNT) {
        fprintf(stderr, "oiduna: %s: unknown command; see 'oiduna help ctl'\n", method);
        return 2;
    }
    json_object *params = ctl_parameters(query < QUERY_COUNT ? query_info(query) : command_info(kind), n, word);
    if (!params)
        return 2;
    if (waits && !has_midi(socket)) {
        json_object_put(params);
        return 1;
    }
    int r = ask(socket, method, params, json, waits);
    json_object_put(params);
    return r;
}
