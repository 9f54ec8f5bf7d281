/* A program as compiled Mesh code would look to the linker, one subcommand per
 * thing that is tried out. Built and run by smoke.rs. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct { uint64_t len; char bytes[64]; } String;
typedef struct { uint8_t tag; void *value; } Result;

void mesh_rt_init(void);
void mesh_rt_init_actor(uint32_t);
void mesh_rt_run_scheduler(void);
void mesh_println(const void *);
void mesh_print(const void *);
void *mesh_string_new(const char *, uint64_t);
void *mesh_int_to_string(int64_t);
int64_t mesh_string_length(const void *);
void *mesh_list_new(void);
void *mesh_list_append(void *, uint64_t);
void *mesh_list_map(void *, void *, void *);
uint64_t mesh_list_reduce(void *, uint64_t, void *, void *);
uint64_t mesh_list_get(void *, int64_t);
uint64_t mesh_list_head(void *);
int64_t mesh_list_length(void *);
void *mesh_map_new_typed(int64_t);
void *mesh_map_put(void *, uint64_t, uint64_t);
uint64_t mesh_map_get(void *, uint64_t);
Result *mesh_env_get(const void *);
void *mesh_gc_alloc_actor(uint64_t, uint64_t);
void mesh_gc_collect(void);
void mesh_reduction_check(void);
uint64_t mesh_actor_spawn(const void *, const void *, uint64_t, uint8_t);
uint64_t mesh_actor_self(void);
void mesh_actor_send(uint64_t, const void *, uint64_t);
const uint64_t *mesh_actor_receive(int64_t);
void mesh_actor_link(uint64_t);
uint64_t mesh_process_register(const void *, uint64_t);
uint64_t mesh_process_whereis(const void *);
uint64_t mesh_process_monitor(uint64_t);
void mesh_timer_sleep(int64_t);
void mesh_timer_send_after(int64_t, int64_t, const void *, int64_t);
const uint64_t *mesh_service_call(uint64_t, uint64_t, const void *, uint64_t);
void mesh_service_reply(uint64_t, const void *, uint64_t);
void mesh_panic(const char *, uint64_t, const char *, uint64_t, uint32_t);
Result *mesh_pool_open(const void *, int64_t, int64_t, int64_t);
Result *mesh_pool_query(uint64_t, const void *, void *);
void *mesh_http_router(void);
void *mesh_http_route_get(void *, const void *, void *);
void *mesh_http_response_new(int64_t, const void *);
Result *mesh_http_request_param(void *, const void *);
void mesh_http_serve(void *, int64_t);
void mesh_ws_serve(void *, void *, void *, void *, void *, void *, int64_t);
int64_t mesh_ws_send(void *, const void *);
int64_t mesh_ws_join(void *, const void *);
int64_t mesh_ws_broadcast(const void *, const void *);

static void *str(const char *text) { return mesh_string_new(text, strlen(text)); }
static void say(const char *text) { mesh_println(str(text)); }
static void say_int(int64_t n) { mesh_println(mesh_int_to_string(n)); }

static uint64_t times(uint64_t env, uint64_t n) { return *(uint64_t *)env * n; }
static uint64_t plus(uint64_t a, uint64_t b) { return a + b; }

static void values(void) {
    uint64_t factor = 10;
    void *list = mesh_list_append(mesh_list_append(mesh_list_new(), 1), 2);
    void *tens = mesh_list_map(list, times, &factor);
    say_int(mesh_list_reduce(tens, 0, plus, NULL));
    void *map = mesh_map_put(mesh_map_new_typed(1), (uint64_t)str("key"), 7);
    say_int(mesh_map_get(map, (uint64_t)str("key")));
    say_int(mesh_map_get(map, (uint64_t)str("other")));
    say_int(mesh_string_length(str("h\xc3\xa9")));
    Result *unset = mesh_env_get(str("NO_SUCH_VARIABLE"));
    say(unset == NULL ? "NULL" : unset->tag == 1 && !unset->value ? "None" : "other");
}

static void print(const char *how) {
    say("whole");
    mesh_print(str("part"));
    if (*how) say_int(mesh_string_length(NULL));
}

/* A service: adds its arguments to its state and answers with the sum. */
static void adder(const uint64_t *args) {
    uint64_t state = args[0];
    for (;;) {
        const uint64_t *message = mesh_actor_receive(-1);
        uint64_t tag = message[2], caller = message[3];
        if (tag == 0) return;
        state += message[4] + message[5];
        mesh_service_reply(caller, &state, 8);
    }
}

