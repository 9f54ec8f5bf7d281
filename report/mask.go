package report

import (
	"regexp"
	"strings"

	"meshdiag/lazyregexp"
)

// masked stands where a secret stood.
const masked = "***"

// placeholder stands in commands that a person is to type, where the password belongs: it is none.
const placeholder = "PASSWORD"

// secretKey is a name whose value is a secret: PGPASSWORD, db.pass, X-Api-Key, AWS_SECRET_ACCESS_KEY. Names that only point
// to a secret (PGPASSFILE, TOKEN_PATH), other words (compass) and the working directory (PWD) stay readable.
const secretKey = `(?:[\w.-]*(?:passw(?:or)?d|passphrase|passcode|secret(?:s|key|[_.-]\w+)?|credentials?|session[_.-]?(?:id|key)|` +
	`(?:api|access|private|signing|encryption|master|auth|account|shared)[_.-]?keys?(?:[_.-]?id)?)|` +
	`\b(?:[\w.-]*[_.-])?pass|[\w.-]+[_.-]pwd|(?-i:\b[Pp]wd))`

// tokenKey is like secretKey, but common in parsers' own messages ("unexpected token: }"), so that only "=" and a flag count.
const tokenKey = `(?:[\w.-]*token|jwt|bearer|sid)`

// valuePattern is what follows: a quoted string (up to the end when the quote is never closed), Rust's Some("..."), a byte list
// as a debug print shows it, or a word.
const valuePattern = `(?:Some\()?(?:"(?:[^"\\]|\\.)*(?:"|\\?$)|'(?:[^'\\]|\\.)*(?:'|\\?$)|\[[\d, ]*\]|[^\s,;&"')\]}]*)`

// rule is one kind of secret; replace keeps what tells where the secret stood.
type rule struct {
	hints   []string // one of these is in every match, in lower case: most strings need no more than this look
	pattern func() *regexp.Regexp
	replace string
}

// newRule compiles its pattern when it is first needed: most runs of meshdiag end without a secret in sight.
func newRule(hints, pattern, replace string) rule {
	return rule{strings.Fields(hints), lazyregexp.New(pattern), replace}
}

const (
	secretHints = "pass pwd secret credential key session"
	tokenHints  = "token jwt bearer sid"
)

var rules = []rule{
	// PEM blocks of private keys, also when the end is missing.
	newRule("-----begin", `(?s)(-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----).*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|$)`, "${1}"+masked+"${2}"),
	// HTTP headers whose whole value is secret, to the closing quote or the end of the line.
	newRule("authorization", `(?i)\b((?:proxy-)?authorization["']?\s*[:=,]\s*["']?)(?:((?:bearer|basic|digest|negotiate|token|apikey)\s+))?[^"'\s][^"']*`,
		"${1}${2}"+masked),
	newRule("cookie", `(?i)\b((?:set-)?cookie["']?\s*[:=,]\s*["']?)[^"'\s][^"']*`, "${1}"+masked),
	newRule("bearer", `(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{8,}`, "${1}"+masked),
	// name=value, name: value, "name": "value".
	newRule(secretHints, `(?i)(`+secretKey+`["']?\s*(?:=>|:=|[=:])\s*)`+valuePattern, "${1}"+masked),
	newRule(tokenHints, `(?i)(\b`+tokenKey+`["']?\s*=\s*)`+valuePattern, "${1}"+masked),
	newRule(tokenHints, `(?i)("`+tokenKey+`"\s*:\s*)`+valuePattern, "${1}"+masked),
	// --password VALUE inside one string, such as a command line in a message.
	newRule(secretHints+" "+tokenHints, `(?i)((?:^|\s)--?(?:`+secretKey+`|`+tokenKey+`)\s+)(?:"[^"]*"|'[^']*'|[^\s-]\S*)`, "${1}"+masked),
	// Tokens that tell themselves by their form: JSON web tokens, AWS key ids, and what several services begin theirs with.
	newRule("eyj", `\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?`, masked),
	newRule("akia asia aroa aida", `\b(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}\b`, masked),
	newRule("ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- xox k_live_ sk- aiza npm_",
		`\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}|[sr]k_live_\w{10,}|sk-[\w-]{20,}|AIza[\w-]{30,}|npm_\w{30,})`, masked),
}

