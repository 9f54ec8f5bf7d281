//! JSON: parsed by serde_json, kept as a tree of small tagged nodes.

use rt_export::export;
use serde_json::{Map, Number, Value};

use crate::gc::{self, Kind};
use crate::value::{MeshResult, MeshString, string, word_text};
use crate::{list, map};

/// `{u8 tag, u64 payload}`; arrays are lists of nodes, objects maps to nodes.
#[repr(C)]
struct Node {
    tag: u8,
    payload: u64,
}

const NULL: u8 = 0;
const BOOL: u8 = 1;
const INT: u8 = 2;
const FLOAT: u8 = 3;
const STRING: u8 = 4;
const ARRAY: u8 = 5;
const OBJECT: u8 = 6;

fn node(tag: u8, payload: u64) -> *mut u8 {
    let place = gc::alloc(size_of::<Node>(), Kind::Scanned);
    unsafe { (place as *mut Node).write(Node { tag, payload }) };
    place
}

unsafe fn parts(json: *mut u8) -> (u8, u64) {
    unsafe {
        let node = json as *const Node;
        ((*node).tag, (*node).payload)
    }
}

fn from_value(value: &Value) -> *mut u8 {
    match value {
        Value::Null => node(NULL, 0),
        Value::Bool(truth) => node(BOOL, *truth as u64),
        Value::Number(number) => match number.as_i64() {
            Some(int) => node(INT, int as u64),
            None => node(FLOAT, number.as_f64().unwrap_or(f64::NAN).to_bits()),
        },
        Value::String(text) => node(STRING, string(text) as u64),
        Value::Array(values) => {
            let nodes: Vec<u64> = values.iter().map(|value| from_value(value) as u64).collect();
            node(ARRAY, list::of(&nodes) as u64)
        }
        Value::Object(fields) => {
            let pairs: Vec<[u64; 2]> = fields
                .iter()
                .map(|(key, value)| [string(key) as u64, from_value(value) as u64])
                .collect();
            node(OBJECT, map::of(map::KEY_STRING, &pairs) as u64)
        }
    }
}

unsafe fn to_value(json: *mut u8) -> Value {
    unsafe {
        let (tag, payload) = parts(json);
        match tag {
            BOOL => Value::Bool(payload != 0),
            INT => Value::Number((payload as i64).into()),
            FLOAT => Number::from_f64(f64::from_bits(payload)).map_or(Value::Null, Value::Number),
            STRING => Value::String(word_text(payload).to_owned()),
            ARRAY => {
                let nodes = list::words(payload as *mut u8);
                Value::Array(nodes.iter().map(|&node| to_value(node as *mut u8)).collect())
            }
            OBJECT => Value::Object(
                map::entries(payload as *mut u8)
                    .iter()
                    .map(|entry| (word_text(entry[0]).to_owned(), to_value(entry[1] as *mut u8)))
                    .collect(),
            ),
            _ => Value::Null,
        }
    }
}

fn text_of(value: &Value) -> *mut MeshString {
    MeshString::new(value.to_string().as_bytes())
}

#[export]
unsafe fn json_parse(text: *const MeshString) -> *mut MeshResult {
    match serde_json::from_slice::<Value>(unsafe { MeshString::bytes(text) }) {
        Ok(value) => MeshResult::ok(from_value(&value)),
        Err(error) => MeshResult::err(&error.to_string()),
    }
}

#[export]
unsafe fn json_encode(json: *mut u8) -> *mut MeshString {
    text_of(&unsafe { to_value(json) })
}

#[export]
unsafe fn json_encode_string(text: *const MeshString) -> *mut MeshString {
    text_of(&Value::from(unsafe { MeshString::text(text) }))
}

#[export]
fn json_encode_int(value: i64) -> *mut MeshString {
    text_of(&Value::from(value))
}

#[export]
fn json_encode_bool(value: i8) -> *mut MeshString {
    text_of(&Value::from(value != 0))
}

/// A map from strings to strings as a JSON object.
#[export]
unsafe fn json_encode_map(map: *mut u8) -> *mut MeshString {
    let fields: Map<String, Value> = unsafe { map::entries(map) }
        .iter()
        .map(|entry| unsafe { (word_text(entry[0]).to_owned(), Value::from(word_text(entry[1]))) })
        .collect();
    text_of(&Value::Object(fields))
}

#[export]
fn json_null() -> *mut u8 {
    node(NULL, 0)
}

#[export]
fn json_from_int(value: i64) -> *mut u8 {
    node(INT, value as u64)
}

#[export]
fn json_from_float(value: f64) -> *mut u8 {
    node(FLOAT, value.to_bits())
}

#[export]
fn json_from_bool(value: i8) -> *mut u8 {
    node(BOOL, (value != 0) as u64)
}