static void asker(const uint64_t *args) {
    uint64_t words[2] = {1, 2};
    say_int(mesh_service_call(args[0], 1, words, 16)[2]);
    mesh_actor_send(args[1], words, 16);
}

static void service(void) {
    uint64_t start = 100, words[2] = {20, 3};
    uint64_t pid = mesh_actor_spawn(adder, &start, 8, 1);
    say_int(mesh_service_call(pid, 1, words, 16)[2]);
    uint64_t args[2] = {pid, mesh_actor_self()};
    mesh_actor_spawn(asker, args, 16, 1);
    say_int(mesh_actor_receive(-1)[3]);
    uint64_t stop[2] = {0, 0};
    mesh_process_monitor(pid);
    mesh_actor_send(pid, stop, 16);
    say_int(mesh_actor_receive(-1)[3] == pid);
    say(mesh_service_call(pid, 1, words, 16) ? "reply" : "NULL");
}

struct node { struct node *next; uint64_t value; };

/* Keeps one list alive on the coroutine's stack while it makes much garbage. */
static void gc_actor(const void *args) {
    (void)args;
    struct node *kept = NULL;
    for (uint64_t i = 0; i < 200000; i++) {
        struct node *node = mesh_gc_alloc_actor(sizeof *node, 8);
        node->value = i;
        if (i % 100 == 0) { node->next = kept; kept = node; }
        mesh_reduction_check();
    }
    mesh_gc_collect();
    uint64_t sum = 0;
    for (struct node *at = kept; at; at = at->next) sum += at->value;
    say_int(sum);
}

/* Small numbers and pool handles in objects: harmless, or fatal where the
 * collector takes every word for an object. */
static void gc_integer(const void *args) {
    (void)args;
    uint64_t *object = mesh_gc_alloc_actor(16, 8);
    object[1] = 5;
    mesh_gc_collect();
    say_int(object[1]);
}

static void gc_handle(const uint64_t *args) {
    uint64_t *object = mesh_gc_alloc_actor(16, 8);
    object[0] = args[0];
    mesh_gc_collect();
    say_int(object[0] == args[0]);
}

static void gc_pool(const char *url) {
    Result *pool = mesh_pool_open(str(url), 0, 4, 1000);
    uint64_t handle = (uint64_t)pool->value;
    mesh_actor_spawn(gc_handle, &handle, 8, 1);
}

/* Shows the mapping of its own stack and the one below it. */
static void stack_shape(const void *args) {
    (void)args;
    unsigned long here = (unsigned long)&args, from, to, below_from = 0, below_to = 0;
    char line[512], perms[8], below[8] = "";
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps)) {
        sscanf(line, "%lx-%lx %4s", &from, &to, perms);
        if (here >= from && here < to) break;
        below_from = from; below_to = to; strcpy(below, perms);
    }
    printf("guard %lu %s adjacent %d\n", below_to - below_from, below, below_to == from);
    printf("stack %lu %s\n", to - from, perms);
    fflush(stdout);
}

static int deep(volatile char *above, int left) {
    volatile char frame[256];
    frame[0] = above[0] + 1;
    return left ? deep(frame, left - 1) + frame[0] : frame[0];
}

static void recurse(const uint64_t *args) {
    char zero = 0;
    say_int(deep(&zero, args[0]) != -1);
}

/* Two services that call each other. */
static uint64_t partner[2];
static void caller(const uint64_t *args) {
    const uint64_t *message = mesh_actor_receive(-1);
    (void)message;
    mesh_service_call(partner[1 - args[0]], 1, NULL, 0);
    say("answered");
}

static void deadlock(void) {
    for (uint64_t i = 0; i < 2; i++) partner[i] = mesh_actor_spawn(caller, &i, 8, 1);
    for (int i = 0; i < 2; i++) mesh_actor_send(partner[i], partner, 8);
    say("both called");
}

static void registrar(const uint64_t *args) {
    char name[] = "service-0";
    name[8] += args[0] % 10;
    mesh_process_register(str(name), mesh_actor_self());
}

static void registry(void) {
    for (uint64_t i = 0; i < 40; i++) mesh_actor_spawn(registrar, &i, 8, 1);
}

/* Two linked actors that end one after the other, and many who only live on the
 * same workers. */
