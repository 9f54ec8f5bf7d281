package profile

// Database is what a program expects of its PostgreSQL server. A nil *Database expects nothing but an answer.
type Database struct {
	Env        []string // environment variables that hold the connection URL, best first
	Extensions []string
	Tables     []string
	Migrations Migrations
	Partitions Partitions
	// Migrate is the command that creates the tables; "{url}" stands for the connection URL without its password.
	Migrate string
	Source  string
}

// Migrations is the table in which a migration tool records what it has applied.
type Migrations struct {
	Table   string // "" nothing is known of migrations
	Column  string
	Version string // a version that must have been applied
}

// Partitions is a table with a partition per day.
type Partitions struct {
	Table string // "" none
	Days  int    // from today on
	After string // id of the start-up phase in which the program itself makes them; "" somebody else does
}

// Server is a port that the program listens on once it is up.
type Server struct {
	ID    string
	Kind  string // "http" or "websocket"; anything else is an open port only
	Title string
	Env   string // environment variable with the port's number; "" none
	Port  int    // where the variable is not set
	Path  string // that is asked for; "" is "/"
}

// Verify is what a good boot is measured by, besides messages, database and servers.
type Verify struct {
	ThreadsStay bool // a thread that is there when the servers listen is there for good
}

// Artefacts are files that a program is made of, as glob patterns relative to the executable's folder.
type Artefacts struct {
	Archives []string // runtime archives that are linked in
	Inputs   []string // compiler's output that the executable was made of; "{exe}" is the executable's file name
}

type fileDatabase struct {
	Env        []string        `toml:"env"`
	Extensions []string        `toml:"extensions"`
	Tables     []string        `toml:"tables"`
	Migrations *fileMigrations `toml:"migrations"`
	Partitions *filePartitions `toml:"partitions"`
	Migrate    string          `toml:"migrate"`
	Source     string          `toml:"source"`
}

type fileMigrations struct {
	Table   string `toml:"table"`
	Column  string `toml:"column"`
	Version string `toml:"version"`
}

type filePartitions struct {
	Table string `toml:"table"`
	Days  int    `toml:"days"`
	After string `toml:"after"`
}

type fileServer struct {
	ID    string `toml:"id"`
	Kind  string `toml:"kind"`
	Title string `toml:"title"`
	Env   string `toml:"env"`
	Port  int    `toml:"port"`
	Path  string `toml:"path"`
}

type fileVerify struct {
	ThreadsStay bool `toml:"threads_stay"`
}

type fileArtefacts struct {
	Archives []string `toml:"archives"`
	Inputs   []string `toml:"inputs"`
}

// maxPartitionDays bounds a profile's wish: each day costs a comparison with each partition.
const maxPartitionDays = 400

// world builds what is expected of the world outside the process.
func (b *builder) world(p *Profile, f *file) {
	if d := f.Database; d != nil {
		db := &Database{Env: b.vars.list(d.Env), Extensions: d.Extensions, Tables: b.vars.list(d.Tables),
			Migrate: b.vars.text(d.Migrate), Source: b.vars.text(d.Source)}
		if m := d.Migrations; m != nil {
			if m.Table == "" || m.Column == "" {
				b.fail("database.migrations: table and column are needed")
			}
			db.Migrations = Migrations{Table: b.vars.text(m.Table), Column: m.Column, Version: m.Version}
		}
		if t := d.Partitions; t != nil {
			if t.Table == "" || t.Days < 1 || t.Days > maxPartitionDays {
				b.fail("database.partitions: a table, and days from 1 to %d, are needed", maxPartitionDays)
			}
			db.Partitions = Partitions(*t)
		}
		p.Database = db
	}
	for _, s := range f.Servers {
		if s.ID == "" || s.Port < 0 || s.Port > 65535 || s.Port == 0 && s.Env == "" {
			b.fail("servers %s: an id, and a port or a variable with it, are needed", s.ID)
		}
		server := Server(s)
		if server.Title == "" {
			server.Title = s.ID
		}
		p.Servers = append(p.Servers, server)
	}
	if f.Verify != nil {
		p.Verify = Verify(*f.Verify)
	}
	if f.Artefacts != nil {
		p.Artefacts = Artefacts{Archives: b.vars.list(f.Artefacts.Archives), Inputs: b.vars.list(f.Artefacts.Inputs)}
	}
}

// mergeWorld fills in what a derived profile does not say.
func (f *file) mergeWorld(base *file, dropped func(id string) bool) {
	if f.Database == nil {
		f.Database = base.Database
	}
	if f.Artefacts == nil {
		f.Artefacts = base.Artefacts
	}
	if f.Verify == nil {
		f.Verify = base.Verify
	}
	for _, s := range base.Servers {
		if !dropped(s.ID) {
			f.Servers = append(f.Servers, s)
		}
	}
}
