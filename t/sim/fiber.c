#include "fiber.h"
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif

#ifdef ADDRESS_SANITIZER
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

struct place {
    ucontext_t context;
    void *fake_stack; /* what the address sanitizer keeps of a stack that is left */
    const void *bottom;
    size_t size;
    void *thread; /* the thread sanitizer's idea of it */
};

struct fiber {
    struct place place;
    void (*run)(void *ctx);
    void *ctx;
    void *stack;
    bool over;
};

static struct place simulator;
static struct fiber *current;

static void change(struct place *from, const struct place *to, bool for_good)
{
    (void)for_good;
#ifdef ADDRESS_SANITIZER
    __sanitizer_start_switch_fiber(for_good ? NULL : &from->fake_stack, to->bottom, to->size);
#endif
#ifdef THREAD_SANITIZER
    __tsan_switch_to_fiber(to->thread, 0);
#endif
    swapcontext(&from->context, &to->context);
#ifdef ADDRESS_SANITIZER
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
}

/* makecontext passes ints only */
static void begin(unsigned high, unsigned low)
{
    struct fiber *f = (struct fiber *)(uintptr_t)((uint64_t)high << 32 | low);
#ifdef ADDRESS_SANITIZER
    __sanitizer_finish_switch_fiber(NULL, &simulator.bottom, &simulator.size);
#endif
    f->run(f->ctx);
    f->over = true;
    current = NULL;
    change(&f->place, &simulator, true);
}

struct fiber *fiber_new(void (*run)(void *ctx), void *ctx)
{
    struct fiber *f = calloc(1, sizeof *f);
    void *stack =
        mmap(NULL, FIBER_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!f || stack == MAP_FAILED)
        abort();
    f->run = run;
    f->ctx = ctx;
    f->stack = stack;
    f->place.bottom = stack;
    f->place.size = FIBER_STACK_BYTES;
#ifdef THREAD_SANITIZER
    simulator.thread = __tsan_get_current_fiber();
    f->place.thread = __tsan_create_fiber(0);
#endif
    getcontext(&f->place.context);
    f->place.context.uc_stack.ss_sp = stack;
    f->place.context.uc_stack.ss_size = FIBER_STACK_BYTES;
    f->place.context.uc_link = NULL;
    uint64_t at = (uint64_t)(uintptr_t)f;
    makecontext(&f->place.context, (void (*)(void))begin, 2, (unsigned)(at >> 32), (unsigned)at);
    return f;
}

void fiber_free(struct fiber *f)
{
    if (!f)
        return;
#ifdef THREAD_SANITIZER
    __tsan_destroy_fiber(f->place.thread);
#endif
    munmap(f->stack, FIBER_STACK_BYTES);
    free(f);
}

void fiber_resume(struct fiber *f)
{
    current = f;
    change(&simulator, &f->place, false);
}

void fiber_pause(void)
{
    struct fiber *f = current;
    current = NULL;
    change(&f->place, &simulator, false);
    current = f;
}

struct fiber *fiber_current(void)
{
    return current;
}

bool fiber_is_over(const struct fiber *f)
{
    return f->over;
}
