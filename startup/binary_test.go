package startup

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"meshdiag/profile"
)

// A program of the language in C: what its compiler makes of start-up, and a runtime that is only declared.
const meshProgram = `
#include <stddef.h>
#define RT __attribute__((noinline, visibility("default")))
struct str { unsigned long len; char bytes[64]; } text;
RT void *mesh_string_new(const char *p, unsigned long n) { __asm__ volatile("" :: "r"(p), "r"(n) : "memory"); return &text; }
RT void *mesh_string_concat(void *a, void *b) { __asm__ volatile("" :: "r"(a), "r"(b) : "memory"); return &text; }
RT void *mesh_int_to_string(long n) { __asm__ volatile("" :: "r"(n) : "memory"); return &text; }
RT void mesh_println(void *s) { __asm__ volatile("" :: "r"(s) : "memory"); }
RT void mesh_rt_init(void) { __asm__ volatile(""); }
RT long mesh_pool_open(void *url) { __asm__ volatile("" :: "r"(url) : "memory"); return 1; }
RT void mesh_http_serve(void *r, long port) { __asm__ volatile("" :: "r"(r), "r"(port) : "memory"); }
#define S(s) mesh_string_new(s, sizeof(s) - 1)
#define SAY(s) mesh_println(S("[Mesher] " s))
#define SERVICE(name) RT long __service_##name##_start(long pool) { __asm__ volatile("" :: "r"(pool) : "memory"); return pool + 2; }
SERVICE(orgservice) SERVICE(projectservice) SERVICE(userservice) SERVICE(auditservice)
RT long partitions(long pool) { __asm__ volatile("" :: "r"(pool) : "memory"); return pool & 1; }
RT long config(void *name, long other) { __asm__ volatile("" :: "r"(name) : "memory"); return other; }
RT void start_services(long pool) {
	SAY(STANDALONE);
	if (partitions(pool)) SAY(PARTITIONS); else mesh_println(mesh_string_concat(S("[Mesher] Partition error: "), mesh_int_to_string(pool)));
	__service_orgservice_start(pool); SAY(ORG);
	__service_projectservice_start(pool); SAY(PROJECT);
	__service_userservice_start(pool); SAY(USER);
#ifdef AUDIT
	__service_auditservice_start(pool); SAY(AUDIT);
#endif
	SAY("Foundation ready");
	long ws = config(S("MESHER_WS_PORT"), 8081);
	mesh_println(mesh_string_concat(S("[Mesher] WebSocket server starting on :"), mesh_int_to_string(ws)));
	long http = config(S("MESHER_HTTP_PORT"), 8080);
	mesh_println(mesh_string_concat(S("[Mesher] HTTP server starting on :"), mesh_int_to_string(http)));
	mesh_http_serve(0, http);
}
RT void mesh_main(void) {
	SAY("Connecting to PostgreSQL...");
	long pool = mesh_pool_open(S("postgres://mesh@localhost/mesher"));
	if (!pool) { SAY("Failed to connect to PostgreSQL"); return; }
	if (!partitions(pool)) { SAY("The schema is of another version"); return; }
	start_services(pool);
}
int main(void) { mesh_rt_init(); mesh_main(); return 0; }
`

// wording are the messages that versions of the program may word differently.
func wording(over map[string]string) []string {
	words := map[string]string{"STANDALONE": "Running in standalone mode (no distribution)", "PARTITIONS": "Partitions created (7 days ahead)",
		"ORG": "OrgService started", "PROJECT": "ProjectService started", "USER": "UserService started"}
	for k, v := range over {
		words[k] = v
	}
	var flags []string
	for k, v := range words {
		flags = append(flags, fmt.Sprintf("-D%s=%q", k, v))
	}
	slices.Sort(flags)
	return flags
}

func ids(t Timeline) string {
	var s []string
	for _, st := range t.Steps {
		s = append(s, st.ID)
	}
	return strings.Join(s, " ")
}

var builds = []struct {
	compiler string
	flags    []string
}{
	// -fno-ipa-ra: the real runtime is another object file, across which registers are not known to survive.
	{"gcc", []string{"-O0"}}, {"gcc", []string{"-O2", "-fno-ipa-ra"}}, {"gcc", []string{"-O2", "-no-pie", "-fno-plt", "-fno-ipa-ra"}},
	{"clang-19", []string{"-O0"}}, {"clang-19", []string{"-O2"}},
}

func TestStepsOfABinary(t *testing.T) {
	p := load(t, "mesh")
	const middle = "org-service project-service user-service"
	tests := []struct {
		name string
		over map[string]string
		more []string
		want string
	}{
		{"as in the profile", nil, nil, "connecting standalone partitions " + middle + " foundation-ready websocket websocket-listening http http-listening"},
		{"one reworded, known by its place", map[string]string{"ORG": "Tenants are up"}, nil,
			"connecting standalone partitions " + middle + " foundation-ready websocket websocket-listening http http-listening"},
		{"several reworded, known by words and calls", map[string]string{"ORG": "organisations: ok", "PROJECT": "projects: ok", "USER": "users: ok"}, nil,
			"connecting standalone partitions " + middle + " foundation-ready websocket websocket-listening http http-listening"},
		{"a new one", nil, []string{"-DAUDIT=\"AuditTrail is recording\""},
			"connecting standalone partitions " + middle + " audittrail-is-recording foundation-ready websocket websocket-listening http http-listening"},
	}
	for _, b := range builds {
		for _, tt := range tests {
			t.Run(b.compiler+strings.Join(b.flags, "")+"/"+tt.name, func(t *testing.T) {
				exe := compile(t, meshProgram, b.compiler, append(append(wording(tt.over), tt.more...), b.flags...)...)
				c, sym := mapped(t, exe)
				defer sym.Close()
				got, _ := Read(c, sym, p, nil)
				if ids(got) != tt.want || got.Source != "both" {
					t.Errorf("steps by %s: %s\nwant           %s\n%s", got.Source, ids(got), tt.want, got.Why)
				}
				for _, s := range got.Steps {
					if s.ID == "partitions" && s.Message != "[Mesher] Partitions created (7 days ahead)" {
						t.Errorf("of two wordings the failure is shown: %q", s.Message)
					}
					if s.CodeAddr == 0 && !strings.HasSuffix(s.ID, "-listening") {
						t.Errorf("%s has no place in the code", s.ID)
					}
				}
			})
		}
	}
}