// Mask replaces the secrets in one line by "***" and keeps what surrounds them: passwords in URLs and connection strings,
// values of names such as PGPASSWORD or api_key, values of --password and --token, Authorization and Cookie headers, bearer
// tokens and JSON web tokens, cloud access keys, private key blocks. A secret without such a mark cannot be recognised.
func Mask(s string) string {
	if strings.Contains(s, "://") {
		s = maskURLs(s)
	}
	lower := strings.ToLower(s)
	for i := range rules {
		if hinted(lower, rules[i].hints) {
			s = rules[i].pattern().ReplaceAllString(s, rules[i].replace)
		}
	}
	return s
}

func hinted(lower string, hints []string) bool {
	for _, h := range hints {
		if strings.Contains(lower, h) {
			return true
		}
	}
	return false
}

// maskURLs hides the password of each scheme://user:password@host in s. The password goes up to the last "@" of the word, as
// people forget to escape "@" and "/" in it.
func maskURLs(s string) string {
	var b strings.Builder
	for {
		i := strings.Index(s, "://")
		if i < 0 {
			break
		}
		b.WriteString(s[:i+3])
		s = s[i+3:]
		from, to := userPassword(s[:urlEnd(s)])
		if to > from && s[from:to] != placeholder {
			b.WriteString(s[:from])
			b.WriteString(masked)
			s = s[to:]
		}
	}
	if b.Len() == 0 {
		return s
	}
	b.WriteString(s)
	return b.String()
}

// urlEnd is where a URL that starts at s (behind "://") ends: at a space or quote, or where another scheme begins.
func urlEnd(s string) int {
	end := strings.IndexAny(s, " \t\n\"'<>`")
	if end < 0 {
		end = len(s)
	}
	next := strings.Index(s[:end], "://")
	if next < 0 {
		return end
	}
	for next > 0 && isSchemeByte(s[next-1]) {
		next--
	}
	return next
}

func isSchemeByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'
}

// userPassword gives the bounds of the password in the authority at the start of url; equal bounds when there is none.
func userPassword(url string) (from, to int) {
	at := strings.LastIndexByte(url, '@')
	if at < 0 {
		return 0, 0
	}
	colon := strings.IndexByte(url[:at], ':')
	if colon < 0 || strings.ContainsAny(url[:colon], "/?#") {
		return 0, 0
	}
	password := url[colon+1 : at]
	if slash := strings.IndexByte(password, '/'); slash >= 0 && isPort(password[:slash]) {
		return 0, 0 // host:port/path@more: no user information
	}
	return colon + 1, at
}

func isPort(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) <= 5
}

var secretFlag = lazyregexp.New(`(?i)^--?(?:` + secretKey + `|` + tokenKey + `)$`)

// MaskArgs masks an argument vector: each argument by itself, and the argument after a flag such as --password. It returns a
// new slice, never nil.
func MaskArgs(args []string) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = Mask(arg)
		if i > 0 && secretFlag().MatchString(args[i-1]) && !strings.HasPrefix(arg, "--") {
			out[i] = masked
		}
	}
	return out
}

// maskLines masks lines that were printed one after the other: a private key block stretches over many of them, and its
// first line may have been lost.
func maskLines(lines []string) {
	inKey := false
	for i, line := range lines {
		begins := strings.Contains(line, "-----BEGIN ") && strings.Contains(line, "PRIVATE KEY-----")
		ends := strings.Contains(line, "-----END ") && strings.Contains(line, "PRIVATE KEY-----")
		if ends && !begins && !inKey {
			maskKeyBody(lines[:i])
		}
		switch {
		case begins:
			lines[i] = Mask(line)
			inKey = !ends
		case ends:
			lines[i] = line[strings.Index(line, "-----END "):]
			inKey = false
		case inKey:
			lines[i] = masked
		default:
			lines[i] = Mask(line)
		}
	}
}

// maskKeyBody hides the base64 lines at the end of lines: the body of a key whose first line was not kept.
func maskKeyBody(lines []string) {
	for i := len(lines) - 1; i >= 0 && isBase64(lines[i]); i-- {
		lines[i] = masked
	}
}

func isBase64(s string) bool {
	for _, c := range []byte(s) {
		if !(c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '=') {
			return false
		}
	}
	return len(s) >= 16 || s == masked
}
