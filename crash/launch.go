package crash

// LaunchKind says in one word why a program could not be launched.
type LaunchKind string

// The kinds of failed launches.
const (
	LaunchNotFound    LaunchKind = "not-found"   // no such file, or none that can be reached by that path
	LaunchPermission  LaunchKind = "permission"  // the file may not be executed, or not be reached, by this user
	LaunchNoexec      LaunchKind = "noexec"      // its file system is mounted noexec
	LaunchFormat      LaunchKind = "format"      // it is no program, or one for another system
	LaunchInterpreter LaunchKind = "interpreter" // its interpreter or dynamic loader is missing
	LaunchBusy        LaunchKind = "busy"        // it is open for writing
	LaunchOther       LaunchKind = "other"
)
