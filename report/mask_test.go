package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMask(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"nothing to hide", "[Mesher] Starting services...", "[Mesher] Starting services..."},
		{"database URL", "connect postgres://mesh:s3cret@db:5432/m?sslmode=off", "connect postgres://mesh:***@db:5432/m?sslmode=off"},
		{"URL without a password", "postgres://mesh@db/m", "postgres://mesh@db/m"},
		{"URL with a port", "listening on http://localhost:8080/path@x", "listening on http://localhost:8080/path@x"},
		{"@ in the password", "postgres://mesh:p@ss@db/m", "postgres://mesh:***@db/m"},
		{"/ in the password", "amqp://u:a/b@host/v", "amqp://u:***@host/v"},
		{"two URLs", "redis://a:b@h1,redis://c:d@h2", "redis://a:***@h1,redis://c:***@h2"},
		{"URL in quotes", `url="postgres://mesh:x@db/m" user@host`, `url="postgres://mesh:***@db/m" user@host`},
		{"no user", "redis://:topsecret@cache:6379", "redis://:***@cache:6379"},
		{"secret in a query", "https://x/y?user=a&password=b&z=1", "https://x/y?user=a&password=***&z=1"},
		{"environment", "PGPASSWORD=hunter2 psql -h db", "PGPASSWORD=*** psql -h db"},
		{"libpq words", "host=db password='a b' user=m", "host=db password=*** user=m"},
		{"quote never closed", "password='a b user=m", "password=***"},
		{"escaped quote", `"password":"a\"b","x":1`, `"password":***,"x":1`},
		{"YAML", "db_password: hunter2", "db_password: ***"},
		{"Rust debug", `Config { password: Some("hun ter2"), port: 1 }`, `Config { password: ***), port: 1 }`},
		{"Rust debug of bytes", "password: [104, 117, 110]", "password: ***"},
		{"arrow", "'secret' => 'x y'", "'secret' => ***"},
		{"cloud key by name", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "AWS_SECRET_ACCESS_KEY=***"},
		{"cloud key id by form", "using AKIAIOSFODNN7EXAMPLE now", "using *** now"},
		{"header", "X-Api-Key: 12345", "X-Api-Key: ***"},
		{"authorization", "Authorization: Basic bWVzaDp4 trailing", "Authorization: Basic ***"},
		{"authorization as a pair", `("authorization", "Bearer abcdef")`, `("authorization", "Bearer ***")`},
		{"bearer", "sent Bearer abc.def-ghi to it", "sent Bearer *** to it"},
		{"cookie", "Set-Cookie: sid=1; Path=/", "Set-Cookie: ***"},
		{"flag in a sentence", "ran tool --password hunter2 --verbose", "ran tool --password *** --verbose"},
		{"flag with =", "--token=abc --port=1", "--token=*** --port=1"},
		{"web token", "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln end", "jwt *** end"},
		{"service token", "push with ghp_0123456789abcdefghijABCD", "push with ***"},
		{"private key on one line", "k -----BEGIN EC PRIVATE KEY-----MHc-----END EC PRIVATE KEY----- z", "k -----BEGIN EC PRIVATE KEY-----***-----END EC PRIVATE KEY----- z"},
		{"private key cut", "-----BEGIN PRIVATE KEY-----MHcCAQ", "-----BEGIN PRIVATE KEY-----***"},

		{"words about passwords stay", `FATAL: password authentication failed for user "mesh"`, `FATAL: password authentication failed for user "mesh"`},
		{"a parser's token stays", "unexpected token: }", "unexpected token: }"},
		{"names of files stay", "PGPASSFILE=/home/m/.pgpass", "PGPASSFILE=/home/m/.pgpass"},
		{"a public key stays", "-----BEGIN PUBLIC KEY-----MHc", "-----BEGIN PUBLIC KEY-----MHc"},
		{"C++ names stay", "std::unordered_map<Key, Token>::find(Key const&)", "std::unordered_map<Key, Token>::find(Key const&)"},
		{"other words with pass stay", "compass: north, bypass=1", "compass: north, bypass=1"},
		{"secretary", "secretary: Bob", "secretary: Bob"},
		{"the working directory stays", "PWD=/srv OLDPWD=/", "PWD=/srv OLDPWD=/"},
		{"pwd of a connection", "uid=sa;pwd=x1;MYSQL_PWD=y", "uid=sa;pwd=***;MYSQL_PWD=***"},
		{"pass", "db_pass=x pass: y", "db_pass=*** pass: ***"},
		{"a map's key", "key: 5, primary_key=id", "key: 5, primary_key=id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Mask(tt.in); got != tt.want {
				t.Errorf("Mask(%q)\n got %q\nwant %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestMaskArgs(t *testing.T) {
	got := MaskArgs([]string{"prog", "--password", "hunter2", "-token", "t", "--token", "--next", "--db=postgres://a:b@c/d", "--passfile", "f"})
	want := []string{"prog", "--password", "***", "-token", "***", "--token", "--next", "--db=postgres://a:***@c/d", "--passfile", "f"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if MaskArgs(nil) == nil {
		t.Error("nil for no arguments")
	}
}

func TestMaskLines(t *testing.T) {
	const body = "MIIEpAIBAAKCAQEAx9cK"
	tests := []struct {
		name     string
		in, want []string
	}{
		{"a whole key", []string{"a", "-----BEGIN RSA PRIVATE KEY-----", body, "Proc-Type: 4", "-----END RSA PRIVATE KEY-----", "b"},
			[]string{"a", "-----BEGIN RSA PRIVATE KEY-----***", "***", "***", "-----END RSA PRIVATE KEY-----", "b"}},
		{"its start was lost", []string{"words here", body, body, "-----END PRIVATE KEY-----", "b"},
			[]string{"words here", "***", "***", "-----END PRIVATE KEY-----", "b"}},
		{"its end never came", []string{"-----BEGIN PRIVATE KEY-----", body}, []string{"-----BEGIN PRIVATE KEY-----***", "***"}},
		{"no key", []string{body, "password=x"}, []string{body, "password=***"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			maskLines(tt.in)
			if diff := cmp.Diff(tt.want, tt.in); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzMask puts known secrets between any two texts.
func FuzzMask(f *testing.F) {
	f.Add("", "")
	f.Add("password='", "'")
	f.Add("x://a:", "@b")
	f.Add("{\"a\":\"", "\"}")
	f.Add("Some(\"\\", "\\")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "hunter2hunter2"
		for _, how := range []string{" PGPASSWORD=" + secret + " ", " postgres://mesh:" + secret + "@db/m ", " --password " + secret + " "} {
			if got := Mask(Clean(before + how + after)); strings.Contains(got, secret) {
				t.Errorf("%q comes through in %q", how, got)
			}
		}
	})
}

func BenchmarkMaskNothing(b *testing.B) {
	for b.Loop() {
		Mask("<alloc::boxed::Box<F> as core::ops::function::FnOnce<Args>>::call_once")
	}
}

// TestPlaceholder checks that a command which a person is to complete stays as it is.
func TestPlaceholder(t *testing.T) {
	for in, want := range map[string]string{
		"DATABASE_URL='postgres://mesh:PASSWORD@localhost/mesher' meshc migrate": "DATABASE_URL='postgres://mesh:PASSWORD@localhost/mesher' meshc migrate",
		"postgres://mesh:PASSWORD1@localhost/mesher":                             "postgres://mesh:***@localhost/mesher",
		"postgres://mesh:password@localhost/mesher":                              "postgres://mesh:***@localhost/mesher",
	} {
		if got := Mask(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}
