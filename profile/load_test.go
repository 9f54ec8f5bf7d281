package profile

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestEmbeddedProfilesLoad(t *testing.T) {
	if got := Names(); !reflect.DeepEqual(got, []string{"mesh", "snow"}) {
		t.Errorf("built-in profiles %v", got)
	}
	for _, p := range []*Profile{loaded(t, "mesh"), loaded(t, "snow"), engine()} {
		for _, pat := range p.patterns() {
			if _, err := NewPattern(pat.String()); err != nil {
				t.Errorf("%s: pattern %s: %v", p.ID, pat, err)
			}
		}
	}
}

// patterns lists all patterns of a profile.
func (p *Profile) patterns() []*Pattern {
	var all []*Pattern
	add := func(pat *Pattern) {
		if pat != nil {
			all = append(all, pat)
		}
	}
	add(p.Entry.Line)
	for _, r := range p.Names {
		add(r.Pattern)
	}
	for _, r := range p.Threads {
		add(r.Pattern)
	}
	for _, s := range p.Startup {
		for _, ph := range s.Phases {
			add(ph.Message)
		}
	}
	for _, r := range p.Messages {
		add(r.Pattern)
	}
	for _, r := range p.Sources {
		add(r.Pattern)
	}
	return all
}

func TestSnowDiffersOnlyWhereItSays(t *testing.T) {
	mesh, snow := loaded(t, "mesh"), loaded(t, "snow")
	if mesh.Stacks.Actor != 512<<10 || snow.Stacks.Actor != 64<<10 {
		t.Errorf("actor stacks %d and %d", mesh.Stacks.Actor, snow.Stacks.Actor)
	}
	if len(mesh.Stacks.ActorStale) != 1 || len(snow.Stacks.ActorStale) != 0 {
		t.Errorf("stale stacks %v and %v", mesh.Stacks.ActorStale, snow.Stacks.ActorStale)
	}
	if len(mesh.Names) != len(snow.Names) || len(mesh.Messages) != len(snow.Messages) || len(mesh.Startup) != len(snow.Startup) {
		t.Error("rows are lost in deriving")
	}
	if !reflect.DeepEqual(snow.Entry.Functions, []string{"snow_main"}) || snow.Entry.Strings[0].Symbol != "snow_string_new" {
		t.Errorf("entry %+v", snow.Entry)
	}
	for _, pat := range snow.patterns() {
		if strings.Contains(pat.String(), "mesh_") || strings.Contains(pat.String(), "mesh-") {
			t.Errorf("pattern with the other name: %s", pat)
		}
	}
	e := snow.Extern("snow_map_get")
	if e == nil || e.Line != 0 || e.File != "collections/map.rs" {
		t.Errorf("extern %+v", e)
	}
}

// Each start-up sequence in the order of the reference.
func TestStartupSequences(t *testing.T) {
	want := map[string]string{
		"plan": "connecting partitions standalone org-service project-service user-service foundation-ready websocket " +
			"websocket-listening http http-listening",
		"current": "connecting standalone partitions org-service project-service user-service stream-manager drain-ticker rate-limiter " +
			"event-processor storage-writer registration-skipped pipeline-registry health-checker spike-checker alert-evaluator " +
			"retention-cleaner load-monitor foundation-ready websocket websocket-listening http http-listening",
	}
	for _, s := range loaded(t, "mesh").Startup {
		var ids []string
		for _, ph := range s.Phases {
			ids = append(ids, ph.ID)
			if ph.Literal != "" && !ph.Message.MatchString(ph.Literal+"x") {
				t.Errorf("%s: the message's pattern does not match its own constant %q", ph.ID, ph.Literal)
			}
		}
		if got := strings.Join(ids, " "); got != want[s.ID] {
			t.Errorf("%s: %s", s.ID, got)
		}
	}
}