static void bystander(const void *args) { (void)args; mesh_timer_sleep(400); }
static void first_to_go(const void *args) { (void)args; mesh_timer_sleep(50); }
static void second_to_go(const uint64_t *args) {
    mesh_actor_link(args[0]);
    mesh_timer_sleep(150);
}
static void links(void) {
    uint64_t first = mesh_actor_spawn(first_to_go, NULL, 0, 1);
    mesh_actor_spawn(second_to_go, &first, 8, 1);
    for (int i = 0; i < 64; i++) mesh_actor_spawn(bystander, NULL, 0, 1);
}

static void timers(void) {
    uint64_t words[2] = {42, 43};
    mesh_timer_send_after(mesh_actor_self(), 20, words, 16);
    say(mesh_actor_receive(0) ? "early" : "not yet");
    mesh_timer_sleep(5);
    say_int(mesh_actor_receive(-1)[3]);
}

static void *hello(void *request) {
    Result *name = mesh_http_request_param(request, str("name"));
    return mesh_http_response_new(200, name->value);
}

static void http(int port) {
    void *router = mesh_http_route_get(mesh_http_router(), str("/hello/:name"), hello);
    mesh_http_serve(router, port);
    say("not serving");
}

static void on_connect(void *conn, void *path) { mesh_ws_join(conn, path); }
static void on_message(void *conn, void *text) {
    mesh_ws_send(conn, text);
    mesh_ws_broadcast(str("/room"), str("to all"));
}
static void on_close(void *conn, int64_t code) { (void)conn; say_int(code); }

static void ws(int port) {
    mesh_ws_serve(on_connect, NULL, on_message, NULL, on_close, NULL, port);
    for (;;) mesh_timer_sleep(1000);
}

static void database(const char *url) {
    Result *pool = mesh_pool_open(str(url), 1, 2, 1000);
    if (pool->tag) { mesh_println(pool->value); return; }
    void *params = mesh_list_append(mesh_list_new(), (uint64_t)str("it's"));
    Result *rows = mesh_pool_query((uint64_t)pool->value, str("select $1 || '!' as word"), params);
    if (rows->tag) { mesh_println(rows->value); return; }
    void *row = (void *)mesh_list_get(rows->value, 0);
    mesh_println((void *)mesh_map_get(row, (uint64_t)str("word")));
    rows = mesh_pool_query((uint64_t)pool->value, str("select * from nowhere"), mesh_list_new());
    mesh_println(rows->value);
}

static void query_actor(const uint64_t *args) { database((const char *)args[0]); }

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "", *arg = argc > 2 ? argv[2] : "";
    mesh_rt_init();
    mesh_rt_init_actor(0);
    uint64_t number = strtoul(arg, NULL, 10), address = (uint64_t)arg;
    if (!strcmp(what, "values")) values();
    if (!strcmp(what, "print")) print(arg);
    if (!strcmp(what, "service")) service();
    if (!strcmp(what, "gc")) mesh_actor_spawn(gc_actor, NULL, 0, 1);
    if (!strcmp(what, "gc-integer")) mesh_actor_spawn(gc_integer, NULL, 0, 1);
    if (!strcmp(what, "gc-pool")) gc_pool(arg);
    if (!strcmp(what, "stack")) mesh_actor_spawn(stack_shape, NULL, 0, 1);
    if (!strcmp(what, "recurse")) mesh_actor_spawn(recurse, &number, 8, 1);
    if (!strcmp(what, "deadlock")) deadlock();
    if (!strcmp(what, "registry")) registry();
    if (!strcmp(what, "links")) links();
    if (!strcmp(what, "timers")) timers();
    if (!strcmp(what, "null")) say_int(mesh_string_length(NULL));
    if (!strcmp(what, "head")) say_int(mesh_list_head(mesh_list_new()));
    if (!strcmp(what, "get")) say_int(mesh_list_get(mesh_list_append(mesh_list_new(), 1), 2));
    if (!strcmp(what, "panic")) mesh_panic("non-exhaustive match", 20, "<unknown>", 9, 0);
    if (!strcmp(what, "http")) http(number);
    if (!strcmp(what, "ws")) ws(number);
    if (!strcmp(what, "db")) database(arg);
    if (!strcmp(what, "db-actor")) mesh_actor_spawn(query_actor, &address, 8, 1);
    mesh_rt_run_scheduler();
    return 0;
}
