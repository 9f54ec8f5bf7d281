package symbols

// elfFile is the opened, lazily parsed ELF file behind a Module.
type elfFile struct{}
