/* in: does nothing itself; the rack fills its outputs before a block is run (rack_mix.c). */
#include "engine/rack/module.h"

REALTIME void MODULE_KERNEL(in)(struct module_run *run)
{
    (void)run;
}

#ifdef MODULE_IS_BASELINE
static size_t state_bytes(float rate, const float *fixed)
{
    (void)rate, (void)fixed;
    return 0;
}

const struct module_spec in_spec = {.state_bytes = state_bytes};
#endif
