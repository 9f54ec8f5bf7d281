package profile

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"meshdiag/lazyregexp"
)

// maxFile bounds a profile file: the largest built-in one is below 64 KiB.
const maxFile = 4 << 20

// file is a profile as written. Field meanings are those of the exported types; docs/profiles.md describes them.
type file struct {
	ID          string            `toml:"id"`
	Title       string            `toml:"title"`
	Version     string            `toml:"version"`
	Prefix      string            `toml:"prefix"`
	Derive      string            `toml:"derive"`
	Drop        []string          `toml:"drop"`
	Vars        map[string]string `toml:"vars"`
	Recognise   []string          `toml:"recognise"`
	Breakpoints []string          `toml:"breakpoints"`
	ExternsFile string            `toml:"externs_file"`
	ExternLines *bool             `toml:"extern_lines"` // false: the table's line numbers belong to another version
	Entry       *fileEntry        `toml:"entry"`
	Stacks      *fileStacks       `toml:"stacks"`
	Names       []fileName        `toml:"names"`
	Threads     []fileThread      `toml:"threads"`
	Startup     []fileSequence    `toml:"startup"`
	Messages    []fileMessage     `toml:"messages"`
	Sources     []fileSource      `toml:"sources"`
	Layouts     []fileLayout      `toml:"layouts"`
	Externs     []fileExtern      `toml:"externs"`
	Database    *fileDatabase     `toml:"database"`
	Servers     []fileServer      `toml:"servers"`
	Verify      *fileVerify       `toml:"verify"`
	Artefacts   *fileArtefacts    `toml:"artefacts"`
}

type fileEntry struct {
	Functions []string     `toml:"functions"`
	Print     []string     `toml:"print"`
	Line      string       `toml:"line"`
	Strings   []fileString `toml:"strings"`
}

type fileString struct {
	Symbol string `toml:"symbol"`
	Ptr    int    `toml:"ptr"`
	Len    *int   `toml:"len"`
}

type fileStacks struct {
	Actor      uint64   `toml:"actor"`
	Guard      uint64   `toml:"guard"`
	ActorStale []uint64 `toml:"actor_stale"`
}

type fileName struct {
	ID        string        `toml:"id"`
	On        subjectText   `toml:"on"`
	Pattern   string        `toml:"pattern"`
	MainOnly  bool          `toml:"main_only"`
	Fallback  bool          `toml:"fallback"`
	Kind      kindText      `toml:"kind"`
	Role      roleText      `toml:"role"`
	Part      string        `toml:"part"`
	Readable  string        `toml:"readable"`
	Actor     string        `toml:"actor"`
	Primitive primitiveText `toml:"primitive"`
	Obsolete  bool          `toml:"obsolete"`
	Source    string        `toml:"source"`
}

type fileThread struct {
	ID      string   `toml:"id"`
	Pattern string   `toml:"pattern"`
	Role    roleText `toml:"role"`
	Part    string   `toml:"part"`
	Actor   string   `toml:"actor"`
	Source  string   `toml:"source"`
}

type fileSequence struct {
	ID     string      `toml:"id"`
	Source string      `toml:"source"`
	Phases []filePhase `toml:"phases"`
}

type filePhase struct {
	ID       string     `toml:"id"`
	Title    string     `toml:"title"`
	Message  string     `toml:"message"`
	Literal  string     `toml:"literal"`
	Stream   streamText `toml:"stream"`
	Optional bool       `toml:"optional"`
	Source   string     `toml:"source"`
}

type fileMessage struct {
	ID          string      `toml:"id"`
	Pattern     string      `toml:"pattern"`
	Stream      streamText  `toml:"stream"`
	Meaning     meaningText `toml:"meaning"`
	Cause       string      `toml:"cause"`
	Kind        string      `toml:"kind"`
	Fatal       bool        `toml:"fatal"`
	Text        string      `toml:"text"`
	Next        []string    `toml:"next"`
	Origin      string      `toml:"origin"`
	Thread      string      `toml:"thread"`
	TID         string      `toml:"tid"`
	File        string      `toml:"file"`
	Line        string      `toml:"line"`
	Payload     string      `toml:"payload"`
	Reason      string      `toml:"reason"`
	PayloadNext bool        `toml:"payload_next"`
	More        string      `toml:"more"`
	End         string      `toml:"end"`
	Source      string      `toml:"source"`
}

type fileSource struct {
	Pattern string   `toml:"pattern"`
	Paths   []string `toml:"paths"`
	Why     string   `toml:"why"`
	Source  string   `toml:"source"`
}

type fileLayout struct {
	ID     string      `toml:"id"`
	Title  string      `toml:"title"`
	Fields []fileField `toml:"fields"`
	Source string      `toml:"source"`
}

type fileField struct {
	Offset int64     `toml:"offset"`
	Size   int       `toml:"size"`
	Name   string    `toml:"name"`
	Class  classText `toml:"class"`
}

