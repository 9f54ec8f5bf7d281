//! Builds of the runtime, each linked with `smoke.c` the way a compiler would.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const LIBRARIES: [&str; 7] = ["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"];
const SOURCE: &str = include_str!("smoke.c");

/// One way to build the runtime.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variant {
    pub package: &'static str,
    pub release: bool,
    pub features: &'static str,
}

pub const DEBUG: Variant = Variant { package: "mesh_rt", release: false, features: "" };
pub const RELEASE: Variant = Variant { package: "mesh_rt", release: true, features: "" };
pub const SNOW: Variant = Variant { package: "snow_rt", release: true, features: "" };

/// A release build with a feature on.
pub const fn with(features: &'static str) -> Variant {
    Variant { package: "mesh_rt", release: true, features }
}

/// Held while cargo writes an archive and until it is linked: every variant
/// writes to the same place.
static BUILDING: Mutex<BTreeMap<Variant, PathBuf>> = Mutex::new(BTreeMap::new());

fn target_dir() -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    deps.ancestors().nth(3).unwrap().to_owned()
}

fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

impl Variant {
    fn profile_dir(self) -> PathBuf {
        target_dir().join(if self.release { "release" } else { "debug" })
    }

    fn cargo(self, command: &str, rest: &[&str]) {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([command, "--quiet", "--locked", "-p", self.package, "--lib", "--target-dir"]);
        cargo.arg(target_dir()).args(["--features", self.features]);
        if self.release {
            cargo.arg("--release");
        }
        let manifest_dir = env!("CARGO_MANIFEST_DIR");
        let status = cargo.args(rest).current_dir(manifest_dir).status().expect("cargo");
        assert!(status.success(), "building {} {}", self.package, self.features);
    }

    fn name(self) -> String {
        format!("smoke-{}-{}-{}", self.package, self.release, self.features.replace(',', "-"))
    }

    /// Compiles `smoke.c` for this era's prefix and links it with `library`.
    fn link(self, library: &[OsString], program: &Path) -> Output {
        let source = scratch().join(self.name() + ".c");
        let prefix = self.package.replace("rt", "");
        std::fs::write(&source, SOURCE.replace("mesh_", &prefix)).unwrap();
        Command::new("cc")
            .args(["-O1", "-pie", "-fPIE", "-Wall", "-fno-optimize-sibling-calls"])
            .arg(&source)
            .args(library)
            .args(LIBRARIES)
            .arg("-o")
            .arg(program)
            .output()
            .expect("cc")
    }

    fn build_and_link(self) -> Output {
        self.cargo("build", &[]);
        let archive = self.profile_dir().join(format!("lib{}.a", self.package));
        self.link(&[archive.into()], &scratch().join(self.name()))
    }

    /// The linked program; built at its first use.
    pub fn program(self) -> PathBuf {
        let mut built = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = built.get(&self) {
            return program.clone();
        }
        let linked = self.build_and_link();
        assert!(linked.status.success(), "{}", String::from_utf8_lossy(&linked.stderr));
        let program = scratch().join(self.name());
        built.insert(self, program.clone());
        program
    }

    /// What the linker says of a program that this build lacks something for.
    pub fn link_error(self) -> String {
        let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        let linked = self.build_and_link();
        assert!(!linked.status.success());
        String::from_utf8_lossy(&linked.stderr).into_owned()
    }

    /// Builds the shared object and moves it to a folder of its own.
    fn shared_object(self) -> PathBuf {
        self.cargo("rustc", &["--crate-type", "cdylib"]);
        let dir = scratch().join(self.name() + ".so.d");
        std::fs::create_dir_all(&dir).unwrap();
        let file = format!("lib{}.so", self.package);
        std::fs::copy(self.profile_dir().join(&file), dir.join(&file)).unwrap();
        dir.join(file)
    }

    /// Runs a program that was linked with this build's shared object, but
    /// finds that of `other` when it starts.
    pub fn run_against(self, other: Variant, args: &[&str]) -> Output {
        let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        let stale = other.shared_object();
        let program = scratch().join(self.name() + "-shared");
        // By -l, because a path would end up in the program as it is.
        let mut search = OsString::from("-L");
        search.push(self.shared_object().parent().unwrap());
        let linked = self.link(&[search, "-lmesh_rt".into()], &program);
        assert!(linked.status.success(), "{}", String::from_utf8_lossy(&linked.stderr));
        Command::new(&program)
            .args(args)
            .env("LD_LIBRARY_PATH", stale.parent().unwrap())
            .output()
            .unwrap()
    }

    pub fn command(self, args: &[&str]) -> Command {
        let mut command = Command::new(self.program());
        command.args(args).env("RUST_BACKTRACE", "0");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Stdout of a run that must end well.
    pub fn lines(self, args: &[&str]) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {:?}\n{stderr}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn start(self, args: &[&str]) -> Running {
        Running(self.command(args).spawn().unwrap())
    }
}

/// A running program that is killed when the test ends.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Whether it is still there after a while in which it could have ended.
    pub fn hangs(&mut self) -> bool {
        let end = Instant::now() + Duration::from_millis(1500);
        while Instant::now() < end {
            if self.0.try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }
}