func TestExtern(t *testing.T) {
	p := loaded(t, "mesh")
	all, err := p.Externs()
	if err != nil || len(all) != 329 {
		t.Fatalf("%d externs, error %v", len(all), err)
	}
	e := p.Extern("mesh_map_get")
	want := &Extern{Symbol: "mesh_map_get", Rust: "(*mut u8, u64) -> u64", Params: []Class{"ptr", "i64"}, Ret: "i64", Declared: true,
		DeclParams: []Class{"ptr", "i64"}, DeclRet: "i64", File: "collections/map.rs", Line: 160, LanguageName: "map_get",
		ReturnsNull: "it returns 0 when the key is not in the map", NullKind: "missing-key"}
	if !reflect.DeepEqual(e, want) {
		t.Errorf("map_get is %+v", e)
	}
	for _, s := range []string{"mesh_map_get@plt", "mesh_map_get@@RT_1", "mesh_map_get.cold"} {
		if p.Extern(s) != e {
			t.Errorf("%s is not found", s)
		}
	}
	if p.Extern("map_get") != nil || p.Extern("") != nil || p.Extern("@plt") != nil {
		t.Error("a name without the prefix is no extern")
	}
	if v := p.Extern("mesh_changeset_validate_length"); reflect.DeepEqual(v.Params, v.DeclParams) {
		t.Error("the two views of a signature are kept apart, also where they disagree")
	}
	if pan := p.Extern("mesh_panic"); pan.Ret != "void" || len(pan.Params) != 5 || pan.Params[4] != "i32" {
		t.Errorf("mesh_panic %+v", pan)
	}
	if o := p.Extern("mesh_pool_open"); !o.Handle || o.Returns != "result" || o.HandleParams != nil {
		t.Errorf("pool_open %+v", o)
	}
	if q := p.Extern("mesh_pool_query"); q.Handle || !reflect.DeepEqual(q.HandleParams, []int{0}) {
		t.Errorf("pool_query %+v", q)
	}
	if r := p.Extern("mesh_reduction_check"); !r.Collects {
		t.Error("a collection runs inside reduction_check")
	}
	if r := p.Extern("mesh_actor_register"); r.Declared {
		t.Error("the compiler does not declare it")
	}
	for _, e := range all {
		if e.Returns != "" && p.Layout(e.Returns) == nil {
			t.Errorf("%s returns the unknown layout %s", e.Symbol, e.Returns)
		}
	}
}

func TestNilProfileKnowsNothing(t *testing.T) {
	var p *Profile
	all, err := p.Externs()
	if p.Extern("mesh_map_get") != nil || all != nil || err != nil || p.SourcesFor("mesh_map_get") != nil || p.Layout("string") != nil {
		t.Error("a nil profile answered")
	}
	if p.Layout("string").Field(0) != nil {
		t.Error("a nil layout has a field")
	}
}

func TestLayoutField(t *testing.T) {
	l := loaded(t, "mesh").Layout("reply")
	if f := l.Field(16); f == nil || f.Name != "reply" {
		t.Errorf("field %+v", f)
	}
	if f := l.Field(12); f == nil || f.Name != "length" {
		t.Errorf("field %+v", f)
	}
	if f := l.Field(-1); f != nil {
		t.Errorf("field %+v", f)
	}
}

func TestSourcesFor(t *testing.T) {
	tests := []struct{ profile, symbol, want string }{
		{"mesh", "mesh_map_get", "mesh-rt/src/collections/map.rs:160 mesh-codegen/src/codegen/intrinsics.rs mesh-codegen/src/mir/lower.rs mesh-typeck/src/builtins.rs mesh-typeck/src/infer.rs"},
		{"snow", "snow_map_get", "snow-rt/src/collections/map.rs snow-codegen/src/codegen/intrinsics.rs snow-codegen/src/mir/lower.rs snow-typeck/src/builtins.rs snow-typeck/src/infer.rs"},
		{"mesh", "mesh_made_up", "mesh-codegen/src/codegen/intrinsics.rs mesh-codegen/src/mir/lower.rs mesh-typeck/src/builtins.rs mesh-typeck/src/infer.rs"},
		{"mesh", "__service_org_loop", "mesh-codegen/src/mir/lower.rs mesh-codegen/src/codegen/intrinsics.rs mesh-rt/src/actor/service.rs"},
		{"mesh", "my_function", ""},
		{"none", "mesh_map_get", ""},
	}
	for _, tt := range tests {
		if got := strings.Join(loaded(t, tt.profile).SourcesFor(tt.symbol), " "); got != tt.want {
			t.Errorf("%s %s: %s", tt.profile, tt.symbol, got)
		}
	}
}

