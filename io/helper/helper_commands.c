#include "helper_state.h"
#include <stdio.h>
#include <stdlib.h>

void helper_push_command(struct helper *h, const struct command *command)
{
    h->wake_engine = true;
    if (!h->unsent && ring_push(h->config.commands, command, sizeof *command))
        return;
    struct unsent *p = malloc(sizeof *p);
    if (!p) {
        fputs("oiduna: memory: none left for a command\n", stderr);
        abort();
    }
    *p = (struct unsent){.command = *command};
    *h->unsent_end = p;
    h->unsent_end = &p->next;
}

void helper_push_unsent(struct helper *h)
{
    struct unsent *p;
    while ((p = h->unsent) && ring_push(h->config.commands, &p->command, sizeof p->command)) {
        h->unsent = p->next;
        if (!h->unsent)
            h->unsent_end = &h->unsent;
        free(p);
        h->wake_engine = true;
    }
}

void helper_finish(struct helper *h, const struct origin *origin)
{
    if (!origin->ordered)
        return;
    struct command nothing = {.kind = COMMAND_COUNT, .origin = *origin};
    helper_push_command(h, &nothing);
}