type fileExtern struct {
	Symbol       string      `toml:"symbol"`
	Params       []classText `toml:"params"`
	Ret          classText   `toml:"ret"`
	DeclParams   []classText `toml:"decl_params"`
	DeclRet      classText   `toml:"decl_ret"`
	Declared     bool        `toml:"declared"`
	File         string      `toml:"file"`
	Line         int         `toml:"line"`
	Names        string      `toml:"names"`
	Signature    string      `toml:"signature"`
	Returns      string      `toml:"returns"`
	Null         string      `toml:"null"`
	NullKind     string      `toml:"null_kind"`
	Collects     bool        `toml:"collects"`
	Handle       bool        `toml:"handle"`
	HandleParams []int       `toml:"handle_params"`
}

// The text types check a value where it stands, so that the decoder can say the line. They are structs because the
// decoder asks only those to unmarshal themselves.
type (
	kindText    struct{ FrameKind }
	roleText    struct{ Role }
	streamText  struct{ name string }
	meaningText struct{ Meaning }
	subjectText struct{ Subject }
	classText   struct{ Class }

	primitiveText struct{ Primitive }
)

// oneOf sets *to when b is one of the allowed words.
func oneOf[T ~string](to *T, b []byte, what string, allowed ...T) error {
	if slices.Contains(allowed, T(b)) {
		*to = T(b)
		return nil
	}
	words := make([]string, len(allowed))
	for i, a := range allowed {
		words[i] = fmt.Sprintf("%q", string(a))
	}
	return fmt.Errorf("%q is no %s: write one of %s", b, what, strings.Join(words, ", "))
}

func (t *kindText) UnmarshalText(b []byte) error {
	if string(b) == "program" { // the format's word for the contract's "mesh"
		b = []byte(KindProgram)
	}
	return oneOf(&t.FrameKind, b, "kind of frame", KindProgram, KindRuntime, KindStd, KindLibc, KindOther)
}

func (t *roleText) UnmarshalText(b []byte) error {
	return oneOf(&t.Role, b, "role", RoleMain, RoleWorker, RoleHTTP, RoleWS, RoleService, RoleActor, RoleOther)
}

func (t *primitiveText) UnmarshalText(b []byte) error {
	return oneOf(&t.Primitive, b, "primitive", LibcLock, PthreadMutex, PthreadRWLock, PthreadCond, PthreadOnce, Barrier, Semaphore,
		Join, StaticGuard, RustMutex, RustRWLock, RustCondvar, RustOnce, RustPark, RustChannel, RustScope, ParkingLot, ActorReply)
}

func (t *streamText) UnmarshalText(b []byte) error {
	return oneOf(&t.name, b, "stream", "", "stdout", "stderr")
}

func (t *meaningText) UnmarshalText(b []byte) error {
	return oneOf(&t.Meaning, b, "meaning", MeansPanic, MeansPayload, MeansConsequence, MeansCaught, MeansFailure,
		MeansWarning, MeansAllocation, MeansNoise)
}

func (t *subjectText) UnmarshalText(b []byte) error {
	return oneOf(&t.Subject, b, "thing to match", OnSymbol, OnDemangled, OnModule)
}

func (t *classText) UnmarshalText(b []byte) error {
	return oneOf(&t.Class, b, "class of value", "ptr", "i64", "i32", "i16", "i8", "i1", "float", "double", "void")
}

// decode parses a profile file. Errors name the line.
func decode(name string, text []byte) (*file, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("profile %s: larger than %d MiB", name, maxFile>>20)
	}
	f := new(file)
	d := toml.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(f)
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		first := unknown.Errors[0]
		row, _ := first.Position()
		return nil, fmt.Errorf("profile %s:%d: unknown key %q", name, row, strings.Join(first.Key(), "."))
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		row, _ := bad.Position()
		return nil, fmt.Errorf("profile %s:%d: %s", name, row, strings.TrimPrefix(bad.Error(), "toml: "))
	}
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w", name, err)
	}
	return f, nil
}

var varName = lazyregexp.New(`%[A-Za-z_]+%`)

// vars fills in %name%: names that differ between profiles derived from each other.
type vars map[string]string

// text fills in names as they are.
func (v vars) text(s string) string {
	if strings.Count(s, "%") < 2 {
		return s
	}
	return varName().ReplaceAllStringFunc(s, func(m string) string {
		if value, ok := v[m[1:len(m)-1]]; ok {
			return value
		}
		return m
	})
}

// pattern fills in names quoted, so that a pattern stays what it was.
func (v vars) pattern(s string) string {
	if strings.Count(s, "%") < 2 {
		return s
	}
	return varName().ReplaceAllStringFunc(s, func(m string) string {
		if value, ok := v[m[1:len(m)-1]]; ok {
			return regexp.QuoteMeta(value)
		}
		return m
	})
}

// list fills in the names in each of list.
func (v vars) list(list []string) []string {
	if list == nil {
		return nil
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = v.text(s)
	}
	return out
}