#[export]
fn json_from_string(text: *const MeshString) -> *mut u8 {
    node(STRING, text as u64)
}

#[export]
unsafe fn json_from_list(list: *mut u8, code: extern "C" fn(u64) -> *mut u8) -> *mut u8 {
    let nodes: Vec<u64> =
        unsafe { list::words(list) }.iter().map(|&word| code(word) as u64).collect();
    node(ARRAY, list::of(&nodes) as u64)
}

#[export]
unsafe fn json_from_map(map: *mut u8, code: extern "C" fn(u64) -> *mut u8) -> *mut u8 {
    let pairs: Vec<[u64; 2]> = unsafe { map::entries(map) }
        .iter()
        .map(|entry| [entry[0], code(entry[1]) as u64])
        .collect();
    node(OBJECT, map::of(map::KEY_STRING, &pairs) as u64)
}

#[export]
fn json_object_new() -> *mut u8 {
    node(OBJECT, map::of(map::KEY_STRING, &[]) as u64)
}

#[export]
unsafe fn json_object_put(object: *mut u8, key: *mut u8, value: *mut u8) -> *mut u8 {
    unsafe {
        let (_, fields) = parts(object);
        let fields = map::with(fields as *mut u8, key as u64, value as u64);
        node(OBJECT, fields as u64)
    }
}

#[export]
unsafe fn json_object_get(object: *mut u8, key: *mut u8) -> *mut u8 {
    unsafe {
        let (tag, fields) = parts(object);
        if tag != OBJECT {
            return MeshResult::err("not a JSON object") as *mut u8;
        }
        let key = word_text(key as u64);
        let entries = map::entries(fields as *mut u8);
        match entries.iter().find(|entry| word_text(entry[0]) == key) {
            Some(entry) => MeshResult::ok(entry[1] as *mut u8) as *mut u8,
            None => MeshResult::err(&format!("missing field: {key}")) as *mut u8,
        }
    }
}

#[export]
fn json_array_new() -> *mut u8 {
    node(ARRAY, list::of(&[]) as u64)
}

#[export]
unsafe fn json_array_push(array: *mut u8, value: *mut u8) -> *mut u8 {
    unsafe {
        let (_, nodes) = parts(array);
        let nodes = [list::words(nodes as *mut u8), &[value as u64]].concat();
        node(ARRAY, list::of(&nodes) as u64)
    }
}

#[export]
unsafe fn json_array_get(array: *mut u8, index: i64) -> *mut u8 {
    unsafe {
        let (tag, nodes) = parts(array);
        let nodes = if tag == ARRAY { list::words(nodes as *mut u8) } else { &[] };
        match usize::try_from(index).ok().and_then(|at| nodes.get(at)) {
            Some(&found) => MeshResult::ok(found as *mut u8) as *mut u8,
            None => MeshResult::err("array index out of range") as *mut u8,
        }
    }
}

unsafe fn payload_as(json: *mut u8, wanted: u8, name: &str) -> *mut u8 {
    let (tag, payload) = unsafe { parts(json) };
    if tag != wanted {
        return MeshResult::err(&format!("expected {name}")) as *mut u8;
    }
    MeshResult::ok(payload as *mut u8) as *mut u8
}

#[export]
unsafe fn json_as_int(json: *mut u8) -> *mut u8 {
    unsafe { payload_as(json, INT, "Int") }
}

#[export]
unsafe fn json_as_float(json: *mut u8) -> *mut u8 {
    unsafe { payload_as(json, FLOAT, "Float") }
}

#[export]
unsafe fn json_as_string(json: *mut u8) -> *mut u8 {
    unsafe { payload_as(json, STRING, "String") }
}

#[export]
unsafe fn json_as_bool(json: *mut u8) -> *mut u8 {
    unsafe { payload_as(json, BOOL, "Bool") }
}

/// One field of a JSON text, as text; empty if there is none.
#[export]
unsafe fn json_get(text: *mut u8, key: *mut u8) -> *mut u8 {
    unsafe { field_text(text, &[key]) }
}

#[export]
unsafe fn json_get_nested(text: *mut u8, outer: *mut u8, inner: *mut u8) -> *mut u8 {
    unsafe { field_text(text, &[outer, inner]) }
}

unsafe fn field_text(text: *mut u8, path: &[*mut u8]) -> *mut u8 {
    let parsed: Value =
        serde_json::from_str(unsafe { word_text(text as u64) }).unwrap_or(Value::Null);
    let found = path.iter().fold(&parsed, |value, &key| &value[unsafe { word_text(key as u64) }]);
    match found {
        Value::Null => string(""),
        Value::String(text) => string(text),
        other => string(&other.to_string()),
    }
}