func TestCallsBetweenMessages(t *testing.T) {
	exe := compile(t, meshProgram, "gcc", append(wording(nil), "-O0")...)
	c, sym := mapped(t, exe)
	defer sym.Close()
	got, _ := Read(c, sym, load(t, "mesh"), nil)
	i := slices.IndexFunc(got.Steps, func(s Step) bool { return s.ID == "org-service" })
	if s := got.Steps[i]; !slices.Equal(s.Calls, []string{"__service_projectservice_start"}) || s.Function != "start_services" {
		t.Errorf("after OrgService come %v in %s", s.Calls, s.Function)
	}
}

// Lines that no profile knows are steps because the binary prints them.
func TestRewordedMessageIsSeen(t *testing.T) {
	exe := compile(t, meshProgram, "gcc", append(wording(map[string]string{"ORG": "Tenants are up", "PROJECT": "Workspaces are up"}), "-DAUDIT=\"Audit: on\"", "-O2", "-fno-ipa-ra")...)
	c, sym := mapped(t, exe)
	defer sym.Close()
	printing(c, "[Mesher] Connecting to PostgreSQL...", "[Mesher] Running in standalone mode (no distribution)",
		"[Mesher] Partition error: no table", "[Mesher] Tenants are up", "something else", "[Mesher] Workspaces are up")
	got, msgs := Read(c, sym, load(t, "mesh"), nil)
	if got.Last < 0 || got.Steps[got.Last].ID != "project-service" || got.Steps[got.Last].Message != "[Mesher] Workspaces are up" || got.Done {
		t.Errorf("last step %d of %s (%s)", got.Last, ids(got), got.Why)
	}
	if len(got.Unnamed) != 1 || got.Unnamed[0].Text != "something else" {
		t.Errorf("unnamed lines %v", got.Unnamed)
	}
	if len(msgs) != 1 || msgs[0].Rule != "partition-error" || msgs[0].Index != 2 {
		t.Errorf("messages %+v", msgs)
	}
}

// A program of a user's own with a profile that knows only its entry and how it prints.
const shopProgram = `
#include <stdio.h>
#include <stdlib.h>
static int config(const char *path) { FILE *f = fopen(path, "r"); if (!f) return 0; fclose(f); return 1; }
__attribute__((noinline)) static void warm_caches(int n) { for (int i = 0; i < n; i++) if (i % 7 == 0) putchar('.'); puts("[shop] caches are warm"); }
int main(int argc, char **argv) {
	puts("[shop] reading config");
	if (!config(argv[0])) { puts("[shop] cannot go on without it"); exit(1); }
	printf("[shop] %d workers\n", argc);
	if (argc > 3) puts("[shop] many workers"); else puts("[shop] few workers");
	warm_caches(argc);
	printf("[shop] listening on %s, port %d\n", argv[0], 80);
	fflush(stdout);
	for (;;) getchar();
}`

const shopProfile = `id = "shop"
[entry]
functions = ["main"]
print = ["puts", "printf", "__printf_chk"]
line = '^\[shop\] '
`

func TestStepsWithoutASequence(t *testing.T) {
	p := profileText(t, shopProfile)
	for _, b := range builds {
		t.Run(b.compiler+strings.Join(b.flags, ""), func(t *testing.T) {
			c, sym := mapped(t, compile(t, shopProgram, b.compiler, b.flags...))
			defer sym.Close()
			printing(c, "[shop] reading config", "[shop] 3 workers", "[shop] few workers")
			got, _ := Read(c, sym, p, nil)
			var texts []string
			for _, s := range got.Steps {
				texts = append(texts, s.Message)
			}
			want := "[shop] reading config|[shop] 3 workers|[shop] few workers|[shop] caches are warm|[shop] listening on ..., port "
			if strings.Join(texts, "|") != want || got.Source != "binary" {
				t.Errorf("steps by %s: %q (%s)", got.Source, texts, got.Why)
			}
			if got.Last != 2 {
				t.Errorf("last %d", got.Last)
			}
		})
	}
}

func TestNoProfileNoPhases(t *testing.T) {
	c, sym := mapped(t, compile(t, shopProgram, "gcc"))
	defer sym.Close()
	printing(c, "[shop] reading config", "2>free(): invalid pointer")
	got, msgs := Read(c, sym, nil, nil)
	if got.Steps != nil || got.Last != -1 || got.Why == "" || len(msgs) != 1 {
		t.Errorf("%+v %+v", got, msgs)
	}
	var p *profile.Profile
	if Explains(c, Roles(c, nil, nil, p), 0) {
		t.Error("no phases, nothing to explain")
	}
}
