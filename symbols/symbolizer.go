package symbols

import "meshdiag/crash"

// Symbolizer answers questions about code addresses of one observed process.
type Symbolizer struct{ crash *crash.Crash }