func TestRecognise(t *testing.T) {
	tests := []struct{ symbols, want string }{
		{"mesh_rt_init mesh_main mesh_println", "mesh"},
		{"snow_rt_init snow_main", "snow"},
		{"mesh_main", ""}, // one name alone may be a stranger's
		{"main printf", ""},
		{"snow_rt_init mesh_rt_init mesh_main", "mesh"},
		{"", ""},
	}
	for _, tt := range tests {
		has := func(s string) bool { return slices.Contains(strings.Fields(tt.symbols), s) }
		mentions := func(s string) bool { return strings.Contains(tt.symbols, s) }
		for _, p := range []*Profile{Recognise(has, nil), Recognise(has, mentions)} {
			id := ""
			if p != nil {
				id = p.ID
			}
			if id != tt.want {
				t.Errorf("%q: %q", tt.symbols, id)
			}
		}
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bad.tsv"), []byte(externColumns+"\nf\ta.c\t1\tptr,wide\tptr\t-\t-\t-\t-\t-\t-\t-\t-\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, text, want string }{
		{"syntax", "id = \"x\"\n[[names\n", "p.toml:2: "},
		{"unknown key", "id = \"x\"\n\n[[names]]\npatern = \"x\"\n", `p.toml:4: unknown key "names.patern"`},
		{"pattern", "id = \"x\"\n[[names]]\nid = \"a\"\nkind = \"std\"\npattern = '(x'\n", "p.toml:5: names a: error parsing regexp: missing closing )"},
		{"huge repeat", "id = \"x\"\n[[names]]\nid = \"a\"\nkind = \"std\"\npattern = '(((a{100}){100}){100})'\n", "p.toml:5: names a: error parsing regexp"},
		{"large", "id = \"x\"\n[[names]]\nid = \"a\"\nkind = \"std\"\npattern = '(\\w{900}){60}'\n", "p.toml:5: names a: "},
		{"kind", "id = \"x\"\n[[names]]\npattern = 'x'\nkind = \"lib\"\n", `p.toml:4: "lib" is no kind of frame: write one of`},
		{"role", "id = \"x\"\n[[threads]]\npattern = 'x'\nrole = \"boss\"\n", `p.toml:4: "boss" is no role`},
		{"meaning", "id = \"x\"\n[[messages]]\nid=\"a\"\npattern = 'x'\nmeaning = \"doom\"\n", `p.toml:5: "doom" is no meaning`},
		{"stream", "id = \"x\"\n[[messages]]\nid=\"a\"\npattern = 'x'\nstream = \"stdin\"\n", `p.toml:5: "stdin" is no stream`},
		{"class", "id = \"x\"\n[[externs]]\nsymbol=\"f\"\nparams = [\"int\"]\n", `p.toml:4: "int" is no class of value`},
		{"type", "id = \"x\"\n[stacks]\nactor = \"big\"\n", "p.toml:3: "},
		{"no id", "title = \"x\"\n", "it has no id"},
		{"row without meaning", "id = \"x\"\n[[messages]]\nid=\"a\"\npattern = 'x'\n", "messages row 1 (a): id, pattern and meaning are needed"},
		{"unknown base", "id = \"x\"\nderive = \"marsh\"\n", `derives from "marsh", which is no built-in profile (mesh, snow)`},
		{"argument", "id = \"x\"\n[entry]\nstrings = [{symbol = \"s\", ptr = 9}]\n", "arguments from 0 to 5"},
		{"table", "id = \"x\"\nexterns_file = \"bad.tsv\"\n", `bad.tsv: extern table: line 2 (f): "wide" is no class of value`},
		{"missing table", "id = \"x\"\nexterns_file = \"none.tsv\"\n", "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(dir, "p.toml")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			p, err := Load(path)
			if err == nil || p != nil {
				t.Fatalf("loaded %v, error %v", p, err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not say %q", err, tt.want)
			}
		})
	}
	if _, err := Load("meshh"); err == nil || !strings.Contains(err.Error(), "built in are mesh, snow and none") {
		t.Errorf("unknown name: %v", err)
	}
	if _, err := Load("/nowhere/p.toml"); err == nil {
		t.Error("a missing file loads")
	}
	if p, err := Load("none"); p != nil || err != nil {
		t.Errorf("none: %v %v", p, err)
	}
}

