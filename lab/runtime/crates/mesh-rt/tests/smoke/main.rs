//! The runtime as programs meet it, healthy and in each of its broken builds.
//!
//! Every variant is compiled, linked with a C program that stands for compiled
//! code, and run; a feature that breaks nothing, or the wrong thing, fails here.

mod servers;
mod variant;

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::Output;

use variant::{DEBUG, RELEASE, SNOW, Variant, with};

const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn both_crates_have_the_same_features_and_the_readme_tells_them() {
    let features = |manifest: &str| -> Vec<String> {
        let (_, rest) = manifest.split_once("[features]\n").unwrap();
        let section = rest.split("\n[").next().unwrap();
        section.lines().filter_map(|line| Some(line.split_once(" = ")?.0.to_owned())).collect()
    };
    let mesh = features(include_str!("../../Cargo.toml"));
    assert_eq!(mesh, features(include_str!("../../../snow-rt/Cargo.toml")));
    let readme = include_str!("../../../../README.md");
    for feature in mesh {
        assert!(readme.contains(&format!("`{feature}`")), "{feature}");
    }
}

#[test]
fn values() {
    for variant in [DEBUG, RELEASE, SNOW] {
        assert_eq!(variant.lines(&["values"]), "30\n7\n0\n2\nNone\n");
    }
    assert_eq!(with("null-env-get").lines(&["values"]), "30\n7\n0\n2\nNULL\n");
    assert_eq!(with("tags-flipped").lines(&["values"]), "30\n7\n0\n2\nother\n");
}

#[test]
fn text_without_a_line_end_is_lost_in_a_crash_only() {
    assert_eq!(RELEASE.lines(&["print"]), "whole\npart");
    assert_eq!(RELEASE.run(&["print", "crash"]).stdout, b"whole\n");
}

#[test]
fn swapped_arguments_fault() {
    for feature in ["closure-env-last", "swap-args-list-append"] {
        assert_eq!(with(feature).run(&["values"]).status.signal(), Some(SIGSEGV), "{feature}");
    }
    let status = with("swap-args-register").run(&["registry"]).status;
    assert_eq!(status.signal(), Some(SIGSEGV));
}

#[test]
fn services_answer_and_dead_ones_give_null() {
    for variant in [DEBUG, RELEASE, SNOW] {
        assert_eq!(variant.lines(&["service"]), "123\n126\n2\n1\nNULL\n");
    }
    let headerless = with("reply-headerless").run(&["service"]);
    assert!(!headerless.stdout.starts_with(b"123\n"));
}

#[test]
fn a_stale_archive_does_not_link() {
    let said = with("stale-no-process-monitor").link_error();
    assert!(said.contains("undefined reference to `mesh_process_monitor'"), "{said}");
}

#[test]
fn a_stale_shared_object_fails_at_the_call() {
    let output = RELEASE.run_against(with("stale-no-process-monitor"), &["service"]);
    assert_eq!(output.status.code(), Some(127));
    assert!(stderr(&output).contains("undefined symbol: mesh_process_monitor"), "{output:?}");
}

#[test]
fn actors_collect_and_keep_what_their_stack_holds() {
    let sum: u64 = (0..200_000).step_by(100).sum();
    for variant in [DEBUG, RELEASE] {
        assert_eq!(variant.lines(&["gc"]), format!("{sum}\n"));
    }
}

#[test]
fn numbers_and_handles_in_objects() {
    for args in [&["gc-integer"][..], &["gc-pool", "postgres://x@127.0.0.1/x"]] {
        assert!(RELEASE.run(args).status.success());
        let traced = with("gc-moving-handles").run(args);
        assert_eq!(traced.status.signal(), Some(SIGSEGV), "{args:?} {traced:?}");
    }
}

#[test]
fn stacks_stand_on_a_guard_page() {
    for (variant, size) in
        [(RELEASE, 512 << 10), (with("stale-64k-stacks"), 64 << 10), (SNOW, 64 << 10)]
    {
        let shape = variant.lines(&["stack"]);
        assert_eq!(shape, format!("guard 4096 ---p adjacent 1\nstack {size} rw-p\n"));
    }
}

#[test]
fn depth_that_fits_and_depth_that_does_not() {
    assert!(RELEASE.run(&["recurse", "600"]).status.success());
    let endless = RELEASE.run(&["recurse", "1000000"]);
    assert_eq!(endless.status.signal(), Some(SIGSEGV));
    assert_eq!(stderr(&endless), "");
    let stale = with("stale-64k-stacks").run(&["recurse", "600"]);
    assert_eq!(stale.status.signal(), Some(SIGSEGV));
}

#[test]
fn services_that_call_each_other_hang() {
    assert!(RELEASE.start(&["deadlock"]).hangs());
}

#[test]
fn a_lock_held_across_a_yield_hangs() {
    assert!(!RELEASE.start(&["registry"]).hangs());
    assert!(with("deadlock-registry").start(&["registry"]).hangs());
}

#[test]
fn a_link_to_the_dead_ends_a_worker_only() {
    assert!(!RELEASE.start(&["links"]).hangs());
    let mut broken = with("link-unwrap").start(&["links"]);
    assert!(broken.hangs());
    broken.0.kill().unwrap();
    let mut said = String::new();
    broken.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("called `Option::unwrap()` on a `None` value"), "{said}");
}

#[test]
fn timers_fire_later() {
    assert_eq!(RELEASE.lines(&["timers"]), "not yet\n43\n");
}

#[test]
fn null_is_a_fault_in_release_and_a_panic_in_debug() {
    let release = RELEASE.run(&["null"]);
    assert_eq!((release.status.signal(), stderr(&release)), (Some(SIGSEGV), String::new()));
    let debug = DEBUG.run(&["null"]);
    assert_eq!(debug.status.signal(), Some(SIGABRT));
    assert!(stderr(&debug).contains("null pointer dereference occurred"));
}

#[test]
fn panics_abort_with_both_messages() {
    aborts(RELEASE, "panic", "Mesh panic at <unknown>:0: non-exhaustive match");
    aborts(DEBUG, "panic", "Mesh panic at <unknown>:0: non-exhaustive match");
    aborts(SNOW, "panic", "Snow panic at <unknown>:0: non-exhaustive match");
    aborts(RELEASE, "head", "mesh_list_head: empty list");
    aborts(SNOW, "head", "snow_list_head: empty list");
    aborts(RELEASE, "get", "mesh_list_get: index 2 out of bounds (len 1)");
}

fn aborts(variant: Variant, what: &str, message: &str) {
    let output = variant.run(&[what]);
    let said = stderr(&output);
    assert_eq!(output.status.signal(), Some(SIGABRT), "{said}");
    let place = format!("panicked at crates/{}/src/", variant.package.replace('_', "-"));
    assert!(said.contains(&place), "{said}");
    assert!(said.contains(message), "{said}");
    assert!(said.contains("panic in a function that cannot unwind"), "{said}");
}
