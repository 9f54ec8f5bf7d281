//! HTTP, WebSocket and the database.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;

use crate::variant::{DEBUG, RELEASE, Running, SNOW, Variant, with};
use crate::{SIGABRT, SIGSEGV};

fn free_port() -> u16 {
    TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}

fn next_line(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn get(port: u16, target: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

/// A server that has said that it listens.
struct Server {
    port: u16,
    process: Running,
    stderr: BufReader<std::process::ChildStderr>,
}

fn serve(variant: Variant, what: &str, name: &str) -> Server {
    let port = free_port();
    let mut process = variant.start(&[what, &port.to_string()]);
    let mut stderr = BufReader::new(process.0.stderr.take().unwrap());
    let era = &variant.package[..4];
    let ready = format!("[{era}-rt] {name} server listening on 0.0.0.0:{port}");
    assert_eq!(next_line(&mut stderr), ready);
    Server { port, process, stderr }
}

#[test]
fn http_answers_and_outlives_a_caught_panic() {
    for variant in [RELEASE, DEBUG] {
        let mut server = serve(variant, "http", "HTTP");
        assert!(get(server.port, "/hello/a%20b").ends_with("\r\n\r\na b"));
        assert!(get(server.port, "/nowhere").starts_with("HTTP/1.1 404"));
        let answer = get(server.port, "/hello/%4");
        assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
        let mut said = next_line(&mut server.stderr);
        while !said.starts_with("[mesh-rt]") {
            said = next_line(&mut server.stderr);
        }
        assert!(said.starts_with("[mesh-rt] HTTP handler panicked: "), "{said}");
        assert!(get(server.port, "/hello/x").ends_with("\r\n\r\nx"));
    }
}

#[test]
fn a_taken_port_is_said_and_survived() {
    let server = serve(SNOW, "http", "HTTP");
    let second = SNOW.run(&["http", &server.port.to_string()]);
    let taken = format!(
        "[snow-rt] Failed to start HTTP server on 0.0.0.0:{}: Address already in use (os error 98)\n",
        server.port
    );
    assert_eq!(String::from_utf8_lossy(&second.stderr), taken);
    assert_eq!(String::from_utf8_lossy(&second.stdout), "not serving\n");
}

#[test]
fn broken_servers_die_of_a_request() {
    let cases =
        [("http-no-catch", "/hello/%4", SIGABRT), ("swap-args-response", "/hello/x", SIGSEGV)];
    for (feature, target, signal) in cases {
        let mut server = serve(with(feature), "http", "HTTP");
        get(server.port, target);
        assert_eq!(server.process.0.wait().unwrap().signal(), Some(signal), "{feature}");
    }
}

#[test]
fn websockets_echo_and_broadcast() {
    let mut server = serve(RELEASE, "ws", "WebSocket");
    let url = format!("ws://127.0.0.1:{}/room", server.port);
    let (mut socket, _) = tungstenite::connect(url).unwrap();
    socket.send(tungstenite::Message::text("hello")).unwrap();
    assert_eq!(socket.read().unwrap().into_text().unwrap().as_str(), "hello");
    assert_eq!(socket.read().unwrap().into_text().unwrap().as_str(), "to all");
    assert!(thread_names(&server.process).contains(&format!("ws-accept-{}", server.port)[..15]));
    socket.close(None).unwrap();
    while socket.read().is_ok() {}
    let mut stdout = BufReader::new(server.process.0.stdout.take().unwrap());
    assert_eq!(next_line(&mut stdout), "1005");
}

fn thread_names(process: &Running) -> String {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", process.0.id())).unwrap();
    tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap()).collect()
}

#[test]
fn no_database_is_an_error_in_words() {
    let url = format!("postgres://x@127.0.0.1:{}/x", free_port());
    let said = RELEASE.lines(&["db", &url]);
    assert!(said.contains("Connection refused"), "{said}");
    let by_value = with("result-by-value").run(&["db", &url]);
    assert_eq!(by_value.status.signal(), Some(SIGSEGV));
}

/// Needs a server: `MESH_RT_TEST_DATABASE=postgres://.. cargo test`.
#[test]
fn the_database_answers_on_the_main_thread_and_in_actors() {
    let Ok(url) = std::env::var("MESH_RT_TEST_DATABASE") else {
        eprintln!("skipped: MESH_RT_TEST_DATABASE is not set");
        return;
    };
    let nowhere = "ERROR: relation \"nowhere\" does not exist (SQLSTATE 42P01)";
    for variant in [RELEASE, DEBUG, SNOW] {
        for what in ["db", "db-actor"] {
            assert_eq!(variant.lines(&[what, &url]), format!("it's!\n{nowhere}\n"));
        }
    }
}
