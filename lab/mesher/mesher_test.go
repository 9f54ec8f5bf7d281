package mesher

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

// small is one of each idiom: a record, a result from an extern, a match, a loop, a service with a call and a cast, an actor.
func small() *Module {
	m := NewModule()
	pair := m.Struct("Pair", Ptr, I64)
	f := m.Func("make_pair", pair, Param{"name", Ptr}, Param{"n", I64})
	f.Ret(f.Make(pair, f.Arg("name"), f.Op("add", f.Arg("n"), Int(1))))
	f = m.Func("Config__level", I64, Param{"name", Ptr})
	f.Match("set", f.FromExtern(f.Call(".env_get", f.Arg("name"))), func(v Var) {
		i := f.Let("i", Int(0))
		f.While(func() Operand { return f.Cmp("slt", i, f.Call(".string_length", v)) }, func() { f.Set(i, f.Op("add", i, Int(1))) })
		f.Ret(i)
	}, func(Var) { f.Println("say \"level\"\n"); f.Ret(Int(-1)) })
	m.service(&Service{
		Name: "Counter", Process: "counter", State: []Param{{"pair", pair}}, Init: []Param{{"name", Ptr}},
		Start: func(f *Func) []Operand { return []Operand{f.Call("make_pair", f.Arg("name"), Int(0))} },
		Methods: []Method{
			{Name: "get", Ret: I64, Body: func(f *Func, state Var) { f.Reply(state, Int(7)) }},
			{Name: "put", Cast: true, Params: []Param{{"n", I64}}, Body: func(f *Func, state Var) { f.Keep(state) }},
		},
	})
	m.ticker("beat", 250, []Param{{"pid", I64}}, func(f *Func) { f.Call("__service_counter_cast_put", f.Arg("pid"), Int(2)) })
	return m
}

func TestSmallModule(t *testing.T) {
	text := small().String()
	got, _, _ := strings.Cut(text, "declare ") // all intrinsics follow
	golden := filepath.Join("testdata", "small.ll")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("IR differs from %s (-update rewrites it):\n%s", golden, diff)
	}
}

func TestEveryIntrinsicIsDeclared(t *testing.T) {
	text := Program(Plan).String()
	if n := strings.Count(text, "\ndeclare "); n != 325 {
		t.Errorf("%d declarations, want 325", n)
	}
	for _, want := range []string{
		"declare ptr @mesh_pool_open(ptr, i64, i64, i64)\n", "declare void @mesh_panic(ptr, i64, ptr, i64, i32)\n",
		"declare void @mesh_rt_init_actor(i32)\n", "declare ptr @mesh_file_read(ptr)\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(text, "f64") {
		t.Error("a Rust type in LLVM IR")
	}
}

// The symbols that the language's compiler would give.
func TestShapeOfTheProgram(t *testing.T) {
	for _, seq := range []Sequence{Plan, Current} {
		text := Program(seq).String()
		symbols := []string{"main", "mesh_main", "start_services", "create_partitions_ahead", "Storage_Schema__create_partitions_loop",
			"Api_Orgs__closure_1", "ToJson__to_json__Organization", "FromRow__from_row__User", "__service_orgservice_init",
			"__service_orgservice_start", "__service_orgservice_loop", "__service_orgservice_call_get", "__service_orgservice_cast_touch",
			"__service_orgservice_handle_call_get", "__service_orgservice_handle_cast_touch"}
		if seq == Current {
			symbols = append(symbols, "load_monitor", "__actor_load_monitor_body", "__service_streammanager_loop")
		}
		for _, name := range symbols {
			if !regexp.MustCompile(`(?m)^define [^\n]* @` + name + `\(`).MatchString(text) {
				t.Errorf("%s: no function %s", seq, name)
			}
		}
		for _, line := range strings.Split(text, "\n") {
			if strings.HasPrefix(line, "define ") && !strings.HasSuffix(line, " #0 {") {
				t.Errorf("%s: without unwind tables: %s", seq, line)
			}
		}
	}
}

// Messages appear as constants in the order of each sequence, as they do in the real program.
func TestMessagesInOrder(t *testing.T) {
	sequences := map[Sequence][]string{
		Plan: {"Partitions created", "Running in standalone mode (no distribution)", "OrgService started", "ProjectService started",
			"UserService started", "Foundation ready", "WebSocket server starting on :", "HTTP server starting on :"},
		Current: {"Running in standalone mode (no distribution)", "Partitions created", "OrgService started", "ProjectService started",
			"UserService started", "StreamManager started", "drain ticker started", "RateLimiter started", "EventProcessor started",
			"StorageWriter started", "skipping global registration", "PipelineRegistry started", "Health checker started",
			"Spike checker started", "Alert evaluator started", "Retention cleaner started", "Load monitor started", "Foundation ready",
			"WebSocket server starting on :", "HTTP server starting on :"},
	}
	for seq, messages := range sequences {
		rest := Program(seq).String()
		for _, m := range messages {
			_, after, ok := strings.Cut(rest, m)
			if !ok {
				t.Errorf("%s: %q is missing or out of order", seq, m)
				break
			}
			rest = after
		}
	}
}

func TestEdits(t *testing.T) {
	ir := "declare ptr @mesh_a(ptr)\ndefine ptr @f(ptr %x.arg) #0 {\n  %v = call ptr @mesh_a(ptr %x)\n  ret ptr %v\n}\n" +
		"define ptr @g(ptr %x.arg) #0 {\n  %v = call ptr @f(ptr %x)\n  ret ptr %v\n}\n"
	cases := []struct {
		name  string
		edit  Edit
		want  string // what must be in the result
		error string
	}{
		{"in a function", Edit{In: "g", Find: "ret ptr %v", With: "ret ptr null"}, "@f(ptr %x)\n  ret ptr null", ""},
		{"in the module", Edit{Find: "declare ptr @mesh_a(ptr)", With: "declare i32 @mesh_a(ptr)"}, "declare i32 @mesh_a", ""},
		{"a call before the definition", Edit{In: "f", Find: "@mesh_a", With: "@mesh_b"}, "call ptr @mesh_b(", ""},
		{"twice in the module", Edit{Find: "ret ptr %v", With: ""}, "", "occurs 2 times in the module"},
		{"not there", Edit{In: "f", Find: "ret i64"}, "", "occurs 0 times in f"},
		{"no such function", Edit{In: "h", Find: "ret"}, "", "no function h"},
		{"only declared", Edit{In: "mesh_a", Find: "ptr"}, "", "no function mesh_a"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.edit.apply(ir)
			if c.error != "" {
				if err == nil || !strings.Contains(err.Error(), c.error) {
					t.Errorf("error %v, want %q", err, c.error)
				}
				return
			}
			if err != nil || !strings.Contains(got, c.want) {
				t.Errorf("%v\n%s", err, got)
			}
		})
	}
}

func TestAdditionsAreNumbered(t *testing.T) {
	got := Addition{Text: "@r_$i -> @r_$n", Repeat: 2}.expand()
	if got != "\n@r_0 -> @r_1\n\n@r_1 -> @r_2\n" {
		t.Errorf("%q", got)
	}
}

func TestTheOlderPrefix(t *testing.T) {
	ir, err := Generate(Plan, "snow", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(ir, "@mesh_") || !strings.Contains(ir, "define void @snow_main()") || !strings.Contains(ir, `c"snow_main"`) {
		t.Error("symbols keep the prefix mesh_")
	}
	if !strings.Contains(ir, "_mesh_migrations") {
		t.Error("the table's name was changed too")
	}
}