// A relative path in a folder that is called like the embedded one is still a user's file.
func TestUsersFileIsNeverTrusted(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("data", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("data/p.toml", []byte("id=\"x\"\n[[names]]\nkind=\"std\"\npattern='('\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load("data/p.toml"); err == nil {
		t.Error("a bad pattern was taken")
	}
}

func TestDerivedFileOfAUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "own.toml")
	text := "id = \"own\"\nderive = \"mesh\"\ndrop = [\"db-connect\"]\n[[names]]\nid = \"special\"\npattern = '^mesh_map_get$'\nkind = \"other\"\npart = \"mine\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if c := p.Classify("mesh_map_get", "", "", true); c.Part != "mine" {
		t.Errorf("own rows win: %+v", c)
	}
	if c := p.Classify("mesh_map_put", "", "", true); c.Kind != KindRuntime {
		t.Errorf("inherited rows hold: %+v", c)
	}
	if m, ok := p.Match("Failed to connect to PostgreSQL", ""); ok && m.Rule.ID == "db-connect" {
		t.Errorf("dropped row matched: %s", m.Rule.ID)
	}
	if p.Extern("mesh_map_get") == nil {
		t.Error("the extern table is inherited")
	}
}

// The example in the documentation loads and does what its comments say.
func TestDocumentedExample(t *testing.T) {
	doc, err := os.ReadFile("../docs/profiles.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(doc), "```toml\n")
	text, _, ok := strings.Cut(after, "```")
	if !ok {
		t.Fatal("no example in docs/profiles.md")
	}
	path := filepath.Join(t.TempDir(), "shop.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if c := p.Classify("shop_queue_take", "", "/srv/shop", true); c.Kind != KindRuntime || c.Readable != "queue: take" {
		t.Errorf("classify %+v", c)
	}
	if c := p.Classify("worker_mail", "", "/srv/shop", true); c.Role != RoleWorker || c.Actor != "mail" {
		t.Errorf("classify %+v", c)
	}
	if c := p.Classify("memcpy", "", "/srv/shop", true); c.Kind != KindLibc {
		t.Errorf("the engine's rows go before fallbacks: %+v", c)
	}
	if m, ok := p.Match("shop: panic at queue.c:12: full", "stderr"); !ok || m.Payload != "full" || m.File != "queue.c" {
		t.Errorf("match %+v", m)
	}
	if got := strings.Join(p.SourcesFor("shop_queue_take"), " "); got != "runtime/queue.c:120 include/shop.h" {
		t.Errorf("sources %s", got)
	}
	e := p.Extern("shop_queue_take")
	if e == nil || e.NullKind != "no-reply" || !e.Declared || e.DeclParams[1] != "i32" || p.Layout(e.Returns) == nil {
		t.Errorf("extern %+v", e)
	}
	if !p.Entry.Line.MatchString("[shop] reading config") || p.Stacks.Actor != 65536 || len(p.Startup[0].Phases) != 2 {
		t.Errorf("entry %+v", p.Entry)
	}
}

func FuzzLoad(f *testing.F) {
	for _, name := range []string{"snow", "engine"} {
		f.Add(string(embedded(name)))
	}
	f.Add("id = \"x\"\nderive = \"mesh\"\n[vars]\nprefix=\"%prefix%\"\n")
	f.Add("id = \"x\"\n[[externs]]\nsymbol=\"f\"\nparams=[\"ptr\"]\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := loadText("fuzz.toml", []byte(text), func(string) ([]byte, error) { return []byte(text), nil }, false)
		if (p == nil) != (err != nil) {
			t.Fatal("exactly one of profile and error")
		}
		if p != nil {
			p.Classify("mesh_main", "", "libc.so.6", true)
			p.Match("thread 'main' panicked at a.rs:1:2:", "stderr")
			p.Extern("mesh_main")
			p.SourcesFor("mesh_main")
		}
	})
}

func FuzzExternTable(f *testing.F) {
	f.Add(externColumns + "\nf\ta.c\t1\tptr,i64\tptr\t(ptr,i64)ptr\tn\tsig\tstring\tno-reply\twhy\tcollects\t0,1\n")
	f.Add("#\n" + externColumns + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		table := externTable{open: func() ([]byte, error) { return []byte(text), nil }}
		if table.load() == nil && len(table.order) != len(table.bySym) {
			t.Fatal("a function is listed twice")
		}
	})
}
